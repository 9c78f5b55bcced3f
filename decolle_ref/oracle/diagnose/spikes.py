"""Known mistakes in the spike S.  [K20 Eq. 1]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.surrogate import above_threshold, at_threshold
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    lags,
    like,
    of_trace,
    with_surrogate,
    with_trace,
)
from decolle_ref.oracle.diagnose.dropout import factors
from decolle_ref.oracle.diagnose.estimates import Family
from decolle_ref.oracle.diagnose.hypothesis import Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.membrane import drive
from decolle_ref.oracle.diagnose.pools import WINNERS, Choice, pools, won
from decolle_ref.oracle.diagnose.site import Site


def _spikes(f: Callable[[Site], Array]) -> Form:
    return lambda site: exact(like(f(site), site.trace["S"]))


def _theta(site: Site, u: Array) -> Array:
    return np.asarray(site.layer.surrogate.spike(u))


def _pooled(f: Callable[[Array], Array]) -> Callable[[Site], Array]:
    """Theta of another function of the window."""

    def spikes(site: Site) -> Array:
        if site.layer.pool is None:
            raise Inapplicable
        return _theta(site, f(site.trace["U"][..., site.layer.pool.windows()]))

    return spikes


def _threshold(site: Site) -> Bounded:
    """Theta(u - theta), with any theta that separates the spikes of the trace from the rest."""
    theta = threshold(site)
    return exact((site.u > theta).astype(np.float64))


def threshold(site: Site) -> float:
    """A threshold that separates the potentials that spike from those that do not."""
    spiked = site.trace["S"] > 0
    if not spiked.any() or spiked.all():
        raise Inapplicable
    low, high = float(site.u[~spiked].max()), float(site.u[spiked].min())
    if not low < high or low <= 0 <= high:
        raise Inapplicable
    middle = (low + high) / 2
    nice = [x for digits in range(1, 5) if low < (x := float(f"{middle:.{digits}g}")) < high]
    return nice[0] if nice else middle


def _in_words(site: Site) -> str:
    return f"{threshold(site):.4g} fits"


def _of_winner(choice: Choice) -> Callable[[Site], Array]:
    return lambda site: _theta(site, won(site, choice))


S: list[Hypothesis | Family] = [
    Hypothesis("S = 1 only above the threshold", with_surrogate(spike=above_threshold)),
    Hypothesis("S = 1 at the threshold too", with_surrogate(spike=at_threshold)),
    Hypothesis("S = Theta(U - threshold) with a threshold that is not 0", form=_threshold, detail=_in_words),
    *lags("S reads U", lambda lag: with_trace(U=of_trace("U", lag))),
    Hypothesis("S is Theta of W P + b, without R", form=_spikes(lambda site: _theta(site, drive(site)))),
    Hypothesis("S is 1 where U is below the threshold", form=_spikes(lambda site: 1 - _theta(site, site.u))),
    Hypothesis(
        "S never follows a spike of the step before",
        form=_spikes(lambda site: _theta(site, site.u) * (1 - _spiked_before(site))),
    ),
    Hypothesis(
        "S is Theta of the window's mean U, not of its largest", form=_spikes(_pooled(lambda U: U.mean(axis=-1)))
    ),
    Hypothesis(
        "S is 1 in every neuron once one of the sample has spiked",
        form=_spikes(lambda site: np.broadcast_to(_theta(site, site.u).max(axis=-1, keepdims=True), site.u.shape)),
    ),
    Hypothesis(
        "S is 1 only in the neuron with the largest U of each sample",
        form=_spikes(
            lambda site: _theta(site, site.u) * (np.arange(site.u.shape[-1]) == site.u.argmax(axis=-1)[..., None])
        ),
    ),
    *pools("S"),
    *(Hypothesis(f"S is Theta of {x} in each window", form=_spikes(_of_winner(f))) for x, f in WINNERS.items()),
    Hypothesis("S times the factors of dropout", form=_spikes(lambda site: _theta(site, site.u) * factors(site))),
    Hypothesis(
        "S without the spikes that dropout drops",
        form=_spikes(lambda site: _theta(site, site.u) * (factors(site) > 0)),
    ),
    Hypothesis("S is sigma(U), not Theta(U)", form=_spikes(lambda site: site.layer.surrogate.primitive(site.u))),
    Hypothesis("S is sign(U), -1 below the threshold", form=_spikes(lambda site: 2 * _theta(site, site.u) - 1)),
]


def _spiked_before(site: Site) -> Array:
    spikes = site.trace["S"]
    return np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]])
