"""What every long run needs: a progress bar, a clean stop on Ctrl-C, and a record of what it ran on."""

import platform
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
import scipy

import decolle_ref
from decolle_ref._util.progress import Progress as Progress


class Interrupted(Exception):
    """The run stopped at the user's wish; the message says how to go on."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C sets a flag, read by calling what is yielded; a second Ctrl-C stops at once."""
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, previous)


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    kibibytes = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kibibytes


def versions() -> dict[str, str]:
    """What a result may depend on besides its settings."""
    return {
        "decolle_ref": decolle_ref.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
    }
