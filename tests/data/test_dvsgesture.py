"""DvsGesture: the official layout, the oddities of the published labels, and the real files where they are."""

import os
import re

import numpy as np
import pytest

from decolle_ref import InputError
from decolle_ref.data import dvsgesture, location
from decolle_ref.data.aedat import read_aedat, write_aedat
from decolle_ref.data.dvsgesture import class_names, clips, gestures, read_labels, recordings, trials
from decolle_ref.data.events import EVENT, write_bin

TITLE = "class,startTime_usec,endTime_usec\n"
NAMES = [f"{'air_' * (k % 2)}gesture{' ' * (k % 3)},{k}" for k in range(1, 12)]


@pytest.fixture
def folder(elsewhere):
    path = elsewhere / "dvsgesture"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def real():
    """The folder of the real files; the test is skipped where no data folder is named."""
    if not os.environ.get("DECOLLE_REF_DATA"):
        pytest.skip("DECOLLE_REF_DATA is not set")
    return location.folder() / "dvsgesture"


def record(folder, times, rows):
    """A recording with one event at each of these times, whose x is its number, and its labels."""
    events = np.zeros(len(times), EVENT)
    events["t"], events["x"] = times, range(len(times))
    write_aedat(folder / "user22_led.aedat", events)
    (folder / "user22_led_labels.csv").write_text(TITLE + "\n".join(",".join(map(str, row)) for row in rows))
    return folder / "user22_led.aedat"


def cut(path):
    """(class, numbers of the events, their times) of each gesture."""
    return [(label, events["x"].tolist(), events["t"].tolist()) for label, events in gestures(path)]


def test_a_gesture_has_the_events_from_its_start_to_before_its_end_and_its_time_begins_there(folder):
    path = record(folder, [9, 10, 11, 19, 20, 2**31 + 5], [(3, 10, 20), (11, 2**31, 2**31 + 6), (1, 50, 60)])
    assert cut(path) == [(3, [1, 2, 3], [0, 1, 9]), (11, [5], [5]), (1, [], [])]


def test_a_label_that_ends_behind_the_next_start_shares_the_events_between_as_in_user22_led(folder):
    path = record(folder, [0, 5, 10, 15, 20], [(9, 0, 12), (10, 10, 20)])
    assert cut(path) == [(9, [0, 1, 2], [0, 5, 10]), (10, [2, 3], [0, 5])]


def test_a_class_that_stands_twice_makes_two_gestures_as_in_user26_fluorescent(folder):
    path = record(folder, [0, 5, 10, 15, 20], [(8, 0, 6), (8, 10, 20)])
    assert cut(path) == [(8, [0, 1], [0, 5]), (8, [2, 3], [0, 5])]


def test_gestures_are_the_same_in_many_chunks(folder, rng, monkeypatch):
    path = record(folder, np.sort(rng.integers(0, 1000, 128)), [(1, 100, 500), (2, 400, 900)])
    whole = cut(path)
    monkeypatch.setattr("decolle_ref.data.aedat.CHUNK", 64)
    assert cut(path) == whole and len(whole[0][1]) > 30


def test_a_recording_of_a_larger_image_is_refused(folder):
    path = record(folder, range(129), [(1, 0, 5)])
    with pytest.raises(
        InputError, match=r"user22_led.aedat: expected x and y below 128 in the event at byte 1157, got 128"
    ):
        gestures(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("class,start,end\n1,2,3\n", "expected b'class,startTime_usec,endTime_usec' at byte 0, got b'class,start,end'"),
        (TITLE, "expected 1 to 100 gestures, got 0"),
        (TITLE + 101 * "1,2,3\n", "expected 1 to 100 gestures, got 101"),
        (TITLE + "1,2,3\n2,x,5\n", "expected a line like class,start,end at byte 40, got b'2,x,5'"),
        (TITLE + "1,-2,3\n", "at byte 34, got b'1,-2,3'"),
        (TITLE + "1,2," + 30 * "9", "at byte 34, got b'1,2,9999"),
        (TITLE + "1,2,3\n12,4,5\n", "expected a class up to 11 and start <= end at byte 40, got Label(label=12, "),
        (TITLE + "0,4,5\n", "expected a class up to 11 and start <= end at byte 34, got Label(label=0, "),
        (
            TITLE + "1,5,4\n",
            "expected a class up to 11 and start <= end at byte 34, got Label(label=1, start=5, ",
        ),
        (TITLE + "1,0,9\n2,1,9\n3,8,9\n", "expected at most two gestures at once, got a third at byte 46"),
    ],
)
def test_damaged_labels_are_refused_with_their_place(tmp_path, rows, message):
    path = tmp_path / "labels.csv"
    path.write_text(rows)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        read_labels(path)


