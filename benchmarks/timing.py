"""Two programs take turns, A B A B, and each round gives one ratio: whatever slows the machine down slows both."""

import time
from collections.abc import Callable, Sequence

import numpy as np

WARM_UP = 1
"""Rounds that are not counted, after a first call of both."""

SECONDS, FEWEST = 20.0, 3
"""No new round starts after so many seconds and rounds."""


def take_turns(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, threads: int
) -> tuple[list[float], list[float]]:
    """Seconds of every round: processor time with one thread, and else what the clock on the wall says."""
    clock = time.process_time if threads == 1 else time.perf_counter
    begin, times = time.perf_counter(), []
    for n in range(WARM_UP + rounds):
        if n >= WARM_UP + FEWEST and time.perf_counter() - begin > SECONDS:
            break
        times.append([_seconds(program, clock) for program in (ours, theirs)])
    a, b = zip(*times[WARM_UP:], strict=True)
    return list(a), list(b)


def _seconds(program: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    program()
    return clock() - start


def quartiles(values: Sequence[float]) -> list[float]:
    """Lower quartile, median and upper quartile."""
    return [float(x) for x in np.percentile(values, (25, 50, 75))]


def summary(ours: Sequence[float], theirs: Sequence[float], units: int) -> dict[str, list[float]]:
    """Quartiles of milliseconds per unit, and of the ratio of each round; above 1 ours is faster."""
    return {
        "ours": quartiles([1000 * a / units for a in ours]),
        "theirs": quartiles([1000 * b / units for b in theirs]),
        "ratio": quartiles([b / a for a, b in zip(ours, theirs, strict=True)]),
    }
