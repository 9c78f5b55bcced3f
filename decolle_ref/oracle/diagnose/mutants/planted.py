"""The mutants: mistakes that are planted in a right implementation, by the equation that they break.

A mutant has the name of the hypothesis that explains it.
"""

from collections.abc import Callable, Mapping

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import softmax
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.diagnose.mutants.candidate import Layer, Mutant, Operation

SQUARE, CONV, POOL = "square", "conv-stride-padding", "conv-pool-leftover"


def _with(**arrays: Callable[[Layer], Array]) -> Operation:
    """The right operation with other constants of the layer."""

    def operation(layer: Layer, right: Operation, *args: Array) -> Array:
        kept = {name: getattr(layer, name) for name in arrays}
        for name, change in arrays.items():
            setattr(layer, name, change(layer))
        result = right(*args)
        for name, x in kept.items():
            setattr(layer, name, x)
        return np.asarray(result)

    return operation


def _case(name: str, change: Callable[[Array], Array]) -> Operation:
    """The right operation with another array of the case."""
    return _with(case=lambda layer: layer.case | {name: change(layer.case[name])})  # type: ignore[arg-type, return-value]


def _then(change: Callable[[Array], Array]) -> Operation:
    """The right result, changed."""
    return lambda layer, right, *args: change(right(*args))


def _past(layer: Layer, name: str, now: Array) -> Array:
    """What was recorded one step ago, or 0."""
    earlier = layer.earlier(name)
    return np.zeros_like(now) if earlier is None else earlier


def _m(name: str, operation: Operation, vector: str = SQUARE, at: str = "", equation: str = "") -> Mutant:
    """A mutant; its equation is the first word of its name, and the operation that it replaces is called the same."""
    equation = equation or name.split()[0].rstrip(":,")
    return Mutant(name, equation, vector, {at or equation: operation})


def _late(layer: Layer, right: Operation, x: Array) -> Array:
    return layer.inputs[-2] if len(layer.inputs) > 1 else 0 * x


def _window_spikes(layer: Layer, S: Array) -> Array:
    """The spikes after the pool, in their whole window."""
    pool = layer.layer.pool
    if pool is None:
        return S
    spread = np.zeros_like(S)
    spread[..., pool.windows()] = S[..., pool.windows()].max(axis=-1, keepdims=True)
    return spread


def _from_below(layer: Layer, right: Operation, R: Array, S: Array) -> Array:
    return np.asarray(right(R, layer.inputs[-1] if layer.inputs[-1].shape == S.shape else S))


STATE = (
    _m("Q decays with alpha", _with(beta=lambda layer: layer.alpha)),
    _m("Q decays by another number than beta", _with(beta=lambda layer: 0.99 * layer.beta)),
    _m("Q hears its input one step late", _late, at="hear"),
    _m("Q takes every count of spikes for one", _then(lambda x: np.minimum(x, 1)), "frames", "hear"),
    _m("Q without its gain", lambda layer, right, Q, x: layer.beta * Q + x, "dense-dcll"),
    _m("P decays with beta", _with(alpha=lambda layer: layer.beta)),
    _m("P decays by another number than alpha", _with(alpha=lambda layer: 0.99 * layer.alpha)),
    _m(
        "P reads old for new Q, or new for old",
        lambda layer, right, old, new: old if layer.neuron.P_reads else new,
        at="reads",
    ),
    _m("P with its gain twice", lambda layer, right, P, Q: layer.alpha * P + layer.gain_P**2 * Q, "dense-dcll"),
    _m("R does not decay", _with(gamma=lambda layer: np.ones_like(layer.gamma))),
    _m("R decays with alpha", _with(gamma=lambda layer: layer.alpha)),
    _m("R counts spikes downwards", lambda layer, right, R, S: right(R, -S)),
    _m("R takes up the spike before it decays", lambda layer, right, R, S: layer.gamma * (R + S)),
    _m("R takes up the spikes of the layer below", _from_below),
    _m(
        "R takes up the spikes after the pool in their whole window",
        lambda layer, right, R, S: right(R, _window_spikes(layer, S)),
        POOL,
    ),
)


def _flipped(layer: Layer, right: Operation, W: Array, *args: Array) -> Array:
    return np.asarray(right(W[..., ::-1, ::-1] if W.ndim == 4 else W, *args))


def _own_strength(layer: Layer, right: Operation, W: Array, b: Array, P: Array, R: Array) -> Array:
    return np.asarray(layer.layer.synapse.drive(Weights(W, b), P) - layer.case["w"] * R)


def _mean_of_window(layer: Layer, right: Operation, u: Array) -> Array:
    pool = layer.layer.pool
    if pool is None or u.shape[-1] != pool.n:
        return np.asarray(right(u))
    return np.asarray(right(layer.row["U"][..., pool.windows()].mean(axis=-1)))


