"""A network with fixed weights, many steps at a time: spikes in, Y, U and S of every layer out.

While nothing learns, each layer can go through all steps before the next one begins, and all steps share one matrix
product.  Only traces and R go step by step.  Tested against `network.run`, whose shapes the arrays have, with the steps
as an axis in front.

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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, finite, validate_shape
from decolle_ref.decolle import network as definition
from decolle_ref.decolle import readout
from decolle_ref.decolle.layer import Layer, pooled
from decolle_ref.decolle.lif import LIF, State
from decolle_ref.decolle.synapse import Dense, Synapse, Weights
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.workers import split

__all__ = ["Evaluation", "evaluate"]

ROWS = 256  # samples and steps in one product of a convolution


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

    Returns
    -------
    after : tuple of State, one per layer
    evaluations : tuple of Evaluation, one per layer

    Raises
    ------
    InputError
        For what `network.run` refuses too.
    """
    definition.validate(network, weights)
    x = finite("spikes", spikes, network[0].neuron.alpha.dtype)
    n_in = network[0].synapse.n_in
    if x.ndim < 2 or x.shape[-1] != n_in:
        raise InputError(f"spikes: expected shape (steps, ..., {n_in}), got {x.shape}")
    state = definition.rest(network, x.shape[1:-1]) if state is None else state
    definition.validate_state(network, state)
    validate_shape("spikes", x, (len(x), *state[0].P.shape))
    after, evaluations = [], []
    for layer, w, before in zip(network, weights, state, strict=True):
        new, evaluation = _through_all_steps(layer, w, before, x, workers)
        after.append(new)
        evaluations.append(evaluation)
        x = evaluation.S
    return tuple(after), tuple(evaluations)


def _through_all_steps(
    layer: Layer, weights: Weights, before: State, spikes: Array, workers: ThreadPoolExecutor | None
) -> tuple[State, Evaluation]:
    """`layer.forward`, step after step."""
    neuron, spike = layer.neuron, layer.surrogate.spike
    P_read, P, Q = _traces(neuron, before, spikes)
    U, R = _drive(layer.synapse, weights, P_read, workers), before.R
    S = np.empty_like(U)
    for n in range(len(U)):
        U[n] -= neuron.delta * R
        S[n] = spike(U[n])
        R = neuron.gamma * R + S[n]
    u = pooled(layer, U)
    if layer.pool is not None:
        S = spike(u)
    Y = readout.output(layer.readout, getattr(layer.surrogate, layer.activity)(u))
    return State(P, Q, R), Evaluation(Y, U, S)


def _traces(neuron: LIF, before: State, spikes: Array) -> tuple[Array, Array, Array]:
    """P as U reads it at every step, and P and Q after the last one."""
    P, Q, _ = before
    P_read = np.empty_like(spikes)
    for n, x in enumerate(spikes):
        new_Q = neuron.beta * Q + neuron.gain_Q * x
        new_P = neuron.alpha * P + neuron.gain_P * (Q, new_Q)[neuron.P_reads]
        P_read[n] = (P, new_P)[neuron.U_reads]
        P, Q = new_P, new_Q
    return P_read, P, Q


def _drive(synapse: Synapse, weights: Weights, P: Array, workers: ThreadPoolExecutor | None) -> Array:
    """`synapse.drive` for all steps and samples: one product, or a few for a convolution."""
    rows = P.reshape(-1, synapse.n_in)
    if isinstance(synapse, Dense):
        return synapse.drive(weights, rows).reshape(*P.shape[:-1], synapse.n)
    U = np.empty((len(rows), synapse.n), P.dtype)

    def work(some: slice) -> None:
        count = len(rows[some])
        patches = Patches(synapse, synapse.shape[1:], count, P.dtype)
        patches.load(rows[some].T.reshape(*synapse.shape_in, count))
        product = np.empty((synapse.channels, synapse.n // synapse.channels * count), P.dtype)
        patches.drive(weights, product)
        U[some] = product.reshape(synapse.n, count).T

    list((map if workers is None else workers.map)(work, split(len(rows), ROWS)))
    return U.reshape(*P.shape[:-1], synapse.n)
