"""A network that learns at every step: spikes and targets in, weights, Y and spike rates out.

The companion of `evaluate`, for a whole sequence or a part of one.  Tested against `network.run`.

>>> from decolle_ref.decolle import lif, network, readout
>>> from decolle_ref.decolle.synapse import Dense, Weights
>>> rng, synapse = np.random.default_rng(0), Dense(16, 8)
>>> layers = (network.Layer(synapse, lif.neuron(), readout.sample_readout(rng, n=8, n_out=5)),)
>>> weights, rate = (synapse.init_weights(rng, layers[0].neuron),), Weights(np.array(1e-3), np.array(1e-3))
>>> learner = Learner([rate])
>>> start = network.Carry(weights, network.rest(layers, (3,)), learner.init(weights))
>>> carry, (result,) = learn(layers, start, np.ones((100, 3, 16)), [np.ones((100, 3, 5))], learner)
>>> carry.updates, result.Y.shape, result.spike_rate.shape
(100, (100, 3, 5), (100,))
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, finite, validate_one_per_layer, validate_shape
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry
from decolle_ref.fast.dense import DenseStepper

__all__ = ["Learned", "learn"]


class Learned(NamedTuple):
    """One layer through all steps of learning.

    Attributes
    ----------
    Y : array of shape (steps, ..., n_out)
    spike_rate : array of shape (steps,)
        Spikes per neuron, the mean over batch and neurons.
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
        All with Dense synapses, or all with Conv2d synapses.
    start : Carry
        Such as the one after an earlier call.
    spikes : array of shape (steps, ..., n_in)
    targets : sequence of arrays of shape (steps, ..., n_out), one per layer
    learner : Learner
    workers : ThreadPoolExecutor or None
        From `worker_pool`: the threads that share a batch of convolutions.

    Returns
    -------
    carry : Carry after the last step
    learned : tuple of Learned, one per layer

    Raises
    ------
    InputError
        For what `network.run` refuses too, and for networks that the fast path does not have.
    """
    dtype, batch = network[0].neuron.alpha.dtype, start.state[0].P.shape[:-1]
    stepper = DenseStepper(network, start, learner)
    x = finite("spikes", spikes, dtype)
    steps = len(x) if x.ndim else 0
    validate_shape("spikes", x, (steps, *batch, network[0].synapse.n_in))
    goals = _parse_targets(network, targets, (steps, *batch))
    Y, counts = stepper.run(x.reshape(steps, stepper.samples, -1), [goal.reshape(steps, stepper.samples, -1) for goal in goals])
    return stepper.carry, tuple(
        Learned(y.reshape(goal.shape), count / (stepper.samples * layer.synapse.n)) for y, goal, count, layer in zip(Y, goals, counts.T, network, strict=True)
    )


def _parse_targets(network: Sequence[Layer], targets: Sequence[npt.ArrayLike], sizes: tuple[int, ...]) -> list[Array]:
    """The targets in the network's dtype, each (steps, ..., n_out)."""
    validate_one_per_layer("targets", targets, len(network))
    return [
        finite(f"layer {k} targets", target, layer.neuron.alpha.dtype, (*sizes, len(layer.readout.c)))
        for k, (layer, target) in enumerate(zip(network, targets, strict=True), start=1)
    ]
