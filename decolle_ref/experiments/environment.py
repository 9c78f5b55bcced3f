"""A run's process: the user's requests to stop, the versions in use, and the peak memory."""

import platform
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
import scipy

import decolle_ref


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within the block the yielded function says whether Ctrl-C was pressed; a second Ctrl-C stops at once."""
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


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes; 0 where the system does not report it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    kibibytes = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kibibytes


def versions() -> dict[str, str]:
    """The versions of the software that a result may depend on."""
    return {
        "decolle_ref": decolle_ref.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
    }
