"""A run's process: the user's requests to stop, warnings in one line, versions in use, cores, and the peak memory."""

import os
import platform
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

import numpy as np
import scipy

import decolle_ref
from decolle_ref._util.check import printable


@contextmanager
def stop_requests(other: Callable[[], bool] | None = None) -> Iterator[Callable[[], bool]]:
    """Within the block the yielded function says whether Ctrl-C was pressed; a second Ctrl-C stops at once.

    With an `other` function that says whether to stop, that one is yielded, and Ctrl-C is not handled.
    """
    if other is not None:
        yield other
        return
    requested = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        requested = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: requested
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Within the block every warning for the user is one line on stderr; warnings among libraries are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # among libraries, which no user can mend
        warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, about numbers that diverge: the run says where
        warnings.showwarning = _print_warning
        yield


def _print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(printable(f"decolle-ref: warning: {message}"), file=sys.stderr)


def cores() -> int:
    """The number of cores of this machine."""
    return os.cpu_count() or 1


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes; 0 where the system does not report it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    kibibytes = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kibibytes


def forecast(seconds: float, memory: int) -> str:
    """What a run of so many seconds and bytes will take, in words."""
    duration = f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
    return f"about {duration} on this machine as busy as now, {memory / 2**30:.1f} GiB of memory"


def versions() -> dict[str, str]:
    """The versions of the software that a result may depend on."""
    return {
        "decolle_ref": decolle_ref.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
    }
