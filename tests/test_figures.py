"""The registry of figures/make.py: every figure has an entry, and every entry a figure."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from decolle_ref import experiments

FOLDER = Path(__file__).parent.parent / "figures"
spec = importlib.util.spec_from_file_location("figures_make", FOLDER / "make.py")
make = importlib.util.module_from_spec(spec)
sys.path.append(str(FOLDER))  # as for a program: `python figures/make.py`
spec.loader.exec_module(make)


def test_every_picture_and_stored_number_belongs_to_one_entry_of_the_registry_and_vice_versa():
    files = [file for figure in make.FIGURES.values() for file in figure.files]
    assert sorted(files) == sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".png", ".json"))


def test_every_entry_has_a_module_of_plots_with_its_name():
    for name, figure in make.FIGURES.items():
        assert importlib.util.find_spec(f"decolle_ref.plots.{name}")
        assert all(file.startswith(name) for file in figure.files)


@pytest.mark.parametrize(
    "name",
    (
        "poisson_mnist",
        "spikegrad_mnist",
        "nmnist",
        "dvsgesture",
        "lif_dynamics",
        "surrogates",
        "graph",
        "graph_decolle",
        "schematics_neuron",
        "schematics_feedback",
        "schematics_xor",
        "kill_matrix",
        "benchmarks",
    ),
)
def test_figures_that_need_no_run_are_drawn(name, tmp_path, capsys):
    assert make.main([name, "--out", str(tmp_path)]) == 0
    pictures = [tmp_path / file for file in make.FIGURES[name].files if file.endswith(".png")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert capsys.readouterr().out == "".join(f"{path}\n" for path in pictures)


def test_an_unknown_name_ends_with_one_line_and_code_2(capsys):
    assert make.main(["surrogates", "matching"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "'matching'" in err and "superspike" in err


def test_runs_are_collected_only_for_one_figure_with_stored_numbers(capsys):
    for names in ([], ["graph"], ["poisson_mnist", "spikegrad_mnist"]):
        assert make.main([*names, "--runs", "somewhere"]) == 2
        assert "regression, poisson_mnist, nmnist, dvsgesture, " in capsys.readouterr().err


def test_help_names_every_figure(capsys):
    with pytest.raises(SystemExit, match="0"):
        make.main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in make.FIGURES)


@pytest.mark.parametrize("name", ("landscape", "credit", "dialect_comparison"))
def test_a_figure_is_made_from_a_fresh_run_and_its_results_are_stored(name, tmp_path):
    assert make.main([name, "--quick", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.json", f"{name}.png"]
    assert json.loads((tmp_path / f"{name}.json").read_text())["settings"]["quick"]


@pytest.mark.parametrize("name", ("spikegrad_mnist", "nmnist"))
def test_the_stored_numbers_are_those_that_finished_runs_leave(name, tmp_path):
    stored = json.loads((FOLDER / f"{name}.json").read_text())
    runs = stored if isinstance(stored, list) else [run for group in stored.values() for run in group]
    folders = [tmp_path / f"run{k}" for k in range(len(runs))]
    for folder, run in zip(folders, runs, strict=True):
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps(run | {"learning": "not stored"}))
    out = tmp_path / "out"
    assert make.main([name, "--out", str(out), "--runs", *map(str, folders)]) == 0
    again = json.loads((out / f"{name}.json").read_text())
    if isinstance(again, list):
        again = [{key: value for key, value in run.items() if key != "learning"} for run in again]
    assert again == stored


def test_a_finished_run_is_drawn_as_a_fresh_one(tmp_path):
    experiment = experiments.experiment("dialect-comparison")
    experiments.run(experiment, experiments.settings_of(experiment.settings, quick=True), tmp_path / "run", quiet=True)
    assert make.main(["dialect_comparison", "--out", str(tmp_path), "--runs", str(tmp_path / "run")]) == 0
    assert (tmp_path / "dialect_comparison.png").exists()
    stored = json.loads((tmp_path / "dialect_comparison.json").read_text())
    assert stored == json.loads((tmp_path / "run" / "results.json").read_text())


def test_the_table_of_the_kill_matrix_is_read_as_a_whole():
    profiles, rows = make.sources.kill_matrix(False)
    assert list(profiles) == ["float64", "float32", "Q8.16", "bfloat16"]
    page = make.sources.KILL_MATRIX.read_text()
    for k, profile in enumerate(profiles):
        assert f"{profile}: {sum(ratios[k] >= 2 for *_, ratios in rows)} of {len(rows)}" in page
