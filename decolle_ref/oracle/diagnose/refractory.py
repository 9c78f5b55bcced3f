"""Known mistakes in the refractory trace R.  [K20 Eq. 1]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check import equations
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.check.recording import before
from decolle_ref.oracle.diagnose.changes import edge, like, with_case
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site, lagged
from decolle_ref.oracle.diagnose.state import decays, starts


def refractory(after: Callable[[Site, Bounded, Bounded, Bounded], Bounded]) -> Form:
    """R as another function of gamma, R and S."""

    def form(site: Site) -> Bounded:
        S = exact(equations.shifted(own_spikes(site)))
        return equations.pinned(
            site, "R", after(site, exact(site.case["gamma"]), before(site, site.arithmetic, "R"), S)
        )

    return form


def own_spikes(site: Site) -> Array:
    """Theta(U), before a pool."""
    return np.asarray(site.layer.surrogate.spike(site.trace["U"]))


def spikes_from(source: Callable[[Site], Array]) -> Form:
    """gamma R + other spikes."""

    def form(site: Site) -> Bounded:
        a = site.arithmetic
        kept = a.multiply(exact(site.case["gamma"]), before(site, site.arithmetic, "R"))
        return equations.pinned(site, "R", a.add(kept, exact(like(source(site), site.trace["R"]))))

    return form


def _strength(site: Site) -> Bounded:
    return equations.strength(site, site.arithmetic)


def _pool_spikes(site: Site, all_of_window: bool) -> Array:
    """The spikes after the pool, given to the winner alone or to the whole window."""
    pool = site.layer.pool
    if pool is None:
        raise Inapplicable
    S = site.trace["S"]
    if not all_of_window:
        return pool.route(S, site.winners)
    spread = np.zeros_like(site.trace["U"])
    spread[..., pool.windows()] = S[..., None]
    return spread


def _below(site: Site) -> Array:
    return like(site.spikes_in, site.trace["R"])


def _gamma_at(index: Callable[[Array, Site], Array]) -> Callable[[Site], Array]:
    """gamma at another index: of the number of each entry in (B, n)."""

    def gamma(site: Site) -> Array:
        shape = site.trace["R"].shape[1:]
        number = np.arange(shape[0] * shape[1]).reshape(shape)
        return np.asarray(site.case["gamma"][index(number, site) % shape[1]])

    return gamma


NEIGHBOURS: dict[str, Callable[[Site], Array]] = {
    "the neuron before": _gamma_at(lambda i, site: i - 1),
    "the neuron after": _gamma_at(lambda i, site: i + 1),
    "neuron i / batch, where i counts all samples": _gamma_at(lambda i, site: i // site.batch),
    "the sample's number": _gamma_at(lambda i, site: i // i.shape[1]),
}


R: list[Hypothesis | Family] = [
    Hypothesis(
        "R counts spikes downwards",
        form=refractory(lambda x, g, R, S: x.arithmetic.subtract(x.arithmetic.multiply(g, R), S)),
    ),
    Hypothesis(
        "R takes up the spike times delta",
        form=refractory(
            lambda x, g, R, S: x.arithmetic.add(x.arithmetic.multiply(g, R), x.arithmetic.multiply(_strength(x), S))
        ),
    ),
    Hypothesis(
        "R takes up the spike times -delta",
        form=refractory(
            lambda x, g, R, S: x.arithmetic.subtract(
                x.arithmetic.multiply(g, R), x.arithmetic.multiply(_strength(x), S)
            )
        ),
    ),
    Hypothesis(
        "R takes up the spike times 1 - gamma",
        form=refractory(
            lambda x, g, R, S: x.arithmetic.add(
                x.arithmetic.multiply(g, R), x.arithmetic.multiply(x.arithmetic.subtract(exact(np.ones(())), g), S)
            )
        ),
    ),
    Hypothesis(
        "R takes up the spike before it decays",
        form=refractory(lambda x, g, R, S: x.arithmetic.multiply(g, x.arithmetic.add(R, S))),
    ),
    Hypothesis("R decays with alpha", with_case(gamma=lambda site: _decay_like(site, "alpha"))),
    Hypothesis("R decays with beta", with_case(gamma=lambda site: _decay_like(site, "beta"))),
    Hypothesis("R takes up the spikes of the same step", form=spikes_from(own_spikes)),
    Hypothesis(
        "R takes up the spikes one step late",
        form=spikes_from(lambda site: lagged(own_spikes(site), 2)),
        unknown=edge(2),
    ),
    Hypothesis(
        "R takes up the spikes two steps late",
        form=spikes_from(lambda site: lagged(own_spikes(site), 3)),
        unknown=edge(3),
    ),
    Hypothesis(
        "R takes up the spikes of the layer below", form=spikes_from(lambda site: equations.shifted(_below(site)))
    ),
    Hypothesis("R takes up the spikes of the layer below, of the same step", form=spikes_from(_below)),
    Hypothesis("R takes up no spikes", form=spikes_from(lambda site: 0 * site.trace["R"])),
    Hypothesis(
        "R takes up only the winners of the pool",
        form=spikes_from(lambda site: equations.shifted(_pool_spikes(site, False))),
    ),
    Hypothesis(
        "R takes up the spikes after the pool in their whole window",
        form=spikes_from(lambda site: equations.shifted(_pool_spikes(site, True))),
    ),
    Hypothesis(
        "R is 1 after a spike, whatever was left of it",
        form=refractory(lambda x, g, R, S: _where(S, exact(np.ones(())), x.arithmetic.multiply(g, R))),
    ),
    Hypothesis(
        "R does not decay at a spike",
        form=refractory(lambda x, g, R, S: _where(S, x.arithmetic.add(R, S), x.arithmetic.multiply(g, R))),
    ),
    Hypothesis(
        "R grows no further than 1",
        form=refractory(
            lambda x, g, R, S: x.arithmetic.clip(x.arithmetic.add(x.arithmetic.multiply(g, R), S), -np.inf, 1.0)
        ),
    ),
    Hypothesis(
        "R takes up S as it is recorded, though that is not Theta(U)",
        form=spikes_from(lambda site: equations.shifted(site.trace["S"])),
    ),
    Hypothesis(
        "R is Theta of another threshold's spikes: the wrong side at U = 0",
        form=spikes_from(lambda site: equations.shifted(_other_side(site))),
    ),
    Hypothesis("R takes up U in place of S", form=spikes_from(lambda site: equations.shifted(site.trace["U"]))),
    Hypothesis("R takes up half a spike", form=spikes_from(lambda site: equations.shifted(own_spikes(site)) / 2)),
    Hypothesis("R takes up every spike twice", form=spikes_from(lambda site: 2 * equations.shifted(own_spikes(site)))),
    *(Hypothesis(f"R decays with the gamma of {words}", with_case(gamma=f)) for words, f in NEIGHBOURS.items()),
    factor(
        "R takes up the spike times a number",
        lambda k: Hypothesis("", form=spikes_from(lambda site: float(k) * equations.shifted(own_spikes(site)))),
    ),
    *starts("R"),
    *decays("R", "gamma"),
]


def _where(S: Bounded, yes: Bounded, no: Bounded) -> Bounded:
    return Bounded(*(np.where(S.value > 0, a, b) for a, b in zip(yes, no, strict=True)))


def _decay_like(site: Site, name: str) -> Array:
    decay, gamma = site.case[name], site.case["gamma"]
    return np.full_like(gamma, decay.flat[0]) if np.ptp(decay) == 0 else like(decay, gamma)


def _other_side(site: Site) -> Array:
    U = site.trace["U"]
    return np.where(U == 0, 1 - own_spikes(site), own_spikes(site))
