"""N-MNIST: which files are recordings, which image each shows, and the real ones where they are."""

import os
import re

import numpy as np
import pytest

from decolle_ref import InputError
from decolle_ref.data import mnist
from decolle_ref.data.events import EVENT, write_bin
from decolle_ref.data.nmnist import load, recordings


@pytest.fixture
def folder(elsewhere):
    """Adds a recording of two events to the data folder."""

    def add(name, side=34):
        path = elsewhere / "nmnist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bin(path, np.array([(0, 1, 1, 5), (side - 1, 0, 0, 7)], EVENT))
        return path

    return add


def test_recordings_stand_in_the_order_of_mnist_with_their_labels_and_images(folder):
    for name in ("Train/5/00001.bin", "Train/9/60000.bin", "Train/0/00002.bin", "Test/7/60001.bin", "Test/1/60003.bin"):
        folder(name)
    folder("Train/0/00002.txt")
    folder("Train/0/._00002.bin")
    folder("Train/notes/00007.bin")
    assert [tuple(x)[1:] for x in recordings("train")] == [(5, 0), (0, 1), (9, 59999)]
    assert [tuple(x)[1:] for x in recordings("test")] == [(7, 0), (1, 2)]
    assert load(recordings("train")[1]).tolist() == [(0, 1, True, 5), (33, 0, False, 7)]


def test_test_recordings_may_count_from_1(folder):
    folder("Test/7/00001.bin")
    folder("Test/9/10000.bin")
    assert [tuple(x)[1:] for x in recordings("test")] == [(7, 0), (9, 9999)]


@pytest.mark.parametrize("name", ["Train/1/00000.bin", "Train/1/60001.bin", "Test/1/70001.bin", "Train/1/one.bin"])
def test_a_file_that_is_not_named_by_an_image_of_its_split_is_refused(folder, name):
    path = folder(name)
    with pytest.raises(InputError, match=f"^data: expected {re.escape(str(path))} to be named by the number"):
        recordings("train" if "Train" in name else "test")


def test_a_second_recording_of_an_image_is_refused(folder):
    first, second = folder("Test/7/00001.bin"), folder("Test/8/60001.bin")
    with pytest.raises(InputError, match=f"one recording of each image, got {first} and {second}$"):
        recordings("test")


def test_missing_recordings_are_named_with_the_place_to_get_them(folder, elsewhere):
    with pytest.raises(
        InputError, match=f"expected nmnist/Train in {elsewhere}, found no such folder .*garrickorchard"
    ):
        recordings("train")
    (elsewhere / "nmnist/Train/3").mkdir(parents=True)
    with pytest.raises(InputError, match=r"expected recordings such as 5/00001.bin in .*Train, found none"):
        recordings("train")
    with pytest.raises(InputError, match="split: expected one of train, test, got 'all'"):
        recordings("all")


def test_an_event_outside_the_image_is_refused(folder):
    folder("Train/5/00001.bin", side=35)
    with pytest.raises(InputError, match="expected x and y below 34 in the event at byte 5, got 34 and 0"):
        load(recordings("train")[0])


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_real_recording_is_whole_and_shows_the_digit_of_its_image(split):
    if not os.environ.get("DECOLLE_REF_DATA"):
        pytest.skip("DECOLLE_REF_DATA is not set")
    labels = mnist.load(split)[1]
    for recording in recordings(split):
        events = load(recording)
        assert recording.label == labels[recording.image], recording
        assert len(events) == os.stat(recording.path).st_size / 5 and 1000 < len(events) < 10_000
        assert (np.diff(events["t"]) >= 0).all() and 250_000 < events["t"][-1] < 350_000
        assert {*np.unique(events["p"])} == {False, True} and np.ptp(events["x"]) > 15 and np.ptp(events["y"]) > 15
