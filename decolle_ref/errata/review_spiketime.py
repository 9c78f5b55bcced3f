"""Neftci, Mostafa, Zenke: Surrogate Gradient Learning in Spiking Neural Networks; first spikes.  [N19 Eq. 15]"""

from collections.abc import Callable

import numpy as np

from decolle_ref.check import Array
from decolle_ref.errata.entry import EXACT, deviation, erratum

Belongs = Callable[[float, float, float, float], bool]  # sum_C w, z_out, z_last, z_next


def first_spike(t: Array, w: Array) -> float:
    """z = exp(first spike time) with threshold 1, followed from one input to the next: inf for a silent neuron.

    Between inputs U(t) = U + I (1 - exp(-(t - now))), which reaches 1 if U + I > 1.  [N19 Eq. 15]
    """
    U, I, now = 0.0, 0.0, 0.0
    for time, weight in sorted(zip([*t, np.inf], [*w, 0.0], strict=True)):
        crossing = now - np.log1p((U - 1) / I) if U + I > 1 else np.inf
        if crossing <= time:
            return float(np.exp(crossing))
        decay = np.exp(now - time)
        U, I, now = U + I * (1 - decay), I * decay + weight, time
    return np.inf


def sum_above_one(total: float, out: float, last: float, following: float) -> bool:
    """sum_C w > 1."""
    return total > 1


def causal(total: float, out: float, last: float, following: float) -> bool:
    """sum_C w > 1, and the spike comes after the last input in C and before the next one."""
    return total > 1 and last <= out <= following


def closed_form(t: Array, w: Array, belongs: Belongs) -> float:
    """z_out = sum_C w_j z_j / (sum_C w_j - 1), C the earliest inputs that `belongs` accepts.  [N19 Eq. 15]"""
    order = np.argsort(t)
    z, w = np.append(np.exp(t[order]), np.inf), w[order]
    for k in range(1, len(w) + 1):
        total = float(w[:k].sum())
        out = float(w[:k] @ z[:k]) / (total - 1)
        if belongs(total, out, z[k - 1], z[k]):
            return out
    return np.inf


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
    why='It is "the time of the r-th spike from neuron j". As printed a neuron waits for its own spikes, and none '
    "ever comes.",
    measures="exp(-t) of the first spike (0 if there is none) by the closed form, over 300 neurons, against the "
    "potential followed from input to input: relative deviation.",
)
def senders() -> tuple[float, float]:
    """First spikes of neurons that hear only themselves, and of neurons that hear their inputs.  [N19 Eq. 15]"""
    nothing = np.zeros(0)
    judge = [1 / first_spike(t, w) for t, w in _neurons()]
    printed = [1 / first_spike(nothing, nothing) for _ in judge]
    return deviation(printed, judge), deviation([1 / closed_form(t, w, causal) for t, w in _neurons()], judge)


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

    def wrong(belongs: Belongs) -> float:
        return float(np.mean([abs(closed_form(t, w, belongs) / z - 1) > 1e-9 for t, w, z in firing]))

    return wrong(sum_above_one), wrong(causal)


ENTRIES = (senders, causal_set)
