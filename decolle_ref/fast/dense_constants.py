"""The constants of several dense layers side by side, as rows that fit arrays of neurons or of inputs.

Each layer has one more input for the bias, with alpha = 1, beta = 0 and no gains, so that its P stays 1 and its Q 0.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.objective import cross_entropy
from decolle_ref.fast.dense_parameters import one_number_if_equal

__all__ = ["Constants", "constants_of"]


class Constants(NamedTuple):
    """The letters of `LIF` and of the readout, all in a row.

    Attributes
    ----------
    alpha, beta : arrays of shape (M,), of all inputs
    gain_P, gain_Q : arrays of shape (M,), or None where all gains are 1
    gamma, delta : arrays of shape (N,), of all neurons, or () where all are equal
    c : array of shape (outputs,)
    share : array of shape (outputs,)
        What `Objective.error` multiplies the slope of the loss by.
    of_layer : array of shape (N, layers)
        1 where a neuron belongs to a layer.
    """

    alpha: Array
    beta: Array
    gain_P: Array | None
    gain_Q: Array | None
    gamma: Array
    delta: Array
    c: Array
    share: Array
    of_layer: Array


def constants_of(layers: Sequence[Layer], samples: int) -> Constants:
    """The constants of these layers.

    Parameters
    ----------
    layers
        Dense layers of one dtype.
    samples
        The size of the batch.

    Returns
    -------
    Constants
    """
    dtype = layers[0].neuron.alpha.dtype

    def of_inputs(constant: Callable[[LIF], Array], of_bias: float) -> Array:
        parts = [(np.broadcast_to(constant(l.neuron), (l.synapse.n_in,)), [of_bias]) for l in layers]
        return np.concatenate([part for pair in parts for part in pair], dtype=dtype)

    def of_neurons(constant: Callable[[Layer], Array | float]) -> Array:
        row = np.concatenate([np.broadcast_to(constant(l), (l.synapse.n,)) for l in layers], dtype=dtype)
        return one_number_if_equal(row)

    def gains(name: str) -> Array | None:
        ones = all((getattr(layer.neuron, name) == 1).all() for layer in layers)
        return None if ones else of_inputs(attrgetter(name), 0.0)

    sizes = [layer.synapse.n for layer in layers]
    return Constants(
        of_inputs(lambda neuron: neuron.alpha, 1.0),
        of_inputs(lambda neuron: neuron.beta, 0.0),
        gains("gain_P"),
        gains("gain_Q"),
        of_neurons(lambda layer: layer.neuron.gamma),
        of_neurons(lambda layer: layer.neuron.delta),
        np.concatenate([layer.readout.c for layer in layers]),
        np.concatenate([_share(layer, samples) for layer in layers]),
        np.repeat(np.eye(len(sizes), dtype=dtype), sizes, axis=0),
    )


def _share(layer: Layer, samples: int) -> Array:
    """1, or one over the number of terms of the mean, for each output."""
    n_out, objective = len(layer.readout.c), layer.objective
    terms = samples if objective.loss is cross_entropy else samples * n_out
    return np.full(n_out, 1 / terms if objective.reduction == "mean" else 1.0, layer.readout.c.dtype)
