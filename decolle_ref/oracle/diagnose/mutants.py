"""Ways of changing an equation: the same equation on other operands, or its result times a factor.

Whatever is changed, the bound is that of the changed expression.  A change that makes no sense for a layer, such as a
transposed matrix that is not square, leaves the equation as it is.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.optim import Adamax, Optimiser
from decolle_ref.decolle.surrogate import Surrogate
from decolle_ref.oracle.check import equations, learning
from decolle_ref.oracle.check.equations import Equation, Operands
from decolle_ref.oracle.check.error_bounds import Approx, Arithmetic, exact

Change = Callable[[Operands], Operands]


def on(equation: Equation, change: Change) -> Equation:
    """The equation on changed operands."""
    return lambda o, arithmetic: equation(change(o), arithmetic)


def times(equation: Equation, factor: float) -> Equation:
    """The equation's result times a power of two, or its negative: which rounds nothing."""
    return lambda o, arithmetic: Approx(
        *(f * x for f, x in zip((factor, abs(factor)), equation(o, arithmetic), strict=True))
    )


def shared(equation: Equation) -> Equation:
    """The equation's result divided by the batch."""

    def mean(o: Operands, arithmetic: Arithmetic) -> Approx:
        share = arithmetic.derived(np.asarray(1 / o.spikes_in.shape[1]))
        return arithmetic.multiply(equation(o, arithmetic), share)

    return mean


def swapped(equation: Equation) -> Equation:
    """The equation's result transposed, where a layer is dense and square."""

    def slip(o: Operands, arithmetic: Arithmetic) -> Approx:
        return Approx(*(square(np.swapaxes(x, 1, 2), x) for x in equation(o, arithmetic)))

    return slip


def given(**arrays: Callable[[Operands], Array]) -> Change:
    """With other arrays of the case."""
    return lambda o: replace(o, case={**o.case, **{name: array(o) for name, array in arrays.items()}})


def wrote(**arrays: Callable[[Operands], Array]) -> Change:
    """With other arrays of what was written down."""
    return lambda o: replace(o, shown={**o.shown, **{name: array(o) for name, array in arrays.items()}})


def layer(**parts: Callable[[Layer], Any]) -> Change:
    """With another part of the layer."""
    return lambda o: replace(o, layer=o.layer._replace(**{name: part(o.layer) for name, part in parts.items()}))


def speaking(**options: str) -> Change:
    """In another dialect."""
    return lambda o: replace(o, dialect=replace(o.dialect, **options))


def at_rest(x: Array) -> Array:
    """Nothing, of the same shape."""
    return np.zeros_like(x)


def later(name: str) -> Callable[[Operands], Array]:
    """What was written down one step later; of the last step nothing is known."""
    return lambda o: np.concatenate([o.shown[name][1:], o.shown[name][-1:]])


def but_first(equation: Equation) -> Equation:
    """The equation, with nothing known of the first step, whose past a case does not tell."""
    return _without(equation, 0)


def but_last(equation: Equation) -> Equation:
    """The equation, with nothing known of the last step."""
    return _without(equation, -1)


def _without(equation: Equation, step: int) -> Equation:
    def slip(o: Operands, arithmetic: Arithmetic) -> Approx:
        value, err = equation(o, arithmetic)
        err = err.copy()
        err[step] = np.inf
        return Approx(value, err)

    return slip


def trace(name: str, decay: str, gain: Callable[[Operands, Arithmetic], Approx]) -> Equation:
    """Q or P with another decay or gain."""

    def slip(o: Operands, arithmetic: Arithmetic) -> Approx:
        neuron = o.layer.neuron
        if name == "Q":
            x = o.spikes_in if neuron.U_reads else equations.shifted(o.spikes_in)
        else:
            x = o.shown["Q"] if neuron.P_reads else o.before("Q")
        found = equations.filtered(o, arithmetic, decay, gain(o, arithmetic), o.before(name), x)
        return equations.started(o, name, found)

    return slip


def gain_of(decay: str) -> Callable[[Operands, Arithmetic], Approx]:
    """The gain that belongs to a decay."""
    return lambda o, arithmetic: equations.gain(o, arithmetic, decay)


