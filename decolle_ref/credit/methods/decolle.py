"""The terms that DECOLLE leaves out, for layers of the core: RTRL of a layer's local loss at one step.  [K20 Eq. 2, 3]

    dL[n]/dW_ij = dU_i (P_j - delta r_ij),      dU_i = dL[n]/dU_i = (sum_k G_ki dY_k) sigma'(U_i)
    r_ij[n]     = dR_i/dW_ij,   r_ij[n+1] = gamma r_ij[n] + sigma'(U_i) (P_j - delta r_ij[n])

The rule of K20 has P_j for dU_i/dW_ij: R is "held constant", which saves the one number per synapse that r would need.
The rule leaves out nothing else of a *local* loss at *this* step, because a layer does not receive the effects that its
own spikes have above it.

>>> from decolle_ref.decolle import lif, readout
>>> from decolle_ref.decolle.synapse import Dense
>>> layer = Layer(Dense(4, 3), lif.neuron(), readout.sample_readout(np.random.default_rng(0), 3, 2))
>>> rest(layer, batch=1).W.shape  # one number per synapse
(1, 3, 4)
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import InputError, floats
from decolle_ref.decolle import rule
from decolle_ref.decolle.network import Layer, Snapshot
from decolle_ref.decolle.synapse import Weights


class Split(NamedTuple):
    """The exact gradient in two parts."""

    rule: Weights  # DECOLLE
    reset: Weights  # what DECOLLE drops: exact = rule + reset


def rest(layer: Layer, batch: int) -> Weights:
    """r = dR/dW and dR/db at rest.

    Parameters
    ----------
    layer : Layer
    batch : int

    Returns
    -------
    zeros, (batch, n, n_in) and (batch, n)
    """
    n_in, n = layer.synapse.n_in, layer.synapse.n
    return Weights(np.zeros((batch, n, n_in)), np.zeros((batch, n)))


def step(layer: Layer, r: Weights, snapshot: Snapshot) -> tuple[Weights, Split]:
    """(r[n], snapshot at n) -> (r[n+1], dL[n]/dW in two parts).  [K20 Eq. 2]

    Parameters
    ----------
    layer : Layer
    r : dR/dW and dR/db at step n, (batch, n, n_in) and (batch, n)
    snapshot : of the layer at step n, with a target; (batch, n) arrays

    Returns
    -------
    r at step n+1, and the two parts of dL[n]/dW and dL[n]/db

    Raises
    ------
    InputError : for a snapshot without a target
    """
    if snapshot.dU is None:
        raise InputError("snapshot: expected one with a target, got one without dU")
    n_in, n, neuron = layer.synapse.n_in, layer.synapse.n, layer.neuron
    r_b = floats("r.b", r.b, len(r.b) if np.ndim(r.b) else 0, n)
    r = Weights(floats("r.W", r.W, len(r_b), n, n_in), r_b)
    P, U, dU = (
        floats(letter, getattr(snapshot, letter), len(r_b), size) for letter, size in (("P", n_in), ("U", n), ("dU", n))
    )
    sigma_prime = layer.surrogate.derivative(U)
    missing = Weights(-neuron.delta[..., None] * r.W, -neuron.delta * r.b)  # of dU/dW and dU/db
    new_r = Weights(
        neuron.gamma[..., None] * r.W + sigma_prime[:, :, None] * (P[:, None, :] + missing.W),
        neuron.gamma * r.b + sigma_prime * (1 + missing.b),
    )
    reset = Weights(np.einsum("bi,bij->ij", dU, missing.W), (dU * missing.b).sum(axis=0))
    return new_r, Split(rule.gradient(layer.synapse, dU, P), reset)


def total(split: Split) -> Weights:
    """The exact gradient: rule + reset.

    Parameters
    ----------
    split : from `step`

    Returns
    -------
    dL[n]/dW (n, n_in) and dL[n]/db (n,)
    """
    return Weights(*(a + b for a, b in zip(split.rule, split.reset, strict=True)))
