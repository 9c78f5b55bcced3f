"""Local errors, and with them DECOLLE: traces of the inputs, and none per synapse.  [N19 Eq. 14, K20 Eq. 3]

    Q_j[n+1]    = alpha Q_j[n] + z_j
    P_j[n+1]    = beta  P_j[n] + Q_j[n]
    dL[n]/dW_ij = e_i sigma'(U_i - theta) P_j,   e = G^T dloss/dY,   Y = G S

The error of every layer comes from a loss of its own, which is read at this very step.  There is no filter epsilon,
hence nothing to keep per synapse: O(N) in all.  `superspike` keeps F in addition, and only because of epsilon.

This is the rule of `decolle` for a neuron with gamma = beta, delta = 1 and b = -theta: unrolled, the reset of
[N19 Eq. 5] is the R of [K20 Eq. 1].

>>> traces = rest(batch=2, n=3, n_inputs=7)
>>> traces.Q.shape, traces.P.shape
((2, 7), (2, 7))
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.credit.cost import NO_FILTER, Kernel
from decolle_ref.credit.methods.online import StepInputs, layerwise
from decolle_ref.credit.neuron.spiking import Neuron


class Traces(NamedTuple):
    """Traces of the inputs."""

    Q: Array  # (batch, j)
    P: Array  # (batch, j)


def rest(batch: int, n: int, n_inputs: int) -> Traces:
    """All traces are 0.

    Parameters
    ----------
    batch, n, n_inputs : int, samples, neurons, and inputs of each neuron

    Returns
    -------
    Traces
    """
    return Traces(np.zeros((batch, n_inputs)), np.zeros((batch, n_inputs)))


def step(cell: Neuron, kernel: Kernel, traces: Traces, inputs: StepInputs) -> tuple[Traces, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V]).  [N19 Eq. 14]

    Parameters
    ----------
    cell : Neuron
    kernel : epsilon
    traces : Q[n] and P[n]
    inputs : z[n], sigma'(U[n] - theta) and e[n] of the layer

    Returns
    -------
    the new traces, and dL[n]/d[W V], (n, n_inputs)

    Raises
    ------
    InputError : for a cost with a filter, which would need the past of E
    """
    if kernel != NO_FILTER:
        raise InputError(f"kernel: expected none, as local errors keep no past of E, got {kernel}")
    Q, P = traces
    dU = inputs.error * inputs.sigma_prime
    gradient = np.einsum("bi,bj->ij", dU, P)
    new_Q = cell.alpha * Q + inputs.z
    new_P = cell.beta * P + Q
    return Traces(new_Q, new_P), gradient


method = layerwise("local", rest, step)
