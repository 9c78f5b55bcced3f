"""How a program of this package ends: with an exit code, and with one line on stderr if it failed.

Nothing that is printed gets lost silently: where stdout cannot be written, the program fails, or ends quietly if its
reader has gone, as in `| head`.  Where stderr cannot be written, the program goes on without it.

>>> guarded("program", lambda: print("works"))
works
0
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import RawIOBase, StringIO
from typing import Any, TextIO, cast

from decolle_ref._util.check import InputError, printable
from decolle_ref.experiments.harness import Interrupted

FAILED, INTERRUPTED, READER_GONE = 2, 130, 141  # the last two as a shell reports SIGINT and SIGPIPE
STDOUT = "standard output"


class Output:
    """A standard stream that remembers why something could not be written; None is one that is not open.

    needed: whether that raises an OSError, which names stdout.
    """

    def __init__(self, stream: TextIO | None, needed: bool) -> None:
        self._stream, self._needed = _buffered(stream), needed
        self.problem: OSError | None = None

    def write(self, text: str) -> int:
        """Write text; what the encoding lacks is escaped."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._try(lambda stream: stream.write(text.encode(encoding, "backslashreplace").decode(encoding)))
        return len(text)

    def flush(self) -> None:
        """Write what is still in memory."""
        self._try(lambda stream: stream.flush())

    def _try(self, act: Callable[[TextIO], object]) -> None:
        if self.problem is None:
            try:
                act(self._stream)
            except OSError as problem:
                self.problem = problem
                problem.filename = STDOUT
                _discard(self._stream)
        if self.problem is not None and self._needed:
            raise self.problem

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _NotOpen(StringIO):
    """A stream for a descriptor that was closed when the program began."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "not open")


def _buffered(stream: TextIO | None) -> TextIO:
    """The same stream, with a buffer: without one, as under PYTHONUNBUFFERED, the rest of a short write gets lost."""
    if stream is None:
        return _NotOpen()
    if isinstance(getattr(stream, "buffer", None), RawIOBase):
        return open(stream.fileno(), "w", 1, stream.encoding, stream.errors, closefd=False)
    return stream


def _discard(stream: TextIO) -> None:
    """Let what is still in memory, and all that follows, go nowhere: Python writes it again when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def guarded(program: str, work: Callable[[], int | None]) -> int:
    """Run `work` and return the exit code, after one line on stderr if it failed.

    Parameters
    ----------
    program
        The name with which the line begins.
    work
        Returns the exit code, or None for 0.

    Returns
    -------
    int
        The code of `work`; 2 for bad input and files that cannot be read or written, 130 after Ctrl-C, 141 where the
        reader of stdout has gone.
    """
    _open_standard_descriptors()
    out, err = Output(sys.stdout, needed=True), Output(sys.stderr, needed=False)
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
        try:
            try:
                return work() or 0
            finally:
                out.flush()
        except (InputError, OSError, MemoryError, Interrupted, KeyboardInterrupt) as problem:
            if problem is out.problem and isinstance(problem, BrokenPipeError):
                return READER_GONE
            code, text = _ending(problem)
            print(printable(f"{program}: {text}"), file=sys.stderr)
            return code


def _ending(problem: BaseException) -> tuple[int, str]:
    """The exit code and the message for an exception."""
    if isinstance(problem, Interrupted):
        return INTERRUPTED, str(problem)
    if isinstance(problem, KeyboardInterrupt):
        return INTERRUPTED, "stopped at once"
    if isinstance(problem, OSError):
        place = f"{problem.filename}: " if problem.filename else ""
        return FAILED, f"error: {place}{problem.strerror or problem}"
    return FAILED, f"error: out of memory ({problem})" if isinstance(problem, MemoryError) else f"error: {problem}"


def _open_standard_descriptors() -> None:
    """Occupy the descriptors 0, 1 and 2 where they are closed, so that no file gets one of them and then messages."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
