import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from decolle_ref._util import reading, store
from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.experiments import harness, regression, summary
from decolle_ref.experiments.regression import EXPERIMENT, Settings
from decolle_ref.plots.regression import save_figures

KIND = EXPERIMENT.checkpoint_kind
train = partial(harness.run, EXPERIMENT)
SMALL = Settings(epochs=16, layers=(32, 32, 32))
COMMAND = [sys.executable, "-c", "import sys; from decolle_ref.cli.main import main; sys.exit(main())", "regression"]
ARGUMENTS = ["--epochs", "16", "--layers", "32", "32", "32", "--quiet"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and the results of an uninterrupted small run."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(SMALL, folder, quiet=True)


def same_files(a, b):
    assert (a / "results.json").read_bytes() == (b / "results.json").read_bytes()
    for name, kind in (("checkpoint.npz", KIND), ("regression.npz", EXPERIMENT.arrays_kind)):
        one, other = (reading.read_arrays(folder / name, kind)[0] for folder in (a, b))
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def interrupted(folder, number):
    """Start the command, send the signal soon after its tenth epoch, and return its exit code and last words."""
    process = subprocess.Popen([*COMMAND, *ARGUMENTS, "--out", str(folder)], stderr=subprocess.PIPE, text=True)
    checkpoint = folder / "checkpoint.npz"
    while process.poll() is None:
        if checkpoint.exists() and len(reading.read_arrays(checkpoint, KIND)[0]["history"]) == 10:
            process.send_signal(number)
            break
        time.sleep(0.005)
    _, words = process.communicate(timeout=60)
    return process.returncode, words


def test_a_killed_run_resumes_to_the_bit_identical_result(finished, tmp_path):
    code, _ = interrupted(tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (tmp_path / "results.json").exists()
    train(SMALL, tmp_path, resume=True, quiet=True)
    same_files(finished[0], tmp_path)


def test_ctrl_c_ends_cleanly_with_a_checkpoint_that_resumes_bit_identically(finished, tmp_path):
    code, words = interrupted(tmp_path, signal.SIGINT)
    assert code == 130
    assert re.fullmatch(r"decolle-ref: stopped after epoch 1\d of 16; --resume goes on from there\n", words)
    train(SMALL, tmp_path, resume=True, quiet=True)
    same_files(finished[0], tmp_path)


def test_resume_without_a_checkpoint_starts_from_the_beginning(finished, tmp_path):
    train(SMALL, tmp_path, resume=True, quiet=True)
    same_files(finished[0], tmp_path)


def test_learning_lowers_every_layers_error(finished):
    _, results = finished
    assert (np.array(results["after"]["mse"]) < np.array(results["before"]["mse"])).all()
    assert list(summary.headline(EXPERIMENT, results).numbers.values()) == results["after"]["mse"]


def test_results_say_what_they_depend_on(finished):
    results = json.loads((finished[0] / "results.json").read_text())
    assert results["comparable"] is True
    assert results["settings"]["seed"] == 0 and results["settings"]["layers"] == [32, 32, 32]
    assert {"numpy", "scipy", "python", "decolle_ref"} <= results["versions"].keys()
    assert np.shape(results["epochs"]["mse"]) == np.shape(results["epochs"]["spike_rate"]) == (16, 3)


def test_targets_are_those_of_the_authors(recording):
    ours = regression.targets(3).astype(np.float32)
    theirs = np.stack([recording[f"layer{k}_target"] for k in (1, 2, 3)], axis=1)
    np.testing.assert_array_equal(ours[..., 0], theirs)


def test_the_authors_input_is_shown_as_recorded(recording):
    np.testing.assert_array_equal(regression.build(replace(SMALL, input="authors")).spikes, recording["input_spikes"])


def test_building_twice_from_one_seed_gives_the_same_problem_and_another_seed_another():
    one, two, other = (regression.build(replace(SMALL, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.spikes, two.spikes)
    np.testing.assert_array_equal(one.weights[1].W, two.weights[1].W)
    assert (one.spikes != other.spikes).any()


def test_quick_is_the_same_network_and_says_so(tmp_path, capsys):
    assert main(["regression", "--quick", "--layers", "4", "--epochs", "1", "--quiet", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text())["comparable"] is False
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and "not comparable" in line
    assert {"regression_states.png", "regression_outputs.png", "regression_learning_curve.png"} <= {
        p.name for p in tmp_path.iterdir()
    }


def test_figures_are_drawn_from_stored_arrays(finished):
    folder, results = finished
    paths = save_figures(folder, results)
    assert len(paths) == 3
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs: expected an integer >= 1, got 0"),
        (["--layers", "512", "0"], "layers: expected an integer >= 1, got 0"),
        (["--seed", "-1"], "seed: expected an integer >= 0, got -1"),
        (["--learning-rate", "-1"], "learning_rate: expected finite numbers >= 0, got -1.0"),
        (["--learning-rate", "nan"], "learning_rate: expected finite numbers >= 0, got nan"),
        (["--beta2", "1"], "beta2: expected a number in [0, 1), got 1.0"),
        (["--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["--dtype", "float16"], "argument --dtype: invalid choice"),
        (["--out", "{file}/sub"], "out: expected a writable folder, got {file}/sub"),
        (["--no-such"], "unrecognized arguments: --no-such"),
    ],
)
def test_bad_arguments_end_with_one_line_and_exit_code_2(arguments, message, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    arguments = [a.replace("{file}", str(file)) for a in arguments]
    try:
        code = main(["regression", "--out", str(tmp_path / "run"), "--quiet", *arguments])
    except SystemExit as stop:  # argparse's own way out
        code = stop.code
    complaint = capsys.readouterr().err
    assert code == 2
    assert complaint.startswith("decolle-ref") and message.replace("{file}", str(file)) in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "run" / "results.json").exists()


def test_missing_data_is_named_with_the_place_it_was_looked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    assert main(["regression", "--input", "authors", "--out", str(tmp_path), "--quiet"]) == 2
    assert f"expected authors/regression.npz in {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "got something unreadable"),
        (lambda path: store.write_arrays(path, "another kind", {}, {}), "got 'another kind'"),
        (lambda path: harness.checkpoint.save(path, KIND, {}, {}), "expected a run with epochs = 16, got None"),
        (lambda path: store.write_arrays(path, KIND, {}, {}), "expected the checksum of its content, got none"),
    ],
)
def test_a_truncated_or_foreign_checkpoint_is_refused(damage, message, finished, tmp_path):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes((finished[0] / "checkpoint.npz").read_bytes())
    damage(path)
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, resume=True, quiet=True)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("history", lambda x: np.full_like(x, np.nan), "history: expected finite numbers"),
        (
            "history",
            lambda x: x - [[1], [0]],
            r"history: expected a number from 0 to inf, got -.* at index \(0, 0, 0\)",
        ),
        (
            "history",
            lambda x: x + np.array([[0], [1]]),
            r"a number from 0 to 1, got 1.* at index \(0, 1, 0\)",
        ),
        ("history", lambda x: x[0, 0, 0], r"history: expected shape \(16, 2, 3\), got \(\)"),
        ("updates", lambda x: x + 0.5, "updates: expected a whole number from 0 to"),
        ("updates", lambda x: x + np.inf, "updates: expected finite numbers, got inf"),
        ("updates", lambda x: np.array("many"), "updates: expected finite numbers, got dtype <U4"),
        ("u_W0", lambda x: -x, "u of layer 1 W: expected a number from 0 to inf"),
        ("m_b1", lambda x: x * np.float32(np.inf), "layer 2 b: expected finite numbers"),
        ("history", lambda x: x[:-1], "expected 7200 updates, got 7680"),
        ("W0", lambda x: x.astype(np.float64), "layer 1 W: expected float32, as the neuron has it, got float64"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(name, change, message, finished, tmp_path):
    arrays, about = reading.read_arrays(finished[0] / "checkpoint.npz", KIND)
    harness.checkpoint.save(tmp_path / "checkpoint.npz", KIND, arrays | {name: change(arrays[name])}, about["settings"])
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, resume=True, quiet=True)


@pytest.mark.parametrize("layers", [(1,), (2, 5), (2, 2, 2)])
def test_networks_of_a_few_neurons_are_drawn_too(layers, tmp_path):
    results = train(replace(SMALL, epochs=1, layers=layers), tmp_path, quiet=True)
    assert len(save_figures(tmp_path, results)) == 3


def test_a_checkpoint_of_other_settings_is_refused(finished):
    with pytest.raises(InputError, match="expected a run with seed = 1, got 0"):
        train(replace(SMALL, seed=1), finished[0], resume=True, quiet=True)


def test_a_checkpoint_without_its_arrays_is_refused(finished, tmp_path):
    arrays, about = reading.read_arrays(finished[0] / "checkpoint.npz", KIND)
    del arrays["u_W1"]
    harness.checkpoint.save(tmp_path / "checkpoint.npz", KIND, arrays, about["settings"])
    with pytest.raises(InputError, match="expected a complete checkpoint, got one without 'u_W1'"):
        train(SMALL, tmp_path, resume=True, quiet=True)


@pytest.mark.study
@pytest.mark.parametrize("source", ["poisson", "authors"])
def test_every_seed_beats_the_authors_and_the_median_halves_their_error(source, recording, tmp_path):
    """About ten minutes each: five seeds, full size."""
    theirs = [np.mean((recording[f"layer{k}_Y"][20:, 0] - recording[f"layer{k}_target"][20:]) ** 2) for k in (1, 2, 3)]
    runs = [train(Settings(seed=s, input=source), tmp_path / f"{s}", quiet=True)["after"] for s in range(5)]
    mse, rate = np.array([r["mse"] for r in runs]), np.array([r["spike_rate"] for r in runs])
    assert (mse < theirs).all()
    assert (np.median(mse, axis=0) <= np.array(theirs) / 2).all()
    assert (rate >= 0.01).all() and (rate <= 0.10).all()
