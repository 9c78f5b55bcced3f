"""What DECOLLE leaves out, for the layers of the core: RTRL of a layer's local loss at one step.  [K20 Eq. 2, 3]

    dL[n]/dW_ij = (sum_k G_ki e_k) sigma'(U_i) dU_i/dW_ij,      dU_i/dW_ij = P_j - delta r_ij
    r_ij[n]     = dR_i/dW_ij,   r_ij[n+1] = gamma r_ij[n] + sigma'(U_i) (P_j - delta r_ij[n])

The rule of K20 has P_j for dU_i/dW_ij: R is "held constant", which saves the one number per synapse that r would need.
Nothing else is left out of a *local* loss at *this* step: a layer hears nothing of what its own spikes cause above it.
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.decolle import rule
from decolle_ref.decolle.network import Layer, Snapshot
from decolle_ref.decolle.synapse import Weights


class Split(NamedTuple):
    """The exact gradient in two parts."""

    rule: Weights  # DECOLLE
    reset: Weights  # what it drops: exact = rule + reset


def rest(layer: Layer, batch: int) -> Weights:
    """r = dR/dW and dR/db at rest; (batch, n, n_in) and (batch, n)."""
    n_in, n = layer.synapse.n_in, layer.synapse.n
    return Weights(np.zeros((batch, n, n_in)), np.zeros((batch, n)))


def step(layer: Layer, r: Weights, seen: Snapshot) -> tuple[Weights, Split]:
    """(r[n], snapshot at n with its target) -> (r[n+1], dL[n]/dW in two parts).  [K20 Eq. 2]

    seen holds (batch, n) arrays.  Raises InputError for a snapshot without a target.
    """
    if seen.dU is None:
        raise InputError("seen: expected a snapshot with a target, got one without dU")
    slope, neuron = layer.surrogate.derivative(seen.U), layer.neuron
    missing = Weights(-neuron.delta[..., None] * r.W, -neuron.delta * r.b)  # of dU/dW and dU/db
    after = Weights(
        neuron.gamma[..., None] * r.W + slope[:, :, None] * (seen.P[:, None, :] + missing.W),
        neuron.gamma * r.b + slope * (1 + missing.b),
    )
    reset = Weights(np.einsum("bi,bij->ij", seen.dU, missing.W), (seen.dU * missing.b).sum(axis=0))
    return after, Split(rule.gradient(layer.synapse, seen.dU, seen.P), reset)


def total(split: Split) -> Weights:
    """The exact gradient."""
    return Weights(*(a + b for a, b in zip(split.rule, split.reset, strict=True)))
