"""What all experiments have in common: stop, resume, put aside, options declared once."""

import importlib
import json
from dataclasses import fields, replace

import numpy as np
import pytest

from decolle_ref import experiments
from decolle_ref._util import reading, store
from decolle_ref._util.check import InputError
from decolle_ref.cli.main import commands, main, parser
from decolle_ref.experiments import harness, options, summary
from decolle_ref.experiments.harness import Interrupted
from tests.support.walks import WALKS, Settings, Walks


@pytest.fixture
def stop(monkeypatch):
    """Ctrl-C within a unit."""
    return lambda *unit: monkeypatch.setattr(Walks, "stop_at", unit or None)


@pytest.mark.parametrize("unit", [("left", 0), ("left", 3), ("right", 1), ("right", 4)])
def test_a_study_stopped_in_any_unit_resumes_to_the_identical_files(unit, stop, tmp_path):
    harness.run(WALKS, Settings(), tmp_path / "whole", quiet=True)
    stop(*unit)
    with pytest.raises(Interrupted, match=r"^stopped in unit \d+ of 10; --resume repeats it$"):
        harness.run(WALKS, Settings(), tmp_path / "parts", quiet=True)
    assert not (tmp_path / "parts" / "results.json").exists()
    stop()
    harness.run(WALKS, Settings(), tmp_path / "parts", resume=True, quiet=True)
    for name in ("checkpoint.npz", "walks.npz", "results.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_a_new_run_puts_the_earlier_one_aside(tmp_path):
    harness.run(WALKS, Settings(), tmp_path, quiet=True)
    before = (tmp_path / "results.json").read_bytes()
    harness.run(WALKS, Settings(seed=1), tmp_path, quiet=True)
    assert (tmp_path / "old.results.json").read_bytes() == before


def test_no_earlier_run_is_overwritten_and_all_its_files_are_kept(tmp_path):
    runs = [WALKS, replace(WALKS, name="other-walks"), WALKS]
    for seed, experiment in enumerate(runs):
        harness.run(experiment, Settings(seed=seed), tmp_path, quiet=True)
        (tmp_path / f"{experiment.module}_ends.png").write_text(f"figure {seed}")
    (tmp_path / "other_walks_notes.txt").write_text("the user's own")
    harness.run(WALKS, Settings(seed=3), tmp_path, quiet=True)
    for seed, (mark, experiment) in enumerate(zip(("old.", "old.2.", "old.3."), runs, strict=True)):
        results = json.loads((tmp_path / f"{mark}results.json").read_text())
        assert (results["experiment"], results["settings"]["seed"]) == (experiment.name, seed)
        assert (tmp_path / f"{mark}{experiment.module}_ends.png").read_text() == f"figure {seed}"
        assert (tmp_path / f"{mark}{experiment.module}.npz").exists()
        assert (tmp_path / f"{mark}checkpoint.npz").exists()
    kept = {path.name for path in tmp_path.iterdir() if not path.name.startswith("old.")}
    assert kept == {"checkpoint.npz", "walks.npz", "results.json", "other_walks_notes.txt"}


def test_a_folder_in_use_is_refused_and_stays_as_it_is(tmp_path):
    harness.run(WALKS, Settings(), tmp_path, quiet=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with store.locked(tmp_path), pytest.raises(InputError, match=r"^out: expected a folder that no other process"):
        harness.run(WALKS, Settings(seed=1), tmp_path, quiet=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_folder_is_in_use_until_the_figures_are_drawn(tmp_path):
    def draw(results):
        assert json.loads((tmp_path / "results.json").read_text()) == results
        with pytest.raises(InputError, match="no other process"), store.locked(tmp_path):
            pass
        drawn.append(results)

    drawn = []
    harness.run(WALKS, Settings(), tmp_path, quiet=True, draw=draw)
    assert len(drawn) == 1
    with store.locked(tmp_path):
        pass


@pytest.mark.parametrize("resume", (False, True))
def test_a_run_that_diverges_names_the_step_and_the_quantity_and_keeps_its_last_checkpoint(
    resume, stop, tmp_path, monkeypatch
):
    monkeypatch.setattr(Walks, "diverge_at", ("left", 2))
    if resume:
        stop("left", 1)
        with pytest.raises(Interrupted):
            harness.run(WALKS, Settings(), tmp_path, quiet=True)
        stop()
    message = r"^diverged in unit 3 of 10, 2_path: expected finite numbers, got inf at index \(1,\)$"
    with pytest.raises(InputError, match=message):
        harness.run(WALKS, Settings(), tmp_path, resume=resume, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]
    assert int(reading.read_arrays(tmp_path / "checkpoint.npz", WALKS.checkpoint_kind)[0]["units"]) == 2


def test_results_that_are_not_finite_are_named_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Walks, "report", lambda self, state: ({"ends": {"left": [1.0, np.nan]}}, {"a": np.zeros(1)}))
    with pytest.raises(InputError, match=r"^results\.json\.ends\.left\[1\]: expected a finite number, got nan$"):
        harness.run(WALKS, Settings(), tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_checkpoint_of_another_experiment_or_without_a_unit_is_refused(tmp_path):
    harness.run(WALKS, Settings(), tmp_path, quiet=True)
    path = tmp_path / "checkpoint.npz"
    arrays, about = reading.read_arrays(path, WALKS.checkpoint_kind)
    del arrays["4_path"]
    harness.checkpoint.save(path, WALKS.checkpoint_kind, arrays, about["settings"])
    with pytest.raises(InputError, match="expected a complete checkpoint, got one without '4_path'"):
        harness.run(WALKS, Settings(), tmp_path, resume=True, quiet=True)
    harness.checkpoint.save(path, "decolle_ref patterns checkpoint", arrays, about["settings"])
    with pytest.raises(InputError, match="expected a decolle_ref walks checkpoint file, got 'decolle_ref patterns"):
        harness.run(WALKS, Settings(), tmp_path, resume=True, quiet=True)


def test_quick_changes_what_was_not_given_and_marks_the_result(tmp_path):
    quick = options.settings_of(Settings, quick=True, repeats=3)
    assert (quick.length, quick.repeats, quick.seed) == (5, 3, 0)
    results = harness.run(WALKS, quick, tmp_path, quiet=True)
    assert results["comparable"] is False
    assert summary.one_line(WALKS, results).endswith(" (quick: not comparable)")


@pytest.mark.parametrize("name", experiments.NAMES)
def test_every_field_of_the_settings_is_an_option_with_a_help_text(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    settings = experiments.experiment(name).settings
    for field in fields(settings):
        words = field.name.replace("_", "-")
        assert f"--{words}" in text or f"--no-{words}" in text or field.metadata["positional"]
        assert field.metadata["help"]
        assert field.metadata["help"] in text.replace("- ", "-") or field.metadata["help"][:20] in text
    assert {"seed", "quick"} <= {field.name for field in fields(settings)}
    assert all(option in text for option in ("--out", "--resume", "--quiet", "--threads"))


@pytest.mark.parametrize("command", commands(), ids=lambda c: c.name)
def test_the_example_of_every_command_can_be_parsed_and_is_shown(command, capsys):
    assert parser().parse_args(command.example.split()).run
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"decolle-ref {command.example}" in capsys.readouterr().out


def test_the_name_of_no_experiment_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"^experiment: expected one of regression, .*, got 'harness'$"):
        experiments.experiment("harness")


@pytest.mark.parametrize("name", experiments.NAMES)
def test_command_module_and_plot_of_an_experiment_carry_one_name(name):
    module = name.replace("-", "_")
    assert experiments.experiment(name).name == name
    assert callable(importlib.import_module(f"decolle_ref.plots.{module}").save_figures)
