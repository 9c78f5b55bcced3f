"""Passes over numbers of spikes, block by block.  `nearest` is tested against `ann.nearest`, `spikes` through `step`.

>>> nearest(np.array([0.4, -1.5, 2.5])).tolist(), spikes(np.array([[1.0, -2.0], [0.0, 3.0]]))[0].tolist()
([0.0, -2.0, 3.0], [3.0, 3.0])
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.fast.memory import blocks

__all__ = ["nearest", "spikes"]


def nearest(x: Array) -> Array:
    """`ann.nearest`, overwriting x.  Assumes floats.

    Parameters
    ----------
    x
        Any array of floats.

    Returns
    -------
    array
        x itself, rounded.
    """
    for part in blocks(x):
        whole = np.trunc(part)
        part -= whole
        part += part
        np.trunc(part, out=part)
        part += whole
    return x


def spikes(x: Array) -> tuple[Array, Array]:
    """sum |x| of each neuron and of each sample.

    Parameters
    ----------
    x
        Numbers of spikes, (n, batch).

    Returns
    -------
    neurons, samples
        (n,) and (batch,).
    """
    neurons, samples = np.empty(len(x), x.dtype), np.zeros(x.shape[1], x.dtype)
    ones: Array = np.ones(max(x.shape), x.dtype)
    for part, sums in zip(blocks(x), blocks(neurons, x.shape[1]), strict=True):
        part = np.abs(part)
        np.matmul(part, ones[: part.shape[1]], out=sums)
        samples += ones[: len(part)] @ part
    return neurons, samples
