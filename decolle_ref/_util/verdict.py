"""The comparisons that decide a verdict: |x - y| <= bound, or > bound, and both are false where a number is not finite.

A comparison with NaN is false, and every number is <= infinity.  So an overflow could turn a no into a yes.  Here a yes
needs finite numbers: where x, y or the bound is NaN or infinite, x is neither within the bound of y nor beyond it.

>>> within(1.0, [1.0, 1.1, np.nan, 1.0], [0.0, 0.2, 1.0, np.inf])
array([ True,  True, False, False])
>>> beyond(1.0, [1.0, 1.1, np.nan, np.inf], 0.0)
array([False,  True, False, False])
"""

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array


def within(x: npt.ArrayLike, y: npt.ArrayLike, bound: npt.ArrayLike) -> Array:
    """Where x, y and the bound are finite and |x - y| <= bound."""
    distance, bound = _distance(x, y), np.asarray(bound)
    return np.asarray(np.isfinite(distance) & np.isfinite(bound) & (distance <= bound))


def beyond(x: npt.ArrayLike, y: npt.ArrayLike, bound: npt.ArrayLike) -> Array:
    """Where x, y and the bound are finite and |x - y| > bound."""
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(bound)
    return np.asarray(finite & (_distance(x, y) > bound))


def _distance(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """|x - y|; NaN or infinite where x or y is, or where it leaves the range of numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.abs(np.asarray(x) - np.asarray(y)))
