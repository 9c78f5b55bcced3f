"""Known mistakes in the readout and its error: Y and e = dL/dY.  [K20 Sec. 3.2]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.objective import softmax
from decolle_ref.decolle.surrogate import SURROGATES, Surrogate, identity, logistic
from decolle_ref.oracle.check.equations import dropped
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
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.membrane import drive
from decolle_ref.oracle.diagnose.pools import WINNERS, Choice, pools, won
from decolle_ref.oracle.diagnose.site import Site
from decolle_ref.oracle.diagnose.slopes import ACTIVITIES
from decolle_ref.oracle.profile import PROFILES

TRIPLES = {**SURROGATES, "fast_sigmoid_10": AXES["surrogate"]["fast_sigmoid_10"].value}


def _reading(f: Callable[[Site], Array]) -> Form:
    """G a + c for another activity a."""

    def form(site: Site) -> Bounded:
        a, G = like(f(site), site.trace["S"]), site.case["G"]
        one = site.arithmetic.function(lambda x: x, exact(a), 1.0)  # a is computed by the implementation, too
        one = dropped(site.arithmetic, site.mask.activity, one)
        value, size, err = one.value @ G.T, np.abs(one.value) @ np.abs(G).T, one.err @ np.abs(G).T
        whole = site.arithmetic.total(value, size + err, err, G.shape[1], exact(site.case["c"]))
        return dropped(site.arithmetic, site.mask.Y, whole)

    return form


def _pool_of_activity(f: Callable[[Array], Array]) -> Callable[[Site], Array]:
    def activity(site: Site) -> Array:
        if site.layer.pool is None:
            raise Inapplicable
        a = getattr(site.layer.surrogate, "primitive" if site.layer.activity == "primitive" else "spike")(
            site.trace["U"]
        )
        return f(a[..., site.layer.pool.windows()])

    return activity


def _activity_of(choice: Choice) -> Callable[[Site], Array]:
    """What the readout reads of other winners of a pool."""

    def activity(site: Site) -> Array:
        sigma = site.layer.surrogate
        return (sigma.primitive if site.layer.activity == "primitive" else sigma.spike)(won(site, choice))

    return activity


def _c_outside(site: Site) -> Bounded:
    if np.ndim(site.mask.Y) == 0:
        raise Inapplicable
    masked = equation("Y", with_case(c=lambda site: 0 * site.case["c"]))(site)
    return site.arithmetic.add(masked, _c(site))


def _c(site: Site) -> Bounded:
    return exact(np.broadcast_to(site.case["c"], site.trace["Y"].shape))


def _primitive(other: Surrogate) -> Edit:
    """sigma(U) of another surrogate."""
    return lambda site: with_surrogate(primitive=other.primitive)(with_layer(activity=lambda layer: "primitive")(site))


def _turned(G: Array) -> Array:
    return like(G.T, G)


def _without_last(x: Array, axis: int = -1) -> Array:
    x = x.copy()
    x[..., -1] = 0
    return x


def _softmax_of(f: Callable[[Array], Array]) -> Callable[[Bounded, Site, Array], Bounded]:
    """A function of the outputs with a rounding or two: exp and a quotient."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        return site.arithmetic.function(f, made, 4.0)

    return result