def gain_twice(decay: str) -> Callable[[Operands, Arithmetic], Approx]:
    """g g."""
    return lambda o, arithmetic: arithmetic.multiply(*(equations.gain(o, arithmetic, decay),) * 2)


def with_gains(slip: Equation, right: Equation) -> Equation:
    """The slip, in dialects that have gains other than 1."""
    return lambda o, arithmetic: (right if o.dialect.gains == "one" else slip)(o, arithmetic)


def refractory(after: Callable[[Arithmetic, Approx, Approx, Approx, Approx], Approx]) -> Equation:
    """R from another function of gamma, R, S and the strength delta."""

    def slip(o: Operands, arithmetic: Arithmetic) -> Approx:
        R, S = exact(o.before("R")), exact(equations.shifted(o.layer.surrogate.spike(o.shown["U"])))
        found = after(arithmetic, exact(o.case["gamma"]), R, S, equations.strength(o, arithmetic))
        return Approx(*(np.concatenate([a[:1], b[1:]]) for a, b in zip(R, found, strict=True)))

    return slip


def sloped(argument: Callable[[Operands, Arithmetic], Approx]) -> Equation:
    """delta with sigma' of another x.  It falls away from 0: near x it differs most at one of the ends, or at 0."""

    def slip(o: Operands, arithmetic: Arithmetic) -> Approx:
        x, derivative = argument(o, arithmetic), o.layer.surrogate.derivative
        slope = arithmetic.function(derivative, x, 0.0)
        low, high = x.value - x.err, x.value + x.err
        room = [np.abs(derivative(y) - slope.value) for y in (low, high, np.clip(0.0, low, high))]
        return learning.backward(o, arithmetic, Approx(slope.value, slope.err + np.max(room, axis=0)))

    return slip


def drive(o: Operands, arithmetic: Arithmetic) -> Approx:
    """W P + b, to the winners of a pool."""
    found = on(equations.U, wrote(R=lambda o: at_rest(o.shown["R"])))(o, arithmetic)
    return found if o.layer.pool is None else Approx(*(o.layer.pool.pick(x, o.winners) for x in found))


def accumulated(equation: Equation) -> Equation:
    """The sum of the equation's results up to each step."""

    def slip(o: Operands, arithmetic: Arithmetic) -> Approx:
        rows = [Approx(*row) for row in zip(*equation(o, arithmetic), strict=True)]
        return Approx(*(np.stack(x) for x in zip(*accumulate(rows, arithmetic.add), strict=True)))

    return slip


def surrogate(part: str, of: Callable[[Surrogate], Any]) -> Change:
    """With another sigma or sigma'."""
    return layer(surrogate=lambda own: replace(own.surrogate, **{part: of(own.surrogate)}))


def objective(**parts: Any) -> Change:
    """With another loss or reduction, or without regularisers."""
    return layer(objective=lambda own: replace(own.objective, **parts))


def optimised(other: Callable[[Adamax], Optimiser]) -> Change:
    """With another optimiser than Adamax."""
    return lambda o: replace(o, optimiser=other(o.optimiser)) if isinstance(o.optimiser, Adamax) else o


def square(x: Array, like: Array) -> Array:
    """x if it is of the other's shape, else the other."""
    return x if x.shape == like.shape else like


def transposed(o: Operands) -> Array:
    """W of every step, transposed where a dense layer is square."""
    W = o.shown.get("W", np.broadcast_to(o.case["W"], (len(o.spikes_in), *o.case["W"].shape)))
    return square(np.swapaxes(W, 1, 2), W)


def rate(own: str, other: str) -> Change:
    """With the learning rate of the other array, where that is one number or there is one for each neuron or input."""

    def borrowed(o: Operands) -> Array:
        rates, like = o.case[f"rate_{other}"], o.case[f"rate_{own}"]
        if np.ptp(rates) == 0:
            return np.full_like(like, rates.flat[0])
        return square(rates, like) if own == "b" else rates.reshape(-1, *(1,) * (o.case["W"].ndim - 1))

    return given(**{f"rate_{own}": borrowed})
