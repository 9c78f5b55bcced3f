"""A convolutional network, step by step, with the batch cut into chunks for several threads.

Every chunk is a few samples through all layers.  What comes out depends on how the batch is cut, in the last bits, but
not on how many threads there are.
"""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from decolle_ref._util.check import Array, count
from decolle_ref.decolle.learner import Learner, OptState
from decolle_ref.decolle.network import Network
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.layer import LayerBuffers
from decolle_ref.fast.update import adamax, parse_adamax

CHUNK = 32  # samples: few enough for the caches, enough for long matrix products


@contextmanager
def worker_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Workers who each multiply their matrices alone.  One worker where threadpoolctl is not installed."""
    count("threads", threads)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        if threads > 1:
            warnings.warn("one thread, as threadpoolctl is not installed (extra: figures)", stacklevel=3)
        with ThreadPoolExecutor(1) as workers:
            yield workers
    else:
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as workers:
            yield workers


def cut(batch: int, chunk: int) -> list[slice]:
    """The samples of a batch in chunks of at most so many."""
    return [slice(first, min(first + chunk, batch)) for first in range(0, batch, chunk)]


class Stepper:
    """`network.step` for one batch of a fixed size, `steps` steps at a time, in place."""

    def __init__(
        self, network: Network, batch: int, workers: ThreadPoolExecutor, steps: int = 1, chunk: int = CHUNK
    ) -> None:
        self.batch, self.steps, self.workers = batch, steps, workers
        self.chunks = cut(batch, chunk)
        self.parts = [[LayerBuffers(layer, s.stop - s.start, steps) for layer in network] for s in self.chunks]

    def rest(self) -> None:
        """Every layer at P = Q = R = 0."""
        for parts in self.parts:
            for part in parts:
                part.rest()

    def step(
        self,
        weights: Sequence[Weights],
        spikes: Array,
        target: Array | None = None,
        masks: Sequence[Mask] | None = None,
    ) -> None:
        """All layers through the next steps, and their gradients if there is a target (batch, n_out).

        spikes (steps, batch, n_in); masks: dropout, one per layer, of shape (batch, ...) for all steps alike, or
        (steps, batch, ...).
        """

        def one(chunk: slice, parts: list[LayerBuffers]) -> None:
            x = np.ascontiguousarray(spikes[:, chunk].transpose(2, 0, 1))
            for k, part in enumerate(parts):
                mask = KEEP if masks is None else _of(masks[k], chunk)
                x = part.forward(weights[k], x, mask)
                if target is not None:
                    part.learn(target[chunk], len(target[chunk]) / self.batch, mask)

        list(self.workers.map(one, self.chunks, self.parts))

    def update(self, learner: Learner, weights: Sequence[Weights], opt_state: OptState, updates: int) -> OptState:
        """`Learner.update` with the gradients of the last step, overwriting weights and optimiser state."""
        optimiser, factor = parse_adamax(learner.optimiser), learner.schedule(updates)
        new = []
        for k, (w, moments, rate) in enumerate(zip(weights, opt_state, learner.learning_rates, strict=True)):
            gradients = [parts[k].gradient for parts in self.parts]
            for of, of_pieces in zip(moments, zip(*gradients, strict=True), strict=True):
                np.copyto(of.m, sum(of_pieces))
            triples = zip(w, moments, rate, strict=True)
            new.append(tuple(adamax(optimiser, array, of, factor * lr) for array, of, lr in triples))
        return tuple(new)

    def outputs(self, k: int) -> Array:
        """Y of layer k, (steps, batch, n_out)."""
        return np.concatenate([self._by_step(parts[k].Y.T) for parts in self.parts], axis=1)

    def read(self, k: int) -> Array:
        """What the readout of layer k reads, before dropout, (steps, batch, width)."""
        return np.concatenate([self._by_step(parts[k].read) for parts in self.parts], axis=1)

    def _by_step(self, x: Array) -> Array:
        """(n, steps x samples) -> (steps, samples, n)."""
        return x.reshape(len(x), self.steps, -1).transpose(1, 2, 0)


def _of(mask: Mask, chunk: slice) -> Mask:
    """A mask for some samples: one row for each column of their arrays, or for each sample."""
    return Mask(*(_rows(factors, chunk) if isinstance(factors, np.ndarray) else factors for factors in mask))


def _rows(factors: Array, chunk: slice) -> Array:
    return factors[..., chunk, :].reshape(-1, factors.shape[-1])
