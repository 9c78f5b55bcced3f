"""The CIFAR-10 experiment, on a small version of its network and on generated images."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from decolle_ref.data import augment
from decolle_ref.experiments import harness, spikegrad_images
from decolle_ref.experiments.spikegrad_cifar10 import EXPERIMENT, Settings, SpikeGradCifar10
from decolle_ref.experiments.spikegrad_images import Data
from decolle_ref.plots.spikegrad_cifar10 import plot
from decolle_ref.spikegrad import network

train = partial(harness.run, EXPERIMENT)
SMALL = Settings(epochs=2, batch=20, width=1 / 64)


@pytest.fixture(scope="module")
def data():
    """The label is the position of a bright bar in one of the colours."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 100).astype(np.uint8)
    images = rng.integers(0, 60, (100, 3, 32, 32)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label % 3, 3 * label : 3 * label + 3] = 255
    return Data(images[:80], labels[:80], images[80:], labels[80:])


def test_the_network_is_the_papers_and_width_scales_all_but_its_ends(data):
    net = network.named("cifar10")
    assert [layer.synapse.n for layer in net if layer.learns] == [
        128 * 32**2, 256 * 32**2, 512 * 16**2, 1024 * 8**2, 512 * 8**2, 1024, 512, 10,
    ]  # fmt: skip
    narrow = SpikeGradCifar10(replace(SMALL, width=0.25), None, data).net
    for full, quarter in zip(net[:-1], narrow[:-1], strict=True):
        assert full.synapse.n == 4 * quarter.synapse.n
    assert net[-1].synapse.n == narrow[-1].synapse.n == 10


def test_a_resumed_run_with_augmentation_is_bit_identical(data, tmp_path, monkeypatch):
    monkeypatch.setattr(spikegrad_images, "EVENTS", 1)
    settings = replace(SMALL, augment=True)
    whole = train(settings, tmp_path / "a", quiet=True, data=data)
    job = SpikeGradCifar10(settings, None, data)
    state = job.step(job.begin(), harness.silent())
    again = job.step(job.unpack(tmp_path, job.pack(state)), harness.silent())
    arrays = job.pack(again)
    with np.load(tmp_path / "a/checkpoint.npz") as stored:
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], stored[name])
    assert len(plot([whole]).axes) == 4


def test_augmentation_shows_other_images_in_every_epoch_and_leaves_labels(data):
    job = SpikeGradCifar10(replace(SMALL, augment=True), None, data)
    one, two = (job.vary(np.random.default_rng(seed), data.x) for seed in (0, 1))
    assert one.shape == data.x.shape and one.dtype == data.x.dtype and (one != two).any()
    plain = SpikeGradCifar10(SMALL, None, data)
    assert plain.vary(np.random.default_rng(0), data.x) is data.x
    assert augment.mirrored(np.random.default_rng(0), data.x).shape == data.x.shape
