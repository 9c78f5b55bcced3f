"""Numbers that are estimated from a trace: the constant that would explain an equation that does not hold.

A family of hypotheses has one parameter theta for all entries, or one for each input or neuron.  It is estimated by
least squares (Gauss-Newton), in units of the bound:

    theta <- theta + sum J r / sum J^2,    r = (got - value(theta)) / bound,    J = (d value / d theta) / bound

Then the hypothesis with this theta is tested as any other: its own bound must hold at all entries.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import beyond
from decolle_ref.oracle.check.residual import Slot
from decolle_ref.oracle.diagnose.hypothesis import Hypothesis, Inapplicable, value
from decolle_ref.oracle.diagnose.site import Site

ROUNDS = 8  # a linear family needs two
DIFFERENCE = 2.0**-20  # of theta, for the derivative
LEAST = 3  # entries that must depend on each theta, so that a fit is evidence


@dataclass(frozen=True)
class Family:
    """Hypotheses with one unknown number, or one for each feature.

    Parameters
    ----------
    name : in words
    make : theta -> hypothesis; theta is an array of shape () or (features,)
    start : site -> the theta at which the search begins
    words : (theta, site) -> the estimate in words
    each : whether there is one theta for each entry of the last axis
    """

    name: str
    make: Callable[[Array], Hypothesis]
    start: Callable[[Site], Array]
    words: Callable[[Array, Site], str]
    each: bool = False


def fitted(family: Family, site: Site, slot: Slot) -> Hypothesis:
    """The member of the family that is nearest to the trace.

    Parameters
    ----------
    family : hypotheses with an unknown number
    site : the layer
    slot : of the equation

    Returns
    -------
    Hypothesis
        With the estimate as its detail.

    Raises
    ------
    Inapplicable
        If too few entries depend on a number to estimate it.
    """
    theta = np.asarray(family.start(site), np.float64)
    axes = tuple(range(slot.got.ndim - 1)) if family.each else None
    for _ in range(ROUNDS):
        theta, step = _improved(family, theta, site, slot, axes)
        if not beyond(step, 0, 1e-15 * np.abs(theta)).any():
            break
    return _named(family, theta)


def _improved(
    family: Family, theta: Array, site: Site, slot: Slot, axes: tuple[int, ...] | None
) -> tuple[Array, Array]:
    """Theta after one step, and the step."""
    h = DIFFERENCE * np.maximum(np.abs(theta), DIFFERENCE)
    at, beside = (value(family.make(x), site, slot) for x in (theta, theta + h))
    scale = np.where(at.err > 0, at.err, 1.0)
    J, r = (beside.value - at.value) / h / scale, (slot.got - at.value) / scale
    if not (np.isfinite(J).all() and np.isfinite(r).all()):
        raise Inapplicable
    depends = (J != 0).sum(axis=axes)
    if not depends.max(initial=0) or (depends[depends > 0] < LEAST).any():
        raise Inapplicable
    square = (J * J).sum(axis=axes)
    step = np.where(square > 0, (J * r).sum(axis=axes) / np.where(square > 0, square, 1.0), 0.0)
    return np.asarray(theta + step), step


def _named(family: Family, theta: Array) -> Hypothesis:
    return replace(family.make(theta), name=family.name, detail=lambda site: family.words(theta, site))


def factor(name: str, make: Callable[[Array], Hypothesis]) -> Family:
    """A family whose number is a factor, 1 in the right equation.

    Parameters
    ----------
    name : in words
    make : factor -> hypothesis

    Returns
    -------
    Family
    """
    return Family(name, make, lambda site: np.ones(()), percent)


def percent(theta: Array, site: Site) -> str:
    """A factor in words.

    Parameters
    ----------
    theta : the factor
    site : the layer

    Returns
    -------
    str
        Such as "1 % too small", or "3.2 times as large".
    """
    k = float(theta)
    if 0.5 < k < 1.5:
        return f"{abs(100 * (k - 1)):.3g} % too {'small' if k < 1 else 'large'}"
    return f"{k:.4g} times the right number"
