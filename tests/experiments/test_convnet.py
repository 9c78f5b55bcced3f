"""The conventional network on MNIST: training, checkpoints, results."""

import json
import os
import signal
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.data import digits
from decolle_ref.decolle import convnet
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments import convnet as experiment
from decolle_ref.experiments import harness, summary
from decolle_ref.experiments.convnet import EXPERIMENT, Convnet, Settings
from decolle_ref.experiments.environment import versions
from decolle_ref.experiments.harness import Interrupted
from decolle_ref.experiments.poisson_mnist_network import Data, mini_batches
from decolle_ref.fast.convnet import ConvnetStepper
from decolle_ref.plots.convnet import plot, save_figures

train = partial(harness.run, EXPERIMENT)
KIND = EXPERIMENT.checkpoint_kind
SEEDS = st.integers(0, 2**32 - 1)
SMALL = Settings(epochs=4, batch=8)


def flat(weights):
    return np.concatenate([x.ravel() for w in weights for x in w])


@pytest.fixture(scope="module")
def data():
    """A hundred generated digits to learn from, and fifty to be tested on."""
    x, labels = digits.generate(np.random.default_rng(0), 150)
    return Data(x[:100], labels[:100], x[100:], labels[100:])


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """The folder and the results of an uninterrupted run on one thread."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(SMALL, folder, quiet=True, data=data)


def same_files(a, b):
    assert (a / "results.json").read_bytes() == (b / "results.json").read_bytes()
    (one, about), (other, also) = (reading.read_arrays(folder / "checkpoint.npz", KIND) for folder in (a, b))
    assert about == also and one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def stop_at_update(number, patch):
    """Ctrl-C, within this update."""
    updates, original = iter(range(100)), ConvnetStepper.gradient

    def interrupting(self, *args):
        if next(updates) == number:
            signal.raise_signal(signal.SIGINT)
        return original(self, *args)

    patch.setattr(ConvnetStepper, "gradient", interrupting)


def test_a_resumed_run_is_bit_identical_to_one_that_was_not_interrupted(finished, data, tmp_path, monkeypatch):
    """Interrupted within the third epoch, by a signal, with other numbers of threads."""
    with monkeypatch.context() as patch:
        stop_at_update(30, patch)
        with pytest.raises(Interrupted, match=r"stopped in epoch 3 of 4; --resume repeats it"):
            train(SMALL, tmp_path, quiet=True, data=data, threads=2)
    assert not (tmp_path / "results.json").exists()
    arrays, _ = reading.read_arrays(tmp_path / "checkpoint.npz", KIND)
    assert (len(arrays["history"]), arrays["updates"]) == (2, 200 // 8)
    train(SMALL, tmp_path, resume=True, quiet=True, data=data, threads=2)
    same_files(finished[0], tmp_path)


def test_resume_of_a_finished_run_reports_it_again(finished, data, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes((finished[0] / "checkpoint.npz").read_bytes())
    train(SMALL, tmp_path, resume=True, quiet=True, data=data)
    same_files(finished[0], tmp_path)


def test_a_run_begun_anew_puts_the_one_before_aside(finished, data, tmp_path, monkeypatch):
    for file in finished[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with monkeypatch.context() as patch:
        stop_at_update(3, patch)
        with pytest.raises(Interrupted, match="stopped in epoch 1 of 4"):
            train(SMALL, tmp_path, quiet=True, data=data)
    kept = {f"old.{file.name}" for file in finished[0].iterdir() if file.suffix != ".png"}
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoint.npz", *kept}
    arrays, _ = reading.read_arrays(tmp_path / "checkpoint.npz", KIND)
    assert (len(arrays["history"]), arrays["updates"]) == (0, 0)


def test_digits_are_learned(data, tmp_path):
    """Four hundred of them, seen four times; by chance nine in ten would be wrong."""
    x, labels = digits.generate(np.random.default_rng(1), 400)
    epochs = train(SMALL, tmp_path, quiet=True, data=data._replace(x=x, labels=labels))["epochs"]
    assert epochs["loss"][-1] < 0.5 * epochs["loss"][0]
    assert epochs["error"][-1] < 0.2


def test_the_last_error_is_that_of_the_readable_network_with_the_weights_in_the_checkpoint(finished, data):
    arrays, _ = reading.read_arrays(finished[0] / "checkpoint.npz", KIND)
    weights = [Weights(arrays[f"W{k}"].astype(float), arrays[f"b{k}"].astype(float)) for k in range(4)]
    Y = convnet.forward(experiment.network(), weights, data.x_test.reshape(50, -1) / 255).Y
    assert finished[1]["error"] == (Y.argmax(axis=1) != data.labels_test).mean()
    assert finished[1]["error"] == finished[1]["epochs"]["error"][-1]


def test_results_say_what_they_depend_on(finished):
    results = json.loads((finished[0] / "results.json").read_text())
    assert results == finished[1]
    assert results["experiment"] == "convnet" and results["comparable"] is True
    assert results["settings"] == asdict(SMALL) and results["versions"] == versions()
    assert {name: len(values) for name, values in results["epochs"].items()} == {"error": 4, "loss": 4}
    line = f"convnet: test error {100 * results['error']:.2f} % after 4 epochs, seed 0"
    assert summary.one_line(EXPERIMENT, results) == line
    assert summary.headline(EXPERIMENT, results) == ("test error", "%", {"": 100 * results["error"]})
    assert summary.one_line(EXPERIMENT, results | {"comparable": False}) == line + " (quick: not comparable)"


def test_the_figure_is_drawn_from_the_results(finished, tmp_path):
    assert save_figures(tmp_path, finished[1])[0].read_bytes().startswith(b"\x89PNG")
    left, right = plot(finished[1]).axes
    np.testing.assert_allclose(left.lines[-1].get_ydata(), 100 * np.array(finished[1]["epochs"]["error"]))
    np.testing.assert_array_equal(right.lines[-1].get_ydata(), finished[1]["epochs"]["loss"])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_epochs_cut_the_mini_batches_between_them(n, batch, epochs):
    """Epoch by epoch, as many whole mini-batches as have been filled, and in the end all of them."""
    assume(batch <= n)
    x, labels = np.zeros((n, 28, 28), np.uint8), np.zeros(n, np.uint8)
    made = Convnet(Settings(epochs=epochs, batch=batch), None, Data(x, labels, x, labels))
    ends = [made.ticks(epoch) for epoch in range(epochs + 1)]
    assert ends[0] == 0 and ends[-1] == len(made.order)
    assert (np.diff(ends) >= 1).all() and np.ptp(np.diff(ends)) <= 1


@given(SEEDS, st.integers(5, 30), st.integers(1, 5), st.integers(5, 90))
def test_every_image_is_shown_once_before_any_is_shown_again(seed, n, batch, samples):
    shown = mini_batches(seed, samples, batch, n)
    assert shown.shape == (samples // batch, batch)
    for start in range(0, shown.size, n):
        epoch = shown.ravel()[start : start + n]
        assert len(set(epoch)) == len(epoch)


def test_start_and_order_depend_on_the_seed_alone(data, tmp_path):
    made = [Convnet(replace(SMALL, seed=seed), None, data) for seed in (1, 1, 2)]
    weights = [flat(one.begin().carry.weights) for one in made]
    for found in (weights, [one.order for one in made]):
        np.testing.assert_array_equal(found[0], found[1])
        assert (found[0] != found[2]).any()


def test_the_learning_rate_falls_to_zero():
    assert [experiment.learning_rate(Settings(learning_rate=4.0), done) for done in (0, 0.25, 1)] == [4, 3, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: expected an integer >= 1, got 0"),
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        ({"batch": 0}, "batch: expected an integer >= 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected finite numbers >= 0, got -1.0"),
        ({"beta1": -0.1}, "beta1: expected a number in [0, 1), got -0.1"),
        ({"beta2": 1.0}, "beta2: expected a number in [0, 1), got 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(change, message):
    with pytest.raises(InputError) as problem:
        Settings(**change)
    assert str(problem.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d._replace(x=d.x[:, 1:]), r"training images: expected shape \(100, 28, 28\), got \(100, 27, 28\)"),
        (lambda d: d._replace(labels_test=d.labels_test + 1), r"test labels: expected integers 0\.\.9, got 1\.\.10"),
        (lambda d: d._replace(x=d.x[:7], labels=d.labels[:7]), "training images: expected at least the 8 of one mini"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_the_run(change, message, data, tmp_path):
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, quiet=True, data=change(data))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_other_settings_is_refused(finished, data):
    with pytest.raises(InputError, match=r"checkpoint.npz: expected a run with seed = 1, got 0"):
        train(replace(SMALL, seed=1), finished[0], resume=True, quiet=True, data=data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {"history": arrays["history"][:, :1]}, r"history: expected shape \(4, 2\), got \(4, 1\)"),
        (
            lambda arrays: {"history": arrays["history"] * 0 + 1.92},
            r"history: expected a number from 0 to 1, got 1\.92",
        ),
        (lambda arrays: {"history": arrays["history"] - [99, 0]}, "history: expected a number from 0 to inf, got -"),
        (lambda arrays: {"history": arrays["history"][:3]}, "expected 37 updates, got 50"),
        (lambda arrays: {"history": np.zeros((5, 2))}, r"history: expected shape \(4, 2\), got \(5, 2\)"),
        (lambda arrays: {"W3": arrays["W3"][1:]}, "layer 4 W: expected shape"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(change, message, finished, data, tmp_path):
    arrays, about = reading.read_arrays(finished[0] / "checkpoint.npz", KIND)
    harness.checkpoint.save(tmp_path / "checkpoint.npz", KIND, arrays | change(arrays), about["settings"])
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, resume=True, quiet=True, data=data)


def test_quick_runs_read_few_images():
    if not os.environ.get("DECOLLE_REF_DATA"):
        pytest.skip("DECOLLE_REF_DATA is not set")
    assert [len(part) for part in experiment.read(Settings(quick=True))] == [experiment.QUICK_IMAGES] * 4
