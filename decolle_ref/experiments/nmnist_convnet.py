"""The conventional network on N-MNIST: all events of a recording summed to frames, trained by backpropagation.

The baseline of `nmnist`, in the place that C3D has in [K20 Table 1]: C3D itself, with millions of weights in
convolutions over space and time, is out of reach for NumPy.  The three layers have the shape of the spiking network's.
A recording is cut into `frames` frames of the same length, which are the input channels.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data.frames import Recording
from decolle_ref.decolle import convnet
from decolle_ref.decolle.convnet import Net
from decolle_ref.experiments import event_run, nmnist
from decolle_ref.experiments.convnet import Convnet, headline, one_line
from decolle_ref.experiments.convnet import Settings as ConvnetSettings
from decolle_ref.experiments.event_network import stages
from decolle_ref.experiments.harness import Experiment
from decolle_ref.experiments.options import option
from decolle_ref.experiments.poisson_mnist_network import KERNEL, PADDING, Data


@dataclass(frozen=True)
class Settings(nmnist.RecordingSettings, ConvnetSettings):
    """The settings of a run."""

    epochs: int = option(200, "how often all training recordings are shown", quick=1)
    batch: int = option(50, "recordings per mini-batch")
    width: float = option(0.25, "channels relative to 64, 128, 128", quick=0.125, above_zero=True)
    frames: int = option(1, "number of frames that a recording is cut into")


def images(recordings: list[Recording], frames: int) -> Array:
    """Events per pixel in each part of a recording, relative to the largest count: (recordings, 2 frames size size)."""
    counts = []
    for recording in recordings:
        ends = recording.ends[np.linspace(0, recording.steps, 1 + frames).astype(int)]
        parts = (recording.place[a:b] for a, b in pairwise(ends))
        counts.append(np.concatenate([np.bincount(part, minlength=recording.n) for part in parts]))
    table: Array = np.array(counts, np.float32)
    table /= np.maximum(1, table.max(axis=1, keepdims=True))
    return table


class FrameConvnet(Convnet):
    """The run: each step is one epoch."""

    settings: Settings

    def prepare(self, data: Data | None) -> tuple[Data, Net]:
        """The images, and the network for them."""
        assert data is not None
        shape = 2 * self.settings.frames, self.settings.size, self.settings.size
        return data, convnet.build(shape, stages(self.settings.width), KERNEL, PADDING, len(nmnist.CLASSES))

    def vectors(self, images: Array) -> Array:
        """The images, which are vectors already."""
        return images


def make(settings: Settings, workers: ThreadPoolExecutor, data: event_run.Data | None = None) -> FrameConvnet:
    """The run on the recordings as images."""
    data = nmnist.read(settings) if data is None else data
    event_run.validate_recordings(data, settings.size)
    x, x_test = (images(part, settings.frames) for part in (data.recordings, data.test_recordings))
    return FrameConvnet(settings, workers, Data(x, data.labels, x_test, data.test_labels))


EXPERIMENT = Experiment(
    name="nmnist-convnet",
    summary="the conventional network on summed frames of N-MNIST, trained by backpropagation",
    settings=Settings,
    make=make,
    one_line=one_line,
    headline=headline,
    example="--epochs 10 --threads 2",
    cuts_batches=True,
)