Y: list[Hypothesis | Family] = [
    *masks("Y"),
    Hypothesis("Y without c", with_case(c=lambda site: 0 * site.case["c"])),
    Hypothesis("Y reads S", with_layer(activity=lambda layer: "spike")),
    Hypothesis("Y reads sigma(U)", with_layer(activity=lambda layer: "primitive")),
    *lags("Y reads U and S", lambda lag: with_trace(U=of_trace("U", lag), S=of_trace("S", lag))),
    Hypothesis("Y reads the logistic function of U", _primitive(logistic)),
    *(
        Hypothesis(f"Y reads the primitive of {name}", _primitive(other))
        for name, other in TRIPLES.items()
        if name != "logistic"
    ),
    Hypothesis("Y reads U", _primitive(identity)),
    Hypothesis("Y reads relu(U)", form=_reading(lambda site: np.maximum(site.u, 0))),
    Hypothesis("Y reads tanh(U)", form=_reading(lambda site: np.tanh(site.u))),
    Hypothesis("Y reads sigma(U) - 1/2", form=_reading(lambda site: site.layer.surrogate.primitive(site.u) - 0.5)),
    Hypothesis("Y reads sigma'(U)", form=_reading(lambda site: site.layer.surrogate.derivative(site.u))),
    Hypothesis(
        "Y reads sigma of W P + b, without R", form=_reading(lambda site: site.layer.surrogate.primitive(drive(site)))
    ),
    Hypothesis("Y reads R", form=_reading(lambda site: site.trace["R"])),
    Hypothesis(
        "Y reads the mean of each window, not its winner", form=_reading(_pool_of_activity(lambda a: a.mean(axis=-1)))
    ),
    Hypothesis(
        "Y reads the sum of each window, not its winner", form=_reading(_pool_of_activity(lambda a: a.sum(axis=-1)))
    ),
    *(Hypothesis(f"Y reads {words}", form=_reading(f)) for words, f in ACTIVITIES.items()),
    *pools("Y"),
    *(
        Hypothesis(f"Y reads {words} of each window", form=_reading(_activity_of(choice)))
        for words, choice in WINNERS.items()
    ),
    Hypothesis("Y, where dropout leaves out c: factors times (G a), plus c", form=_c_outside),
    Hypothesis("Y with G transposed", with_case(G=lambda site: _turned(site.case["G"]))),
    Hypothesis("Y with the outputs of G in reverse order", with_case(G=lambda site: site.case["G"][::-1])),
    Hypothesis("Y with the neurons of G in reverse order", with_case(G=lambda site: site.case["G"][:, ::-1])),
    Hypothesis("Y with the neurons of G moved on by one", with_case(G=lambda site: np.roll(site.case["G"], 1, axis=1))),
    Hypothesis("Y with |G|", with_case(G=lambda site: np.abs(site.case["G"]))),
    Hypothesis("Y with c twice", result=plus(_c)),
    Hypothesis("Y subtracts c", with_case(c=lambda site: -site.case["c"])),
    Hypothesis("Y without the last neuron", with_case(G=lambda site: _without_last(site.case["G"]))),
    Hypothesis("Y averages over the neurons", with_case(G=lambda site: site.case["G"] / site.case["G"].shape[1])),
    Hypothesis("Y passes through the logistic function", result=_softmax_of(logistic.primitive)),
    Hypothesis("Y passes through a softmax", result=_softmax_of(softmax)),
    Hypothesis("Y passes through tanh", result=_softmax_of(np.tanh)),
    Hypothesis(
        "Y passes through relu", result=lambda made, site, got: site.arithmetic.maximum(made, exact(np.zeros(())))
    ),
    Hypothesis("Y with G rounded to bfloat16", with_case(G=lambda site: PROFILES["bfloat16"].quantise(site.case["G"]))),
    Hypothesis("Y with G rounded to float32", with_case(G=lambda site: PROFILES["float32"].quantise(site.case["G"]))),
    factor("Y with c times a number", lambda k: Hypothesis("", with_case(c=lambda site: k * site.case["c"]))),
    factor(
        "Y with G times a number, but not c", lambda k: Hypothesis("", with_case(G=lambda site: k * site.case["G"]))
    ),
    Family(
        "Y reads sigma with another slope: sigma(k U)",
        lambda k: Hypothesis("", form=_reading(lambda site: site.layer.surrogate.primitive(float(k) * site.u))),
        lambda site: np.full((), 1.5),
        lambda k, site: f"k = {float(k):.4g}",
    ),
    Family(
        "Y reads sigma with another scale: 1/2 + k (sigma(U) - 1/2)",
        lambda k: Hypothesis(
            "", form=_reading(lambda site: 0.5 + float(k) * (site.layer.surrogate.primitive(site.u) - 0.5))
        ),
        lambda site: np.full((), 1.5),
        lambda k, site: f"k = {float(k):.4g}",
    ),
    Family(
        "Y reads sigma about another threshold: sigma(U - x)",
        lambda k: Hypothesis("", form=_reading(lambda site: site.layer.surrogate.primitive(site.u - float(k)))),
        lambda site: np.full((), 0.1),
        lambda k, site: f"x = {float(k):.4g}",
    ),
]
