"""The networks that the authors trained on MNIST, shown its test images."""

import numpy as np
import pytest

from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.data import authors, mnist
from decolle_ref.data.convert import convert_mnist
from decolle_ref.decolle import dialects, network
from decolle_ref.experiments import harness, replay, replay_mnist, summary
from decolle_ref.experiments.replay_mnist import NETWORKS, READOUTS, Settings
from decolle_ref.fast import NetworkStepper, worker_pool
from decolle_ref.plots.replay import save_figures

DECAYS = {"alpha": 0.92, "beta": 0.85, "tau_m_over_dt": 12.5, "tau_s_over_dt": 6.67}


def random_network(name, rng):
    """Arrays as in the authors' files, with gains that are not 1/(1 - decay), so that using those is seen."""
    stored = {}
    for key, shape in authors.mnist_shapes(name).items():
        letter = key.partition("_")[2]
        spread = rng.uniform(0.95, 1.05, shape) if letter in DECAYS else rng.normal(size=shape)
        scale = DECAYS.get(letter, {"W": 2e-4, "b": 0.1, "top_W": 0.1}.get(letter, 0.02))
        stored[key] = (scale * spread).astype(np.float32)
    return stored | {"gamma": np.array(0.65, np.float32), "w_refractory": np.array(0.0, np.float32)}


@pytest.fixture(scope="module")
def stored():
    return {name: random_network(name, np.random.default_rng(k)) for k, name in enumerate(NETWORKS)}


@pytest.fixture
def in_data_folder(stored, tmp_path, monkeypatch):
    (tmp_path / "data" / "authors").mkdir(parents=True)
    for name, arrays in stored.items():
        np.savez(tmp_path / "data" / "authors" / f"{name}.npz", **arrays)
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))


def images(count):
    """Bright noise, and labels."""
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count).astype(np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_gains_are_those_stored_in_the_file(name, stored):
    for k, layer in enumerate(replay_mnist.build(stored[name]).network, 1):
        for ours, theirs in (("gain_P", "tau_m_over_dt"), ("gain_Q", "tau_s_over_dt")):
            gain = getattr(layer.neuron, ours)
            np.testing.assert_array_equal(gain.reshape(-1), stored[name][f"layer{k}_{theirs}"])
            assert gain.dtype == np.float32
        assert (layer.neuron.P_reads, layer.neuron.U_reads) == (1, 1)  # as in dcll
        assert layer.surrogate.name == dialects.dcll.surrogate and not layer.surrogate.spike(np.zeros(1)).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_readout_is_that_of_the_definition(name, stored, rng):
    trained = replay_mnist.build(stored[name])
    spikes = (rng.random((4, 3, 784)) < 0.1).astype(np.float32)
    with worker_pool(1) as workers:
        stepper = NetworkStepper(trained.network, 3, workers, steps=4)
        stepper.step(trained.weights, spikes)
        Y = replay_mnist.outputs(trained, stepper)
    start = network.Carry(trained.weights, network.rest(trained.network, (3,)))
    shown = [seen for _, seen in network.run(trained.network, start, spikes)]
    for k in range(3):
        np.testing.assert_allclose(Y[:, k], [seen[k].Y for seen in shown], rtol=1e-4, atol=1e-4)
    assert max(seen[1].S.mean() for seen in shown) > 0.01  # so layer 3 has input
    if trained.top is not None:
        last = trained.network[-1]
        a = np.stack([last.surrogate.primitive(network.pooled(last, seen[2].U)) for seen in shown])
        expected = a @ trained.top.W.T + trained.top.b
        np.testing.assert_allclose(Y[:, 3], expected, rtol=1e-4, atol=1e-3)


SETTINGS = Settings(recording="mnist", images=70, steps=7, burn_in=2, quick=True)


def test_a_run_stopped_between_batches_resumes_to_the_identical_result(in_data_folder, tmp_path, monkeypatch):
    whole = harness.run(replay.EXPERIMENT, SETTINGS, tmp_path / "whole", quiet=True, data=images(70))
    wrong, calls = replay_mnist.vote, []

    def vote(*args):
        calls.append(args)
        if len(calls) == 3:
            raise harness.Stop
        return wrong(*args)

    monkeypatch.setattr(replay_mnist, "vote", vote)
    monkeypatch.setattr(replay_mnist.ReplayMnist, "checkpoint_every", 1)
    with pytest.raises(harness.Interrupted):
        harness.run(replay.EXPERIMENT, SETTINGS, tmp_path / "parts", quiet=True, data=images(70))
    resumed = harness.run(replay.EXPERIMENT, SETTINGS, tmp_path / "parts", resume=True, quiet=True, data=images(70))
    assert resumed == whole and len(calls) == 5  # two batches, one stopped, two more


def test_a_run_leaves_errors_kernels_and_a_figure(in_data_folder, stored, tmp_path):
    results = harness.run(replay.EXPERIMENT, SETTINGS, tmp_path / "new", quiet=True, data=images(70))
    assert list(results["error"]["mnist_long"]) == list(READOUTS[:3])
    assert list(results["error"]["mnist_short"]) == list(READOUTS)
    assert results["recorded"] == {}  # the curves are not in this data folder
    line = summary.one_line(replay.EXPERIMENT, results)
    assert line.startswith("replay mnist: error on 70 test images: mnist_long layer 1 ") and "\n" not in line
    arrays, _ = reading.read_arrays(tmp_path / "new" / "replay.npz", replay.EXPERIMENT.arrays_kind)
    np.testing.assert_array_equal(arrays["mnist_short_kernels"], stored["mnist_short"]["layer1_W"][:, 0])
    (figure,) = save_figures(tmp_path / "new", results)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_more_images_than_there_are_and_a_missing_file_are_refused_in_one_line(in_data_folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^images: expected at most 69, got 70$"):
        harness.run(replay.EXPERIMENT, SETTINGS, tmp_path / "new", quiet=True, data=images(69))
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"expected authors/mnist_long\.npz .* decolle-ref convert"):
        harness.run(replay.EXPERIMENT, SETTINGS, tmp_path / "new", quiet=True, data=images(70))
    with pytest.raises(InputError, match=r"^steps: "):
        Settings(recording="mnist", steps=50, burn_in=50)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_authors_networks_read_digits_in_the_dialect_dcll(name, dcll_clone, tmp_path, monkeypatch):
    try:
        x, labels = mnist.load("test")
    except InputError as reason:
        pytest.skip(str(reason))
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    convert_mnist(dcll_clone, name, tmp_path / "authors" / f"{name}.npz")
    trained, settings = replay_mnist.build(authors.mnist(name)), Settings(recording="mnist", images=64, steps=100)
    with worker_pool(1) as workers:
        wrong = replay_mnist.vote(settings, trained, x[:64], 0, workers).wrong(labels[:64]) / 64
    assert wrong[1] < 0.15 and wrong[2] < 0.15 and wrong[3] < 0.15  # chance is 0.9
