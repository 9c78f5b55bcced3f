"""Mutants of an equation: the same equation on changed operands, or its result changed.

The bound of a mutant is that of the changed expression.  A change that makes no sense for a layer, such as the
transpose of a matrix that is not square, leaves the equation as it is.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.optim import Adamax, Optimiser
from decolle_ref.oracle.check import equations, learning
from decolle_ref.oracle.check.equations import Equation
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.trace import Operands

RIGHT = {**equations.FORWARD, **learning.BACKWARD}
Gain = Callable[[Operands, Arithmetic], Bounded]


# The equation on changed operands


def with_operands(equation: Equation, **parts: Callable[[Operands], Any]) -> Equation:
    """Other parts of the operands: each name with a function of the operands."""
    return lambda operands, arithmetic: equation(
        replace(operands, **{name: part(operands) for name, part in parts.items()}), arithmetic
    )


def with_case(equation: Equation, **arrays: Callable[[Array], Array]) -> Equation:
    """Other arrays of the case: each name with a function of the array."""
    return with_operands(equation, case=lambda x: x.case | {name: f(x.case[name]) for name, f in arrays.items()})


def with_trace(equation: Equation, **arrays: Callable[[Operands], Array]) -> Equation:
    """Other arrays of the trace: each name with a function of the operands."""
    return with_operands(equation, trace=lambda x: x.trace | {name: f(x) for name, f in arrays.items()})


def with_layer(equation: Equation, **parts: Callable[[Layer], Any]) -> Equation:
    """Other parts of the layer: each name with a function of the layer."""
    return with_operands(equation, layer=lambda x: x.layer._replace(**{name: f(x.layer) for name, f in parts.items()}))


def with_dialect(equation: Equation, **options: str) -> Equation:
    """Another dialect: one or more axes changed."""
    return with_operands(equation, dialect=lambda x: replace(x.dialect, **options))


def with_surrogate(equation: Equation, **parts: Any) -> Equation:
    """Another `spike`, `primitive` or `derivative`."""
    return with_layer(equation, surrogate=lambda layer: replace(layer.surrogate, **parts))


def with_objective(equation: Equation, **parts: Any) -> Equation:
    """Another loss, reduction or regulariser."""
    return with_layer(equation, objective=lambda layer: replace(layer.objective, **parts))


def with_optimiser(equation: Equation, other: Callable[[Adamax], Optimiser]) -> Equation:
    """Another optimiser in place of Adamax."""
    return with_operands(
        equation, optimiser=lambda x: other(x.optimiser) if isinstance(x.optimiser, Adamax) else x.optimiser
    )


def with_rate_of(equation: Equation, name: str, other: str) -> Equation:
    """The learning rate of the other array, where that is one number, or one for each neuron or input."""

    def case(operands: Operands) -> dict[str, Array]:
        rate, right = operands.case[f"rate_{other}"], operands.case[f"rate_{name}"]
        if np.ptp(rate) == 0:
            rate = np.full_like(right, rate.flat[0])
        elif name == "b":
            rate = if_same_shape(rate, right)
        else:
            rate = rate.reshape(-1, *(1,) * (operands.case["W"].ndim - 1))
        return operands.case | {f"rate_{name}": rate}

    return with_operands(equation, case=case)


def earlier(name: str) -> Callable[[Operands], Array]:
    """The array of the trace one step earlier."""
    return lambda operands: operands.before(name)


def later(name: str) -> Callable[[Operands], Array]:
    """The array of the trace one step later; the last step stays as it is."""
    return lambda operands: np.concatenate([operands.trace[name][1:], operands.trace[name][-1:]])


def transposed_W(operands: Operands) -> Array:
    """W of every step, transposed where a dense layer is square."""
    W = operands.weights()[0]
    return if_same_shape(np.swapaxes(W, 1, 2), W)


def if_same_shape(x: Array, right: Array) -> Array:
    """x if it has the shape of the right array, else the right array."""
    return x if x.shape == right.shape else right


# Changes of the result


def scaled(equation: Equation, factor: float) -> Equation:
    """The result times 2 or -1, which rounds nothing."""

    def mutant(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        value, err = equation(operands, arithmetic)
        return Bounded(factor * value, abs(factor) * err)

    return mutant


def averaged(equation: Equation) -> Equation:
    """The result divided by the batch size."""

    def mutant(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        share = arithmetic.derived(np.asarray(1 / operands.spikes_in.shape[1]))
        return arithmetic.multiply(equation(operands, arithmetic), share)

    return mutant


def transposed(equation: Equation) -> Equation:
    """The result transposed, where a dense layer is square."""
    return lambda operands, arithmetic: Bounded(
        *(if_same_shape(np.swapaxes(x, 1, 2), x) for x in equation(operands, arithmetic))
    )


def accumulated(equation: Equation) -> Equation:
    """The sum of the results up to each step."""

    def mutant(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        rows = [Bounded(*row) for row in zip(*equation(operands, arithmetic), strict=True)]
        return Bounded(*(np.stack(x) for x in zip(*accumulate(rows, arithmetic.add), strict=True)))

    return mutant


def without_step(name: str, mutant: Equation, step: int) -> Equation:
    """A mutant of the equation `name` without its first or last step, for which it lacks numbers.

    There the mutant has the right equation's value, and a bound that also reaches the number of the trace.
    """

    def shortened(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        value, err = (x.copy() for x in mutant(operands, arithmetic))
        value[step] = RIGHT[name](operands, arithmetic).value[step]
        err[step] = np.abs(operands.trace[name][step] - value[step])
        return Bounded(value, err)

    return shortened


# Other forms of one equation


def filtered(name: str, decay: str, gain: Gain) -> Equation:
    """Q or P with another decay or gain."""

    def mutant(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        neuron = operands.layer.neuron
        if name == "Q":
            x = operands.spikes_in if neuron.U_reads else equations.shifted(operands.spikes_in)
        else:
            x = operands.trace["Q"] if neuron.P_reads else operands.before("Q")
        after = equations.filtered(
            operands, arithmetic, decay, gain(operands, arithmetic), exact(operands.before(name)), exact(x)
        )
        return equations.started(operands, name, after)

    return mutant


def gain_of(decay: str) -> Gain:
    """The gain that belongs to a decay."""
    return lambda operands, arithmetic: equations.gain(operands, arithmetic, decay)


def gain_twice(decay: str) -> Gain:
    """The gain times itself."""
    return lambda operands, arithmetic: arithmetic.multiply(*(equations.gain(operands, arithmetic, decay),) * 2)


def where_gains(mutant: Equation, right: Equation) -> Equation:
    """The mutant, in dialects whose gains are not 1."""
    return lambda operands, arithmetic: (right if operands.dialect.gains == "one" else mutant)(operands, arithmetic)


def refractory(after: Callable[[Arithmetic, Bounded, Bounded, Bounded, Bounded], Bounded]) -> Equation:
    """R as another function of gamma, R, S and the strength delta."""

    def mutant(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        S = equations.shifted(operands.layer.surrogate.spike(operands.trace["U"]))
        delta = equations.strength(operands, arithmetic)
        gamma, R = exact(operands.case["gamma"]), exact(operands.before("R"))
        return equations.pinned(operands, "R", after(arithmetic, gamma, R, exact(S), delta))

    return mutant


def sloped(argument: Callable[[Operands, Arithmetic], Bounded]) -> Equation:
    """delta with sigma' of another x.

    sigma' falls on both sides of 0, so within the bound of x it differs most at an end, or at 0.
    """

    def mutant(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        x, derivative = argument(operands, arithmetic), operands.layer.surrogate.derivative
        slope = arithmetic.function(derivative, x, 0.0)
        low, high = x.value - x.err, x.value + x.err
        room = [np.abs(derivative(y) - slope.value) for y in (low, high, np.clip(0.0, low, high))]
        return learning.backward(operands, arithmetic, Bounded(slope.value, slope.err + np.max(room, axis=0)))

    return mutant


def drive(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """W P + b, of the winners of a pool."""
    silent = with_trace(equations.U, R=lambda x: np.zeros_like(x.trace["R"]))
    U, pool = silent(operands, arithmetic), operands.layer.pool
    return U if pool is None else Bounded(*(pool.pick(x, operands.winners) for x in U))
