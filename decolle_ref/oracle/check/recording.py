"""What a trace shows of the numbers that an implementation keeps: the same, rounded ones, or converted ones.

    |shown - kept| <= room

Most backends show what they keep, and the room is 0.  A profile with `recorded` computes in a wider format than the
trace has, so every number was rounded once.  A profile with `keeps` keeps some numbers in another form s x, such as
delta R for R, and its adapter converts them; s is the scale.  A number read from such a trace is an operand with an
error, and so is the result that the trace shows.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.profile import FLOATS
from decolle_ref.oracle.trace import Operands

Equation = Callable[[Operands, Arithmetic], Bounded]
CONVERSION = 3  # roundings: two of the scale, and one of the product or quotient with it


def shown(operands: Operands, arithmetic: Arithmetic, name: str) -> Bounded:
    """An array of the trace, with the room of each number."""
    x = operands.trace[name]
    return Bounded(x, room(operands, arithmetic, name, x))


def before(operands: Operands, arithmetic: Arithmetic, name: str) -> Bounded:
    """An array of the trace one step earlier, with the room of each number."""
    x = operands.before(name)
    return Bounded(x, room(operands, arithmetic, name, x))


def recorded(equation: Equation) -> Equation:
    """The equation, whose bound has room for how the trace shows its result; it has the name of an array."""

    @wraps(equation)
    def result(operands: Operands, arithmetic: Arithmetic) -> Bounded:
        value, err = equation(operands, arithmetic)
        return Bounded(value, err + room(operands, arithmetic, equation.__name__, np.abs(value) + err))

    return result


def room(operands: Operands, arithmetic: Arithmetic, name: str, x: Array) -> Array:
    """The largest distance of numbers up to |x| in the trace from those that are kept.

    Parameters
    ----------
    operands : one layer of a trace
    arithmetic : the operations of the implementation's profile
    name : of the array
    x : its numbers, or their magnitudes

    Returns
    -------
    array
        Of the shape of x.
    """
    return converted(operands, arithmetic, name, x) + rounded(arithmetic, x)


def rounded(arithmetic: Arithmetic, x: Array) -> Array:
    """The room of one rounding to the trace's format, where that is narrower than the format of the computation."""
    if not arithmetic.profile.recorded:
        return np.zeros_like(x)
    narrow = FLOATS[arithmetic.profile.recorded]
    return np.asarray(narrow.unit * (1 + 2 * narrow.unit) * np.abs(x) + narrow.subnormal / 2)


def converted(operands: Operands, arithmetic: Arithmetic, name: str, x: Array) -> Array:
    """The room of the conversion s x -> x, and of the roundings of s x itself where they are absolute."""
    if name not in arithmetic.profile.converted:
        return np.zeros_like(x)
    s, size = scale(operands, arithmetic, name), np.abs(x)
    s = np.where(s == 0, 1, np.abs(s))  # what is kept as 0 is shown as it is
    absolute = (arithmetic.tiny + arithmetic.step) * (1 + (1 + size) * (s + 1 / s))
    return np.where(s == 1, 0, CONVERSION * (arithmetic.unit * size + absolute))


def scale(operands: Operands, arithmetic: Arithmetic, name: str) -> Array:
    """The factor s of the kept numbers s x: delta for R, the gains of the traces for W, and their inverse for dW."""
    if name == "R":
        return strength(operands, arithmetic).value
    gains = gain(operands, arithmetic, "beta").value
    if name != "Q":
        gains = gains * gain(operands, arithmetic, "alpha").value
    if name in ("W", "dW"):
        gains = of_weights(operands, gains)
    return gains if name == "W" else 1 / gains


def of_weights(operands: Operands, gains: Array) -> Array:
    """Gains of the inputs as factors of W; in a convolution, the weights of a channel share the smallest."""
    shape = operands.case["W"].shape
    if len(shape) == 2:
        return gains
    size = operands.layer.synapse.n_in
    return np.asarray(np.broadcast_to(gains, (size,)).reshape(shape[1], -1).min(axis=1)[:, None, None])


def gain(operands: Operands, arithmetic: Arithmetic, decay: str) -> Bounded:
    """The gain g of Q (decay "beta") or P (decay "alpha"), as the implementation derives it from the decay."""
    value = operands.dialect.value("gains")(operands.case[decay])
    if operands.dialect.gains == "one":
        return exact(value)
    leak = arithmetic.subtract(exact(np.ones_like(value)), exact(operands.case[decay]))
    return leak if operands.dialect.gains == "leak" else arithmetic.divide(exact(np.ones_like(value)), leak)


def strength(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """The strength of the refractory term, as the implementation derives it from w."""
    if operands.dialect.refractory == "w":
        return exact(operands.case["w"])
    gamma = exact(operands.case["gamma"])
    if operands.dialect.refractory == "leak_w":
        gamma = arithmetic.subtract(exact(np.ones_like(gamma.value)), gamma)
    return arithmetic.multiply(gamma, exact(operands.case["w"]))
