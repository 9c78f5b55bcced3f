"""Real-time recurrent learning: every derivative, carried forward.  [N19 Eq. 8]

With P_kij = dU_k/dW_ij and Q_kij = dI_k/dW_ij, for every neuron k of layer l and every weight of every layer m <= l:

    dS_k/dW_ij       = sigma'(U_k - theta) P_kij
    Q_kij[n+1]       = alpha Q_kij[n] + sum_c W_kc dS_c^(l-1)/dW_ij + sum_c V_kc dS_c^(l)/dW_ij + [l = m, k = i] z_j
    P_kij[n+1]       = beta  P_kij[n] + Q_kij[n] - dS_k/dW_ij
    dL[n]/dW_ij      = sum_k e_k (epsilon * dS_k/dW_ij)[n]

Exact, online, and O(N^3) numbers per layer: N neurons times N^2 weights.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Filtered, Kernel
from decolle_ref.credit.methods.online import Method, Seen
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses


class Memory(NamedTuple):
    """Derivatives of one layer with respect to the weights [W V] of one layer; (batch, k, i, j)."""

    Q: Array
    P: Array
    F: Filtered  # epsilon * dS/dW


def rest(synapses: Sequence[Synapses], batch: int) -> tuple[tuple[Memory, ...], ...]:
    """All derivatives 0: entry [l][m] is layer l's with respect to the weights of layer m <= l."""

    def zero(l: int, m: int) -> Memory:
        W = synapses[m].W
        shape = (batch, len(synapses[l].W), len(W), W.shape[1] + len(W))
        return Memory(np.zeros(shape), np.zeros(shape), costs.quiet(shape))

    return tuple(tuple(zero(l, m) for m in range(l + 1)) for l in range(len(synapses)))


def step(
    cell: Neuron,
    synapses: Sequence[Synapses],
    kernel: Kernel,
    memory: Sequence[Sequence[Memory]],
    seen: Sequence[Seen],
) -> tuple[tuple[tuple[Memory, ...], ...], tuple[Array, ...]]:
    """(derivatives at n, spikes and errors at n) -> (derivatives at n+1, dL[n]/d[W V] by layer).  [N19 Eq. 8]"""
    follow = spiking.paths(cell)
    dS = [[s.slope[:, :, None, None] * P for _, P, _ in row] for s, row in zip(seen, memory, strict=True)]
    F = [
        [costs.smooth(kernel, old.F, d) for old, d in zip(row, ds, strict=True)]
        for row, ds in zip(memory, dS, strict=True)
    ]
    gradient = [np.zeros(0)] * len(synapses)
    after = []
    for l, (W, V) in enumerate(synapses):
        row = []
        for m in range(l + 1):
            Q, P, _ = memory[l][m]
            new_Q = cell.alpha * Q + np.einsum("kc,bcij->bkij", V, dS[l][m])
            if m < l:
                new_Q += np.einsum("kc,bcij->bkij", W, dS[l - 1][m])
            else:
                new_Q += np.einsum("ki,bj->bkij", np.eye(len(W)), seen[l].z)
            new_P = cell.beta * P + Q - follow.reset * dS[l][m]
            row.append(Memory(new_Q, new_P, F[l][m]))
            dL = np.einsum("bk,bkij->ij", seen[l].e, F[l][m].B)
            gradient[m] = gradient[m] + dL if gradient[m].size else dL
        after.append(tuple(row))
    return tuple(after), tuple(gradient)


method = Method("rtrl", rest, step)
