"""From rates to spikes."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, count, float_dtype, not_negative, positive


def poisson(rng: np.random.Generator, rate: float | Array, steps: int, channels: int, dt: float = 0.001) -> Array:
    """Bernoulli spikes with probability rate dt per step, uint8 of shape (steps, channels).

    rate in Hz, a number or one per channel; dt in seconds.  Raises InputError where rate dt > 1.
    """
    count("steps", steps)
    count("channels", channels)
    probability = _probability(rate, dt)
    return (rng.random((steps, channels)) < probability).astype(np.uint8)


def poisson_steps(
    rng: np.random.Generator, rate: Array, dt: float = 0.001, dtype: npt.DTypeLike = np.float32
) -> Iterator[Array]:
    """The same without end, one step at a time, each of rate's shape: nothing but the step at hand is held.

    rate in Hz, (..., channels); dt in seconds.  Raises InputError where rate dt > 1.
    """
    kind, probability = float_dtype(dtype), _probability(rate, dt).astype(np.float32)

    def steps() -> Iterator[Array]:
        while True:
            yield (rng.random(probability.shape, np.float32) < probability).astype(kind)

    return steps()


def _probability(rate: float | Array, dt: float) -> Array:
    positive("dt", dt, "seconds")
    probability: Array = not_negative("rate", rate) * dt
    if (probability > 1).any():
        raise InputError(f"rate: expected at most one spike per step (1/dt = {1 / dt:g} Hz), got {np.max(rate)}")
    return probability
