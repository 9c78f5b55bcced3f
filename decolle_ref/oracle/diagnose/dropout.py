"""Known mistakes in dropout, which shows in Y and in delta.  [K20 Table 2]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.diagnose.changes import only_if, with_case
from decolle_ref.oracle.diagnose.hypothesis import Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site, lagged


def masks(name: str) -> list[Hypothesis]:
    """Mistakes in dropout, for Y or for delta."""

    def hypothesis(words: str, f: Callable[[Array], Array]) -> Hypothesis:
        masked = with_case(mask=lambda site: f(site.case["mask"]))
        return Hypothesis(f"{name}, where {words}", only_if(lambda site: "mask" in site.case, masked), whole=True)

    return [
        hypothesis("dropout is left out", np.ones_like),
        hypothesis("dropout does not scale up what it keeps", lambda x: (x > 0).astype(np.float64)),
        hypothesis("dropout acts twice", lambda x: x * x),
        hypothesis("dropout drops what it must keep", lambda x: x.max() - x),
        hypothesis("dropout takes the mask of the step before", lambda x: lagged(x, 1)),
        hypothesis("dropout takes the first mask at all steps", lambda x: np.broadcast_to(x[:1], x.shape)),
        hypothesis(
            "dropout takes the first sample's mask in all samples", lambda x: np.broadcast_to(x[:, :1], x.shape)
        ),
    ]


def factors(site: Site) -> Array:
    """The factors of the readout's dropout before G.

    Parameters
    ----------
    site : the layer

    Returns
    -------
    array of shape (T, B, n)
    """
    if np.ndim(site.mask.activity) == 0:
        raise Inapplicable
    return np.asarray(site.mask.activity)
