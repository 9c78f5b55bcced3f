"""Neftci, Mostafa, Zenke: Surrogate Gradient Learning in Spiking Neural Networks; first spikes.  [N19 Eq. 15]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import spike_time
from decolle_ref.errata.entry import EXACT, deviations, erratum

__all__ = ["ENTRIES"]


def first_spike(t: Array, w: Array) -> float:
    """z = exp(first spike time), by following U from one input to the next; inf for a silent neuron.  [N19 Eq. 15]"""
    return float(np.exp(spike_time.simulate(w, t)))


def sum_above_one(t: Array, w: Array) -> float:
    """z_out = sum_C w_j z_j / (sum_C w_j - 1), C the earliest inputs with sum_C w > 1."""
    order = np.argsort(t)
    z, w = np.exp(t[order]), w[order]
    for k in range(1, len(w) + 1):
        if w[:k].sum() > 1:
            return float(w[:k] @ z[:k] / (w[:k].sum() - 1))
    return np.inf


def closed_form(t: Array, w: Array) -> float:
    """The same with the causal set of the package.  [N19 Eq. 15]"""
    return float(spike_time.fire(w[None], np.exp(t)[None]).z[0, 0])


def _neurons() -> list[tuple[Array, Array]]:
    """Input times and weights of 300 neurons."""
    rng = np.random.default_rng(0)
    return [(rng.uniform(0, 3, 6), rng.normal(0.5, 0.8, 6)) for _ in range(300)]


@erratum(
    tag="N19 Eq. 15 (t_i)",
    kind="misprint",
    title="whose spike times drive the current",
    printed="I_i = sum_j W_ij sum_r Theta(t - t_i^r) exp(-(t - t_i^r))",
    meant="I_i = sum_j W_ij sum_r Theta(t - t_j^r) exp(-(t - t_j^r))",
    why='It is "the time of the r-th spike from neuron j". As printed, a neuron waits for its own spikes, and none '
    "ever comes.",
    measures="exp(-t) of the first spike (0 if there is none) by the closed form, over 300 neurons, against the "
    "potential followed from input to input: relative deviation.",
)
def senders() -> tuple[float, float]:
    """First spikes of neurons whose only input is themselves, and of neurons with their inputs.  [N19 Eq. 15]"""
    no_input = np.zeros(0)
    expected = [1 / first_spike(t, w) for t, w in _neurons()]
    printed = [1 / first_spike(no_input, no_input) for _ in expected]
    return deviations(expected, printed, meant=[1 / closed_form(t, w) for t, w in _neurons()])


@erratum(
    tag="N19 Eq. 15 (causal set)",
    kind="open point",
    title="which inputs decide the first spike",
    printed="C = the earliest inputs with sum_C w > 1",
    meant="C = the earliest inputs with sum_C w > 1 and z_last <= z_out <= z_next",
    why="The review gives the dynamics and refers elsewhere for the spike time, `z_out = sum_C w z / (sum_C w - 1)` "
    "with z = exp(t). That sum_C w > 1 says that the neuron would fire if no further input came, not that it does "
    "so before the next one.",
    measures="Share of wrong first spike times among the neurons that fire, of 300, against the potential followed "
    "from input to input.",
    tolerance=EXACT,
)
def causal_set() -> tuple[float, float]:
    """First spikes by the closed form with either set.  [N19 Eq. 15]"""
    firing = [(t, w, first_spike(t, w)) for t, w in _neurons() if first_spike(t, w) < np.inf]

    def wrong(spike: Callable[[Array, Array], float]) -> float:
        return float(np.mean([abs(spike(t, w) / z - 1) > 1e-9 for t, w, z in firing]))

    return wrong(sum_above_one), wrong(closed_form)


ENTRIES = (senders, causal_set)
