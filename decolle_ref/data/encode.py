"""From firing rates to spikes: independent Bernoulli spikes with probability rate dt per step.

>>> spikes = poisson(np.random.default_rng(0), 100.0, steps=1000, channels=5)
>>> spikes.shape, spikes.dtype.name
((1000, 5), 'uint8')
>>> bool((spikes.mean(axis=0) > 0.06).all())  # about 100 Hz times dt = 0.001 s
True
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, count, float_dtype, not_negative, positive


def poisson(
    rng: np.random.Generator, input_rate_hz: float | Array, steps: int, channels: int, dt: float = 0.001
) -> Array:
    """Spikes with probability input_rate_hz dt per step.

    Parameters
    ----------
    rng : numpy.random.Generator
    input_rate_hz : float or array, (channels,)
        Firing rate in Hz, for all channels or for each.
    steps, channels : int
    dt : float
        Length of a step in seconds.

    Returns
    -------
    array of uint8, (steps, channels)

    Raises
    ------
    InputError
        For a rate that is negative, not finite, or above 1/dt, and for another number of rates.
    """
    count("steps", steps)
    count("channels", channels)
    probability = _probability(input_rate_hz, dt)
    if probability.shape not in ((), (channels,)):
        raise InputError(
            f"input_rate_hz: expected one rate, or one for each of {channels} channels, got shape {probability.shape}"
        )
    return (rng.random((steps, channels)) < probability).astype(np.uint8)


def poisson_steps(
    rng: np.random.Generator, input_rate_hz: Array, dt: float = 0.001, dtype: npt.DTypeLike = np.float32
) -> Iterator[Array]:
    """The same as an endless iterator, which holds one step at a time in memory.

    Parameters
    ----------
    rng : numpy.random.Generator
    input_rate_hz : array, (..., channels)
        Firing rate in Hz.
    dt : float
        Length of a step in seconds.
    dtype : dtype
        float32 or float64, of the spikes.

    Returns
    -------
    iterator of array, (..., channels)

    Raises
    ------
    InputError
        As `poisson`, and for another dtype; at once, not at the first step.
    """
    kind, probability = float_dtype(dtype), _probability(input_rate_hz, dt).astype(np.float32)

    def steps() -> Iterator[Array]:
        while True:
            yield (rng.random(probability.shape, np.float32) < probability).astype(kind)

    return steps()


def _probability(input_rate_hz: float | Array, dt: float) -> Array:
    positive("dt", dt, "seconds")
    probability: Array = not_negative("input_rate_hz", input_rate_hz) * dt
    if (probability > 1).any():
        most, highest = f"at most one spike per step (1/dt = {1 / dt:g} Hz)", np.max(input_rate_hz)
        raise InputError(f"input_rate_hz: expected {most}, got {highest}")
    return probability
