"""Eligibility propagation: RTRL that follows a neuron's own past, and nobody else's.  [N19 Sec. III-B, ref. 15]

    E_ij        = dS_i/dW_ij = sigma'(U_i - theta) P_ij
    Q_j[n+1]    = alpha Q_j[n] + z_j
    P_ij[n+1]   = beta  P_ij[n] + Q_j[n] - E_ij
    dL[n]/dW_ij = e_i (epsilon * E_ij)[n]

Of `rtrl`, only k = i is left: what W_ij does to other neurons, by V or by the layers above, is not followed.  One
number per synapse: O(N^2).  dI_i/dW_ij is the same for all i, so Q has one number per input.
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Filtered, Kernel
from decolle_ref.credit.methods.online import Seen, layerwise
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron


class Memory(NamedTuple):
    """Derivatives of each neuron with respect to its own weights."""

    Q: Array  # (batch, j)
    P: Array  # (batch, i, j)
    F: Filtered  # (batch, i, j): epsilon * E


def rest(batch: int, n: int, heard: int) -> Memory:
    """All derivatives 0."""
    shape = (batch, n, heard)
    return Memory(np.zeros((batch, heard)), np.zeros(shape), costs.quiet(shape))


def step(cell: Neuron, kernel: Kernel, memory: Memory, seen: Seen) -> tuple[Memory, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V])."""
    Q, P, before = memory
    E = seen.slope[:, :, None] * P
    F = costs.smooth(kernel, before, E)
    gradient = np.einsum("bi,bij->ij", seen.e, F.B)
    new_Q = cell.alpha * Q + seen.z
    new_P = cell.beta * P + Q[:, None, :] - spiking.paths(cell).reset * E
    return Memory(new_Q, new_P, F), gradient


method = layerwise("eprop", rest, step)
