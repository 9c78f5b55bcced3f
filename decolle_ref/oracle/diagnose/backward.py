"""Known mistakes on the way back: delta = dL/dU, with the regularisers.  [K20 Eq. 3, 4]"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.check import equations, learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    equation,
    lags,
    like,
    of_trace,
    plus,
    with_case,
    with_layer,
    with_surrogate,
    with_trace,
)
from decolle_ref.oracle.diagnose.dropout import masks
from decolle_ref.oracle.diagnose.estimates import Family, percent
from decolle_ref.oracle.diagnose.hypothesis import Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.membrane import silent
from decolle_ref.oracle.diagnose.pools import pools
from decolle_ref.oracle.diagnose.readout import TRIPLES
from decolle_ref.oracle.diagnose.regularising import has_regulariser, regularisers
from decolle_ref.oracle.diagnose.site import Site
from decolle_ref.oracle.diagnose.slopes import SLOPES


def sloped(
    argument: Callable[[Site], Bounded], derivative: Callable[[Site], Callable[[Array], Array]] | None = None
) -> Form:
    """delta with sigma' of another x.

    sigma' falls on both sides of 0, so within the bound of x it differs most at an end, or at 0.
    """

    def form(site: Site) -> Bounded:
        x = argument(site)
        f = site.layer.surrogate.derivative if derivative is None else derivative(site)
        slope = site.arithmetic.function(f, x, 0.0)
        low, high = x.value - x.err, x.value + x.err
        room = [np.abs(f(y) - slope.value) for y in (low, high, np.clip(0.0, low, high))]
        return learning.backward(site, site.arithmetic, Bounded(slope.value, slope.err + np.max(room, axis=0)))

    return form


def _at(f: Callable[[Site], Array]) -> Form:
    """delta with sigma' of numbers of the trace."""
    return sloped(lambda site: exact(like(f(site), site.u)))


def _drive(site: Site) -> Bounded:
    U, pool = equation("U", silent)(site), site.layer.pool
    return U if pool is None else Bounded(*(pool.pick(x, site.winners) for x in U))


def _slope(f: Callable[[Site], Array]) -> Form:
    """delta with another factor in place of sigma'(U), which the implementation rounds as it does sigma'."""

    def form(site: Site) -> Bounded:
        slope = like(f(site), site.u)
        return learning.backward(site, site.arithmetic, site.arithmetic.function(lambda x: x, exact(slope), 0.0))

    return form


def _oblong(f: Callable[[Array], Array]) -> Callable[[Site], Array]:
    """A function of G where it is not square."""

    def changed(site: Site) -> Array:
        G = site.case["G"]
        if len(set(G.shape)) < 2 or 1 in G.shape:
            raise Inapplicable
        return f(G)

    return changed


def _eye(site: Site) -> Array:
    return like(np.eye(len(site.case["G"])), site.case["G"])


# The layer above, and the pool


def from_above(direct: bool) -> Form:
    """W^T delta of the layer above, times sigma'(U): the gradient that a layer must not get."""

    def form(site: Site) -> Bounded:
        if site.above is None or "delta" not in site.above.trace:
            raise Inapplicable
        above, a = site.above, site.arithmetic
        W, b = above.weights()
        delta, adjoint = above.trace["delta"], above.layer.synapse.adjoint

        def back(W: Array, d: Array) -> Array:
            return np.stack([adjoint(Weights(w, bias), x) for w, bias, x in zip(W, b, d, strict=True)])

        value, size = back(W, delta), back(np.abs(W), np.abs(delta))
        total = a.total(value, size, np.zeros_like(size), delta.shape[-1])
        if direct:
            gains = a.multiply(equations.gain(above, a, "alpha"), equations.gain(above, a, "beta"))
            total = a.multiply(total, gains)
        slope = a.function(site.layer.surrogate.derivative, exact(site.u), 0.0)
        made = a.multiply(total, slope)
        pool = site.layer.pool
        return made if pool is None else Bounded(*(pool.route(x, site.winners) for x in made))

    return form


def _spread(shared: bool) -> Form:
    """The error of a pool's window given to all its neurons."""

    def form(site: Site) -> Bounded:
        pool = site.layer.pool
        if pool is None or has_regulariser(site):
            raise Inapplicable
        small = learning.backward(
            _unpooled(site),
            site.arithmetic,
            site.arithmetic.function(site.layer.surrogate.derivative, exact(site.u), 0.0),
        )
        share = 1 / pool.size**2 if shared else 1.0
        made = []
        for x in small:
            wide = np.zeros_like(site.trace["U"])
            wide[..., pool.windows()] = share * x[..., None]
            made.append(wide)
        return Bounded(made[0], made[1] + site.arithmetic.unit * np.abs(made[0]))

    return form


def _unpooled(site: Site) -> Site:
    u = site.u
    return with_trace(U=lambda site: u)(with_layer(pool=lambda layer: None)(site))


