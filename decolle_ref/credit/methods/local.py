"""Local errors, and with them DECOLLE: traces of the inputs, and nothing per synapse.  [N19 Eq. 14, K20 Eq. 3]

    Q_j[n+1]    = alpha Q_j[n] + z_j
    P_j[n+1]    = beta  P_j[n] + Q_j[n]
    dL[n]/dW_ij = e_i sigma'(U_i - theta) P_j,   e = G^T dloss/dY,   Y = G S

The error of every layer comes from a loss of its own, read at this very step: no filter epsilon, hence nothing to keep
per synapse, O(N) in all.  What `superspike` keeps besides is what epsilon costs.

This is the rule of `decolle` for a neuron with gamma = beta, delta = 1 and b = -theta: unrolled, the reset of
[N19 Eq. 5] is the R of [K20 Eq. 1].
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.credit.cost import NO_FILTER, Kernel
from decolle_ref.credit.methods.online import Seen, layerwise
from decolle_ref.credit.neuron.spiking import Neuron


class Memory(NamedTuple):
    """Traces of the inputs."""

    Q: Array  # (batch, j)
    P: Array  # (batch, j)


def rest(batch: int, n: int, heard: int) -> Memory:
    """All traces 0."""
    return Memory(np.zeros((batch, heard)), np.zeros((batch, heard)))


def step(cell: Neuron, kernel: Kernel, memory: Memory, seen: Seen) -> tuple[Memory, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V]).  [N19 Eq. 14]

    Raises InputError for a cost with a filter: its past would be needed.
    """
    if kernel != NO_FILTER:
        raise InputError(f"kernel: expected none, as local errors keep no past of E, got {kernel}")
    Q, P = memory
    delta = seen.e * seen.slope
    gradient = np.einsum("bi,bj->ij", delta, P)
    new_Q = cell.alpha * Q + seen.z
    new_P = cell.beta * P + Q
    return Memory(new_Q, new_P), gradient


method = layerwise("local", rest, step)
