"""Random backpropagation as first applied to spikes: the dynamics left out of the gradient.  [N19 Sec. V-A]

    Q_j[n+1]    = z_j
    P_j[n+1]    = Q_j[n]
    dL[n]/dW_ij = e_i (epsilon * sigma'(U_i - theta) P_j)[n]

Of `superspike`, the leaks are gone too: a weight gets credit for the one spike that arrives just now, two steps after
it was sent, and for nothing that the synapse or the membrane remembers.
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Filtered, Kernel
from decolle_ref.credit.methods.online import Seen, layerwise
from decolle_ref.credit.neuron.spiking import Neuron


class Memory(NamedTuple):
    """The last two inputs, and the filtered eligibility of each synapse."""

    Q: Array  # (batch, j)
    P: Array  # (batch, j)
    F: Filtered  # (batch, i, j): epsilon * E


def rest(batch: int, n: int, heard: int) -> Memory:
    """No input yet."""
    return Memory(np.zeros((batch, heard)), np.zeros((batch, heard)), costs.quiet((batch, n, heard)))


def step(cell: Neuron, kernel: Kernel, memory: Memory, seen: Seen) -> tuple[Memory, Array]:
    """(inputs before n, spikes and errors at n) -> (inputs before n+1, dL[n]/d[W V])."""
    Q, P, before = memory
    E = seen.slope[:, :, None] * P[:, None, :]
    F = costs.smooth(kernel, before, E)
    gradient = np.einsum("bi,bij->ij", seen.e, F.B)
    return Memory(seen.z, Q, F), gradient


method = layerwise("instant", rest, step)
