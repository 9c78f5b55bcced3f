import json
import os
import signal
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest

from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments import harness, spikegrad_cifar10, spikegrad_images, summary
from decolle_ref.experiments import spikegrad_mnist as experiment
from decolle_ref.experiments.harness import Interrupted
from decolle_ref.experiments.spikegrad_images import Data
from decolle_ref.experiments.spikegrad_mnist import EXPERIMENT, Settings
from decolle_ref.fast.spikegrad import step
from decolle_ref.plots.spikegrad_mnist import plot, save_figures
from decolle_ref.spikegrad import ann, network

KIND = EXPERIMENT.checkpoint_kind
train = partial(harness.run, EXPERIMENT)
SMALL = Settings(epochs=4, batch=20)


@pytest.fixture(scope="module", autouse=True)
def small_network():
    """The experiment on few neurons: its own network is tested with the equations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(network.TOPOLOGIES, "mnist", ("28x28-3C5-P4-8-10", 0))
        patch.setattr(spikegrad_images, "EVENTS", 1)
        yield


@pytest.fixture(scope="module")
def data():
    """Bright bars whose row is the label, with noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 240).astype(np.uint8)
    images = rng.integers(0, 60, (240, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label] = 255
    x = images[:, None].astype(np.uint8)
    return Data(x[:200], labels[:200], x[200:], labels[200:])


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """The folder and the results of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(SMALL, folder, quiet=True, data=data)


def same_files(a, b):
    assert (a / "results.json").read_bytes() == (b / "results.json").read_bytes()
    one, other = (reading.read_arrays(folder / "checkpoint.npz", KIND)[0] for folder in (a, b))
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])


def stop_in_epoch(number, monkeypatch):
    """Ctrl-C, after half of the ten mini-batches of an epoch."""

    class Bar(harness.Progress):
        done = 0

        def advance(self, text, by=1):
            Bar.done += by
            if Bar.done == 10 * (number - 1) + 5:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(harness, "Progress", Bar)


@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_ends_cleanly_and_resumes_bit_identically(epoch, finished, data, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_in_epoch(epoch, patch)
        with pytest.raises(Interrupted, match=f"stopped in epoch {epoch} of 4; --resume repeats it"):
            train(SMALL, tmp_path, quiet=True, data=data)
    assert not (tmp_path / "results.json").exists()
    arrays, _ = reading.read_arrays(tmp_path / "checkpoint.npz", KIND)
    assert len(arrays["loss"]) == epoch - 1
    train(SMALL, tmp_path, resume=True, quiet=True, data=data)
    same_files(finished[0], tmp_path)


def test_shifts_averages_and_held_out_images_resume_bit_identically(data, tmp_path, monkeypatch):
    settings = replace(SMALL, shift=1, averaged=2, held_out=40, batch=16)  # ten mini-batches of 160 images
    results = train(settings, tmp_path / "a", quiet=True, data=data)
    with monkeypatch.context() as patch:
        stop_in_epoch(4, patch)
        with pytest.raises(Interrupted, match="stopped in epoch 4 of 4"):
            train(settings, tmp_path / "b", quiet=True, data=data)
    train(settings, tmp_path / "b", resume=True, quiet=True, data=data)
    same_files(tmp_path / "a", tmp_path / "b")
    assert results["epochs"]["accuracy"][-1] * 40 == pytest.approx(round(results["epochs"]["accuracy"][-1] * 40))
    with pytest.raises(InputError, match="held_out: expected fewer than the 200 training images, got 200"):
        train(replace(SMALL, held_out=200), tmp_path / "c", quiet=True, data=data)


def test_the_result_is_the_mean_of_the_averaged_weights(data):
    settings = replace(SMALL, averaged=2)
    job = experiment.SpikeGradMnist(settings, None, data)
    states = [job.begin()]
    for _ in range(4):
        states.append(job.step(states[-1], harness.silent()))
    for k, w in enumerate(job.weights(states[4], 4)):
        np.testing.assert_allclose(w.W, (states[3].weights[k].W + states[4].weights[k].W) / 2, rtol=2**-22, atol=0)
    assert job.weights(states[2], 2) is states[2].weights


def test_resume_of_a_finished_run_reports_it_again(finished, data, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes((finished[0] / "checkpoint.npz").read_bytes())
    train(SMALL, tmp_path, resume=True, quiet=True, data=data)
    same_files(finished[0], tmp_path)


@pytest.mark.parametrize("gradient", ["spike", "float"])
def test_spike_and_float_gradients_learn(gradient, data, tmp_path):
    results = train(replace(SMALL, gradient=gradient), tmp_path, quiet=True, data=data)
    loss = results["epochs"]["loss"]
    assert loss[-1] < 0.75 * loss[0]
    assert results["accuracy"] > 0.5  # 0.1 by chance


def test_errors_are_counted_in_whole_spikes(finished):
    epochs = finished[1]["epochs"]
    for name in ("spikes", "error_spikes"):
        total = 200 * np.array(epochs[name])
        np.testing.assert_allclose(total, np.rint(total), rtol=0, atol=1e-9)
    # 10 neurons send their errors to 8: as many operations as spikes times 8, of 80
    top = np.array(epochs["error_spikes"])[:, -1] * 8 / 80
    np.testing.assert_allclose(np.array(epochs["backward_by_layer"])[:, -1], top, rtol=1e-12)


def test_float_errors_cost_what_the_ann_costs(data, tmp_path):
    results = train(replace(SMALL, gradient="float", epochs=1), tmp_path, quiet=True, data=data)
    assert results["epochs"]["backward"] == [1.0]


def test_redundancy_lies_between_1_and_the_bound(finished):
    assert set(finished[1]["redundancy"]) == {"forward", "backward"}
    for numbers in finished[1]["redundancy"].values():
        assert numbers["totals"] <= numbers["spikes"] <= numbers["bound"]
        assert numbers["ratio"] == numbers["spikes"] / max(1, numbers["totals"])


def test_a_small_alpha_starves_the_lower_layers_and_warns(data, tmp_path):
    """All errors are below 1/2: alpha (softmax - onehot) makes no spike anywhere."""
    with pytest.warns(UserWarning, match=r"alpha = 0.25: no error spike reached layer") as caught:
        results = train(replace(SMALL, alpha=0.25, epochs=2), tmp_path, quiet=True, data=data)
    assert len(caught) == 4  # once for each layer
    assert results["starving"] == [2, 2, 2, 2]


def test_a_run_that_does_not_starve_does_not_warn(finished):
    assert finished[1]["starving"] == [0, 0, 0, 0]


def test_building_twice_gives_the_same_weights_and_another_seed_others(data):
    one, two, other = (experiment.SpikeGradMnist(replace(SMALL, seed=s), None, data).begin() for s in (3, 3, 4))
    np.testing.assert_array_equal(one.weights[0].W, two.weights[0].W)
    assert (one.weights[0].W != other.weights[0].W).any()
    rngs = map(np.random.default_rng, (0, 0, 1))
    orders = [np.concatenate(list(spikegrad_images.batches(rng, 200, 20))) for rng in rngs]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any() and sorted(orders[2]) == list(range(200))


@pytest.mark.parametrize("alpha", [0.25, 8.0, 64.0])
def test_samples_without_error_spikes_may_be_left_out(alpha, rng):
    """The increments equal those of the definition, which goes through all samples."""
    net = network.named("mnist", 0.5, 0.5)
    weights = [Weights(np.rint(16 * w.W) / 16, np.rint(16 * w.b) / 16) for w in network.init_weights(rng, net)]
    x, labels = rng.integers(0, 8, (6, 784)) / 8, np.array([0, 1, 2, 3, 4, 5])
    ours = step(net, weights, x, labels, alpha, "spike")
    responses = ann.forward(net, weights, x)
    U = ann.top_error(responses[-1].S, labels, alpha)
    E = ann.backward(net, weights, responses, U)
    for ours_sent, sent in zip([*ours.S, *ours.E], [*(r.S for r in responses), *E], strict=True):
        np.testing.assert_array_equal(ours_sent, np.abs(sent).sum(axis=0))
    for increment, theirs in zip(ours.increments, ann.increments(net, x, responses, E), strict=True):
        np.testing.assert_array_equal(increment.W, theirs.W)
        np.testing.assert_array_equal(increment.b, theirs.b)


def test_results_say_what_they_depend_on(finished):
    results = json.loads((finished[0] / "results.json").read_text())
    assert results == finished[1]
    assert results["settings"] == asdict(SMALL) and results["comparable"] is True
    assert results["connections"] == ["P4", "8", "10"]
    assert summary.one_line(EXPERIMENT, results).startswith("spikegrad-mnist: test accuracy ")
    assert "not comparable" in summary.one_line(EXPERIMENT, results | {"comparable": False})
    for either in (EXPERIMENT, spikegrad_cifar10.EXPERIMENT):
        assert summary.headline(either, results) == ("test accuracy", "%", {"": 100 * results["accuracy"]})


def test_figures_are_drawn_from_the_results(finished):
    folder, results = finished
    assert save_figures(folder, results)[0].read_bytes().startswith(b"\x89PNG")
    other = results | {"settings": results["settings"] | {"gradient": "float"}}
    figure = plot([results, other])
    assert len(figure.axes) == 4


def test_quick_runs_read_few_images():
    if not os.environ.get("DECOLLE_REF_DATA"):
        pytest.skip("DECOLLE_REF_DATA is not set")
    quick = experiment.read(Settings(quick=True))
    assert [len(part) for part in quick] == [experiment.QUICK_IMAGES] * 4
    x = spikegrad_images.encode(quick.x)
    assert x.dtype == np.float32 and x.min() == 0 and x.max() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d._replace(x=np.full(d.x.shape, np.nan)), "training images: expected finite numbers, got nan"),
        (lambda d: d._replace(x=d.x[..., 0]), r"training images: expected shape \(200, 1, 28, 28\), got"),
        (lambda d: d._replace(labels=d.labels + 1), r"training labels: expected integers 0..9, got 1..10"),
        (lambda d: d._replace(labels_test=d.labels_test - 0.5), r"test labels: expected integers 0..9, got -0.5"),
        (lambda d: d._replace(x=d.x[:0], labels=d.labels[:0]), r"training labels: expected integers 0..9, got none"),
    ],
)
def test_bad_data_are_refused_before_the_run(change, message, data, tmp_path):
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, quiet=True, data=change(data))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0}, "alpha: expected finite numbers > 0, got 0"),
        ({"theta_ff": -1.0}, "theta_ff: expected finite numbers > 0, got -1.0"),
        ({"theta_bp": 0.0}, "theta_bp: expected finite numbers > 0, got 0.0"),
        ({"gradient": "real"}, "gradient: expected one of spike, float, got 'real'"),
        ({"epochs": 0}, "epochs: expected an integer >= 1, got 0"),
        ({"batch": 0}, "batch: expected an integer >= 1, got 0"),
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        ({"learning_rate": float("nan")}, "learning_rate: expected finite numbers >= 0, got nan"),
        ({"momentum": 1.0}, "momentum: expected numbers in"),
        ({"weight_decay": -1.0}, "decay: expected finite numbers >= 0, got -1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Settings(**settings)


def test_missing_data_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    with pytest.raises(InputError, match=f"expected mnist/train-images-idx3-ubyte.gz in {tmp_path}"):
        train(Settings(), tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays | {"loss": arrays["loss"] * np.nan}, "loss: expected finite numbers"),
        (
            lambda arrays: arrays | {"accuracy": arrays["accuracy"] * 0 - 1.92},
            r"from 0 to 1, got -1\.92 at index \(0,\)",
        ),
        (lambda arrays: arrays | {"forward": -arrays["forward"]}, "forward: expected a number from 0 to inf"),
        (
            lambda arrays: arrays | {"learning_rate": arrays["learning_rate"] + 1},
            "learning_rate: expected a number from",
        ),
        (lambda arrays: arrays | {"loss": np.float64(1)}, "loss: expected shape"),
        (lambda arrays: arrays | {"loss": arrays["loss"][:-1]}, "expected a complete checkpoint"),
        (lambda arrays: {k: v for k, v in arrays.items() if k != "v_W0"}, "got one without 'v_W0'"),
        (lambda arrays: arrays | {"W0": arrays["W0"][:1]}, r"layer 1 W: expected shape \(3, 1, 5, 5\)"),
        (lambda arrays: arrays | {"b2": arrays["b2"].astype(float)}, "layer 3 b: expected float32"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(change, message, finished, data, tmp_path):
    arrays, about = reading.read_arrays(finished[0] / "checkpoint.npz", KIND)
    harness.checkpoint.save(tmp_path / "checkpoint.npz", KIND, change(arrays), about["settings"])
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, resume=True, quiet=True, data=data)


def test_a_checkpoint_of_other_settings_is_refused(finished, data):
    with pytest.raises(InputError, match=r"expected a run with alpha = 50.0, got 100.0"):
        train(replace(SMALL, alpha=50.0), finished[0], resume=True, quiet=True, data=data)


def test_the_command_warns_in_one_line_when_the_lower_layers_starve(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    images = (rng.random((20, 28, 28)) * 255).astype(np.uint8), rng.integers(10, size=20).astype(np.uint8)
    monkeypatch.setattr(experiment.mnist, "load", lambda split: images)
    arguments = ["--quick", "--quiet", "--epochs", "1", "--alpha", "0.4", "--out", str(tmp_path)]
    assert main(["spikegrad-mnist", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and out.startswith("spikegrad-mnist: test accuracy")
    assert "decolle-ref: warning: alpha = 0.4: no error spike reached layer 1 in epoch 1" in err
    assert main(["spikegrad-mnist", "--theta-bp", "0", "--out", str(tmp_path)]) == 2
    assert "theta_bp: expected finite numbers > 0, got 0" in capsys.readouterr().err
