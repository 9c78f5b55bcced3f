"""Known mistakes in the membrane potential and the spike: U and S.  [K20 Eq. 1]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check import equations
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    equation,
    lags,
    like,
    nothing,
    of_trace,
    plus,
    with_case,
    with_dialect,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site, lagged
from decolle_ref.oracle.diagnose.wiring import convolutions, neighbours
from decolle_ref.oracle.profile import PROFILES

silent = with_trace(R=nothing("R"))


def weights(part: int, lag: int = 0) -> Callable[[Site], Array]:
    """W (part 0) or b (part 1) as each step read it, `lag` steps earlier."""
    return lambda site: lagged(site.weights()[part], lag)


def _W(f: Callable[[Array], Array]) -> Edit:
    return with_trace(W=lambda site: f(site.weights()[0]))


def _b(f: Callable[[Array], Array]) -> Edit:
    return with_trace(b=lambda site: f(site.weights()[1]))


def _transposed(W: Array) -> Array:
    """W of every step, transposed where a dense layer is square; the kernel where it is a convolution."""
    return like(np.swapaxes(W, -1, -2), W)


def _kernels(f: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def changed(W: Array) -> Array:
        if W.ndim != 5:
            raise Inapplicable
        return like(f(W), W)

    return changed


def _from_start(part: int) -> Callable[[Site], Array]:
    return lambda site: np.broadcast_to(site.case["Wb"[part]], site.weights()[part].shape)


def leak(site: Site) -> Bounded:
    """U of the step before, as the trace has it."""
    return exact(np.concatenate([np.zeros_like(site.trace["U"][:1]), site.trace["U"][:-1]]))


def _threshold_off(site: Site) -> Bounded:
    return exact(np.full_like(site.trace["U"], 1.0))


def _drops(steps: slice) -> Callable[[Site], Array]:
    def changed(site: Site) -> Array:
        P = site.trace["P"].copy()
        P[..., steps] = 0
        if not P.size:
            raise Inapplicable
        return P

    return changed


def _one_delta(site: Site) -> Site:
    strength = equations.strength(site, site.arithmetic).value
    one = np.full_like(site.case["w"], strength.flat[0])
    return with_case(w=lambda site: one)(with_dialect(refractory="w")(site))


U: list[Hypothesis | Family] = [
    Hypothesis("U without b", _b(np.zeros_like)),
    Hypothesis("U without R", silent),
    Hypothesis("U adds R", with_case(w=lambda site: -site.case["w"])),
    Hypothesis("U with delta = w", with_dialect(refractory="w")),
    Hypothesis("U with delta = gamma w", with_dialect(refractory="gamma_w")),
    Hypothesis("U with delta = (1 - gamma) w", with_dialect(refractory="leak_w")),
    Hypothesis(
        "U with delta = 1",
        lambda site: with_case(w=lambda x: np.ones_like(x.case["w"]))(with_dialect(refractory="w")(site)),
    ),
    Hypothesis("U with one delta in all neurons, that of the first", _one_delta),
    Hypothesis(
        "U with the w of the first neuron in all neurons",
        with_case(
            w=lambda site: np.full_like(site.case["w"], site.case["w"].flat[0]),
        ),
    ),
    *lags("U reads P", lambda lag: with_trace(P=of_trace("P", lag))),
    *lags("U reads R", lambda lag: with_trace(R=of_trace("R", lag))),
    *lags("U reads the weights", lambda lag: with_trace(W=weights(0, lag), b=weights(1, lag))),
    Hypothesis(
        "U reads the weights of the start, without the updates",
        with_trace(W=_from_start(0), b=_from_start(1)),
        whole=True,
    ),
    Hypothesis("U reads b of the start, without its updates", with_trace(b=_from_start(1)), whole=True),
    *lags("U reads b", lambda lag: with_trace(b=weights(1, lag))),
    *lags("U reads W", lambda lag: with_trace(W=weights(0, lag))),
    Hypothesis("U reads Q in place of P", with_trace(P=lambda site: site.trace["Q"])),
    Hypothesis("U reads the input in place of P", with_trace(P=lambda site: site.spikes_in)),
    Hypothesis("U with W transposed", _W(_transposed)),
    Hypothesis("U with every kernel turned by 180 degrees", _W(_kernels(lambda W: W[..., ::-1, ::-1]))),
    Hypothesis("U with every kernel mirrored left to right", _W(_kernels(lambda W: W[..., ::-1]))),
    Hypothesis("U with every kernel mirrored top to bottom", _W(_kernels(lambda W: W[..., ::-1, :]))),
    Hypothesis("U with the channels of W exchanged, out for in", _W(_kernels(lambda W: np.swapaxes(W, 1, 2)))),
    Hypothesis("U with the output channels in reverse order", _W(lambda W: W[:, ::-1])),
    Hypothesis("U with the inputs of W in reverse order", _W(lambda W: W[:, :, ::-1])),
    Hypothesis("U with |W|", _W(np.abs)),
    Hypothesis("U with W clipped to [-1, 1]", _W(lambda W: np.clip(W, -1, 1))),
    Hypothesis("U with W clipped to [0, infinity)", _W(lambda W: np.maximum(W, 0))),
    Hypothesis("U with W rounded to float32", _W(PROFILES["float32"].quantise)),
    Hypothesis("U with W rounded to bfloat16", _W(PROFILES["bfloat16"].quantise)),
    Hypothesis(
        "U with W and P rounded to bfloat16",
        with_trace(
            W=lambda site: PROFILES["bfloat16"].quantise(site.weights()[0]),
            P=lambda site: PROFILES["bfloat16"].quantise(site.trace["P"]),
        ),
    ),
    Hypothesis("U with b moved on by one", _b(lambda b: np.roll(b, 1, axis=-1))),
    Hypothesis("U with b twice", _b(lambda b: 2 * b)),
    Hypothesis("U subtracts b", _b(np.negative)),
    Hypothesis("U without the last input", with_trace(P=_drops(slice(-1, None)))),
    Hypothesis("U without the first input", with_trace(P=_drops(slice(0, 1)))),
    *convolutions("U"),
    *neighbours(),
    *(
        Hypothesis(f"U without the inputs from number {n} on", with_trace(P=_drops(slice(n, None))))
        for n in (8, 16, 32, 64, 128, 255, 256)
    ),
    Hypothesis(
        "U with the P of the first sample in all samples",
        with_trace(P=lambda site: np.broadcast_to(site.trace["P"][:, :1], site.trace["P"].shape)),
    ),
    Hypothesis("U lower by 1, as if a threshold of 1 were subtracted", result=plus(_threshold_off, -1.0)),
    Hypothesis("U higher by 1", result=plus(_threshold_off)),
    Hypothesis("U added to that of the step before", result=plus(leak)),
    Hypothesis("U is set to 0 after a spike", result=lambda made, site, got: _where_spiked(made, site)),
    factor(
        "U with another strength of R than delta",
        lambda k: Hypothesis("", with_case(w=lambda site: k * site.case["w"])),
    ),
    Family(
        "U with another strength of R than delta, in each neuron",
        lambda k: Hypothesis("", with_case(w=lambda site: k)),
        lambda site: site.case["w"],
        lambda k, site: f"w of {k.flat[0]:.6g} for {site.case['w'].flat[0]:.6g} at the first",
        each=True,
    ),
    factor("U with b times a number", lambda k: Hypothesis("", _b(lambda b: k * b))),
    factor("U with W P times a number", lambda k: Hypothesis("", with_trace(P=lambda site: k * site.trace["P"]))),
    Family(
        "U keeps a part of U of the step before",
        lambda k: Hypothesis("", result=plus(_leaking(k))),
        lambda site: np.zeros(()),
        lambda k, site: f"{float(k):.6g} of it",
    ),
    Family(
        "U is off by one constant everywhere",
        lambda k: Hypothesis("", result=plus(lambda site: exact(np.full_like(site.trace["U"], float(k))))),
        lambda site: np.zeros(()),
        lambda k, site: f"{float(k):.6g}",
    ),
]


def _leaking(k: Array) -> Form:
    def form(site: Site) -> Bounded:
        return site.arithmetic.multiply(exact(k), leak(site))

    return form


def _where_spiked(made: Bounded, site: Site) -> Bounded:
    spiked = np.concatenate([np.zeros_like(site.trace["U"][:1]), site.layer.surrogate.spike(site.trace["U"])[:-1]]) > 0
    return Bounded(np.where(spiked, 0, made.value), np.where(spiked, 0, made.err))


def drive(site: Site) -> Array:
    """W P + b of the neurons that are transmitted."""
    U, pool = equation("U", silent)(site).value, site.layer.pool
    return U if pool is None else pool.pick(U, site.winners)
