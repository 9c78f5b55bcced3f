"""From rates to spikes."""

import numpy as np

from decolle_ref.check import Array, InputError, count, not_negative, positive


def poisson(rng: np.random.Generator, rate: float | Array, steps: int, channels: int, dt: float = 0.001) -> Array:
    """Bernoulli spikes with probability rate dt per step, uint8 of shape (steps, channels).

    rate in Hz, a number or one per channel; dt in seconds.  Raises InputError where rate dt > 1.
    """
    count("steps", steps)
    count("channels", channels)
    positive("dt", dt, "seconds")
    probability = not_negative("rate", rate) * dt
    if (probability > 1).any():
        raise InputError(f"rate: expected at most one spike per step (1/dt = {1 / dt:g} Hz), got {np.max(rate)}")
    return (rng.random((steps, channels)) < probability).astype(np.uint8)
