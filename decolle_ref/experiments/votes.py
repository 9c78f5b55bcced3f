"""Classification by vote: at every step each readout votes, and the class with the most votes wins.  [K20 Sec. 4.2]"""

from collections.abc import Callable, Iterator

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.readout import Mask
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments.poisson_mnist_network import CLASSES
from decolle_ref.fast import NetworkStepper


class Votes:
    """At every step each readout votes for the class of its largest output; the class with the most votes wins."""

    def __init__(self, readouts: int, batch: int, classes: int = CLASSES) -> None:
        self.counts = np.zeros((readouts, batch, classes), int)

    def add(self, Y: Array) -> None:
        """Count the votes of one or more steps: Y (steps, readouts, batch, classes)."""
        self.counts += (Y.argmax(axis=-1)[..., None] == np.arange(self.counts.shape[-1])).sum(axis=0)

    def wrong(self, labels: Array) -> Array:
        """The number of misclassified samples by readout; in a tie the lowest class wins."""
        mistakes: Array = (self.counts.argmax(axis=-1) != labels).sum(axis=-1)
        return mistakes


def poll(
    votes: Votes,
    stepper: NetworkStepper,
    weights: tuple[Weights, ...],
    stream: Iterator[Array],
    steps: range,
    outputs: Callable[[], Array],
    sample_masks: Callable[[], list[Mask] | None] = lambda: None,
) -> Votes:
    """Show a stream of spikes with fixed weights, several steps at a time; the steps of the range `steps` vote.

    outputs() gives Y of all readouts for the latest steps, as `Votes.add` takes it.
    """
    for n in range(0, steps.stop, stepper.steps):
        masks = sample_masks()
        stepper.step(weights, np.stack([next(stream) for _ in range(stepper.steps)]), masks=masks)
        numbers = np.arange(n, n + stepper.steps)
        votes.add(outputs()[(numbers >= steps.start) & (numbers < steps.stop)])
    return votes
