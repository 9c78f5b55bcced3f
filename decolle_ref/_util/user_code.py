"""Code of a user: whatever it raises becomes one line.

>>> with guarded(lambda raised: f"mine: {raised}"):
...     raise SystemExit("no device")
Traceback (most recent call last):
decolle_ref._util.check.InputError: mine: no device
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from decolle_ref._util.check import InputError


@contextmanager
def guarded(message: Callable[[BaseException], str], *passing: type[BaseException]) -> Iterator[None]:
    """Run a user's code: all that it raises becomes an InputError with `message`, also what is no Exception.

    KeyboardInterrupt, which the user raises at the keyboard, and exceptions of the types `passing` pass through.
    """
    through: tuple[type[BaseException], ...] = (KeyboardInterrupt, *passing)
    try:
        yield
    except through:
        raise
    except BaseException as raised:
        raise InputError(message(raised)) from None
