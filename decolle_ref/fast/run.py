"""`network.run` of a convolutional network that learns: the batch split over threads, everything in place."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from decolle_ref.check import Array, InputError, count
from decolle_ref.fast.layer import Part
from decolle_ref.fast.update import adamax
from decolle_ref.learner import Learner, Memory
from decolle_ref.network import Network
from decolle_ref.optim import Adamax
from decolle_ref.readout import KEEP, Mask
from decolle_ref.synapse import Weights


@contextmanager
def team(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Workers that share a batch, while each of them multiplies matrices alone."""
    count("threads", threads)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        with ThreadPoolExecutor(1) as workers:  # the library of matrix products then uses its own threads
            yield workers
        return
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as workers:
        yield workers


class Stepper:
    """The network on one batch, cut into pieces of `piece` samples."""

    def __init__(self, network: Network, batch: int, workers: ThreadPoolExecutor, piece: int = 16) -> None:
        self.network, self.batch, self.workers = network, batch, workers
        edges = [*range(0, batch, piece), batch]
        self.pieces = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        self.parts = [[Part(layer, s.stop - s.start) for layer in network] for s in self.pieces]

    def rest(self) -> None:
        """Every layer at P = Q = R = 0."""
        for parts in self.parts:
            for part in parts:
                part.rest()

    def step(self, weights, spikes, target=None, masks=None):
        def work(k):
            s = self.pieces[k]
            x = np.ascontiguousarray(spikes[s].T)
            for l, part in enumerate(self.parts[k]):
                mask = KEEP if masks is None else Mask(*(m[s] if isinstance(m, np.ndarray) else m for m in masks[l]))
                x = part.forward(weights[l], x, mask)
                if target is not None:
                    part.backward(target[s], (s.stop - s.start) / self.batch, mask)
        list(self.workers.map(work, range(len(self.pieces))))

    def learn(self, optimiser, weights, memory, rates):
        out = []
        for l, (w, m, rate) in enumerate(zip(weights, memory, rates)):
            mW, mb = m
            np.copyto(mW.m, self.parts[0][l].dW); np.copyto(mb.m, self.parts[0][l].db)
            for parts in self.parts[1:]:
                mW.m[...] += parts[l].dW; mb.m[...] += parts[l].db
            out.append((adamax(optimiser, w.W, mW, rate.W), adamax(optimiser, w.b, mb, rate.b)))
        return tuple(out)
