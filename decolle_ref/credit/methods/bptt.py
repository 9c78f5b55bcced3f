"""Backpropagation through time: the unrolled network, traversed backwards.  [N19 Box 2, Eq. 7]

With g for dL/d(.), and everything on the right one step later (or one layer above):

    gS^(l)[n] = dL/dS^(l)[n] + W^(l+1)T gI^(l+1)[n+1] + V^(l)T gI^(l)[n+1] - gU^(l)[n+1]
    gU^(l)[n] = sigma'(U - theta) gS^(l)[n] + beta gU^(l)[n+1]
    gI^(l)[n] = gU^(l)[n+1] + alpha gI^(l)[n+1]
    dL/dW     = sum_n gI[n+1] S^(l-1)[n]           dL/dV = sum_n gI[n+1] S^(l)[n]

It needs the whole tape, O(N T) numbers, and no more time than the forward pass.  This is Eq. 7 for the neuron of
Eq. 4, 5; `rnn.bptt` is Eq. 7 itself.

>>> synapses = spiking.init_weights(np.random.default_rng(0), (4, 3, 2), W_scale=2.0, V_scale=1.0)
>>> cost = costs.global_cost(2, costs.Target(np.ones((9, 1, 2))))
>>> dW, dV = gradient(spiking.neuron(), synapses, np.ones((9, 1, 4)), cost)[0]
>>> dW.shape, dV.shape
((3, 4), (3, 3))
"""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Paths, State, Synapses, Tape


def adjoints(
    cell: Neuron,
    synapses: Sequence[Synapses],
    sigma_prime: Sequence[Array],
    dS: Sequence[Array],
    keep: Paths | None = None,
) -> tuple[State, ...]:
    """gI[n], gU[n] of every layer for n = 0..T; the last are 0.  [N19 Eq. 7]

    Parameters
    ----------
    cell, synapses : the network
    sigma_prime : sigma'(U - theta) of every layer, (T, batch, n)
    dS : dL/dS of every layer, (T, batch, n)
    keep : the paths that the gradient follows; None: all of them

    Returns
    -------
    State of (T + 1, batch, n) arrays, per layer
    """
    follow = spiking.paths(cell, keep)
    alpha, beta = follow.past * cell.alpha, follow.past * cell.beta
    steps = [spiking.rest(synapses, sigma_prime[0].shape[1])]
    for n in reversed(range(len(sigma_prime[0]))):
        later, earlier = steps[-1], []
        for k, (gI, gU) in enumerate(later):
            gS = dS[k][n]
            if follow.downstream and k + 1 < len(synapses):
                gS = gS + later[k + 1].I @ synapses[k + 1].W
            if follow.recurrent:
                gS = gS + gI @ synapses[k].V
            if follow.reset:
                gS = gS - follow.reset * gU
            earlier.append(State(I=gU + alpha * gI, U=sigma_prime[k][n] * gS + beta * gU))
        steps.append(tuple(earlier))
    return tuple(State(*(np.stack(x) for x in zip(*layer, strict=True))) for layer in zip(*steps[::-1], strict=True))


def products(gI: Sequence[Array], tape: Tape) -> tuple[Synapses, ...]:
    """dL/dW = sum_n gI[n+1] S^(l-1)[n] and dL/dV = sum_n gI[n+1] S^(l)[n].

    Parameters
    ----------
    gI : gI[n+1] of every layer for n = 0..T-1, (T, batch, n)
    tape : the forward pass

    Returns
    -------
    dL/dW and dL/dV of every layer
    """
    layers = zip(gI, spiking.presynaptic(tape.x, tape.S), tape.S, strict=True)
    return tuple(Synapses(_summed(g, below), _summed(g, same)) for g, below, same in layers)


def _summed(g: Array, z: Array) -> Array:
    """sum over steps and batch of g_i z_j."""
    return np.asarray(g.reshape(-1, g.shape[-1]).T @ z.reshape(-1, z.shape[-1]))


def backward(
    cell: Neuron, synapses: Sequence[Synapses], tape: Tape, dS: Sequence[Array], keep: Paths | None = None
) -> tuple[Synapses, ...]:
    """dL/dW and dL/dV from dL/dS^(l)[n].  [N19 Eq. 7]

    Parameters
    ----------
    cell, synapses : the network
    tape : its forward pass
    dS : dL/dS of every layer, (T, batch, n)
    keep : the paths that the gradient follows; None: all of them

    Returns
    -------
    dL/dW and dL/dV of every layer
    """
    g = adjoints(cell, synapses, [spiking.sigma_prime(cell, U) for U in tape.U], dS, keep)
    return products([layer.I[1:] for layer in g], tape)


def gradient(
    cell: Neuron, synapses: Sequence[Synapses], x: Array, cost: Cost, keep: Paths | None = None
) -> tuple[Synapses, ...]:
    """dL/dW and dL/dV of every layer: forward, then backward.  [N19 Eq. 7]

    Parameters
    ----------
    cell, synapses : the network
    x : (T, batch, n_in), input spikes
    cost : the loss
    keep : the paths that the gradient follows; None: all of them

    Returns
    -------
    dL/dW and dL/dV of every layer

    Raises
    ------
    InputError : for shapes that do not fit, unstable decays, and a gradient that is not finite
    """
    spiking.validate(cell, synapses, x)
    costs.validate(cost, [len(W) for W, _ in synapses], *x.shape[:2])
    tape = spiking.forward(cell, synapses, x)
    dS = costs.dS(cost.kernel, costs.errors(cost, tape.S))
    return spiking.parse_gradient(backward(cell, synapses, tape, dS, keep), "bptt")
