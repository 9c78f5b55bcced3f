"""Known mistakes in the gradients dW and db.  [K20 Eq. 3]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check import equations, learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    equation,
    lags,
    like,
    mapped,
    of_trace,
    plus,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable, Result
from decolle_ref.oracle.diagnose.site import Site
from decolle_ref.oracle.diagnose.wiring import convolutions
from decolle_ref.oracle.profile import PROFILES


def _delta(f: Callable[[Array], Array]) -> Edit:
    return with_trace(delta=lambda site: f(site.trace["delta"]))


def _P(f: Callable[[Array], Array]) -> Edit:
    return with_trace(P=lambda site: f(site.trace["P"]))


def samples(keep: slice) -> Callable[[Array], Array]:
    """Only some of the samples count."""

    def changed(delta: Array) -> Array:
        kept = np.zeros_like(delta)
        kept[:, keep] = delta[:, keep]
        return kept

    return changed


def _first(n: int) -> Callable[[Array], Array]:
    """Only the first n entries."""

    def changed(x: Array) -> Array:
        if x.shape[-1] <= n:
            raise Inapplicable
        return np.asarray(x * (np.arange(x.shape[-1]) < n))

    return changed


def _mean(x: Array) -> Array:
    return np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)


def _kernels(f: Callable[[Array], Array]) -> Result:
    def changed(x: Array, site: Site) -> Array:
        if x.ndim != 5:
            raise Inapplicable
        return f(x)

    return mapped(changed)


def weight_decay(name: str) -> Form:
    """The weights, as a term of their gradient."""
    return lambda site: exact(site.weights()["Wb".index(name)])


def _places(words: Callable[[Array], Array]) -> Form:
    """db of a convolution from a part of its places."""

    def form(site: Site) -> Bounded:
        if site.case["W"].ndim != 4:
            raise Inapplicable
        delta = site.trace["delta"]
        channels = delta.reshape(*delta.shape[:2], len(site.case["b"]), -1)
        _, err = learning.db(site, site.arithmetic)
        return Bounded(words(channels).sum(axis=1), err)

    return form


def through_R(whole: bool) -> Callable[[str], Form]:
    """The gradient that also flows back through R, one step or to the start: an eligibility per weight.

    dU_i/dW_ij = P_j - delta_i E_ij,   E_ij[n+1] = gamma_i E_ij[n] + sigma'(U_i[n]) dU_i/dW_ij[n]
    """

    def of(name: str) -> Form:
        def form(site: Site) -> Bounded:
            if site.case["W"].ndim != 2:
                raise Inapplicable
            return _eligibility(site, name, whole)

        return form

    return of


def _eligibility(site: Site, name: str, whole: bool) -> Bounded:
    strength, gamma = equations.strength(site, site.arithmetic).value[:, None], site.case["gamma"][:, None]
    slope = site.layer.surrogate.derivative(site.trace["U"])
    P = site.trace["P"] if name == "W" else np.ones((*site.trace["P"].shape[:2], 1))
    E, rows, sizes = np.zeros((site.batch, len(gamma), P.shape[-1])), [], []
    for n, delta in enumerate(site.trace["delta"]):
        direct = np.broadcast_to(P[n][:, None, :], E.shape)
        dU = direct - strength * E
        rows.append((delta[..., None] * dU).sum(axis=0))
        sizes.append((np.abs(delta[..., None]) * (direct + np.abs(strength * E))).sum(axis=0))
        E = gamma * E + slope[n][..., None] * (dU if whole else direct)
    value, size = np.stack(rows), np.stack(sizes)
    if name == "b":
        value, size = value[..., 0], size[..., 0]
    steps = 8 * (len(value) if whole else 1) + site.batch
    return Bounded(value, steps * (site.arithmetic.unit * size + site.arithmetic.tiny + site.arithmetic.step))


def from_later(name: str) -> Form:
    """The gradient of the layer above through its P and Q, from all steps so far.

    (W^T delta)_k F_kj of the layer above, where F is sigma'(U_k) P_j passed through its filters.
    """

    def form(site: Site) -> Bounded:
        above = site.above
        if above is None or above.case["W"].ndim != 2 or site.case["W"].ndim != 2 or site.layer.pool is not None:
            raise Inapplicable
        gains = [equations.gain(above, site.arithmetic, x).value for x in ("beta", "alpha")]
        return _through_filters(site, name, [np.broadcast_to(g, above.case["alpha"].shape) for g in gains])

    return form


def _through_filters(site: Site, name: str, gains: list[Array]) -> Bounded:
    above = site.above
    assert above is not None
    neuron, W = above.layer.neuron, above.weights()[0]
    beta, alpha, gQ, gP = (x[:, None] for x in (above.case["beta"], above.case["alpha"], *gains))
    P = site.trace["P"] if name == "W" else np.ones((*site.trace["P"].shape[:2], 1))
    slope = site.layer.surrogate.derivative(site.trace["U"])
    FQ = FP = np.zeros((site.batch, slope.shape[-1], P.shape[-1]))
    rows, sizes = [], []
    for n, delta in enumerate(above.trace["delta"]):
        new_Q = beta * FQ + gQ * slope[n][..., None] * P[n][:, None, :]
        new_P = alpha * FP + gP * (new_Q if neuron.P_reads else FQ)
        read = new_P if neuron.U_reads else FP
        FQ, FP = new_Q, new_P
        rows.append(((delta @ W[n])[..., None] * read).sum(axis=0))
        sizes.append(((np.abs(delta) @ np.abs(W[n]))[..., None] * np.abs(read)).sum(axis=0))
    value, size = np.stack(rows), np.stack(sizes)
    if name == "b":
        value, size = value[..., 0], size[..., 0]
    steps = 8 * len(value) + site.batch + slope.shape[-1]
    return Bounded(value, steps * (site.arithmetic.unit * size + site.arithmetic.tiny + site.arithmetic.step))


def _shared(x: str) -> list[Hypothesis | Family]:
    """Mistakes that dW and db have in common."""
    name = f"d{x}"
    return [
        *lags(f"{name} reads delta", lambda lag: with_trace(delta=of_trace("delta", lag))),
        Hypothesis(f"{name} of the first sample alone", _delta(samples(slice(0, 1)))),
        Hypothesis(f"{name} of the last sample alone", _delta(samples(slice(-1, None)))),
        Hypothesis(f"{name} without the first sample", _delta(samples(slice(1, None)))),
        Hypothesis(f"{name} without the last sample", _delta(samples(slice(None, -1)))),
        *(Hypothesis(f"{name} of the first {n} samples alone", _delta(samples(slice(0, n)))) for n in (2, 3, 4, 5, 6)),
        Hypothesis(f"{name} with gradients that flow back through R, too", form=through_R(True)(x), whole=True),
        Hypothesis(
            f"{name} with gradients that flow back through R of one step, too", form=through_R(False)(x), whole=True
        ),
        Hypothesis(
            f"{name} with the gradient of the layer above, through its P and Q", result=plus(from_later(x)), whole=True
        ),
        Hypothesis(f"{name} of delta without its sign", _delta(np.abs)),
        Hypothesis(f"{name} of e for delta", with_trace(delta=lambda site: like(site.trace["e"], site.trace["delta"]))),
        Hypothesis(
            f"{name} of delta at the neurons that spike alone",
            with_trace(delta=lambda site: site.trace["delta"] * (site.layer.surrogate.spike(site.trace["U"]) > 0)),
        ),
        Family(
            f"{name} with weight decay",
            lambda k: Hypothesis("", result=plus(_scaled(weight_decay(x), k))),
            lambda site: np.zeros(()),
            lambda k, site: f"{float(k):.4g} {x}",
        ),
    ]


def _scaled(form: Form, k: Array) -> Form:
    return lambda site: site.arithmetic.multiply(site.arithmetic.derived(np.asarray(k)), form(site))


dW: list[Hypothesis | Family] = [
    Hypothesis("dW from P of the step before", with_trace(P=of_trace("P", 1)), unknown=(0,)),
    Hypothesis("dW from P of the step after", with_trace(P=of_trace("P", -1)), unknown=(-1,)),
    *lags("dW reads P", lambda lag: with_trace(P=of_trace("P", lag)), (2, -2)),
    Hypothesis("dW from Q", with_trace(P=lambda site: site.trace["Q"])),
    Hypothesis("dW from the input", with_trace(P=lambda site: site.spikes_in)),
    Hypothesis(
        "dW from S of the layer's own neurons", with_trace(P=lambda site: like(site.trace["S"], site.trace["P"]))
    ),
    Hypothesis("dW transposed", result=mapped(lambda x, site: like(np.swapaxes(x, -1, -2), x))),
    Hypothesis("dW with every kernel turned by 180 degrees", result=_kernels(lambda x: x[..., ::-1, ::-1])),
    Hypothesis("dW with every kernel mirrored left to right", result=_kernels(lambda x: x[..., ::-1])),
    Hypothesis("dW with every kernel mirrored top to bottom", result=_kernels(lambda x: x[..., ::-1, :])),
    Hypothesis("dW with the channels exchanged, out for in", result=_kernels(lambda x: np.swapaxes(x, 1, 2))),
    *_shared("W"),
    Hypothesis("dW of the batch's mean P, not of each sample's", _P(_mean)),
    Hypothesis("dW of the batch's mean delta, not of each sample's", _delta(_mean)),
    Hypothesis("dW with the P of the first sample in all samples", _P(lambda x: np.broadcast_to(x[:, :1], x.shape))),
    Hypothesis("dW with the samples of P in reverse order", _P(lambda x: x[:, ::-1])),
    Hypothesis("dW where P > 0 alone, as if P were 1", _P(np.sign)),
    Hypothesis("dW with P clipped to 1", _P(lambda x: np.minimum(x, 1))),
    Hypothesis("dW without the last input", _P(lambda x: x * (np.arange(x.shape[-1]) < x.shape[-1] - 1))),
    *(Hypothesis(f"dW without the inputs from number {n} on", _P(_first(n))) for n in (8, 16, 32, 64, 128, 255, 256)),
    *convolutions("dW"),
    Hypothesis("dW of P rounded to bfloat16", _P(PROFILES["bfloat16"].quantise)),
    Hypothesis(
        "dW of P and delta rounded to bfloat16",
        with_trace(
            P=lambda site: PROFILES["bfloat16"].quantise(site.trace["P"]),
            delta=lambda site: PROFILES["bfloat16"].quantise(site.trace["delta"]),
        ),
    ),
]


def _mean_P(site: Site) -> Bounded:
    if site.case["W"].ndim != 2:
        raise Inapplicable
    P = site.trace["P"].mean(axis=-1, keepdims=True)
    return equation("db", with_trace(delta=lambda site: site.trace["delta"] * P))(site)


db: list[Hypothesis | Family] = [
    *_shared("b"),
    Hypothesis("db averaged over the places of the image", form=_places(lambda x: x.mean(axis=-1))),
    Hypothesis("db of the first place of the image alone", form=_places(lambda x: x[..., 0])),
    Hypothesis("db of the last place of the image alone", form=_places(lambda x: x[..., -1])),
    *convolutions("db"),
    Hypothesis("db times the mean of P", form=_mean_P),
]