MEMBRANE = (
    _m("U without b", lambda layer, right, W, b, P, R: right(W, 0 * b, P, R)),
    _m("U without R", lambda layer, right, W, b, P, R: right(W, b, P, 0 * R)),
    _m("U adds R", lambda layer, right, W, b, P, R: right(W, b, P, -R)),
    _m("U with delta = w", _own_strength, "refractory-dcll"),
    _m("U reads P one step late", lambda layer, right, W, b, P, R: right(W, b, _past(layer, "P", P), R)),
    _m("U reads R one step late", lambda layer, right, W, b, P, R: right(W, b, P, _past(layer, "R", R))),
    _m("U with W transposed", lambda layer, right, W, b, P, R: right(W.T, b, P, R)),
    _m("U with every kernel turned by 180 degrees", _flipped, CONV),
    _m(
        "U reads the weights of the start, without the updates",
        lambda layer, right, W, b, P, R: right(layer.case["W"], layer.case["b"], P, R),
    ),
    _m(
        "U without the last input",
        lambda layer, right, W, b, P, R: right(W, b, P * (np.arange(P.shape[-1]) < P.shape[-1] - 1), R),
    ),
    _m("S = 1 only above the threshold", lambda layer, right, u: (u > 0).astype(np.float64), "tie-paper"),
    _m("S = 1 at the threshold too", lambda layer, right, u: (u >= 0).astype(np.float64), "tie-dcll"),
    _m(
        "S = Theta(U - threshold) with a threshold that is not 0",
        lambda layer, right, u: (u > 0.25).astype(np.float64),
    ),
    _m("S is Theta of the window's mean U, not of its largest", _mean_of_window, POOL),
)


def _not_mean(layer: Layer, right: Operation, Y: Array, target: Array) -> Array:
    return np.asarray(right(Y, target) * Y.size)


READOUT = (
    _m("Y without c", _case("c", np.zeros_like)),
    _m("Y reads S", lambda layer, right, u, S: layer.call("read", S)),
    _m("Y reads the logistic function of U", lambda layer, right, u, S: layer.call("read", logistic.primitive(u))),
    _m("Y without the last neuron", _case("G", lambda G: G * (np.arange(G.shape[1]) < G.shape[1] - 1)), at="read"),
    _m("e without the factor of the mean", _not_mean),
    _m("e averaged over the batch alone", lambda layer, right, Y, target: (Y - target) / len(Y)),
    _m("e with the wrong sign", _then(np.negative)),
    _m("e twice too large, as of (Y - target)^2", _then(lambda x: 2 * x)),
    _m("e clipped, as of the smooth L1 loss", lambda layer, right, Y, target: np.clip(Y - target, -1, 1) / Y.size),
    _m(
        "e without the sum of the target: softmax(Y) - target",
        lambda layer, right, Y, target: softmax(Y) - target,
        "loss-cross-entropy-sum",
    ),
    _m("e reads the target one step late", lambda layer, right, n: right(max(n - 1, 0)), at="goal"),
)


def _turned(x: Array) -> Array:
    return x[..., ::-1, ::-1] if x.ndim == 4 else x


def _smallest(layer: Layer, right: Operation, e: Array, U: Array, u: Array, winners: Array | None) -> Array:
    pool = layer.layer.pool
    return np.asarray(right(e, U, u, winners if pool is None else pool.winners(-U)))


def _scaled(k: float) -> Operation:
    return lambda layer, right, u, U: tuple(k * x for x in right(u, U))


def _of_delta(name: str, operation: Operation, at: str, vector: str = SQUARE) -> Mutant:
    return _m(name, operation, vector, at, "delta")


BACKWARD = (
    _of_delta("delta without sigma'", _then(np.ones_like), "slope"),
    _of_delta(
        "delta with sigma for sigma'", lambda layer, right, u: layer.fit(layer.layer.surrogate.primitive(u)), "slope"
    ),
    _of_delta(
        "delta with sigma' of the logistic function",
        lambda layer, right, u: layer.fit(logistic.derivative(u)),
        "slope",
        "surrogate-fast_sigmoid",
    ),
    _of_delta(
        "sigma' at W P + b", lambda layer, right, u: right(layer.fit(u + layer.strength * layer.row["R"])), "slope"
    ),
    _of_delta("delta with e for G^T e", _case("G", lambda G: np.eye(len(G))), "back"),
    _of_delta("G not transposed", _case("G", lambda G: G.T), "back"),
    _of_delta("delta with |G|", _case("G", np.abs), "back"),
    _of_delta("delta without the regularisers", _scaled(0), "penalty", "regulariser-paper"),
    _of_delta("delta, where each regulariser counts twice", _scaled(2), "penalty", "regulariser-paper"),
    _of_delta("delta, where each regulariser has the wrong sign", _scaled(-1), "penalty", "regulariser-paper"),
    _of_delta(
        "delta given to the smallest U in each window, though sigma' is that of the largest", _smallest, "delta", POOL
    ),
    _m("dW from P of the step before", lambda layer, right, delta, P: right(delta, _past(layer, "P", P))),
    _m("dW from Q", lambda layer, right, delta, P: right(delta, layer.row["Q"])),
    _m("dW from the input", lambda layer, right, delta, P: right(delta, layer.inputs[-1])),
    _m("dW transposed", _then(lambda x: x.T)),
    _m("dW with every kernel turned by 180 degrees", _then(_turned), CONV),
    _m("dW with the wrong sign", _then(np.negative)),
    _m("dW is divided by the batch size once too often", lambda layer, right, delta, P: right(delta, P) / len(P)),
    _m("dW of the first sample alone", lambda layer, right, delta, P: right(delta[:1], P[:1])),
    _m(
        "dW is added to that of the step before",
        lambda layer, right, d, P: right(d, P) + _past(layer, "dW", right(d, P)),
    ),
    _m("db is 0 everywhere", _then(np.zeros_like)),
    _m("db is divided by the batch size once too often", lambda layer, right, delta, P: right(delta, P) / len(P)),
)


