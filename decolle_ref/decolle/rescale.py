"""From one dialect to another: the same network, its weights rescaled and its time shifted.

Gains only rescale W per input column, the refractory strength is converted through delta, and reading new traces
instead of old ones moves a layer's U earlier by one or two steps relative to its input:

    W' = W (g_Q g_P) / (g'_Q g'_P),   w' with delta' = delta,   U'^l[n] = U^l[n + l (delay - delay')],  l = 1, 2, ...

The map is exact as long as no neuron spikes on its bias alone (b <= 0, or the extra first steps of a layer may show
spikes) and, between dialects that compare differently, as long as no potential ties with the threshold.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle import lif
from decolle_ref.decolle.dialects import Dialect, differences
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.synapse import Weights

LEARNING_AXES = ("surrogate", "readout")


class Rescaled(NamedTuple):
    """One layer in its new dialect.

    To learn alike, its rates of W are those of the old one times ratio^2 with SGD, times ratio with Adamax, and its
    targets come `shift` steps earlier.
    """

    neuron: LIF
    weights: Weights
    ratio: Array  # (n_in,), W' / W
    w: Array  # the refractory strength, as the new dialect's own code is given it


def forbidding(source: Dialect, target: Dialect, learning: bool = False) -> list[str]:
    """The axes on which no exact map exists: none for the dynamics, surrogate and readout for learning."""
    parted = {axis for axis, _, _ in differences(source, target)}
    return [axis for axis in LEARNING_AXES if learning and axis in parted]


def rescale(neuron: LIF, weights: Weights, source: Dialect, target: Dialect, learning: bool = False) -> Rescaled:
    """The layer that in `target` does what this one does in `source`, up to `shift` steps.  [K20 Eq. 1]

    Raises InputError, naming the axes, where no exact map exists, or where the target's delta is 0 for every w.
    """
    if axes := forbidding(source, target, learning):
        raise InputError(f"rescale: expected dialects that learn alike, got {_parting(source, target, axes)}")
    unit = target.value("refractory")(neuron.gamma)
    if ((unit == 0) & (neuron.delta > 0)).any():
        raise InputError(f"rescale: expected gamma > 0 for {target.option('refractory').equation}, got gamma = 0")
    w = np.divide(neuron.delta, unit, out=np.zeros(np.broadcast_shapes(neuron.delta.shape, unit.shape)), where=unit > 0)
    to = lif.from_decays(neuron.alpha, neuron.beta, neuron.gamma, w, neuron.alpha.dtype, target)
    ratio = neuron.gain_Q * neuron.gain_P / (to.gain_Q * to.gain_P)
    return Rescaled(to._replace(delta=neuron.delta), Weights(weights.W * ratio, weights.b), ratio, w)


def shift(layer: int, source: Dialect, target: Dialect) -> int:
    """Steps by which U, S and Y of `layer` (from 1) come earlier in `target` than in `source`."""
    return layer * (source.delay - target.delay)


def _parting(source: Dialect, target: Dialect, axes: Sequence[str]) -> str:
    parted = ", ".join(f"{axis} {getattr(source, axis)} and {getattr(target, axis)}" for axis in axes)
    return f"{source.name} and {target.name}, which differ in {parted}"
