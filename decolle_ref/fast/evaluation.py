"""A network with fixed weights, many steps at a time: spikes in, Y, U and S of every layer out.

While nothing learns, each layer can go through all steps before the next one begins, and many steps share one matrix
product, or the columns of W for all their input spikes where those are few.  R goes step by step, and so do the traces
of large layers.  Tested against `network.run`, whose shapes the arrays have, with the steps as an axis in front.

>>> from decolle_ref.decolle import lif, network, readout
>>> from decolle_ref.decolle.synapse import Dense
>>> rng, synapse = np.random.default_rng(0), Dense(16, 8)
>>> layer = network.Layer(synapse, lif.neuron(), readout.sample_readout(rng, n=8, n_out=5))
>>> weights = [synapse.init_weights(rng, layer.neuron)]
>>> state, (result,) = evaluate([layer], weights, spikes=np.ones((100, 3, 16)))  # 100 steps of 3 samples
>>> result.Y.shape, result.U.shape, result.S.shape
((100, 3, 5), (100, 3, 8), (100, 3, 8))
>>> state, (result,) = evaluate([layer], weights, np.ones((50, 3, 16)), state)  # the next 50 steps
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, finite, validate_choice, validate_shape
from decolle_ref.decolle import network as definition
from decolle_ref.decolle import readout
from decolle_ref.decolle.layer import Layer, pooled, width
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.surrogate import Function, above_threshold, at_threshold
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.fast import event_driven
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.traces import traces
from decolle_ref.fast.workers import split

__all__ = ["Evaluation", "evaluate"]

METHODS = "auto", "product", "events"
ROWS = 256  # steps x samples in one product
CONV_ROWS, CONV_CHUNK = 128, 32  # likewise in a block of a convolution, and in the part that one thread works on
COMPARISONS: dict[Function, Function] = {
    at_threshold: partial(np.less_equal, 0.0),
    above_threshold: partial(np.less, 0.0),
}


class Evaluation(NamedTuple):
    """One layer through all steps, in the shapes of `network.Snapshot` with the steps as an axis in front.

    Attributes
    ----------
    Y : array of shape (steps, ..., n_out)
    U : array of shape (steps, ..., n)
        Before the pool.
    S : array of shape (steps, ..., n), or (steps, ..., pool.n)
        The spikes that are transmitted.
    """

    Y: Array
    U: Array
    S: Array


def evaluate(
    network: Sequence[Layer],
    weights: Sequence[Weights],
    spikes: npt.ArrayLike,
    state: Sequence[State] | None = None,
    workers: ThreadPoolExecutor | None = None,
    method: str = "auto",
) -> tuple[tuple[State, ...], tuple[Evaluation, ...]]:
    """Y, U and S of [K20 Eq. 1] for all steps and layers, without dropout; equal to `network.run` up to rounding.

    Parameters
    ----------
    network : sequence of Layer
        With any synapse, pool, readout and dialect.
    weights : sequence of Weights, one per layer
    spikes : array of shape (steps, ..., n_in)
    state : sequence of State, one per layer, or None
        Where to start, such as the state after an earlier call; None is rest.
    workers : ThreadPoolExecutor or None
        From `worker_pool`: the threads that share the products of convolutions.  Their number changes no bit.
    method : "auto", "product" or "events"
        "product" takes one product of matrices for many steps, "events" one column of W for every input spike, which
        asks for dense layers with one alpha, one beta and one pair of gains each.  "auto" chooses for each layer by the
        number of its input spikes.

    Returns
    -------
    after : tuple of State, one per layer
    evaluations : tuple of Evaluation, one per layer

    Raises
    ------
    InputError
        For what `network.run` refuses too, for another method, and for "events" where a layer does not allow it.
    """
    validate_choice("method", method, METHODS)
    x, state = _parse(network, weights, spikes, state, method)
    after, evaluations = [], []
    for layer, w, before in zip(network, weights, state, strict=True):
        sparse = method == "auto" and event_driven.worthwhile(layer.synapse, layer.neuron, x)
        new, evaluation = _through_all_steps(layer, w, before, x, workers, sparse or method == "events")
        after.append(new)
        evaluations.append(evaluation)
        x = evaluation.S
    return tuple(after), tuple(evaluations)


def _parse(
    network: Sequence[Layer],
    weights: Sequence[Weights],
    spikes: npt.ArrayLike,
    state: Sequence[State] | None,
    method: str,
) -> tuple[Array, Sequence[State]]:
    """The spikes in the network's dtype, and the state to start from."""
    definition.validate(network, weights)
    x, n_in = finite("spikes", spikes, network[0].neuron.alpha.dtype), network[0].synapse.n_in
    if x.ndim < 2 or x.shape[-1] != n_in:
        raise InputError(f"spikes: expected shape (steps, ..., {n_in}), got {x.shape}")
    state = definition.rest(network, x.shape[1:-1]) if state is None else state
    definition.validate_state(network, state)
    validate_shape("spikes", x, (len(x), *state[0].P.shape))
    for k, layer in enumerate(network, start=1):
        if method == "events" and not event_driven.possible(layer.synapse, layer.neuron):
            raise InputError(f"layer {k}: expected a Dense synapse and one alpha, beta and pair of gains, for events")
    return x, state