delta: list[Hypothesis | Family] = [
    *masks("delta"),
    Hypothesis(
        "delta without sigma'", form=lambda site: learning.backward(site, site.arithmetic, exact(np.ones_like(site.u)))
    ),
    Hypothesis(
        "delta with sigma for sigma'",
        with_layer(surrogate=lambda layer: replace(layer.surrogate, derivative=layer.surrogate.primitive)),
    ),
    Hypothesis("delta with sigma' of the logistic function", with_surrogate(derivative=logistic.derivative)),
    *(
        Hypothesis(f"delta with sigma' of {name}", with_surrogate(derivative=other.derivative))
        for name, other in TRIPLES.items()
        if name != "logistic"
    ),
    Hypothesis("sigma' at W P + b", form=sloped(_drive)),
    Hypothesis("sigma' at S", form=_at(lambda site: site.trace["S"])),
    Hypothesis("sigma' at sigma(U)", form=_at(lambda site: site.layer.surrogate.primitive(site.u))),
    Hypothesis("sigma' at |U|", form=_at(lambda site: np.abs(site.u))),
    *lags("sigma' reads U", lambda lag: with_trace(U=of_trace("U", lag))),
    *lags("delta reads e", lambda lag: with_trace(e=of_trace("e", lag))),
    Hypothesis("delta with S for sigma'", form=_slope(lambda site: site.trace["S"])),
    Hypothesis(
        "delta with sigma (1 - sigma) for sigma'",
        form=_slope(lambda site: site.layer.surrogate.primitive(site.u) * (1 - site.layer.surrogate.primitive(site.u))),
    ),
    Hypothesis("delta with sigma'(U) twice", form=_slope(lambda site: site.layer.surrogate.derivative(site.u) ** 2)),
    Hypothesis(
        "delta with sigma(U)^2 for sigma'", form=_slope(lambda site: site.layer.surrogate.primitive(site.u) ** 2)
    ),
    Hypothesis(
        "delta with the root of sigma' for sigma'",
        form=_slope(lambda site: np.sqrt(site.layer.surrogate.derivative(site.u))),
    ),
    Hypothesis("delta with 1 / (1 + U^2) for sigma'", form=_slope(lambda site: 1 / (1 + site.u**2))),
    Hypothesis("delta with exp(-U^2) for sigma'", form=_slope(lambda site: np.exp(-(site.u**2)))),
    Hypothesis("delta with 1 - tanh(U)^2 for sigma'", form=_slope(lambda site: 1 - np.tanh(site.u) ** 2)),
    Hypothesis("delta with relu'(U) for sigma'", form=_slope(lambda site: (site.u > 0).astype(np.float64))),
    *(Hypothesis(f"delta with {words} for sigma'", form=_slope(f)) for words, f in SLOPES.items()),
    Hypothesis("delta with e for G^T e", with_case(G=_eye)),
    Hypothesis("G not transposed", with_case(G=lambda site: like(site.case["G"].T, site.case["G"]))),
    Hypothesis(
        "delta with the neurons of G moved on by one", with_case(G=lambda site: np.roll(site.case["G"], 1, axis=1))
    ),
    Hypothesis("delta with |G|", with_case(G=lambda site: np.abs(site.case["G"]))),
    Hypothesis("delta with sign(G)", with_case(G=lambda site: np.sign(site.case["G"]))),
    Hypothesis("G reshaped, not transposed", with_case(G=_oblong(lambda G: G.T.reshape(G.shape)))),
    Hypothesis("G read in the order of its transpose", with_case(G=_oblong(lambda G: G.reshape(G.T.shape).T))),
    Hypothesis("delta with the neurons of G in reverse order", with_case(G=lambda site: site.case["G"][:, ::-1])),
    Hypothesis("delta with the outputs of G in reverse order", with_case(G=lambda site: site.case["G"][::-1])),
    Hypothesis(
        "delta of the first output's error alone",
        with_trace(e=lambda site: site.trace["e"] * (np.arange(site.trace["e"].shape[-1]) == 0)),
    ),
    Hypothesis(
        "delta without the last output's error",
        with_trace(
            e=lambda site: site.trace["e"] * (np.arange(site.trace["e"].shape[-1]) < site.trace["e"].shape[-1] - 1)
        ),
    ),
    Hypothesis("delta with the sign of e", with_trace(e=lambda site: np.sign(site.trace["e"]))),
    Hypothesis(
        "delta of e averaged over the batch",
        with_trace(e=lambda site: np.broadcast_to(site.trace["e"].mean(axis=1, keepdims=True), site.trace["e"].shape)),
    ),
    *regularisers,
    Hypothesis("delta, where the layer above is not detached: its gradient flows in", result=plus(from_above(True))),
    Hypothesis("delta, where W^T delta of the layer above is added", result=plus(from_above(False))),
    Hypothesis("delta of the layer above alone: no local error", form=from_above(True)),
    Hypothesis("delta given to all neurons of a pool's window", form=_spread(False)),
    Hypothesis("delta shared among the neurons of a pool's window", form=_spread(True)),
    *pools("delta"),
    Family(
        "delta with sigma' times a number",
        lambda k: Hypothesis("", form=_slope(lambda site: float(k) * site.layer.surrogate.derivative(site.u))),
        lambda site: np.full((), 1.5),
        percent,
    ),
    Family(
        "delta with another slope of sigma': sigma'(k U)",
        lambda k: Hypothesis("", form=_at(lambda site: float(k) * site.u)),
        lambda site: np.full((), 1.25),
        lambda k, site: f"k = {float(k):.4g}",
    ),
    Family(
        "delta with another slope of sigma': k sigma'(k U)",
        lambda k: Hypothesis(
            "", form=_slope(lambda site: float(k) * site.layer.surrogate.derivative(float(k) * site.u))
        ),
        lambda site: np.full((), 1.25),
        lambda k, site: f"k = {float(k):.4g}",
    ),
    Family(
        "sigma' about another threshold: sigma'(U - x)",
        lambda k: Hypothesis("", form=_at(lambda site: site.u - float(k))),
        lambda site: np.full((), 0.05),
        lambda k, site: f"x = {float(k):.4g}",
    ),
]
