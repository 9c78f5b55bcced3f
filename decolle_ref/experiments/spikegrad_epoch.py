"""One row of the history of `spikegrad_images`, and the counts that it consists of."""

import warnings
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.fast.spikegrad import Step
from decolle_ref.spikegrad.operations import Fans, operations


class Epoch(NamedTuple):
    """One row of the history.  Counts are means over samples; the top layer has no spikes in the forward phase."""

    loss: Array  # (), mean cross-entropy while learning
    accuracy: Array  # (), on the test images or those held out, after the epoch
    learning_rate: Array  # (), at the start of the epoch
    spikes: Array  # (layers - 1,), sum of S per sample
    error_spikes: Array  # (layers,), sum of |E| per sample
    forward: Array  # (layers - 1,), synaptic operations per sample in the connections of layers 2, 3, ...
    backward: Array  # (layers - 1,), the same for the error spikes


def empty(layers: int) -> list[Array]:
    """Zeros in the shapes of `counts`."""
    return [np.zeros(()), np.zeros(layers - 1), np.zeros(layers), np.zeros(layers - 1), np.zeros(layers - 1)]


def counts(fans: list[Fans], result: Step) -> list[Array]:
    """Loss, spikes, error spikes and the operations of both phases, summed over a mini-batch."""
    spikes = np.array([S.sum(dtype=np.float64) for S in result.S[:-1]])
    error_spikes = np.array([E.sum(dtype=np.float64) for E in result.E])
    made = operations(fans, [S[None] for S in result.S], [E[None] for E in result.E])
    return [np.array(result.loss), spikes, error_spikes, *made]


def starving(error_spikes: Array) -> list[int]:
    """The number of epochs in which a layer learned nothing, because no error spike (epochs, layers) reached it."""
    return [int(n) for n in (error_spikes == 0).sum(axis=0)]


def warn(alpha: float, history: tuple[Epoch, ...]) -> None:
    """Warn, once for each layer, if alpha is too small for it."""
    epochs_without = starving(np.stack([row.error_spikes for row in history]))
    for k, without in enumerate(epochs_without, 1):
        if without == 1 and history[-1].error_spikes[k - 1] == 0:
            text = f"alpha = {alpha:g}: no error spike reached layer {k} in epoch {len(history)}"
            warnings.warn(f"{text}, so it learned nothing; a larger alpha makes finer errors", stacklevel=2)
