"""The forecast of a SpikeGrad run: memory as it is measured, the time of all that remains, and no other result."""

import tracemalloc
from functools import partial
from itertools import count

import numpy as np
import pytest

from decolle_ref.experiments import harness, spikegrad_cifar10, spikegrad_cost, spikegrad_images, spikegrad_mnist
from decolle_ref.experiments.spikegrad_images import Data
from decolle_ref.fast.spikegrad import CHUNK
from decolle_ref.spikegrad import network


def cifar10(width, images=60, **others):
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (images, 3, 32, 32)).astype(np.uint8), np.arange(images) % 10
    settings = spikegrad_cifar10.Settings(width=width, epochs=2, **others)
    return spikegrad_cifar10.SpikeGradCifar10(settings, None, Data(x, labels, x[:20], labels[:20]))


@pytest.mark.parametrize("width", [1 / 16, 1 / 8, 1 / 4])
def test_the_forecast_memory_is_that_of_the_arrays_of_a_mini_batch(width):
    """One chunk, so that the largest sum does not depend on how two threads meet."""
    tracemalloc.start()
    run = cifar10(width)
    start, x = run.begin(), spikegrad_images.encode(run.data.x[:CHUNK])
    weights, velocity = list(start.weights), list(start.velocity)
    epoch = []
    for _ in range(3):
        run.learn(weights, velocity, x, run.data.labels[:CHUNK], 0.01)
        epoch = epoch or [start.total, *weights, *velocity]  # what the state at the start of an epoch keeps
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.85 < spikegrad_cost.memory(run.net, CHUNK) / peak < 1.25


def test_the_forecast_adds_all_mini_batches_and_tests_that_remain(monkeypatch):
    """Each call of a clock that stands at 0, 1, 2, ... seconds takes one second."""
    monkeypatch.setattr(spikegrad_cost.time, "perf_counter", partial(next, count()))
    run = cifar10(1 / 64, batch=1, images=600)
    for done, epochs in ((0, 2), (1, 1)):
        seconds = epochs * (600 + 20)  # 600 mini-batches and 20 test images, each one second
        assert run.forecast(done).startswith(f"about {seconds / 60:.0f} minutes on this machine as busy as now, ")
    assert run.forecast(2) == ""


def test_the_forecast_changes_no_result(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(network.TOPOLOGIES, "mnist", ("28x28-3C5-P4-8-10", 0))
    monkeypatch.setattr(spikegrad_images, "EVENTS", 1)
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (60, 1, 28, 28)).astype(np.uint8), np.arange(60) % 10
    settings = spikegrad_mnist.Settings(epochs=1, batch=30)
    for quiet in (False, True):
        data = Data(x, labels, x[:20], labels[:20])
        harness.run(spikegrad_mnist.EXPERIMENT, settings, tmp_path / str(quiet), quiet=quiet, data=data)
    shown = capsys.readouterr().err
    assert "spikegrad-mnist: about 0 minutes on this machine as busy as now, 0.0 GiB of memory" in shown
    one, other = (np.load(tmp_path / name / "checkpoint.npz") for name in ("False", "True"))
    for name in one.files:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
