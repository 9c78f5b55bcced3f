"""Known mistakes in the error of the readout, e = dL/dY.  [K20 Sec. 3.2]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import cross_entropy, smooth_l1, softmax, squared_error
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.equations import dropped
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.diagnose.changes import (
    lags,
    of_trace,
    times,
    with_case,
    with_objective,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site, lagged
from decolle_ref.oracle.profile import PROFILES


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


def _narrow_targets() -> list[Hypothesis]:
    return [
        Hypothesis(f"e of a target rounded to {name}", _target(PROFILES[name].quantise))
        for name in ("float32", "float16", "bfloat16")
    ]


def _dropped(made: Bounded, site: Site, got: Array) -> Bounded:
    if np.ndim(site.mask.Y) == 0:
        raise Inapplicable
    return dropped(site.arithmetic, site.mask.Y, made)


def _twice(site: Site) -> Array:
    """J^T (softmax(z) sum(target) - target) with z = softmax(Y) and its derivative J."""
    z, target = softmax(site.trace["Y"]), site.case["target"]
    d = softmax(z) * target.sum(axis=-1, keepdims=True) - target
    return np.asarray(z * (d - (z * d).sum(axis=-1, keepdims=True)))


def _softmax_over(axis: int) -> Callable[[Site], Array]:
    def slope(site: Site) -> Array:
        Y, target = site.trace["Y"], site.case["target"]
        p = np.exp(Y - Y.max(axis=axis, keepdims=True))
        return np.asarray(p / p.sum(axis=axis, keepdims=True) * target.sum(axis=-1, keepdims=True) - target)

    return slope


def _approximated(site: Site, n: float) -> Array:
    Y, target = site.trace["Y"], site.case["target"]
    p = np.maximum(1 + (Y - Y.max(axis=-1, keepdims=True)) / n, 0) ** n
    return np.asarray(p / p.sum(axis=-1, keepdims=True) * target.sum(axis=-1, keepdims=True) - target)


def _steepest(site: Site) -> Array:
    """The largest quotient of e and Y - target, without the factor of a mean."""
    d = site.trace["Y"] - site.case["target"]
    share = 1 / terms(site) if site.layer.objective.reduction == "mean" else 1.0
    return np.asarray(np.max(np.abs(site.trace["e"])[d != 0] / np.abs(d[d != 0]), initial=0.0) / share)


def _wrapped(size: int) -> Edit:
    def target(site: Site) -> Array:
        right = site.case["target"]
        rows = right.reshape(-1, right.shape[-1])
        if len(rows) <= size:
            raise Inapplicable
        return rows[np.arange(len(rows)) % size].reshape(right.shape)

    return with_case(target=target)


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
    *_narrow_targets(),
    Hypothesis("e is 1 where |Y - target| > 1, on both sides", form=_plain(lambda d: np.where(np.abs(d) > 1, 1, d))),
    Hypothesis("e with |Y - target|", form=_plain(np.abs)),
    Hypothesis("e times the factors of dropout", result=_dropped),
    Hypothesis("e through the derivative of a second softmax", form=_if_cross_entropy(_twice)),
    Hypothesis("e of a softmax over the batch", form=_if_cross_entropy(_softmax_over(1)), whole=True),
    Hypothesis("e of a softmax over the steps", form=_if_cross_entropy(_softmax_over(0)), whole=True),
    *(
        Hypothesis(f"e of the targets of rows modulo {n}, where rows count steps and samples", _wrapped(n), whole=True)
        for n in (128, 256)
    ),
    Family(
        "e of exp(x) as (1 + x / n)^n",
        lambda n: Hypothesis("", form=_if_cross_entropy(lambda site: _approximated(site, float(n)))),
        lambda site: np.full((), 200.0),
        lambda n, site: f"n = {float(n):.4g}",
    ),
    Family(
        "e of the smooth L1 loss with another slope: clip(x (Y - target), -1, 1)",
        lambda x: Hypothesis("", form=_plain(lambda d: np.clip(d * float(x), -1, 1))),
        lambda site: _steepest(site),
        lambda x, site: f"x = {float(x):.4g}",
    ),
    Hypothesis("e is 0 where |Y - target| > 1", form=_plain(lambda d: np.where(np.abs(d) > 1, 0, d))),
    Family("e clipped at another limit than 1", _clipped, _largest, lambda k, site: f"at {float(k):.4g}"),
]