def _through_all_steps(
    layer: Layer, weights: Weights, before: State, spikes: Array, workers: ThreadPoolExecutor | None, by_events: bool
) -> tuple[State, Evaluation]:
    """`layer.forward`, step after step, in blocks of steps whose arrays stay in cache."""
    synapse, neuron, dtype, batch = layer.synapse, layer.neuron, spikes.dtype, spikes.shape[1:-1]
    x = spikes.reshape(len(spikes), prod(batch), synapse.n_in)
    P, Q, R = (trace.reshape(x.shape[1], trace.shape[-1]) for trace in before)
    Y, U, S = (np.empty((*x.shape[:2], n), dtype) for n in (len(layer.readout.c), synapse.n, width(layer)))
    if by_events:
        columns = event_driven.columns(weights)
        drive = partial(event_driven.drive, neuron, columns, weights.b)
        carried = P @ columns, Q @ columns
    else:
        drive, carried = partial(_drive, layer, weights, workers), (P, Q)
    rows = ROWS if isinstance(synapse, Dense) else CONV_ROWS
    for some in split(len(x), max(1, rows // max(1, x.shape[1]))):
        carried = drive(carried, x[some], U[some])
        R = _through_block(layer, R, Y[some], U[some], S[some])
    P, Q = event_driven.last_traces(neuron, P, Q, x) if by_events else carried
    after = State(*(trace.reshape(*batch, trace.shape[-1]) for trace in (P, Q, R)))
    return after, Evaluation(*(array.reshape(len(x), *batch, array.shape[-1]) for array in (Y, U, S)))


def _through_block(layer: Layer, R: Array, Y: Array, U: Array, S: Array) -> Array:
    """From U = W P + b of some steps to U, S and Y, all of them in place; R after the block."""
    fired = S if layer.pool is None else np.empty_like(U)
    R = _refract(layer, R, U, fired)
    u = pooled(layer, U)
    if layer.pool is not None:
        S[...] = layer.surrogate.spike(u)
    Y[...] = readout.output(layer.readout, S if layer.activity == "spike" else layer.surrogate.primitive(u))
    return R


def _refract(layer: Layer, R: Array, U: Array, S: Array) -> Array:
    """U[n] <- U[n] - delta R[n], S[n] <- Theta(U[n]), R[n+1] = gamma R[n] + S[n]; R after the last step."""
    neuron, spike, R, lowered = layer.neuron, layer.surrogate.spike, R.copy(), np.empty_like(R)
    if np.isfinite(U).all():  # then U is never NaN, which is all that a spike function looks for before it compares
        spike = COMPARISONS.get(spike, spike)
    for u, s in zip(U, S, strict=True):
        np.multiply(neuron.delta, R, out=lowered)
        np.subtract(u, lowered, out=u)
        s[...] = spike(u)
        np.multiply(neuron.gamma, R, out=R)
        np.add(R, s, out=R)
    return R


def _drive(
    layer: Layer,
    weights: Weights,
    workers: ThreadPoolExecutor | None,
    before: tuple[Array, Array],
    spikes: Array,
    U: Array,
) -> tuple[Array, Array]:
    """U <- W P + b for all steps and samples: one product, or a few for a convolution; P and Q after them."""
    synapse = layer.synapse
    P, Q = traces(layer.neuron, *before, spikes)
    read = P[layer.neuron.U_reads :][: len(spikes)].reshape(-1, synapse.n_in)
    rows = U.reshape(-1, synapse.n)
    if isinstance(synapse, Dense):
        np.matmul(read, weights.W.T, out=rows)
        rows += weights.b
    else:
        _convolve(synapse, weights, read, rows, workers)
    return P[-1], Q[-1]


def _convolve(synapse: Conv2d, weights: Weights, P: Array, U: Array, workers: ThreadPoolExecutor | None) -> None:
    """U <- `synapse.drive` for all rows, in chunks that several threads share."""

    def work(some: slice) -> None:
        count = len(P[some])
        patches = Patches(synapse, synapse.shape[1:], count, P.dtype)
        patches.load(P[some].T.reshape(*synapse.shape_in, count))
        product = np.empty((synapse.channels, synapse.n // synapse.channels * count), P.dtype)
        patches.drive(weights, product)
        U[some] = product.reshape(synapse.n, count).T

    list((map if workers is None else workers.map)(work, split(len(P), CONV_CHUNK)))
