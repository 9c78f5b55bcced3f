"""What a run of `spikegrad_images` will take: time from one mini-batch, memory from the sizes of its arrays."""

import time
from collections.abc import Callable

import numpy as np

from decolle_ref.decolle.synapse import Conv2d
from decolle_ref.experiments.environment import forecast
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.spikegrad import CHUNK
from decolle_ref.fast.workers import split
from decolle_ref.spikegrad.layers import IFLayer, IFNetwork

BYTES = 4  # of a float32


def expected(learn: Callable[[], object], test: Callable[[], object], learned: int, tested: float, memory: int) -> str:
    """The forecast of a run that calls `learn` and `test` so many times; empty if nothing remains.

    The first call of each allocates memory, and the second is timed.
    """
    if not learned:
        return ""
    return forecast(learned * _seconds(learn) + tested * _seconds(test), memory)


def _seconds(work: Callable[[], object]) -> float:
    work()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def memory(net: IFNetwork, batch: int) -> int:
    """Bytes of the arrays of one run while it learns from a mini-batch, without images.

    These are: weights, velocities and sums; the weights and velocities at the start of the epoch; the increments, and
    the activities in both phases, of every chunk of the mini-batch; and the intermediate results of one update.
    """
    sizes = [sum(int(np.prod(shape)) for shape in layer.synapse.shapes) for layer in net]
    chunks = split(batch, CHUNK)
    numbers = (5 + len(chunks)) * sum(sizes) + 3 * max(sizes)
    numbers += batch * (sum(map(_kept, net)) + max(map(_passing, net)))
    return BYTES * numbers


def _kept(layer: IFLayer) -> int:
    """Numbers of one sample that wait for the backward phase: inputs, patches, and a gate of a byte per neuron."""
    synapse, patches = layer.synapse, 0
    if isinstance(synapse, Conv2d):
        patches = Patches(synapse, synapse.shape[1:], 1, np.dtype(np.float32)).X.size
    return synapse.n_in + synapse.n // BYTES + patches


def _passing(layer: IFLayer) -> int:
    """Numbers of one sample while its error passes a layer: errors above and below, patches and a product."""
    kernel = layer.synapse.kernel if isinstance(layer.synapse, Conv2d) else 0
    return (2 + kernel) * layer.synapse.n + 2 * layer.synapse.n_in
