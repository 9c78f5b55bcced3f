"""The fixed-point model with other roundings: towards minus infinity, or at random with a shift register (LFSR).

    decolle-ref oracle run examples/fixed_rounding.py:floor
    decolle-ref oracle run examples/fixed_rounding.py:stochastic

    floor        a / b -> floor(a / b)
    stochastic   a / b -> floor(a / b + r / 2^n),   r from a register of n bits

So a number between two of the format becomes the upper one with a probability that is its place between them, and
the mean of many roundings is the number itself.  Both are off by less than one quantum, which is all that the oracle
assumes.  The profile declares the register, so that another model can draw the same numbers.
"""

from typing import Any

import fixed_point
import numpy as np
from fixed_point import Array

TAPS, SEED = 0xB400, 0xACE1  # 16 bits: x^16 + x^14 + x^13 + x^11 + 1, which has the longest period, 2^16 - 1


def register(taps: int, seed: int) -> Array:
    """The states of a shift register after `seed`, up to where it repeats; it shifts right (Galois form)."""
    states, state = [], seed
    while not states or state != seed:
        state = state >> 1 ^ (taps if state & 1 else 0)
        states.append(state)
    return np.array(states)


class Stochastic:
    """Rounds at random; every rounding draws the next state of the register, in C order within an array."""

    def __init__(self, taps: int, seed: int) -> None:
        self.states, self.bits, self.drawn = register(taps, seed), taps.bit_length(), 0

    def __call__(self, a: Array, b: Array | int) -> Array:
        """floor(a / b + r / 2^n) for b > 0, without an intermediate result beyond 64 bits."""
        shape = np.broadcast_shapes(np.shape(a), np.shape(b))
        size, b = int(np.prod(shape)), np.asarray(b, np.int64)
        r = self.states[(self.drawn + np.arange(size)) % len(self.states)].reshape(shape)
        self.drawn += size
        part = (b >> self.bits) * r + ((b & ((1 << self.bits) - 1)) * r >> self.bits)  # floor(b r / 2^n)
        whole: Array = a // b + (a % b >= b - part)
        return whole


def down(a: Array, b: Array | int) -> Array:
    """floor(a / b) for b > 0."""
    return np.asarray(a // b)


def run(mode: Any, about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """Run a case with another rounding mode."""
    token = fixed_point.rounding.set(mode)
    try:
        return fixed_point.backend(about, arrays)
    finally:
        fixed_point.rounding.reset(token)


def floor(about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """The backend that rounds towards minus infinity."""
    return run(down, about, arrays)


def stochastic(about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """The backend that rounds at random; every case starts from the seed."""
    return run(Stochastic(TAPS, SEED), about, arrays)


Q8_16 = fixed_point.backend.profile  # type: ignore[attr-defined]
floor.profile = Q8_16 | {"name": "Q8.16-floor", "rounding": "floor"}  # type: ignore[attr-defined]
stochastic.profile = Q8_16 | {  # type: ignore[attr-defined]
    "name": "Q8.16-stochastic",
    "rounding": "stochastic",
    "lfsr_taps": TAPS,
    "lfsr_seed": SEED,
}
