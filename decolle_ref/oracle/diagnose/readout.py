"""Known mistakes in the readout and its error: Y and e = dL/dY.  [K20 Sec. 3.2]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.objective import cross_entropy, smooth_l1, softmax, squared_error
from decolle_ref.decolle.surrogate import SURROGATES, Surrogate, identity, logistic
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.equations import dropped
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    lags,
    like,
    of_trace,
    plus,
    times,
    with_case,
    with_layer,
    with_objective,
    with_surrogate,
    with_trace,
)
from decolle_ref.oracle.diagnose.dropout import masks
from decolle_ref.oracle.diagnose.estimates import Family, percent
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.membrane import drive
from decolle_ref.oracle.diagnose.site import Site, lagged
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
    Hypothesis(
        "Y reads the first of each window, not its winner", form=_reading(_pool_of_activity(lambda a: a[..., 0]))
    ),
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
    Family(
        "Y with c times a number",
        lambda k: Hypothesis("", with_case(c=lambda site: k * site.case["c"])),
        lambda site: np.ones(()),
        percent,
    ),
    Family(
        "Y with G times a number, but not c",
        lambda k: Hypothesis("", with_case(G=lambda site: k * site.case["G"])),
        lambda site: np.ones(()),
        percent,
    ),
    Family(
        "Y reads sigma with another slope: sigma(k U)",
        lambda k: Hypothesis("", form=_reading(lambda site: site.layer.surrogate.primitive(float(k) * site.u))),
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


# e


def terms(site: Site) -> float:
    """The number of terms of a mean."""
    return site.batch * (1 if site.layer.objective.loss is cross_entropy else site.trace["Y"].shape[-1])


def _if_cross_entropy(f: Callable[[Site], Array]) -> Form:
    """Another function of Y and the targets, before the reduction, with the bound of the right one."""

    def form(site: Site) -> Bounded:
        if site.layer.objective.loss is not cross_entropy:
            raise Inapplicable
        return _reduced(site, f(site))

    return form


def _reduced(site: Site, slope: Array) -> Bounded:
    """The slope with the reduction, and with room for the roundings of the right slope."""
    _, err = learning.e(site, site.arithmetic)
    share = 1 / terms(site) if site.layer.objective.reduction == "mean" else 1.0
    return Bounded(slope * share, 4 * err + 4 * site.arithmetic.unit * np.abs(slope * share))


def _normalised(x: Array) -> Array:
    whole = x.sum(axis=-1, keepdims=True)
    return x / np.where(whole == 0, 1, whole)


def _one_hot(x: Array) -> Array:
    return np.asarray(np.arange(x.shape[-1]) == x.argmax(axis=-1)[..., None], np.float64)


def _plain(f: Callable[[Array], Array]) -> Form:
    return lambda site: _reduced(site, f(site.trace["Y"] - site.case["target"]))


def _clipped(limit: Array) -> Hypothesis:
    return Hypothesis("", form=_plain(lambda d: np.clip(d, -float(limit), float(limit))))


def _largest(site: Site) -> Array:
    share = 1 / terms(site) if site.layer.objective.reduction == "mean" else 1.0
    return np.asarray(np.abs(site.trace["e"]).max() / share)


def _target(f: Callable[[Array], Array]) -> Callable[[Site], Site]:
    return with_case(target=lambda site: f(site.case["target"]))


e: list[Hypothesis | Family] = [
    Hypothesis("e without the factor of the mean", with_objective(reduction="sum")),
    Hypothesis("e with the factor of a mean", with_objective(reduction="mean")),
    Hypothesis(
        "e averaged over the batch alone", with_objective(reduction="sum"), result=times(lambda site: 1 / site.batch)
    ),
    Hypothesis(
        "e averaged over the outputs alone",
        with_objective(reduction="sum"),
        result=times(lambda site: 1 / site.trace["Y"].shape[-1]),
    ),
    Hypothesis(
        "e averaged over batch and outputs",
        with_objective(reduction="sum"),
        result=times(lambda site: 1 / site.trace["Y"][0].size),
    ),
    Hypothesis(
        "e averaged over the neurons",
        with_objective(reduction="sum"),
        result=times(lambda site: 1 / site.trace["U"].shape[-1]),
    ),
    Hypothesis("e with the wrong sign", result=times(lambda site: -1.0)),
    Hypothesis("e twice too large, as of (Y - target)^2", result=times(lambda site: 2.0)),
    Hypothesis("e of the squared error", with_objective(loss=squared_error)),
    Hypothesis("e clipped, as of the smooth L1 loss", with_objective(loss=smooth_l1)),
    Hypothesis("e of the cross-entropy", with_objective(loss=cross_entropy)),
    *lags("e reads the target", lambda lag: with_case(target=lambda site: lagged(site.case["target"], lag))),
    *lags("e reads Y", lambda lag: with_trace(Y=of_trace("Y", lag))),
    Hypothesis("e of the absolute error, sign(Y - target)", form=_plain(np.sign)),
    Hypothesis(
        "e without the sum of the target: softmax(Y) - target",
        form=_if_cross_entropy(lambda site: softmax(site.trace["Y"]) - site.case["target"]),
    ),
    Hypothesis("e of a target divided by its sum", _target(_normalised)),
    Hypothesis("e of a target that is 1 at its largest entry and 0 elsewhere", _target(_one_hot)),
    Hypothesis(
        "e of Y that went through a softmax before",
        form=_if_cross_entropy(
            lambda site: (
                softmax(softmax(site.trace["Y"])) * site.case["target"].sum(axis=-1, keepdims=True)
                - site.case["target"]
            )
        ),
    ),
    Hypothesis(
        "e of the logistic function of Y, output by output",
        form=_if_cross_entropy(lambda site: logistic.primitive(site.trace["Y"]) - site.case["target"]),
    ),
    Hypothesis(
        "e without the softmax: Y - target", form=_if_cross_entropy(lambda site: site.trace["Y"] - site.case["target"])
    ),
    Hypothesis("e without the target", _target(np.zeros_like)),
    Hypothesis(
        "e of the target of the first sample in all samples", _target(lambda x: np.broadcast_to(x[:, :1], x.shape))
    ),
    Hypothesis("e of the targets of the samples in reverse order", _target(lambda x: x[:, ::-1])),
    Hypothesis(
        "e of the first step's target at all steps", _target(lambda x: np.broadcast_to(x[:1], x.shape)), whole=True
    ),
    Hypothesis(
        "e of the last step's target at all steps", _target(lambda x: np.broadcast_to(x[-1:], x.shape)), whole=True
    ),
    Hypothesis("e without c: of Y - c", with_trace(Y=lambda site: site.trace["Y"] - site.case["c"])),
    Hypothesis("e is 0 where |Y - target| > 1", form=_plain(lambda d: np.where(np.abs(d) > 1, 0, d))),
    Family("e clipped at another limit than 1", _clipped, _largest, lambda k, site: f"at {float(k):.4g}"),
]
