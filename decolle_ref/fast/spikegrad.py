"""The equivalent ANN of SpikeGrad for training, in place, with threads over the batch.  [T19 Eq. 14, 15, 18]

`forward` and `backward` are tested against `ann.forward`, `ann.backward` and `ann.increments`, `nearest` against
`ann.nearest`, and `step` against all of them.  Inside, arrays are (n, batch), and convolutions are the `Patches` of
`fast.conv`; arguments and results are (batch, n), as in the definitions.

`step` cuts a mini-batch into chunks of CHUNK samples and adds up their increments in a fixed order.  So the number of
threads changes no bit of the result.

>>> from decolle_ref.spikegrad import network
>>> net = network.parse("4x4-2C3-10")
>>> weights = network.init_weights(np.random.default_rng(0), net)
>>> result = step(net, weights, np.ones((5, 16)), np.arange(5), alpha=100.0, gradient="spike")
>>> result.S[0].shape, result.increments[0].W.shape
((8,), (2, 1, 3, 3))
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

import numpy as np

from decolle_ref._util import check
from decolle_ref._util.check import Array, InputError, finite, floats, validate_choice, validate_one_per_layer
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.memory import Empty, Memory, take
from decolle_ref.fast.spikegrad_layer import adjoint, drive, increment, load_patches
from decolle_ref.fast.spikes import nearest, spikes
from decolle_ref.fast.workers import split
from decolle_ref.spikegrad import ann
from decolle_ref.spikegrad.layers import IFNetwork

__all__ = ["Cache", "Step", "accuracy", "backward", "forward", "nearest", "step"]

CHUNK = 25  # samples in a chunk of `step`: half a mini-batch, so that two threads have work
EVALUATION_BATCH = 100  # samples at a time in `accuracy`


class Cache(NamedTuple):
    """The results of one layer that the backward phase needs.

    Attributes
    ----------
    S_below
        Its inputs, (n_in, batch).
    gate
        S', (n, batch); None for linear neurons and the top layer.
    patches
        The windows of S_below that a convolution sees; None for other connections.
    """

    S_below: Array
    gate: Array | None
    patches: Patches | None


class Step(NamedTuple):
    """Results of one mini-batch, before the update.

    Attributes
    ----------
    loss
        Cross-entropy, summed over the batch, in nats.
    increments
        sum of E_i S_j, which is alpha / Theta_bp times the gradient of the loss, for each layer.
    S
        Number of spikes of each neuron, |S| summed over the batch, (n,) for each layer; in the top layer |V|.
    E
        Number of error spikes of each neuron, |E| summed over the batch, (n,) for each layer.
    """

    loss: float
    increments: list[Weights]
    S: list[Array]
    E: list[Array]


def forward(net: IFNetwork, weights: Sequence[Weights], x: Array) -> tuple[list[Array], list[Cache]]:
    """`ann.forward` with rounding to the nearest integer.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x
        Inputs, (batch, n_in).

    Returns
    -------
    S, caches
        Totals of all layers, (batch, n), with V of the top layer last; and the arguments of `backward`.
    """
    validate_one_per_layer("weights", weights, len(net))
    weights = [layer.synapse.parse(w) for layer, w in zip(net, weights, strict=True)]
    return _ascend(net, weights, _parse(net, x), np.empty)


def _parse(net: IFNetwork, x: Array) -> Array:
    """Inputs (batch, n_in)."""
    return floats("x", x, np.shape(x)[0] if np.ndim(x) else 0, net[0].synapse.n_in)


def _ascend(net: IFNetwork, weights: Sequence[Weights], x: Array, empty: Empty) -> tuple[list[Array], list[Cache]]:
    """`forward` of checked arguments, in arrays from `empty`."""
    below, totals, caches = empty(x.shape[::-1], x.dtype), [], []
    below[...] = x.T
    for layer, w in zip(net, weights, strict=True):
        patches = load_patches(layer.synapse, below, empty)
        S, gate = drive(layer.synapse, w, below, patches, empty), None
        if layer is not net[-1]:
            if layer.theta_ff != 1:
                S /= layer.theta_ff
            if layer.relu:
                gate = np.greater(S, 0, out=empty(S.shape, np.dtype(bool)))
                np.maximum(S, 0, out=S)
            nearest(S)
        caches.append(Cache(below, gate, patches))
        totals.append(S.T)
        below = S
    return totals, caches


def backward(
    net: IFNetwork, weights: Sequence[Weights], caches: Sequence[Cache], U: Array, gradient: str = "spike"
) -> tuple[list[Array], list[Weights]]:
    """`ann.backward` with rounding to the nearest integer, and `ann.increments`.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    caches
        What `forward` returned.
    U
        Error of the top layer before rounding, (batch, n_out).
    gradient
        "spike", or "float" for errors that are not rounded.

    Returns
    -------
    errors, increments
        E of every layer, (batch, n), and one `Weights` per layer.
    """
    U = floats("U", U, caches[-1].S_below.shape[1], net[-1].synapse.n)
    weights = [layer.synapse.parse(w) for layer, w in zip(net, weights, strict=True)]
    errors: list[Array] = []
    increments: list[Weights] = []
    for E, samples, _, added in _descend(net, weights, caches, np.array(U.T, order="C"), gradient, Memory()):
        errors.insert(0, np.zeros((len(U), len(E)), E.dtype))
        errors[0][samples] = E.T
        increments.insert(0, added)
    return errors, increments


def _descend(
    net: IFNetwork, weights: Sequence[Weights], caches: Sequence[Cache], E: Array, gradient: str, memory: Memory
) -> Iterator[tuple[Array, Array, Array, Weights]]:
    """(E, samples, |E| of each neuron, increment) of each layer, from the top down, from the error E (n_out, batch).

    E is overwritten.  A sample without an error spike in some layer sends none to the layers below.  It is left out
    from there on, and `samples` are those whose E (n, samples) is yielded.
    """
    samples = np.arange(E.shape[1])
    for layer, w, cache in zip(reversed(net), reversed(weights), reversed(caches), strict=True):
        if layer.theta_bp != 1:
            E /= layer.theta_bp
        if gradient == "spike":
            nearest(E)
        if cache.gate is not None:
            E *= cache.gate if len(samples) == cache.gate.shape[1] else cache.gate[:, samples]
        sent, sent_by_samples = spikes(E)
        if gradient == "spike":
            active = sent_by_samples != 0
            active[0] |= not active.any()  # at least one sample, because the shape of an empty array is ambiguous
            if not active.all():
                E, samples = E[:, active], samples[active]
        used, S_below, patches = memory.used, cache.S_below, cache.patches
        if len(samples) < S_below.shape[1]:
            S_below = S_below[:, samples]
            patches = load_patches(layer.synapse, S_below, memory.empty)
        yield E, samples, sent, increment(layer.synapse, w, S_below, patches, E)
        memory.release(used)
        if layer is not net[0]:
            E = adjoint(layer.synapse, w, E, memory)


def step(
    net: IFNetwork,
    weights: Sequence[Weights],
    x: Array,
    labels: Array,
    alpha: float,
    gradient: str,
    workers: ThreadPoolExecutor | None = None,
    memories: list[Memory] | None = None,
) -> Step:
    """Forward phase, top error and backward phase of one mini-batch.

    In every layer, samples without error spikes are left out of the backward phase.  Sparse errors save time in this
    way: almost half of the step once most samples are classified correctly.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x, labels
        Inputs, (batch, n_in), and the class of each sample, (batch,).
    alpha
        Error scale.
    gradient
        "spike", or "float" for errors that are not rounded.
    workers
        The threads that share the batch, from `worker_pool`; None: the caller does all the work.
    memories
        A list, empty at first, that keeps the memory of large arrays for the next step: one entry per thread.

    Returns
    -------
    Step
        Loss, increments and numbers of spikes.
    """
    validate_choice("gradient", gradient, ann.GRADIENTS)
    validate_one_per_layer("weights", weights, len(net))
    x = _parse(net, x)
    if not len(x):
        raise InputError(f"x: expected at least one sample, got shape {np.shape(x)}")
    labels = check.labels("labels", labels, net[-1].synapse.n, (len(x),))
    parsed = [layer.synapse.parse(w) for layer, w in zip(net, weights, strict=True)]
    free = [] if memories is None else memories

    def chunk(part: slice) -> Step:
        return _chunk(net, parsed, x[part], labels[part], alpha, gradient, free)

    return reduce(_add, (map if workers is None else workers.map)(chunk, split(len(x), CHUNK)))


def _add(total: Step, result: Step) -> Step:
    """The sum of two steps, in the arrays of the first."""
    arrays, more = ([*S, *E, *(array for w in increments for array in w)] for _, increments, S, E in (total, result))
    for array, addend in zip(arrays, more, strict=True):
        array += addend
    return total._replace(loss=total.loss + result.loss)


def _chunk(
    net: IFNetwork,
    weights: Sequence[Weights],
    x: Array,
    labels: Array,
    alpha: float,
    gradient: str,
    memories: list[Memory],
) -> Step:
    """`step` for some samples."""
    memory = take(memories)
    totals, caches = _ascend(net, weights, x, memory.empty)
    loss = float(ann.cross_entropy(totals[-1], labels).sum())
    U = np.array(ann.top_error(totals[-1], labels, alpha).T, order="C")
    S = [spikes(S.T)[0] for S in totals]
    errors: list[Array] = []
    increments: list[Weights] = []
    for _, _, sent, added in _descend(net, weights, caches, U, gradient, memory):
        errors.insert(0, sent)
        increments.insert(0, added)
    memories.append(memory)
    return Step(loss, increments, S, errors)


def accuracy(
    net: IFNetwork, weights: Sequence[Weights], x: Array, labels: Array, workers: ThreadPoolExecutor | None = None
) -> float:
    """Share of images whose largest V is that of their label.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x, labels
        Inputs, (samples, n_in), and the class of each sample, (samples,).
    workers
        The threads that share the samples, from `worker_pool`; None: the caller does all the work.

    Returns
    -------
    float
        Between 0 and 1.
    """
    if not np.ndim(x) or not len(x):
        raise InputError(f"x: expected at least one sample, got shape {np.shape(x)}")
    parsed = check.labels("labels", labels, net[-1].synapse.n, np.shape(x)[:1])

    def right(part: slice) -> int:
        S, _ = forward(net, weights, x[part])
        return int((finite("V", S[-1]).argmax(axis=1) == parsed[part]).sum())

    return sum((map if workers is None else workers.map)(right, split(len(x), EVALUATION_BATCH))) / len(x)
