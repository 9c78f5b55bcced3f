"""DvsGesture with convolutional DECOLLE: eleven gestures before an event camera.  [K20 Sec. 4.3, Fig. 4, Table 2]

The defaults are the paper's: frames of 32 x 32, mini-batches of 72 random sequences of 500 ms, tests of 1.8 s from the
start of each recording, the learning rate divided by 5 every 1000 mini-batches.  This takes days without a GPU;
`width`, `size` and `mini_batches` make it smaller.  `clips` trains on ten clips of 1.45 s, one for each of ten
gestures: on the first 0.9 s of each, and is tested on its last 0.5 s.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data import dvsgesture
from decolle_ref.data.dvsgesture import SIDE, Gesture
from decolle_ref.data.frames import Recording, bin_events
from decolle_ref.experiments.event_network import EventSettings
from decolle_ref.experiments.event_run import Data, EventRun, headline, one_line
from decolle_ref.experiments.harness import Experiment
from decolle_ref.experiments.options import option

TRAIN_US, TEST_US = (0, 900_000), (950_000, 1_450_000)  # the parts of a clip
CHUNK = 36  # recordings in a chunk: half of the paper's mini-batch, so that two threads have equal shares


@dataclass(frozen=True)
class Settings(EventSettings):
    """The settings of a run."""

    clips: bool = option(False, "ten clips of 1.45 s: train on the beginning of each, test on its end")


def read(settings: Settings) -> Data:
    """The gestures in the data folder, as frames; one recording at a time is in memory."""
    if settings.clips:
        return of_clips(dvsgesture.clips(), settings.size)
    names = dvsgesture.class_names()
    (train, labels), (test, test_labels) = (
        frames(
            (gesture for path in dvsgesture.recordings(split) for gesture in dvsgesture.gestures(path)), settings.size
        )
        for split in ("train", "test")
    )
    return Data(train, labels, test, test_labels, names)


def of_clips(clips: Iterable[Gesture], size: int) -> Data:
    """The beginning of every clip for training, and its end for testing."""
    clips = tuple(clips)
    (train, labels), (test, test_labels) = (frames(clips, size, part) for part in (TRAIN_US, TEST_US))
    return Data(train, labels, test, test_labels, dvsgesture.class_names())


def frames(
    gestures: Iterable[Gesture], size: int, part: tuple[int, int | None] = (0, None)
) -> tuple[list[Recording], Array]:
    """A part of every gesture, from start to end in microseconds, as frames; and the labels from 0 on."""
    pairs = [(bin_events(g.events, SIDE, SIDE, size, *part), g.label - 1) for g in gestures]
    return [recording for recording, _ in pairs], np.array([label for _, label in pairs])


def make(settings: Settings, workers: ThreadPoolExecutor, data: Data | None = None) -> EventRun:
    """The run."""
    return EventRun(settings, workers, read(settings) if data is None else data, CHUNK)


EXPERIMENT = Experiment(
    name="dvsgesture",
    summary="convolutional DECOLLE on DvsGesture, from an event camera [K20 Sec. 4.3, Fig. 4]",
    settings=Settings,
    make=make,
    one_line=one_line,
    headline=headline,
    example="--clips --width 0.25 --batch 10 --mini-batches 8",
    cuts_batches=True,
)
