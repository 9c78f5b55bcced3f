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

from decolle_ref._util.check import Array
from decolle_ref.decolle import network as definition
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry

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
    steps = zip(*(np.asarray(target) for target in targets), strict=True)
    carry, shown = start, []
    for carry, snapshots in definition.run(network, start, np.asarray(spikes), steps, learner):
        shown.append(snapshots)
    layers = zip(*shown, strict=True)
    return carry, tuple(
        Learned(np.stack([s.Y for s in layer]), np.array([s.S.mean() for s in layer])) for layer in layers
    )
