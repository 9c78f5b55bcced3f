"""MNIST with SpikeGrad.  [T19 Sec. 4, Fig. 1a, 2a]

The network is 28x28-15C5-P2-40C5-P2-300-10, and pixels are real numbers 0..1.  The paper's text leaves some settings
open.  We take mini-batches of 50, momentum 0.9, a learning rate that falls linearly to 0, and weight decay, chosen on
the last 10,000 training images.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from decolle_ref.data import mnist
from decolle_ref.experiments.harness import Experiment, Headline
from decolle_ref.experiments.spikegrad_images import Data, Images, ImageSettings, one_line
from decolle_ref.spikegrad import network

QUICK_IMAGES = 3000  # of each set


@dataclass(frozen=True)
class Settings(ImageSettings):
    """The settings of a run."""


def read(settings: Settings) -> Data:
    """MNIST as published, or the first images of each set for a quick run."""
    keep = QUICK_IMAGES if settings.quick else None
    (x, labels), (x_test, labels_test) = (mnist.load(split) for split in ("train", "test"))
    return Data(x[:keep, None], labels[:keep], x_test[:keep, None], labels_test[:keep])


class SpikeGradMnist(Images):
    """The run."""

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor | None, data: Data | None = None) -> None:
        net = network.named("mnist", settings.theta_ff, settings.theta_bp)
        self.topology = network.TOPOLOGIES["mnist"][0]
        super().__init__(settings, workers, read(settings) if data is None else data, net)


EXPERIMENT = Experiment(
    name="spikegrad-mnist",
    summary="MNIST by backpropagation with spikes [T19 Sec. 4]",
    settings=Settings,
    make=SpikeGradMnist,
    one_line=one_line,
    cuts_batches=True,
    headline=lambda results: Headline("test accuracy", "%", {"": 100 * results["accuracy"]}),
    example="--alpha 50 --epochs 5",
    download=mnist.download,
)
