"""A network that learns at every step: spikes and targets in, weights, Y and spike rates out.

The companion of `evaluate`, for a whole sequence or a part of one.  Tested against `network.run`.

>>> from decolle_ref.decolle import lif, network, readout
>>> from decolle_ref.decolle.synapse import Dense
>>> rng, synapse = np.random.default_rng(0), Dense(16, 8)
>>> layers = (Layer(synapse, lif.neuron(), readout.sample_readout(rng, n=8, n_out=5)),)
>>> weights, rate = (synapse.init_weights(rng, layers[0].neuron),), Weights(np.array(1e-3), np.array(1e-3))
>>> learner = Learner([rate])
>>> start = Carry(weights, network.rest(layers, (3,)), learner.init(weights))
>>> carry, (result,) = learn(layers, start, np.ones((100, 3, 16)), [np.ones((100, 3, 5))], learner)
>>> carry.updates, result.Y.shape, result.spike_rate.shape
(100, (100, 3, 5), (100,))
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, count, finite, validate_one_per_layer, validate_shape
from decolle_ref.decolle import network as definition
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.dense import DenseStepper
from decolle_ref.fast.stepper import NetworkStepper
from decolle_ref.fast.workers import SameThread

__all__ = ["Learned", "learn"]


class Learned(NamedTuple):
    """One layer through all steps of learning.

    Attributes
    ----------
    Y : array of shape (steps, ..., n_out)
    spike_rate : array of shape (steps,)
        Transmitted spikes, the mean over batch and neurons.
    """

    Y: Array
    spike_rate: Array


def learn(
    network: Sequence[Layer],
    start: Carry,
    spikes: npt.ArrayLike,
    targets: Sequence[npt.ArrayLike],
    learner: Learner,
    workers: ThreadPoolExecutor | None = None,
) -> tuple[Carry, tuple[Learned, ...]]:
    """`network.run` with a learner, for many steps in one call; equal up to rounding, and `start` stays as it is.

    Parameters
    ----------
    network : sequence of Layer
        Dense layers without pools, in any dialect and with any regulariser; or convolutions without regularisers.
    start : Carry
        Such as the one after an earlier call.
    spikes : array of shape (steps, ..., n_in)
    targets : sequence of arrays of shape (steps, ..., n_out), one per layer
    learner : Learner
        With any optimiser for dense layers, with Adamax and beta1 = 0 for convolutions.
    workers : ThreadPoolExecutor or None
        From `worker_pool`: the threads that share a batch of convolutions.

    Returns
    -------
    carry : Carry after the last step
        After convolutions R is 0 where nothing depends on it: where delta = 0, or no window of a pool covers a neuron.
    learned : tuple of Learned, one per layer

    Raises
    ------
    InputError
        For what `network.run` refuses too, and for other networks and learners.
    """
    _validate(network, start, learner)
    batch = start.state[0].P.shape[:-1]
    x = finite("spikes", spikes, network[0].neuron.alpha.dtype)
    sizes = len(x) if x.ndim else 0, *batch
    validate_shape("spikes", x, (*sizes, network[0].synapse.n_in))
    goals = _parse_targets(network, targets, sizes)
    if not x.size:
        raise InputError(f"spikes: expected at least one step and one sample, got shape {x.shape}")
    rows = [array.reshape(len(x), -1, array.shape[-1]) for array in (x, *goals)]
    through = _through_convolutions if isinstance(network[0].synapse, Conv2d) else _through_dense_layers
    carry, Y, spike_rate = through(network, start, rows[0], rows[1:], learner, workers or SameThread())
    layers = zip(Y, goals, spike_rate.T, strict=True)
    return carry, tuple(Learned(y.reshape(goal.shape), rate) for y, goal, rate in layers)


def _validate(network: Sequence[Layer], start: Carry, learner: Learner) -> None:
    """Raise InputError for what `network.run` refuses at its start."""
    definition.validate(network, start.weights)
    definition.validate_state(network, start.state)
    count("n", start.n, 0)
    count("updates", start.updates, 0)
    learner.validate(start.weights, start.opt_state)


def _parse_targets(network: Sequence[Layer], targets: Sequence[npt.ArrayLike], sizes: tuple[int, ...]) -> list[Array]:
    """The targets in the network's dtype, each (steps, ..., n_out)."""
    validate_one_per_layer("targets", targets, len(network))
    return [
        finite(f"layer {k} targets", target, layer.neuron.alpha.dtype, (*sizes, len(layer.readout.c)))
        for k, (layer, target) in enumerate(zip(network, targets, strict=True), start=1)
    ]


Through = tuple[Carry, list[Array], Array]
"""The carry after the last step, Y of each layer, (steps, samples, n_out), and the spike rates, (steps, layers)."""


def _through_dense_layers(
    network: Sequence[Layer],
    start: Carry,
    spikes: Array,
    targets: Sequence[Array],
    learner: Learner,
    workers: ThreadPoolExecutor,
) -> Through:
    stepper = DenseStepper(network, start, learner)
    Y, counts = stepper.run(spikes, targets)
    return stepper.carry, Y, counts / [stepper.samples * layer.synapse.n for layer in network]


def _through_convolutions(
    network: Sequence[Layer],
    start: Carry,
    spikes: Array,
    targets: Sequence[Array],
    learner: Learner,
    workers: ThreadPoolExecutor,
) -> Through:
    steps, samples, _ = spikes.shape
    batch, carry = start.state[0].P.shape[:-1], _copied(start)
    stepper = NetworkStepper(tuple(network), samples, workers)
    stepper.load([State(*(x.reshape(samples, -1) for x in state)) for state in start.state])
    Y, spike_rate = [np.empty_like(target) for target in targets], np.empty((steps, len(network)))
    for n, x in enumerate(spikes):
        learns = carry.n >= learner.burn_in
        stepper.step(carry.weights, x[None], [target[n] for target in targets] if learns else None)
        for k, y in enumerate(Y):
            y[n], spike_rate[n, k] = stepper.outputs(k)[0], stepper.spike_rate(k)
        if learns:
            opt_state = stepper.update(learner, carry.weights, carry.opt_state, carry.updates)
            carry = carry._replace(opt_state=opt_state, updates=carry.updates + 1)
        carry = carry._replace(n=carry.n + 1)
    states = tuple(State(*(x.reshape(*batch, x.shape[-1]) for x in state)) for state in stepper.states())
    return carry._replace(state=states), Y, spike_rate


def _copied(carry: Carry) -> Carry:
    """The carry with new arrays of weights and optimiser state, which `NetworkStepper.update` overwrites."""
    weights = tuple(Weights(w.W.copy(), w.b.copy()) for w in carry.weights)
    opt_state = tuple(tuple(m and Moments(m.m.copy(), m.u.copy(), m.t) for m in moments) for moments in carry.opt_state)
    return carry._replace(weights=weights, opt_state=opt_state)
