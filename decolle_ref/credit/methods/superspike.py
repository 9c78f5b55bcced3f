"""SuperSpike: forward traces without the reset, times the error of the output.  [N19 Eq. 9-13]

    E_ij        = dS_i/dW_ij ~ sigma'(U_i - theta) P_j              [N19 Eq. 10]
    Q_j[n+1]    = alpha Q_j[n] + z_j                                [N19 Eq. 12]
    P_j[n+1]    = beta  P_j[n] + Q_j[n]                             [N19 Eq. 11] without its reset term
    dL[n]/dW_ij = e_i (epsilon * E_ij)[n],   e = epsilon * (S - S*)  [N19 Eq. 13]

Without the reset, P is the same for all i: one number per input.  The filtered product E is not: O(N^2).  The paper
prints sigma'(U_k) without theta and k for i, and leaves the sign to "proportional": a step of learning is
-eta dL[n]/dW.  Hidden layers have no e of their own; `feedback` lends them one.
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Filtered, Kernel
from decolle_ref.credit.methods.online import Seen, layerwise
from decolle_ref.credit.neuron.spiking import Neuron


class Memory(NamedTuple):
    """Traces of the inputs, and the filtered eligibility of each synapse."""

    Q: Array  # (batch, j)
    P: Array  # (batch, j)
    F: Filtered  # (batch, i, j): epsilon * E


def rest(batch: int, n: int, heard: int) -> Memory:
    """All traces 0."""
    return Memory(np.zeros((batch, heard)), np.zeros((batch, heard)), costs.quiet((batch, n, heard)))


def step(cell: Neuron, kernel: Kernel, memory: Memory, seen: Seen) -> tuple[Memory, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V]).  [N19 Eq. 10-13]"""
    Q, P, before = memory
    E = seen.slope[:, :, None] * P[:, None, :]
    F = costs.smooth(kernel, before, E)
    gradient = np.einsum("bi,bij->ij", seen.e, F.B)
    new_Q = cell.alpha * Q + seen.z
    new_P = cell.beta * P + Q
    return Memory(new_Q, new_P, F), gradient


method = layerwise("superspike", rest, step)
