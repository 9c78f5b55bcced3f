"""A leaky integrate-and-fire neuron with four inputs, which fire rarely at first and often afterwards.  [N19 Fig. 1]

>>> example = simulate(np.random.default_rng(0))
>>> example.x.shape  # steps of 0.1 ms, inputs
(9000, 4)
>>> bool(example.S[example.t < SPARSE].any())  # rare inputs cause no spike
False
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit.neuron import continuous, spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.data.encode import poisson

__all__ = ["DT", "SPARSE", "TAU_MEM", "TAU_SYN", "WEIGHTS", "Example", "simulate"]

TAU_MEM, TAU_SYN, DT = 0.020, 0.010, 0.0001  # seconds
WEIGHTS = (1.4, 2.0, 1.6, 2.4)  # of the continuous equation: a single PSP peaks at a quarter of its weight
SPARSE, DENSE = 0.4, 0.5  # seconds: lengths of the two parts
INPUT_RATE_HZ = 20.0  # rate of each input in the second part
FIRST_SPIKES = (0.04, 0.22, 0.13, 0.31)  # seconds: the one spike of each input in the first part


class Example(NamedTuple):
    """The states of four input neurons and one output neuron."""

    t: Array  # (T,), seconds
    x: Array  # (T, 4), input spikes
    I: Array  # (T,), in units of the current that holds U at the threshold
    U: Array  # (T,), in units of the threshold
    S: Array  # (T,), output spikes


def simulate(rng: np.random.Generator) -> Example:
    """Run one neuron of [N19 Eq. 4, 5] with a fine step, first on sparse inputs and then on dense ones.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the Poisson spikes in the second part.

    Returns
    -------
    Example
        All states at every step.
    """
    gain = continuous.gain(TAU_MEM, DT)
    x = np.zeros((round((SPARSE + DENSE) / DT), len(WEIGHTS)))
    x[np.rint(np.array(FIRST_SPIKES) / DT).astype(int), np.arange(len(WEIGHTS))] = 1
    x[round(SPARSE / DT) :] = poisson(rng, INPUT_RATE_HZ, round(DENSE / DT), len(WEIGHTS), DT)
    synapses = [Synapses(gain * np.array([WEIGHTS]), np.zeros((1, 1)))]
    tape = spiking.forward(spiking.neuron(TAU_MEM, TAU_SYN, DT), synapses, x[:, None])
    return Example(DT * np.arange(len(x)), x, tape.I[0][:, 0, 0] / gain, tape.U[0][:, 0, 0], tape.S[0][:, 0, 0])
