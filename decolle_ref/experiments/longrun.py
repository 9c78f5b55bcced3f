"""What every long run needs: a progress bar, a clean stop on Ctrl-C, and a record of what it ran on."""

import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import scipy

import decolle_ref


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


class Progress:
    """A tqdm bar where tqdm is installed, else nothing."""

    def __init__(self, description: str, total: int, done: int = 0, quiet: bool = False, unit: str = "epoch") -> None:
        self._bar: Any = None
        if not quiet:
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self._bar = tqdm(total=total, initial=done, desc=description, unit=unit, dynamic_ncols=True)

    def advance(self, text: str) -> None:
        """One unit further; `text` stands behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def versions() -> dict[str, str]:
    """What a result may depend on besides its settings."""
    return {
        "decolle_ref": decolle_ref.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
    }
