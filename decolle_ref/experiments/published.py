"""Published results that an experiment is compared with, as data with their sources."""

from typing import NamedTuple


class Result(NamedTuple):
    """One row of [K20 Table 1]: the classification error on DvsGesture.  None stands for an unknown number.

    Attributes
    ----------
    model : str
    source : str
        Where the number was first published, as the paper cites it.
    error : float
        In %.
    spread : float or None
        In %.  The paper does not say over how many runs the spread is, nor whether it is a standard deviation.
    training : "online" or "offline"
    iterations : float
        "Training iterations"; the paper does not say whether of recordings or of mini-batches.
    runs : int or None
    """

    model: str
    source: str
    error: float
    spread: float | None
    training: str
    iterations: float
    runs: int | None = None


TABLE_1 = (
    Result("DECOLLE", "K20, this table", 5.82, 0.33, "online", 0.32e6),
    Result("SLAYER", "K20 [21], Shrestha and Orchard 2018", 6.36, 0.49, "offline", 0.27e6),
    Result("C3D", "K20 [24], Tran et al. 2015", 5.46, 1.06, "offline", 0.32e6),
    Result("IBM EEDN", "K20 [1], Amir et al. 2017", 8.23, None, "offline", 64e6),
    Result("IBM EEDN, with averaging", "K20 [1], Amir et al. 2017", 5.51, None, "offline", 64e6),
)
"""[K20 Table 1], as far as the text of the preprint has it."""


class Accuracy(NamedTuple):
    """One row of [T19 Table 1] or [T19 Table 2]: accuracy on test images of a spiking network.

    None stands for an unknown number.

    Attributes
    ----------
    architecture : str
    source : str
        Where the number was first published, as the paper cites it.
    method : str
        How the network was trained, in the paper's words.
    same_topology : bool
        Whether it is the topology of this paper (the star in the table).
    best, mean, spread : float or None
        Largest, mean and standard deviation over runs, in %: the paper's "max [mean +- std]".
    runs : int or None
        The number of runs.
    unknown : str
        Why numbers are None; empty if all are known.
    """

    architecture: str
    source: str
    method: str
    same_topology: bool
    best: float | None
    mean: float | None
    spread: float | None
    runs: int | None
    unknown: str


LOST = "the stored copy of the preprint's text lost all formulas, and with them the column of rates"
_NUMBERS = (None, None, None, None, LOST)
_OWN_NUMBERS = (None, None, None, 20, LOST)  # "over 20 simulation runs"  [T19 Sec. 4]

SPIKEGRAD_TABLE_1 = (
    Accuracy("Wu et al.", "T19 [24], Wu et al. 2018 (Frontiers)", "direct training float gradient", True, *_NUMBERS),
    Accuracy("Rueckauer et al.", "T19 [15], Rueckauer et al. 2017", "CNN converted to SNN", False, *_NUMBERS),
    Accuracy("Jin et al.", "T19 [7], Jin et al. 2018", "direct Macro/Micro BP", True, *_NUMBERS),
    Accuracy("This work", "T19, this table", "direct float gradient", True, *_OWN_NUMBERS),
    Accuracy("This work", "T19, this table", "direct spike gradient", True, *_OWN_NUMBERS),
)
"""[T19 Table 1], MNIST, as far as the text of the preprint has it."""

SPIKEGRAD_TABLE_2 = (
    Accuracy(
        "Rueckauer et al.", "T19 [15], Rueckauer et al. 2017", "CNN converted to SNN (with BatchNorm)", False, *_NUMBERS
    ),
    Accuracy("Sengupta et al.", "T19 [17], Sengupta et al. 2019", "VGG-16 converted to SNN", False, *_NUMBERS),
    Accuracy("Wu et al.", "T19 [23], Wu et al. 2018 (arXiv)", "float gradient (no NeuNorm)", True, *_NUMBERS),
    Accuracy("This work", "T19, this table", "direct float gradient", True, *_OWN_NUMBERS),
    Accuracy("This work", "T19, this table", "direct spike gradient", True, *_OWN_NUMBERS),
)
"""[T19 Table 2], CIFAR-10, as far as the text of the preprint has it."""
