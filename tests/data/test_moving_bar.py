"""The generated events of a moving bar, and their frames."""

import numpy as np
import pytest

from decolle_ref import InputError
from decolle_ref.data import moving_bar
from decolle_ref.data.events import EVENT
from decolle_ref.data.moving_bar import DIRECTIONS, frames, record

CLEAN = {"jitter": 0.0, "lost": 0.0, "noise": 0.0}


def test_events_are_structured_sorted_by_time_and_inside_the_recording():
    events = record(np.random.default_rng(0), "left", side=10, duration=0.05)
    assert events.dtype == EVENT and len(events)
    assert (np.diff(events["t"]) >= 0).all() and events["t"].max() < 50_000
    assert events["x"].max() < 10 and events["y"].max() < 10 and set(np.unique(events["p"])) == {0, 1}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_bar_moves_in_its_direction_by_speed_times_time(direction):
    events = record(np.random.default_rng(1), direction, side=12, duration=0.2, speed=120.0, **CLEAN)
    axis, sign = {"right": ("x", 1), "left": ("x", -1), "down": ("y", 1), "up": ("y", -1)}[direction]
    on = events[events["p"]]
    place = np.unwrap(on[axis].astype(float), period=12)
    slope = np.polyfit(on["t"] * 1e-6, place, 1)[0]
    assert slope == pytest.approx(sign * 120.0, rel=1e-3)


def test_every_pixel_is_passed_by_both_edges_in_each_round_and_the_back_edge_is_late_by_width_over_speed():
    events = record(np.random.default_rng(2), "down", side=8, duration=0.1, speed=80.0, width=2.0, **CLEAN)
    counts = frames(events, 8, 100).sum(axis=0)
    assert (counts == 1).all()  # one round in 0.1 s
    on, off = (np.sort(events["t"][(events["p"] == p) & (events["x"] == 0)]) for p in (1, 0))
    late = np.subtract.outer(off, on) % 100_000
    assert (np.abs(late - 25_000) <= 1).any(axis=1).all()


def test_two_recordings_of_opposite_directions_have_the_same_image_on_average():
    """So the order in time is what tells them apart."""
    right, left = (
        frames(record(np.random.default_rng(3), d, side=8, speed=80.0, **CLEAN), 8, 100) for d in ("right", "left")
    )
    assert (right.sum(axis=0) == left.sum(axis=0)).all() and (right != left).any()


def test_lost_events_and_noise_come_at_their_rates():
    full = record(np.random.default_rng(4), "up", duration=1.0, **CLEAN)
    half = record(np.random.default_rng(4), "up", duration=1.0, jitter=0.0, lost=0.5, noise=0.0)
    specks = record(np.random.default_rng(4), "up", duration=1.0, speed=160.0, jitter=0.0, lost=0.0, noise=10.0)
    assert len(half) == pytest.approx(len(full) / 2, abs=6 * np.sqrt(len(full)) / 2)
    assert len(specks) - len(full) == pytest.approx(2560, abs=6 * np.sqrt(2560))


def test_frames_count_each_event_in_its_bin_of_polarity_row_and_column():
    events = np.array([(1, 2, 1, 999), (1, 2, 1, 0), (0, 1, 0, 1000), (2, 0, 1, 3999), (0, 0, 0, 4000)], EVENT)
    counts = frames(events, side=3, steps=4).reshape(4, 2, 3, 3)
    expected = np.zeros((4, 2, 3, 3))
    expected[0, 1, 2, 1], expected[1, 0, 1, 0], expected[3, 1, 0, 2] = 2, 1, 1
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(frames(events, 3, 2, dt_us=2000).reshape(2, 2, 3, 3)[1], expected[2:].sum(axis=0))


def test_no_events_give_empty_frames():
    assert frames(np.empty(0, EVENT), 4, 3).shape == (3, 32) and not frames(np.empty(0, EVENT), 4, 3).any()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"direction": "north"}, "direction"),
        ({"side": 1}, "side"),
        ({"speed": 0.0}, "speed"),
        ({"width": -1.0}, "width"),
        ({"duration": np.inf}, "duration"),
        ({"lost": 1.0}, "lost"),
        ({"jitter": -1.0}, "jitter"),
        ({"noise": np.nan}, "noise"),
    ],
)
def test_impossible_settings_are_refused_by_name(change, word):
    with pytest.raises(InputError, match=rf"^{word}: expected"):
        record(np.random.default_rng(0), **{"direction": "up", **change})


def test_an_event_outside_the_image_or_before_the_start_is_refused():
    with pytest.raises(InputError, match=r"^t: expected 0 or more, got -1$"):
        frames(np.array([(0, 3, 1, -1)], EVENT), 4, 1)
    with pytest.raises(InputError, match=r"^y: expected less than 4, got 4$"):
        frames(np.array([(0, 4, 1, 0)], EVENT), 4, 1)


def test_the_same_seed_gives_the_same_recording():
    first, second = (moving_bar.record(np.random.default_rng(5), "right") for _ in range(2))
    assert (first == second).all()
