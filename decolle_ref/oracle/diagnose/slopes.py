"""Known mistakes in sigma' and in sigma: a range that is not held, a square that is missing, another scale."""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.diagnose.site import Site


def _between(low: bool, high: bool) -> Callable[[Site], Array]:
    """The boxcar with its ends or without them."""

    def slope(site: Site) -> Array:
        u = site.u
        above = u >= -0.5 if low else u > -0.5
        return (above & (u <= 0.5 if high else u < 0.5)).astype(np.float64)

    return slope


def _slope(site: Site) -> Array:
    return site.layer.surrogate.derivative(site.u)


def _sigma(site: Site) -> Array:
    return site.layer.surrogate.primitive(site.u)


SLOPES: dict[str, Callable[[Site], Array]] = {
    "1 - |U|, below 0 too,": lambda site: 1 - np.abs(site.u),
    "|1 - |U||": lambda site: np.abs(1 - np.abs(site.u)),
    "1 / (1 + |U|), without the square,": lambda site: 1 / (1 + np.abs(site.u)),
    "1 / (1 + |10 U|), without the square,": lambda site: 1 / (1 + 10 * np.abs(site.u)),
    "1 / (1 + |U|^2)": lambda site: 1 / (1 + np.abs(site.u) ** 2),
    "exp(-U), without the magnitude,": lambda site: np.exp(-site.u),
    "exp(U), without the magnitude,": lambda site: np.exp(site.u),
    "the boxcar without its end at 1/2": _between(False, False),
    "the boxcar with both ends": _between(True, True),
    "the boxcar with the wrong end, -1/2 for 1/2,": _between(True, False),
    "sigma', but 0 where sigma leaves [0, 1],": lambda site: _slope(site) * (np.abs(_sigma(site) - 0.5) <= 0.5),
    "sigma', but 0 where |U| > 1,": lambda site: _slope(site) * (np.abs(site.u) <= 1),
    "sigma', but 0 where |U| > 1/2,": lambda site: _slope(site) * (np.abs(site.u) <= 0.5),
    "sigma' divided by the rise of sigma": lambda site: _slope(site) / site.layer.surrogate.rise,
    "1 - sigma(U)": lambda site: 1 - _sigma(site),
}
"""What stands in delta for sigma'."""

ACTIVITIES: dict[str, Callable[[Site], Array]] = {
    "sigma(U) clipped to [0, 1]": lambda site: np.clip(_sigma(site), 0, 1),
    "U + 1/2, not held above 1": lambda site: np.maximum(site.u + 0.5, 0),
    "U + 1/2, not held below 0": lambda site: np.minimum(site.u + 0.5, 1),
    "U + 1/2, not held outside [0, 1]": lambda site: site.u + 0.5,
    "1/2 + U - U |U| / 2, not held beyond |U| = 1": lambda site: 0.5 + site.u - site.u * np.abs(site.u) / 2,
    "sigma(U) of rise 1": lambda site: 0.5 + (_sigma(site) - 0.5) / site.layer.surrogate.rise,
    "1 - sigma(U)": lambda site: 1 - _sigma(site),
    "sigma(|U|)": lambda site: site.layer.surrogate.primitive(np.abs(site.u)),
}
"""What Y reads for sigma(U)."""
