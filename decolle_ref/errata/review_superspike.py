"""Neftci, Mostafa, Zenke: Surrogate Gradient Learning in Spiking Neural Networks; SuperSpike.  [N19 Eq. 9-13]

One layer of smooth spikes without reset: there SuperSpike is the exact gradient of its van Rossum loss.
"""

from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost
from decolle_ref.credit.methods import online, superspike
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses
from decolle_ref.decolle.surrogate import fast_sigmoid
from decolle_ref.errata.entry import derivative, deviations, erratum

__all__ = ["ENTRIES"]

SMOOTH = Neuron(alpha=0.8, beta=0.9, activity="primitive", reset="ignore")
KERNEL = cost.double_exponential(tau_rise=0.002, tau_decay=0.010)


_RNG = np.random.default_rng(2)
X, GOAL = _RNG.poisson(0.2, (30, 1, 4)).astype(float), _RNG.poisson(0.1, (30, 1, 3)).astype(float)  # spikes
W = _RNG.normal(0.1, 0.3, (3, 4))
COST = cost.global_cost(1, cost.van_rossum(KERNEL, GOAL), KERNEL)


def _layer(W: Array) -> tuple[Synapses]:
    return (Synapses(W, np.zeros((3, 3))),)


def _spikes(W: Array) -> Array:
    return spiking.forward(SMOOTH, _layer(W), X).S[0]


def _loss(W: Array) -> Array:
    return cost.value(COST, [_spikes(W)])


def _superspike(cell: Neuron = SMOOTH) -> Array:
    """The package's dL/dW."""
    return online.gradient(superspike.method, cell, _layer(W), X, COST)[0].W


@erratum(
    tag="N19 Eq. 13 (theta)",
    kind="misprint",
    title="where the surrogate derivative is centred",
    printed="sigma'(U_k[n])",
    meant="sigma'(U_i[n] - theta)",
    why="The text above it has `sigma'(U[n] - theta)`; the spike is `Theta(U - theta)`, with theta = 1.",
    measures="dL/dW of one layer of smooth spikes without reset, against the complex step: relative deviation.",
)
def centre() -> tuple[float, float]:
    """SuperSpike with sigma' at U, and at U - theta.  [N19 Eq. 10, 13]"""
    at_U = replace(fast_sigmoid, derivative=lambda u: fast_sigmoid.derivative(u + SMOOTH.theta))
    return deviations(derivative(_loss, W), _superspike(SMOOTH._replace(surrogate=at_U)), _superspike())


@erratum(
    tag="N19 Eq. 13 (index)",
    kind="misprint",
    title="whose spikes a weight is learned from",
    printed="dW_ij ~ e_i eps*[sigma'(U_k) dU_k/dW_ij]",
    meant="dW_ij ~ e_i eps*[sigma'(U_i) dU_i/dW_ij]",
    why="No sum binds k, and without recurrent connections `dU_k/dW_ij` is 0 unless k = i. For the same "
    "reason Eq. 12 needs a factor [k = i] before `S_j`.",
    measures="dL/dW with `dS_k/dW_ij` by the complex step and k the neuron after i, against the complex step of the "
    "loss: relative deviation.",
)
def bound_index() -> tuple[float, float]:
    """The error of neuron i times the derivative of another neuron's spikes, and SuperSpike.  [N19 Eq. 12, 13]"""
    # sum_n e[n] (eps * dS_k/dW)[n] = sum_n dL/dS[n] dS_k[n]/dW: the kernel applied to the error, backwards in time
    (dS,) = cost.dS(KERNEL, cost.errors(COST, [_spikes(W)]))

    def row(i: int, k: int) -> Array:
        return np.asarray(derivative(lambda W: (dS[..., i] * _spikes(W)[..., k]).sum(), W)[i])

    return deviations(derivative(_loss, W), printed=[row(0, 1), row(1, 2), row(2, 0)], meant=_superspike())


@erratum(
    tag="N19 Eq. 13 (sign)",
    kind="open point",
    title="the sign of the update",
    printed="W_ij <- W_ij + eta dW_ij, dW_ij ~ e_i eps*[...]",
    meant="W_ij <- W_ij - eta dW_ij",
    why='With `e = eps*(S - S*)` the right-hand side is the gradient of the loss, and "proportional" leaves the '
    "sign open. Box 2 subtracts its dW. If dW is an increment, as usual (K20 prints -dW), Eq. 13 increases the loss.",
    measures="Slope of the loss along the update, against `-|dL/dW|^2`: relative deviation.",
)
def sign() -> tuple[float, float]:
    """The loss along + and - SuperSpike's gradient.  [N19 Eq. 13]"""

    def slope(step: Array) -> Array:
        return derivative(lambda eta: _loss(W + eta * step), np.zeros(1))

    return deviations([-(derivative(_loss, W) ** 2).sum()], slope(_superspike()), slope(-_superspike()))


ENTRIES = (centre, bound_index, sign)
