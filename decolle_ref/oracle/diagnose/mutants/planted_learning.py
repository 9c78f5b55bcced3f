"""Mutants of learning and of the recording: delta, dW, db, W and b."""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.oracle.diagnose.mutants.candidate import Layer
from decolle_ref.oracle.diagnose.mutants.mutant import Mutant, Operation
from decolle_ref.oracle.diagnose.mutants.planting import CONV, POOL, SQUARE, of_case, past, plant, then


def _turned(x: Array) -> Array:
    return x[..., ::-1, ::-1] if x.ndim == 4 else x


def _smallest(layer: Layer, right: Operation, e: Array, U: Array, u: Array, winners: Array | None) -> Array:
    pool = layer.layer.pool
    return np.asarray(right(e, U, u, winners if pool is None else pool.winners(-U)))


def _scaled(k: float) -> Operation:
    return lambda layer, right, u, U: tuple(k * x for x in right(u, U))


def _of_delta(name: str, operation: Operation, at: str, vector: str = SQUARE) -> Mutant:
    return plant(name, operation, vector, at, "delta")


BACKWARD = (
    _of_delta("delta without sigma'", then(np.ones_like), "slope"),
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
    _of_delta("delta with e for G^T e", of_case("G", lambda G: np.eye(len(G))), "back"),
    _of_delta("G not transposed", of_case("G", lambda G: G.T), "back"),
    _of_delta("delta with |G|", of_case("G", np.abs), "back"),
    _of_delta("delta without the regularisers", _scaled(0), "penalty", "regulariser-paper"),
    _of_delta("delta, where each regulariser counts twice", _scaled(2), "penalty", "regulariser-paper"),
    _of_delta("delta, where each regulariser has the wrong sign", _scaled(-1), "penalty", "regulariser-paper"),
    _of_delta(
        "delta given to the smallest U in each window, though sigma' is that of the largest", _smallest, "delta", POOL
    ),
    plant("dW from P of the step before", lambda layer, right, delta, P: right(delta, past(layer, "P", P))),
    plant("dW from Q", lambda layer, right, delta, P: right(delta, layer.row["Q"])),
    plant("dW from the input", lambda layer, right, delta, P: right(delta, layer.inputs[-1])),
    plant("dW transposed", then(lambda x: x.T)),
    plant("dW with every kernel turned by 180 degrees", then(_turned), CONV),
    plant("dW with the wrong sign", then(np.negative)),
    plant("dW is divided by the batch size once too often", lambda layer, right, delta, P: right(delta, P) / len(P)),
    plant("dW of the first sample alone", lambda layer, right, delta, P: right(delta[:1], P[:1])),
    plant(
        "dW is added to that of the step before",
        lambda layer, right, d, P: right(d, P) + past(layer, "dW", right(d, P)),
    ),
    plant("db is 0 everywhere", then(np.zeros_like)),
    plant("db is divided by the batch size once too often", lambda layer, right, delta, P: right(delta, P) / len(P)),
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
    plant("W does not learn", _of_W(lambda layer, right, g, rate, name: 0 * g), at="change"),
    plant("W moves uphill", _of_W(lambda layer, right, g, rate, name: -right(g, rate, name)), at="change"),
    plant("W moves twice as far", _of_W(lambda layer, right, g, rate, name: 2 * right(g, rate, name)), at="change"),
    plant("W learns before burn_in", _twice, at="learns"),
    plant("W starts to learn one step late", lambda layer, right, n: right(n - 1), at="learns"),
    plant(
        "W learns from the gradient of the step before",
        _of_W(lambda layer, right, name: _past_gradient(layer, right(name))),
        at="learned",
    ),
    plant(
        "b learns at the rate of W",
        lambda layer, right, name: layer.case["rate_W"] if name == "b" else right(name),
        at="rate",
    ),
    plant("W learns at another rate", _of_W(lambda layer, right, name: 0.7 * right(name)), at="rate"),
    plant("W: SGD for Adamax", lambda layer, right, g, rate, name: rate * g, MOMENTUM, "change"),
    plant("W: Adamax without its maximum", _size(lambda o, u, g: np.abs(g) + o.eps), MOMENTUM, "moments"),
    plant(
        "W: Adamax whose u is a sum, beta2 u + |g|",
        _size(lambda o, u, g: o.beta2 * u + np.abs(g) + o.eps),
        MOMENTUM,
        "moments",
    ),
    plant("W: Adamax without the correction of its bias", lambda layer, right, t: 1.0, MOMENTUM, "correct"),
    plant(
        "W: Adamax corrects its bias with t + 1: t starts at 2",
        lambda layer, right, t: right(t + 1),
        MOMENTUM,
        "correct",
    ),
    plant(
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
