"""Ways to plant a mistake: other constants, another array of the case, a changed result."""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.diagnose.mutants.candidate import Layer
from decolle_ref.oracle.diagnose.mutants.mutant import Mutant, Operation

SQUARE, CONV, POOL = "square", "conv-stride-padding", "conv-pool-leftover"


def constants(**arrays: Callable[[Layer], Array]) -> Operation:
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


def of_case(name: str, change: Callable[[Array], Array]) -> Operation:
    """The right operation with another array of the case."""
    return constants(case=lambda layer: layer.case | {name: change(layer.case[name])})  # type: ignore[arg-type, return-value]


def then(change: Callable[[Array], Array]) -> Operation:
    """The right result, changed."""
    return lambda layer, right, *args: change(right(*args))


def past(layer: Layer, name: str, now: Array) -> Array:
    """What was recorded one step ago, or 0."""
    earlier = layer.earlier(name)
    return np.zeros_like(now) if earlier is None else earlier


def plant(name: str, operation: Operation, vector: str = SQUARE, at: str = "", equation: str = "") -> Mutant:
    """A mutant; its equation is the first word of its name, and the operation that it replaces is called the same."""
    equation = equation or name.split()[0].rstrip(":,")
    return Mutant(name, equation, vector, {at or equation: operation})