def test_a_split_is_the_files_of_its_list_and_the_first_missing_one_is_named(folder):
    (folder / "trials_to_test.txt").write_text("user24_led.aedat\r\nuser25_fluorescent_led.aedat\r\n\r\n")
    assert trials("test") == ("user24_led.aedat", "user25_fluorescent_led.aedat")
    (folder / "user24_led.aedat").touch()
    with pytest.raises(InputError, match=r"expected dvsgesture/user25_fluorescent_led.aedat in .*dvsgesture"):
        recordings("test")
    (folder / "user25_fluorescent_led.aedat").touch()
    assert recordings("test") == (folder / "user24_led.aedat", folder / "user25_fluorescent_led.aedat")
    with pytest.raises(InputError, match=r"split: expected one of train, test, got 'all'"):
        trials("all")


@pytest.mark.parametrize("text", ["", "../user01_led.aedat", "user24_led.aedat\nuser24_led.aedat", "user24_led"])
def test_a_damaged_list_is_refused(folder, text):
    (folder / "trials_to_train.txt").write_text(text)
    with pytest.raises(InputError, match=r"trials_to_train.txt: expected"):
        trials("train")


def test_names_are_in_the_order_of_the_classes_and_end_in_no_blank(folder):
    path = folder / "gesture_mapping.csv"
    path.write_text("\n".join(["action,label", *reversed(NAMES)]))
    assert class_names() == tuple(name.split(",")[0].strip() for name in NAMES)
    for rows in (NAMES[1:], [*NAMES, NAMES[0]], [*NAMES, "more,12"]):
        path.write_text("\n".join(["action,label", *rows]))
        with pytest.raises(InputError, match=r"gesture_mapping.csv: expected the names of the classes 1 to 11"):
            class_names()


def test_clips_are_read_by_their_class_and_events_outside_the_image_refused(folder):
    with pytest.raises(InputError, match=r"expected dvsgesture/clips in .*, found no such folder"):
        clips()
    (folder / "clips").mkdir()
    with pytest.raises(InputError, match=r"expected clips such as 01.bin in .*clips, found none"):
        clips()
    for label in (11, 2):
        write_bin(folder / f"clips/{label:02d}.bin", np.array([(127, label, 1, 3)], EVENT))
    assert [(clip.label, clip.events.tolist()) for clip in clips()] == [
        (label, [(127, label, True, 3)]) for label in (2, 11)
    ]
    write_bin(folder / "clips/03.bin", np.array([(128, 0, 1, 3)], EVENT))
    with pytest.raises(InputError, match=r"03.bin: expected x and y below 128 in the event at byte 0"):
        clips()


def test_the_real_lists_divide_122_recordings_by_person(real):
    train, test = trials("train"), trials("test")
    assert (len(train), len(test)) == (98, 24) and not set(train) & set(test)
    assert {name[:6] for name in test} == {f"user{k}" for k in range(24, 30)}
    assert {name[:6] for name in train} == {f"user{k:02d}" for k in range(1, 24)}


def test_the_real_names_and_labels_are_read(real):
    names = class_names()
    assert len(names) == dvsgesture.CLASSES == 11 and names[0] == "hand_clapping" and names[10] == "other_gestures"
    assert names[3:7] == tuple(f"{side}_arm_{turn}clockwise" for side in ("right", "left") for turn in ("", "counter_"))
    labels = read_labels(real / "user01_natural_labels.csv")
    assert [row.label for row in labels] == [1, 2, 3, 5, 4, 6, 7, 8, 8, 9, 10, 11]
    assert labels[0].start == 53_036_986 and labels[-1].end == 177_991_967


def test_the_ten_real_clips_are_whole(real):
    sizes = [os.stat(real / f"clips/{label:02d}.bin").st_size for label in range(1, 11)]
    for clip, size in zip(clips(), sizes, strict=True):
        events = clip.events
        assert len(events) == size / 5 and 63_000 < len(events) < 182_000
        assert (np.diff(events["t"]) >= 0).all() and 1_449_900 < events["t"][-1] < 1_450_000
        assert [int(f(events[field])) for field in ("x", "y") for f in (np.min, np.max)] == [0, 127, 0, 127]
        assert 0.45 < events["p"].mean() < 0.6


@pytest.mark.parametrize(
    ("name", "events", "numbers"),
    [
        ("aedat1_for_testing", 12, [(1, 3), (5, 3), (11, 0)]),
        ("aedat2_led", 18, [(2, 1), (3, 1), (8, 3), (7, 3)]),
        ("aedat3_fluorescent", 5, [(4, 0), (6, 3)]),
    ],
)
def test_the_small_recordings_are_read_and_cut_although_no_event_is_marked_valid(real, name, events, numbers):
    path = real / f"aedat31_synthetic/{name}.aedat"
    assert len(read_aedat(path)) == events and len(read_aedat(path, "drop")) == 0
    assert [(label, len(cut)) for label, cut in gestures(path)] == numbers
    assert [len(cut) for _, cut in gestures(path, "drop")] == [0] * len(numbers)
    assert (np.diff(read_aedat(path)["t"]) >= 0).all() and read_aedat(path, side=128)["x"].max() > 100