def _size(combine: Callable[[Adamax, Array, Array], Array]) -> Operation:
    """Another u, from the optimiser, the old u and the gradient."""

    def operation(layer: Layer, right: Operation, g: Array, name: str) -> tuple[Array, Array]:
        assert isinstance(layer.optimiser, Adamax)
        return right(g, name)[0], combine(layer.optimiser, layer.memory[f"u_{name}"], g)

    return operation


def _of_W(operation: Operation) -> Operation:
    """The operation for W alone."""
    return lambda layer, right, *args: operation(layer, right, *args) if args[-1] == "W" else right(*args)


def _twice(layer: Layer, right: Operation, n: int) -> bool:
    return bool(layer.about["learn"])


MOMENTUM = "adamax-momentum"
UPDATES = (
    _m("W does not learn", _of_W(lambda layer, right, g, rate, name: 0 * g), at="change"),
    _m("W moves uphill", _of_W(lambda layer, right, g, rate, name: -right(g, rate, name)), at="change"),
    _m("W moves twice as far", _of_W(lambda layer, right, g, rate, name: 2 * right(g, rate, name)), at="change"),
    _m("W learns before burn_in", _twice, at="learns"),
    _m("W starts to learn one step late", lambda layer, right, n: right(n - 1), at="learns"),
    _m(
        "W learns from the gradient of the step before",
        _of_W(lambda layer, right, name: _past_gradient(layer, right(name))),
        at="learned",
    ),
    _m(
        "b learns at the rate of W",
        lambda layer, right, name: layer.case["rate_W"] if name == "b" else right(name),
        at="rate",
    ),
    _m("W learns at another rate", _of_W(lambda layer, right, name: 0.7 * right(name)), at="rate"),
    _m("W: SGD for Adamax", lambda layer, right, g, rate, name: rate * g, MOMENTUM, "change"),
    _m("W: Adamax without its maximum", _size(lambda o, u, g: np.abs(g) + o.eps), MOMENTUM, "moments"),
    _m(
        "W: Adamax whose u is a sum, beta2 u + |g|",
        _size(lambda o, u, g: o.beta2 * u + np.abs(g) + o.eps),
        MOMENTUM,
        "moments",
    ),
    _m("W: Adamax without the correction of its bias", lambda layer, right, t: 1.0, MOMENTUM, "correct"),
    _m(
        "W: Adamax corrects its bias one step early: t starts at 2",
        lambda layer, right, t: right(t + 1),
        MOMENTUM,
        "correct",
    ),
    _m(
        "W: Adamax whose eps is added to the divisor, m / (u + eps)",
        _size(lambda o, u, g: np.maximum(o.beta2 * u, np.abs(g))),
        "adamax-eps",
        "moments",
    )._replace(
        operations={
            "moments": _size(lambda o, u, g: np.maximum(o.beta2 * u, np.abs(g))),
            "ratio": lambda layer, right, m, u: m / (u + layer.optimiser.eps),
        }
    ),
)


def _past_gradient(layer: Layer, now: Array) -> Array:
    return layer.rows[-2]["dW"] if len(layer.rows) > 1 else 0 * now


def _last_row(layer: Layer, rows: dict[str, list[Array]]) -> None:
    rows["W"] = [layer.W] * len(rows["W"])


def _exchanged(layer: Layer, rows: dict[str, list[Array]]) -> None:
    rows["Q"], rows["P"] = rows["P"], rows["Q"]


def _after(layer: Layer, rows: dict[str, list[Array]]) -> None:
    rows["P"] = [*rows["P"][1:], layer.state["P"]]


def _times_strength(layer: Layer, rows: dict[str, list[Array]]) -> None:
    rows["R"] = [layer.fit(-layer.strength * R) for R in rows["R"]]


RECORDS = (
    Mutant("W shows one row at all steps: it is recorded without a copy", "W", SQUARE, {}, _last_row),
    Mutant("Q and P are recorded under each other's name", "Q", SQUARE, {}, _exchanged),
    Mutant("P is recorded one step early, such as after its update", "P", SQUARE, {}, _after),
    Mutant("R is recorded times -delta, as U takes it", "R", SQUARE, {}, _times_strength),
)

MUTANTS: Mapping[str, Mutant] = {
    mutant.name: mutant for mutant in (*STATE, *MEMBRANE, *READOUT, *BACKWARD, *UPDATES, *RECORDS)
}
