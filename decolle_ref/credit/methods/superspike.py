"""SuperSpike: forward traces without the reset, times the error of the output.  [N19 Eq. 9-13]

    E_ij        = dS_i/dW_ij ~ sigma'(U_i - theta) P_j              [N19 Eq. 10]
    Q_j[n+1]    = alpha Q_j[n] + z_j                                [N19 Eq. 12]
    P_j[n+1]    = beta  P_j[n] + Q_j[n]                             [N19 Eq. 11] without its reset term
    dL[n]/dW_ij = e_i (epsilon * E_ij)[n],   e = epsilon * (S - S*)  [N19 Eq. 13]

Without the reset, P is the same for all i: one number per input.  The filtered product E is not: O(N^2).  The review
prints sigma'(U_k) without theta and k for i, and leaves the sign to "proportional": a step of learning is
-eta dL[n]/dW.  Hidden layers have no e of their own; `feedback` brings them one.

>>> traces = rest(batch=2, n=3, n_inputs=7)
>>> traces.Q.shape, traces.P.shape, traces.F.B.shape
((2, 7), (2, 7), (2, 3, 7))
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import FilterState, Kernel
from decolle_ref.credit.methods.online import StepInputs, layerwise
from decolle_ref.credit.neuron.spiking import Neuron


class Traces(NamedTuple):
    """Traces of the inputs, and the filtered eligibility of each synapse."""

    Q: Array  # (batch, j)
    P: Array  # (batch, j)
    F: FilterState  # (batch, i, j): epsilon * E


def rest(batch: int, n: int, n_inputs: int) -> Traces:
    """All traces are 0.

    Parameters
    ----------
    batch, n, n_inputs : int, samples, neurons, and inputs of each neuron

    Returns
    -------
    Traces
    """
    return Traces(np.zeros((batch, n_inputs)), np.zeros((batch, n_inputs)), costs.rest((batch, n, n_inputs)))


def step(cell: Neuron, kernel: Kernel, traces: Traces, inputs: StepInputs) -> tuple[Traces, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V]).  [N19 Eq. 10-13]

    Parameters
    ----------
    cell : Neuron
    kernel : epsilon
    traces : Q[n], P[n] and F[n-1]
    inputs : z[n], sigma'(U[n] - theta) and e[n] of the layer

    Returns
    -------
    the new traces, and dL[n]/d[W V], (n, n_inputs)
    """
    Q, P, before = traces
    E = inputs.sigma_prime[:, :, None] * P[:, None, :]
    F = costs.filter_step(kernel, before, E)
    gradient = np.einsum("bi,bij->ij", inputs.error, F.B)
    new_Q = cell.alpha * Q + inputs.z
    new_P = cell.beta * P + Q
    return Traces(new_Q, new_P, F), gradient


method = layerwise("superspike", rest, step)
