"""Integer frames of events, against loops over the events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.data.events import EVENT
from decolle_ref.data.frames import bin_events, dense, random_starts, stream

SENSOR = 8
EVENTS = st.lists(
    st.tuples(st.integers(0, SENSOR - 1), st.integers(0, SENSOR - 1), st.booleans(), st.integers(0, 9_000)), max_size=40
).map(lambda rows: np.array(rows, EVENT))
GRIDS = st.sampled_from([(8, 8), (8, 4), (8, 2), (6, 3), (4, 4), (7, 7)])


def counted(events, crop, size, start, stop, dt):
    """The definition, event by event."""
    steps, margin, factor = -(-(stop - start) // dt), (SENSOR - crop) // 2, crop // size
    frames = np.zeros((steps, 2, size, size), int)
    for x, y, p, t in events.tolist():
        column, row = x - margin, y - margin
        if start <= t < stop and 0 <= column < crop and 0 <= row < crop:
            frames[(t - start) // dt, int(p), row // factor, column // factor] += 1
    return frames.reshape(steps, 2 * size * size)


@given(EVENTS, GRIDS, st.integers(0, 4000), st.integers(0, 6000), st.sampled_from([1000, 700, 1]))
def test_frames_count_the_events_of_each_bin_and_block(events, grid, start, length, dt):
    crop, size = grid
    length = min(length, 50 * dt)
    made = bin_events(events, SENSOR, crop, size, start, start + length, dt)
    expected = counted(events, crop, size, start, start + length, dt)
    assert made.steps == len(expected) and made.shape == (2, size, size)
    np.testing.assert_array_equal(dense(made), expected)


@given(EVENTS, st.sampled_from([8, 4, 2, 1]))
def test_downsampling_sums_blocks_and_loses_no_event(events, size):
    fine, coarse = (dense(bin_events(events, SENSOR, SENSOR, side)) for side in (SENSOR, size))
    factor = SENSOR // size
    blocks = fine.reshape(len(fine), 2, size, factor, size, factor).sum(axis=(3, 5))
    np.testing.assert_array_equal(blocks.reshape(coarse.shape), coarse)
    assert coarse.sum() == len(events)


@given(st.lists(EVENTS, min_size=1, max_size=4), st.integers(0, 5), st.integers(1, 12))
def test_the_stream_shows_the_frames_of_every_sample_and_then_empty_ones(many, first, steps):
    recordings = [bin_events(events, SENSOR, 8, 4) for events in many]
    starts = [first * (k % 2) for k in range(len(many))]
    shown = np.array(list(stream(recordings, starts, steps)))
    assert shown.shape == (steps, len(many), 32) and shown.dtype == np.float32
    for k, (recording, start) in enumerate(zip(recordings, starts, strict=True)):
        whole = np.concatenate([dense(recording), np.zeros((first + steps, 32))])
        np.testing.assert_array_equal(shown[:, k], whole[start : start + steps])


def test_events_may_come_in_any_order():
    events = np.array([(1, 2, True, 2500), (3, 4, False, 100), (1, 2, True, 2600)], EVENT)
    a, b = (bin_events(some, SENSOR, 8, 8) for some in (events, events[::-1]))
    np.testing.assert_array_equal(dense(a), dense(b))
    assert a.steps == 3


def test_a_random_start_leaves_room_for_the_sequence_and_reaches_both_ends():
    long, short = (bin_events(np.array([(0, 0, True, t)], EVENT), SENSOR, 8, 8) for t in (9_999, 2_999))
    starts = np.array([random_starts(np.random.default_rng(seed), [long, short], 7) for seed in range(200)])
    assert set(starts[:, 0]) == {0, 1, 2, 3} and set(starts[:, 1]) == {0}


def test_a_recording_without_events_has_frames_only_if_its_length_is_given():
    empty = np.empty(0, EVENT)
    assert bin_events(empty, SENSOR, 8, 8).steps == 0
    assert dense(bin_events(empty, SENSOR, 8, 8, 0, 3000)).tolist() == np.zeros((3, 128)).tolist()


def test_arguments_that_do_not_fit_are_refused_in_one_line():
    events = np.array([(9, 0, True, 5)], EVENT)
    with pytest.raises(InputError, match="x: expected less than 8, got 9"):
        bin_events(events, SENSOR, 8, 8)
    with pytest.raises(InputError, match="size: expected a divisor of the 8 pixels that are cut out, got 3"):
        bin_events(events[:0], SENSOR, 8, 3)
    with pytest.raises(InputError, match="sensor: expected an integer >= 10, got 8"):
        bin_events(events[:0], SENSOR, 10, 5)
    with pytest.raises(InputError, match="number of steps: expected an integer >= 0, got -1"):
        bin_events(events[:0], SENSOR, 8, 8, 2000, 1000)
    small, large = (bin_events(events[:0], SENSOR, 8, size) for size in (4, 8))
    with pytest.raises(InputError, match="recordings: expected one shape, got"):
        stream([small, large], [0, 0], 1)
    with pytest.raises(InputError, match="starts: expected 2, one per recording, got 1"):
        stream([small, small], [0], 1)
    with pytest.raises(InputError, match="recordings: expected an integer >= 1, got 0"):
        stream([], [], 1)
