"""Published results that an experiment is compared with, as data with their sources."""

from typing import NamedTuple


class Result(NamedTuple):
    """One row of [K20 Table 1]: the classification error on DvsGesture.  None is unknown.

    Attributes
    ----------
    model : str
    source : str
        Where the number was first published, as the paper cites it.
    error, spread : float or None
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
