"""N-MNIST with convolutional DECOLLE: digits that an event camera saw while it moved.  [K20 Sec. 4.3]

The recordings are those of Orchard et al. (2015): 300 ms on a sensor of 34 x 34 pixels.  The outermost line of pixels,
which has 0.4 % of the events, is cut off, and blocks of 2 x 2 of the other 32 x 32 are summed.  The paper did not train
on N-MNIST; its network and its regime for DvsGesture are used, smaller and with shorter sequences.  Few recordings
decide little, so `--fold K` trains on all recordings but those of one fold, and tests on that fold.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.data import nmnist
from decolle_ref.data.frames import Recording, bin_events
from decolle_ref.experiments.event_network import EventSettings
from decolle_ref.experiments.event_run import Data, EventRun, headline, one_line
from decolle_ref.experiments.harness import Experiment
from decolle_ref.experiments.options import CommonSettings, option

CROP, CLASSES = 32, tuple("0123456789")
FOLDS = 20  # of the seed of the random order that decides about the folds, the same in all runs


@dataclass(frozen=True)
class RecordingSettings(CommonSettings):
    """The settings that choose the recordings."""

    size: int = option(16, "height and width of a frame in pixels, after summing blocks of the 32 x 32")
    fold: int = option(0, "test on this one of the folds of all recordings; 0: the published test set", least=0)
    folds: int = option(5, "number of folds", least=2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fold > self.folds:
            raise InputError(f"fold: expected at most the number of folds, {self.folds}, got {self.fold}")


@dataclass(frozen=True)
class Settings(RecordingSettings, EventSettings):
    """The settings of a run."""

    mini_batches: int = option(80, "number of mini-batches", quick=4)
    batch: int = option(50, "recordings per mini-batch", quick=10)
    width: float = option(0.25, "channels relative to the paper's 64, 128, 128", quick=0.125, above_zero=True)
    steps: int = option(300, "training: ms per recording", quick=80)
    test_steps: int = option(300, "test: ms per recording", quick=80)
    test_every: int = option(10, "mini-batches between two tests")
    divide_every: int = option(30, "mini-batches after which the learning rate is divided by 5")


def read(settings: RecordingSettings) -> Data:
    """The recordings in the data folder, as frames; the published split of them, or one fold."""
    (train, labels), (test, test_labels) = (load(settings, split) for split in ("train", "test"))
    if settings.fold == 0:
        return Data(train, labels, test, test_labels, CLASSES)
    return with_fold([*train, *test], np.concatenate([labels, test_labels]), settings.fold, settings.folds)


def load(settings: RecordingSettings, split: str) -> tuple[list[Recording], Array]:
    """The recordings of one published set, as frames, and their labels."""
    files = nmnist.recordings(split)
    frames = [bin_events(nmnist.load(file), nmnist.SIDE, CROP, settings.size) for file in files]
    return frames, np.array([file.label for file in files])


def with_fold(recordings: Sequence[Recording], labels: Array, fold: int, folds: int) -> Data:
    """All recordings but those of one fold for training, and that fold for testing."""
    order = np.random.default_rng(FOLDS).permutation(len(recordings))
    test = order[fold - 1 :: folds]
    train = np.setdiff1d(order, test)
    return Data([recordings[i] for i in train], labels[train], [recordings[i] for i in test], labels[test], CLASSES)


def make(settings: Settings, workers: ThreadPoolExecutor, data: Data | None = None) -> EventRun:
    """The run."""
    return EventRun(settings, workers, read(settings) if data is None else data)


EXPERIMENT = Experiment(
    name="nmnist",
    summary="convolutional DECOLLE on N-MNIST, from an event camera [K20 Sec. 4.3]",
    settings=Settings,
    make=make,
    one_line=one_line,
    headline=headline,
    example="--fold 1 --threads 2",
    cuts_batches=True,
)
