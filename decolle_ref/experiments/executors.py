"""Executors for the runs of a sweep: new processes on this machine, or the workers of a Dask cluster.

    with Processes(2) as executor:
        future = executor.submit(function, argument)

`Processes` has a new process for every call, because a process pool loses all its calls when one process dies, for
instance because memory is short.  The processes are started afresh ("spawn"): a function must be importable, and its
arguments and answers must be plain data.  Ctrl-C reaches only the main process, which decides what happens.  When the
main process dies, the others end.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from decolle_ref._util.check import InputError, first_line
from decolle_ref._util.extras import import_optional
from decolle_ref.experiments.environment import one_line_warnings

SIGMASK = hasattr(signal, "pthread_sigmask")  # not on Windows
SPAWN = multiprocessing.get_context("spawn")


class Processes(ThreadPoolExecutor):
    """At most `jobs` processes at a time, each for one call; leaving its block by an exception kills them."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, initializer=_leave_interrupts)
        if SIGMASK:
            resource_tracker.ensure_running()  # here, because the thread that starts it receives Ctrl-C again
        self._living: set[Any] = set()
        self._starting, self._ended = threading.Lock(), False

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Call the function in a new process; a ChildProcessError says that it died."""
        return super().submit(self._call, function, args, options)

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        receiver, sender = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=_answer, args=(sender, function, args, options), daemon=True)
        with self._starting:
            if self._ended:
                raise ChildProcessError("not begun")
            process.start()
            self._living.add(process)
        sender.close()
        try:
            answered, answer = True, receiver.recv()
        except EOFError:
            answered, answer = False, None
        process.join()
        with self._starting:
            self._living.discard(process)
        if not answered:
            raise ChildProcessError(f"its process ended with exit code {process.exitcode}")
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with self._starting:
                self._ended = True
                for process in self._living:
                    process.kill()
        super().__exit__(kind, problem, trace)


def _leave_interrupts() -> None:
    """Block Ctrl-C in this thread, and thereby in the processes that it starts; the main thread receives it."""
    if SIGMASK:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _answer(sender: Connection, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """What the new process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with one_line_warnings():
        sender.send(function(*args, **options))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    """An executor on the workers of a Dask cluster, by the address of its scheduler, such as tcp://10.0.0.1:8786.

    Raises InputError where distributed is not installed, and where no scheduler answers.
    """
    distributed = import_optional("distributed")
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as problem:
        got = f"{address!r} ({first_line(problem)})"
        raise InputError(f"dask: expected the address of a scheduler that answers, got {got}") from None
    with client:
        yield client.get_executor()
