"""Real-time recurrent learning: every derivative, carried forward.  [N19 Eq. 8]

With P_kij = dU_k/dW_ij and Q_kij = dI_k/dW_ij, for every neuron k of layer l and every weight of every layer m <= l:

    dS_k/dW_ij       = sigma'(U_k - theta) P_kij
    Q_kij[n+1]       = alpha Q_kij[n] + sum_c W_kc dS_c^(l-1)/dW_ij + sum_c V_kc dS_c^(l)/dW_ij + [l = m, k = i] z_j
    P_kij[n+1]       = beta  P_kij[n] + Q_kij[n] - dS_k/dW_ij
    dL[n]/dW_ij      = sum_k e_k (epsilon * dS_k/dW_ij)[n]

The result is exact and available online, but it takes O(N^3) numbers per layer: N neurons times N^2 weights.

>>> ((traces,),) = rest([Synapses(np.zeros((3, 4)), np.zeros((3, 3)))], batch=2)
>>> traces.Q.shape, traces.P.shape, traces.F.B.shape
((2, 3, 3, 7), (2, 3, 3, 7), (2, 3, 3, 7))
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import FilterState, Kernel
from decolle_ref.credit.methods.online import Method, StepInputs
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses


class Traces(NamedTuple):
    """Derivatives of one layer with respect to the weights [W V] of one layer; (batch, k, i, j)."""

    Q: Array
    P: Array
    F: FilterState  # epsilon * dS/dW


def rest(synapses: Sequence[Synapses], batch: int) -> tuple[tuple[Traces, ...], ...]:
    """All traces are 0.

    Parameters
    ----------
    synapses : W and V of every layer
    batch : int, samples

    Returns
    -------
    Traces; entry [l][m] has layer l's derivatives with respect to the weights of layer m <= l
    """

    def zero(l: int, m: int) -> Traces:
        W = synapses[m].W
        shape = (batch, len(synapses[l].W), len(W), W.shape[1] + len(W))
        return Traces(np.zeros(shape), np.zeros(shape), costs.rest(shape))

    return tuple(tuple(zero(l, m) for m in range(l + 1)) for l in range(len(synapses)))


def step(
    cell: Neuron,
    synapses: Sequence[Synapses],
    kernel: Kernel,
    traces: Sequence[Sequence[Traces]],
    inputs: Sequence[StepInputs],
) -> tuple[tuple[tuple[Traces, ...], ...], tuple[Array, ...]]:
    """(derivatives at n, spikes and errors at n) -> (derivatives at n+1, dL[n]/d[W V] by layer).  [N19 Eq. 8]

    Parameters
    ----------
    cell, synapses : the network
    kernel : epsilon
    traces : Q[n], P[n] and F[n-1] of every pair of layers
    inputs : z[n], sigma'(U[n] - theta) and e[n] of every layer

    Returns
    -------
    the new traces, and dL[n]/d[W V] of every layer, (n, n_inputs)
    """
    follow = spiking.paths(cell)
    dS_dW = [[s.sigma_prime[:, :, None, None] * P for _, P, _ in row] for s, row in zip(inputs, traces, strict=True)]
    F = [
        [costs.filter_step(kernel, before.F, d) for before, d in zip(row, derivatives, strict=True)]
        for row, derivatives in zip(traces, dS_dW, strict=True)
    ]
    gradient = [np.zeros(0)] * len(synapses)
    new_traces = []
    for l, (W, V) in enumerate(synapses):
        row = []
        for m in range(l + 1):
            Q, P, _ = traces[l][m]
            new_Q = cell.alpha * Q + np.einsum("kc,bcij->bkij", V, dS_dW[l][m])
            if m < l:
                new_Q += np.einsum("kc,bcij->bkij", W, dS_dW[l - 1][m])
            else:
                new_Q += np.einsum("ki,bj->bkij", np.eye(len(W)), inputs[l].z)
            new_P = cell.beta * P + Q - follow.reset * dS_dW[l][m]
            row.append(Traces(new_Q, new_P, F[l][m]))
            dWV = np.einsum("bk,bkij->ij", inputs[l].error, F[l][m].B)
            gradient[m] = gradient[m] + dWV if gradient[m].size else dWV
        new_traces.append(tuple(row))
    return tuple(new_traces), tuple(gradient)


method = Method("rtrl", rest, step)
