"""Threads that share the work of one batch.

>>> split(5, 2)
[slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from decolle_ref._util.check import count
from decolle_ref._util.extras import advice

__all__ = ["CHUNK", "split", "worker_pool"]

CHUNK = 32
"""Samples in a chunk: few enough for the caches, enough for long matrix products."""

T = TypeVar("T")


class SameThread(ThreadPoolExecutor):
    """A pool that starts no thread: whoever submits does the work.  Python in a browser has no threads."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call fn at once; a Future of what it returned or raised."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:
            future.set_exception(problem)
        return future


@contextmanager
def worker_pool(threads: int, blas_threads: int = 1) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads, while BLAS uses a fixed number of threads.

    Parameters
    ----------
    threads
        Number of workers, >= 1.  Without threadpoolctl there is one worker, and a warning.  In a browser the caller
        does the work.
    blas_threads
        Number of threads of every matrix product, >= 1.  Without threadpoolctl it is left as it is.

    Yields
    ------
    ThreadPoolExecutor
        The workers, for the length of the context.

    Raises
    ------
    InputError
        For a number below 1.
    """
    count("threads", threads)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        if threads > 1:
            warnings.warn(f"one thread, as threadpoolctl is not installed ({advice('figures')})", stacklevel=3)
        with _pool(1) as workers:
            yield workers
    else:
        with threadpool_limits(blas_threads, "blas"), _pool(threads) as workers:
            yield workers


def _pool(threads: int) -> ThreadPoolExecutor:
    return SameThread() if sys.platform == "emscripten" else ThreadPoolExecutor(threads)


def split(batch: int, chunk: int) -> list[slice]:
    """The samples of a batch in chunks of at most `chunk` samples.

    Parameters
    ----------
    batch, chunk
        Numbers of samples, >= 1.

    Returns
    -------
    list of slice
        One per chunk.
    """
    return [slice(first, min(first + chunk, batch)) for first in range(0, batch, chunk)]
