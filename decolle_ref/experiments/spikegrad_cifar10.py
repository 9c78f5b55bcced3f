"""CIFAR-10 with SpikeGrad.  [T19 Sec. 4, Table 2, Fig. 1b, 2b]

The network is 32x32-128C3-256C3-P2-512C3-P2-1024C3-512C3-1024-512-10, with padding 1; `width` is a factor on all of its
channels, so that a small machine can train a small version.  Pixels are real numbers 0..1.  The paper does not mention
augmentation; `augment` mirrors training images and shifts them by up to four pixels.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data import augment, cifar10
from decolle_ref.experiments.harness import Experiment, Headline
from decolle_ref.experiments.options import option
from decolle_ref.experiments.spikegrad_images import Data, Images, ImageSettings, one_line
from decolle_ref.spikegrad import network

QUICK_IMAGES = 500  # of each set
SHIFT = 4  # pixels, with augmentation


@dataclass(frozen=True)
class Settings(ImageSettings):
    """The settings of a run."""

    # at 0.05, the rate for MNIST, nothing was learned in the first epoch
    learning_rate: float = option(0.01, "learning rate of the mean gradient; it falls linearly to 0")
    width: float = option(1.0, "factor on the numbers of channels and hidden neurons", above_zero=True)
    augment: bool = option(False, f"mirror training images at random, and shift them by up to {SHIFT} pixels")


def read(settings: Settings) -> Data:
    """CIFAR-10 with the channels first, or the first images of each set for a quick run."""
    keep = QUICK_IMAGES if settings.quick else None
    parts = []
    for split in ("train", "test"):
        images, labels = cifar10.load(split)
        parts += [images[:keep].transpose(0, 3, 1, 2), labels[:keep]]
    return Data(*parts)


class SpikeGradCifar10(Images):
    """The run."""

    settings: Settings

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor | None, data: Data | None = None) -> None:
        self.topology = network.scaled(network.TOPOLOGIES["cifar10"][0], settings.width)
        net = network.named("cifar10", settings.theta_ff, settings.theta_bp, settings.width)
        super().__init__(settings, workers, read(settings) if data is None else data, net)

    def vary(self, rng: np.random.Generator, images: Array) -> Array:
        """The training images of one mini-batch, mirrored and shifted at random if the settings say so."""
        if self.settings.augment:
            images = augment.shifted(rng, augment.mirrored(rng, images), SHIFT)
        return super().vary(rng, images)


EXPERIMENT = Experiment(
    name="spikegrad-cifar10",
    summary="CIFAR-10 by backpropagation with spikes [T19 Sec. 4]",
    settings=Settings,
    make=SpikeGradCifar10,
    one_line=one_line,
    cuts_batches=True,
    headline=lambda results: Headline("test accuracy", "%", {"": 100 * results["accuracy"]}),
    example="--width 0.25 --augment",
    download=cifar10.download,
)
