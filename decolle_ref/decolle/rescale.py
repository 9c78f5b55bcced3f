"""The same network in another dialect: its weights rescaled and its time shifted.

Gains only rescale W per input column.  The refractory strength w is converted so that delta stays the same.  Reading
new traces instead of old ones moves a layer's U earlier by one or two steps relative to its input:

    W' = W (g_Q g_P) / (g'_Q g'_P),   w' with delta' = delta,   U'^l[n] = U^l[n + l (delay - delay')],  l = 1, 2, ...

The map is exact if no neuron spikes on its bias alone (so let b <= 0; otherwise a layer may spike in its extra first
steps) and, between dialects that compare differently at threshold, if no potential equals the threshold.

>>> import numpy as np
>>> from decolle_ref import Weights, dialects, lif, rescale
>>> weights = Weights(W=np.ones((1, 1)), b=np.zeros(1))
>>> twin = rescale.rescale(lif.neuron(), weights, dialects.paper, dialects.dcll)
>>> twin.weights.W < weights.W  # the gains of dcll are larger
array([[ True]])
>>> rescale.shift(3, dialects.paper, dialects.dcll)  # steps by which the third layer comes earlier
6
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, floats
from decolle_ref.decolle import lif
from decolle_ref.decolle.dialects import Dialect, differences
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.synapse import Weights

LEARNING_AXES = ("surrogate", "readout")


class Rescaled(NamedTuple):
    """One layer in its new dialect.

    To learn alike, the new layer needs the learning rates of W times ratio^2 with SGD, or times ratio with Adamax, and
    its targets must come `shift` steps earlier.

    Attributes
    ----------
    neuron : LIF
    weights : Weights
    ratio : array of shape () or (n_in,), W' / W
        Of shape (channels_in, 1, 1) for a convolution whose decays differ by input channel.
    w : array of shape () or (n,)
        The refractory strength as the new dialect's own code defines it.
    """

    neuron: LIF
    weights: Weights
    ratio: Array
    w: Array


def axes_without_map(source: Dialect, target: Dialect, learning: bool = False) -> list[str]:
    """The axes on which the dialects differ and no exact map exists.

    Parameters
    ----------
    source, target : Dialect
    learning : bool
        False: the dynamics alone, which can always be mapped.  True: learning too, which cannot be mapped to another
        surrogate or to a readout that reads something else.

    Returns
    -------
    list of str
    """
    differing = {axis for axis, _, _ in differences(source, target)}
    return [axis for axis in LEARNING_AXES if learning and axis in differing]


def rescale(neuron: LIF, weights: Weights, source: Dialect, target: Dialect, learning: bool = False) -> Rescaled:
    """The layer that in `target` does what this one does in `source`, up to `shift` steps.  [K20 Eq. 1]

    Parameters
    ----------
    neuron : LIF
    weights : Weights
    source, target : Dialect
        The dialect of `neuron` and `weights`, and the new one.
    learning : bool
        Whether the two layers are to learn alike.

    Returns
    -------
    Rescaled

    Raises
    ------
    InputError
        Naming the axes, if no exact map exists; or if the target's delta is 0 for every w.  Gains that differ within a
        channel of a convolution have no map to other gains, because the kernel has one weight for all of its places.
    """
    weights = Weights(*(floats(letter, array) for letter, array in zip("Wb", weights, strict=True)))
    if weights.W.ndim not in (2, 4):
        raise InputError(
            f"W: expected shape (n, n_in) or (channels, channels_in, kernel, kernel), got {weights.W.shape}"
        )
    floats("b", weights.b, len(weights.W))
    if axes := axes_without_map(source, target, learning):
        raise InputError(f"rescale: expected dialects that learn alike, got {_describe(source, target, axes)}")
    unit = target.value("refractory")(neuron.gamma)
    if ((unit == 0) & (neuron.delta > 0)).any():
        raise InputError(f"rescale: expected gamma > 0 for {target.option('refractory').equation}, got gamma = 0")
    w = np.divide(neuron.delta, unit, out=np.zeros(np.broadcast_shapes(neuron.delta.shape, unit.shape)), where=unit > 0)
    new = lif.from_decays(neuron.alpha, neuron.beta, neuron.gamma, w, neuron.alpha.dtype, target)
    if source.gains == target.gains:
        new = new._replace(gain_Q=neuron.gain_Q, gain_P=neuron.gain_P)
    ratio = _per_weight(neuron.gain_Q * neuron.gain_P / (new.gain_Q * new.gain_P), weights.W.shape, source, target)
    return Rescaled(new._replace(delta=neuron.delta), Weights(weights.W * ratio, weights.b), ratio, w)


def shift(layer: int, source: Dialect, target: Dialect) -> int:
    """The number of steps by which U, S and Y of a layer come earlier in `target` than in `source`.

    Parameters
    ----------
    layer : int
        Number of the layer, from 1.
    source, target : Dialect

    Returns
    -------
    int
    """
    return layer * (source.delay - target.delay)


def _per_weight(ratio: Array, shape: tuple[int, ...], source: Dialect, target: Dialect) -> Array:
    """W' / W, one value per input, in a shape that broadcasts to W: the inputs of a channel share one kernel."""
    if ratio.size == 1 or len(shape) == 2:
        if ratio.size not in (1, shape[1]):
            raise InputError(f"rescale: expected one decay, or one for each of {shape[1]} inputs, got {ratio.size}")
        return ratio if len(shape) == 2 else ratio.reshape(())
    if ratio.size % shape[1]:
        raise InputError(f"rescale: expected one decay per input of {shape[1]} channels, got {ratio.size}")
    channels = ratio.reshape(shape[1], -1)
    if (channels != channels[:, :1]).any():
        pair = _describe(source, target, ["gains"])
        raise InputError(f"rescale: expected decays per channel where a kernel is shared, got others, and {pair}")
    return channels[:, :1, None]


def _describe(source: Dialect, target: Dialect, axes: Sequence[str]) -> str:
    pairs = ", ".join(f"{axis} {getattr(source, axis)} and {getattr(target, axis)}" for axis in axes)
    return f"{source.name} and {target.name}, which differ in {pairs}"
