"""Run another program for a limited time, so that nothing of it is left when it has ended or was stopped.

The program gets a process group of its own.  The group is killed as a whole as soon as the program has ended, when its
time is over, when it prints too much, and when this process is asked to stop by Ctrl-C, SIGTERM or SIGHUP.  What it
prints goes to unnamed temporary files, which nobody waits for: a child that keeps them open delays nothing.

>>> import sys
>>> run([sys.executable, "-c", "import sys; print('no device'); sys.exit(3)"], 60)
Ended(code=3, said='no device')
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

from decolle_ref._util.check import InputError, printable

OUTPUT = 1 << 24  # bytes that a program may print to each of stdout and stderr
TAIL = 1 << 12  # bytes of it that are read
PAUSE = 0.02  # seconds between two looks at a running program
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # a system may lack the last one


class Ended(NamedTuple):
    """How a program ended: its exit code, and the last line that it printed, to stderr if there is any."""

    code: int
    said: str


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Within the block a signal to stop is only noted; the function that the block gets raises it as KeyboardInterrupt.

    So whatever the block has to tidy up is tidied up.  A signal that was noted is raised at the end of the block at the
    latest.  Outside the main thread, signals stay as they are.
    """
    noted: list[int] = []

    def raise_noted() -> None:
        if noted:
            raise KeyboardInterrupt(signal.Signals(noted[0]).name)

    def note(number: int, frame: Any) -> None:
        noted.append(number)

    names = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heard = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}  # nohup ignores SIGHUP
    for number in heard:
        signal.signal(number, note)
    try:
        yield raise_noted
    finally:
        for number, old in heard.items():
            signal.signal(number, old)
    raise_noted()


def run(command: Sequence[str], timeout: float, raise_noted: Callable[[], None] = lambda: None) -> Ended:
    """Run a program to its end.

    Parameters
    ----------
    command : the program and its arguments
    timeout : seconds
    raise_noted : called again and again while the program runs; an exception that it raises stops the program

    Returns
    -------
    Ended

    Raises
    ------
    InputError
        If the program cannot be started, does not end in time, or prints more than `OUTPUT` bytes.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        outputs = stdout, stderr
        try:
            running = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
            )
        except (OSError, ValueError) as problem:  # ValueError for NUL in a word
            reason = getattr(problem, "strerror", None) or problem
            raise InputError(f"{command[0]}: expected a program, got none ({reason})") from None
        try:
            _wait(running, command[0], timeout, outputs, raise_noted)
        finally:
            _kill_group(running)
        return Ended(running.returncode, _said(outputs))


def _wait(
    running: "subprocess.Popen[bytes]",
    name: str,
    timeout: float,
    outputs: Sequence[IO[bytes]],
    raise_noted: Callable[[], None],
) -> None:
    """Wait until the program has ended; raise InputError where it takes too long or prints too much."""
    ended = threading.Event()

    def wait() -> None:
        running.wait()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    latest = time.monotonic() + timeout
    while not ended.wait(PAUSE):
        raise_noted()
        if time.monotonic() > latest:
            raise InputError(f"{name}: expected an answer within {timeout:g} s, got none{_last_words(outputs)}")
        if max(os.fstat(file.fileno()).st_size for file in outputs) > OUTPUT:
            raise InputError(f"{name}: expected at most {OUTPUT} bytes of output, got more{_last_words(outputs)}")


def _kill_group(running: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(running.pid, signal.SIGKILL)  # the program's children too, also where it has ended itself
    except (ProcessLookupError, PermissionError):  # nobody is left
        pass
    running.wait()


def _last_words(outputs: Sequence[IO[bytes]]) -> str:
    said = _said(outputs)
    return f" (it said: {said})" if said else ""


def _said(outputs: Sequence[IO[bytes]]) -> str:
    """The last line of stderr, or of stdout where stderr has none; at most `TAIL` bytes of each are read."""
    for file in reversed(outputs):
        start = max(0, os.fstat(file.fileno()).st_size - TAIL)
        tail = os.pread(file.fileno(), TAIL, start)  # seek would move the place at which the program writes
        lines = tail.decode(errors="replace").strip().splitlines()
        if lines:
            return printable(lines[-1], 500)
    return ""
