"""The conventional network: its gradients, its fast path, its training."""

import json
import os
import signal
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref._util import store
from decolle_ref._util.check import InputError
from decolle_ref.data import digits
from decolle_ref.decolle import convnet
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.experiments import convnet as experiment
from decolle_ref.experiments.convnet import Settings, train
from decolle_ref.experiments.longrun import Interrupted, versions
from decolle_ref.experiments.poisson_mnist_network import Data, mini_batches
from decolle_ref.fast import worker_pool
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.convnet import ConvnetStepper, outputs
from decolle_ref.plots.convnet import curves, save_figures

SEEDS = st.integers(0, 2**32 - 1)
CHANNELS = st.sampled_from((1, 2, 3, 8))  # 8: one product per kernel row in the fast path, where the kernel is 2 or 3
SMALL = Settings(epochs=4, batch=8)


@st.composite
def nets(draw, channels=CHANNELS, kernel=4):
    """Three stages of any channels, pools, kernel and padding, over any image that they fit into."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(4, 13)), draw(st.integers(4, 13)))
    stages = [(draw(channels), draw(st.integers(1, 3))) for _ in range(3)]
    try:
        return convnet.build(
            shape, stages, draw(st.integers(1, kernel)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
        )
    except InputError:
        assume(False)


def problem(net, seed, batch, dtype=np.float64):
    """Weights, images, and targets on both sides of where smooth L1 turns linear."""
    rng = np.random.default_rng(seed)
    weights = [Weights(2 * w.W, 2 * w.b) for w in convnet.init_weights(rng, net, dtype)]
    x = rng.normal(size=(batch, net.stages[0].synapse.n_in))
    return weights, x.astype(dtype), rng.normal(0, 2, (batch, net.top.n)).astype(dtype)


def flat(weights):
    return np.concatenate([array.ravel() for w in weights for array in w])


def like(weights, numbers):
    """The inverse of `flat`."""
    arrays, sizes = [array for w in weights for array in w], [array.size for w in weights for array in w]
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    parts = [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]
    return list(map(Weights, parts[::2], parts[1::2]))


def distance(got, expected):
    """The largest difference over the largest entry."""
    got, expected = flat(got), flat(expected)
    return np.abs(got - expected).max() / np.abs(expected).max()


@settings(max_examples=15)
@given(nets(st.integers(1, 3), 3), SEEDS, st.integers(1, 3))
def test_backpropagation_is_the_exact_gradient_of_all_weights(net, seed, batch):
    weights, x, target = problem(net, seed, batch)
    slopes = flat(convnet.gradient(net, weights, x, target))
    report = gradcheck.check(
        lambda w: convnet.loss(net, like(weights, w), x, target), slopes, flat(weights), tolerance=1e-10
    )
    assert report, str(report)


def test_every_layer_of_the_reference_network_gets_a_gradient():
    net = experiment.network()
    weights, x, target = problem(net, 0, 2)
    shapes = [(16, 1, 7, 7), (24, 16, 7, 7), (32, 24, 7, 7), (10, 512)]
    for slopes, shape in zip(convnet.gradient(net, weights, x, target), shapes, strict=True):
        assert slopes.W.shape == shape
        assert np.abs(slopes.W).max() > 0 < np.abs(slopes.b).max()


@st.composite
def convolutions(draw):
    shape = (draw(CHANNELS), draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    geometry = [draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 4))]
    try:
        return Conv2d(shape, draw(st.integers(1, 4)), *geometry)
    except InputError:
        assume(False)


def normal(rng, synapse, *batch):
    """Weights, delta and P."""
    shape = synapse.shape_W if isinstance(synapse, Conv2d) else (synapse.n, synapse.n_in)
    weights = Weights(rng.normal(size=shape), rng.normal(size=shape[0]))
    return weights, rng.normal(size=(*batch, synapse.n)), rng.normal(size=(*batch, synapse.n_in))


@given(
    convolutions() | st.builds(Dense, st.integers(1, 6), st.integers(1, 6)), SEEDS, st.sampled_from([(), (3,), (2, 2)])
)
def test_adjoint_is_the_adjoint_of_the_drive(synapse, seed, batch):
    """<delta, drive(P) - b> = <adjoint(delta), P>."""
    weights, delta, P = normal(np.random.default_rng(seed), synapse, *batch)
    without_bias = Weights(weights.W, 0 * weights.b)
    terms, others = delta * synapse.drive(without_bias, P), synapse.adjoint(weights, delta) * P
    assert others.shape == P.shape
    # the error of a sum is bounded by that of its terms, each of them a sum of fewer than 1000
    scale = np.abs(delta).sum() * np.abs(weights.W).sum() * np.abs(P).max()
    assert abs(terms.sum() - others.sum()) <= 1e3 * np.finfo(float).eps * scale


@given(convolutions(), SEEDS, st.integers(1, 4))
def test_adjoint_of_patches_equals_the_definition(synapse, seed, batch):
    weights, delta, _ = normal(np.random.default_rng(seed), synapse, batch)
    patches = Patches(synapse, synapse.shape[1:], batch, np.dtype(float))
    back = np.full((*synapse.shape_in, batch), np.nan)
    patches.adjoint(weights, np.ascontiguousarray(delta.T).reshape(synapse.channels, -1), back)
    expected = synapse.adjoint(weights, delta)
    np.testing.assert_allclose(back.reshape(-1, batch).T, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


@given(nets(), SEEDS, st.integers(1, 5), st.integers(1, 3))
def test_fast_step_equals_the_definition_for_any_cut(net, seed, batch, chunk):
    weights, x, target = problem(net, seed, batch)
    with worker_pool(2) as workers:
        stepper = ConvnetStepper(net, batch, workers, chunk, np.float64)
        stepper.gradient(weights, -x, target)  # what an earlier batch left behind plays no part
        assert distance(stepper.gradient(weights, x, target), convnet.gradient(net, weights, x, target)) <= 1e-12
    expected = convnet.forward(net, weights, x).Y
    np.testing.assert_allclose(stepper.Y, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(5))
def test_fast_step_in_float32_equals_the_definition_in_float64(seed):
    net = convnet.build((1, 14, 14), [(8, 2), (6, 1), (4, 2)], 5, 2)
    weights, x, target = problem(net, seed, 8, np.float32)
    with worker_pool(1) as workers:
        found = ConvnetStepper(net, 8, workers, chunk=3).gradient(weights, x, target)
    assert {array.dtype for w in found for array in w} == {np.dtype(np.float32)}
    double = [Weights(w.W.astype(float), w.b.astype(float)) for w in weights]
    assert distance(found, convnet.gradient(net, double, x.astype(float), target.astype(float))) <= 1e-5


def test_the_number_of_threads_changes_no_bit():
    net = experiment.network()
    weights, x, target = problem(net, 0, 20, np.float32)
    found = []
    for threads in (1, 3):
        with worker_pool(threads) as workers:
            found.append(flat(ConvnetStepper(net, 20, workers, chunk=3).gradient(weights, x, target)))
    np.testing.assert_array_equal(*found)


@given(nets(), SEEDS, st.integers(1, 9))
def test_outputs_do_not_depend_on_how_the_images_are_cut(net, seed, batch):
    weights, x, _ = problem(net, seed, 9)
    expected = convnet.forward(net, weights, x).Y
    with worker_pool(2) as workers:
        found = outputs(net, weights, x, workers, batch)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def bars(rng, n, side=10):
    """Noisy images of one bar, and which way it runs: horizontal or vertical."""
    x, labels = rng.normal(0, 0.2, (n, side, side)), rng.integers(0, 2, n)
    for image, label in zip(x, labels, strict=True):
        (image if label == 0 else image.T)[rng.integers(side)] += 1
    return x.reshape(n, -1), labels


def test_it_learns_which_way_a_bar_runs(rng):
    net = convnet.build((1, 10, 10), [(8, 2), (8, 1), (8, 2)], 3, 1, 2)
    weights, optimiser = convnet.init_weights(rng, net), Adamax()
    memory = convnet.init(optimiser, weights)
    for _ in range(150):
        x, labels = bars(rng, 16)
        slopes = convnet.gradient(net, weights, x, np.eye(2)[labels])
        weights, memory = convnet.update(optimiser, weights, slopes, memory, 3e-3)
    x, labels = bars(rng, 500)
    assert (convnet.forward(net, weights, x).Y.argmax(axis=1) != labels).mean() < 0.05


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
    (one, about), (other, also) = (store.read_arrays(folder / "checkpoint.npz", experiment.KIND) for folder in (a, b))
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
        with pytest.raises(Interrupted, match=r"stopped in epoch 3 of 4; --resume goes on from the end of epoch 2"):
            train(SMALL, tmp_path, quiet=True, data=data, threads=2)
    assert not (tmp_path / "results.json").exists()
    arrays, about = store.read_arrays(tmp_path / "checkpoint.npz", experiment.KIND)
    assert (len(arrays["history"]), about["updates"]) == (2, 200 // 8)
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
    arrays, about = store.read_arrays(tmp_path / "checkpoint.npz", experiment.KIND)
    assert (len(arrays["history"]), about["updates"]) == (0, 0)


def test_digits_are_learned(data, tmp_path):
    """Four hundred of them, seen four times; by chance nine in ten would be wrong."""
    x, labels = digits.generate(np.random.default_rng(1), 400)
    epochs = train(SMALL, tmp_path, quiet=True, data=data._replace(x=x, labels=labels))["epochs"]
    assert epochs["loss"][-1] < 0.5 * epochs["loss"][0]
    assert epochs["error"][-1] < 0.2


def test_the_last_error_is_that_of_the_readable_network_with_the_weights_in_the_checkpoint(finished, data):
    arrays, _ = store.read_arrays(finished[0] / "checkpoint.npz", experiment.KIND)
    weights = [Weights(arrays[f"W{k}"].astype(float), arrays[f"b{k}"].astype(float)) for k in range(4)]
    Y = convnet.forward(experiment.network(), weights, data.x_test.reshape(50, -1) / 255).Y
    assert finished[1]["error"] == (Y.argmax(axis=1) != data.labels_test).mean()
    assert finished[1]["error"] == finished[1]["epochs"]["error"][-1]


def test_results_say_what_they_depend_on(finished):
    results = json.loads((finished[0] / "results.json").read_text())
    assert results == finished[1]
    assert results["experiment"] == "analog" and results["comparable"] is True
    assert results["settings"] == asdict(SMALL) and results["versions"] == versions()
    assert {name: len(values) for name, values in results["epochs"].items()} == {"error": 4, "loss": 4}
    line = f"analog: test error {100 * results['error']:.2f} % after 4 epochs, seed 0"
    assert experiment.one_line(results) == line
    assert experiment.one_line(results | {"comparable": False}) == line + " (quick: not comparable)"


def test_the_figure_is_drawn_from_the_results(finished, tmp_path):
    assert save_figures(tmp_path, finished[1]).read_bytes().startswith(b"\x89PNG")
    left, right = curves(finished[1]).axes
    np.testing.assert_allclose(left.lines[-1].get_ydata(), 100 * np.array(finished[1]["epochs"]["error"]))
    np.testing.assert_array_equal(right.lines[-1].get_ydata(), finished[1]["epochs"]["loss"])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_epochs_cut_the_mini_batches_between_them(n, batch, epochs):
    """Epoch by epoch, as many whole mini-batches as have been filled, and in the end all of them."""
    assume(batch <= n)
    x, labels = np.zeros((n, 28, 28), np.uint8), np.zeros(n, np.uint8)
    made = experiment.build(Settings(epochs, batch=batch), Data(x, labels, x, labels))
    ends = [made.end(epoch) for epoch in range(epochs + 1)]
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
    made = [experiment.build(replace(SMALL, seed=seed), data) for seed in (1, 1, 2)]
    weights = [flat(experiment.begin(one, tmp_path, False).carry.weights) for one in made]
    for found in (weights, [one.order for one in made]):
        np.testing.assert_array_equal(found[0], found[1])
        assert (found[0] != found[2]).any()


def test_the_learning_rate_falls_to_zero():
    assert [experiment.rate(Settings(learning_rate=4.0), done) for done in (0, 0.25, 1)] == [4, 3, 0]


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


def test_a_network_without_a_stage_is_refused():
    with pytest.raises(InputError, match="stages: expected at least one, got none"):
        convnet.build((1, 28, 28), [], 7)


def test_a_checkpoint_of_other_settings_is_refused(finished, data):
    with pytest.raises(InputError, match=r"checkpoint.npz: expected a run with seed = 1, got 0"):
        train(replace(SMALL, seed=1), finished[0], resume=True, quiet=True, data=data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {"history": arrays["history"][:, :1]}, r"history: expected shape \(4, 2\), got \(4, 1\)"),
        (lambda arrays: {"history": arrays["history"][:3]}, "expected 37 updates, got 50"),
        (lambda arrays: {"history": np.zeros((5, 2))}, r"history: expected shape \(4, 2\), got \(5, 2\)"),
        (lambda arrays: {"W3": arrays["W3"][1:]}, "layer 4 W: expected shape"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(change, message, finished, data, tmp_path):
    arrays, about = store.read_arrays(finished[0] / "checkpoint.npz", experiment.KIND)
    store.write_arrays(tmp_path / "checkpoint.npz", experiment.KIND, arrays | change(arrays), about)
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, resume=True, quiet=True, data=data)


def test_quick_runs_read_few_images():
    if not os.environ.get("DECOLLE_REF_DATA"):
        pytest.skip("DECOLLE_REF_DATA is not set")
    assert [len(part) for part in experiment.read(Settings(quick=True))] == [experiment.QUICK_IMAGES] * 4
