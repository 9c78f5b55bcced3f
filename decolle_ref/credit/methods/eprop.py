"""Eligibility propagation: RTRL that follows each neuron's own past, and no other path.  [N19 Sec. III-B, ref. 15]

    E_ij        = dS_i/dW_ij = sigma'(U_i - theta) P_ij
    Q_j[n+1]    = alpha Q_j[n] + z_j
    P_ij[n+1]   = beta  P_ij[n] + Q_j[n] - E_ij
    dL[n]/dW_ij = e_i (epsilon * E_ij)[n]

Compared with `rtrl`, only k = i remains: the rule ignores what W_ij does to other neurons, through V or through the
layers above.  That leaves one number per synapse: O(N^2).  dI_i/dW_ij is the same for all i, so that Q has one number
per input.

`method` keeps the reset in its trace.  The code of e-prop's authors for leaky integrate-and-fire neurons does not:
there the neuron's own spike is a constant to the gradient where it resets the membrane.  `without_reset` is that
variant:

    P_j[n+1]    = beta  P_j[n] + Q_j[n]

Up to rounding its numbers are those of `superspike`, which writes P without the index i.

>>> traces = rest(batch=2, n=3, n_inputs=7)
>>> traces.Q.shape, traces.P.shape, traces.F.B.shape
((2, 7), (2, 3, 7), (2, 3, 7))
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import FilterState, Kernel
from decolle_ref.credit.methods.online import StepInputs, layerwise
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron


class Traces(NamedTuple):
    """Derivatives of each neuron with respect to its own weights."""

    Q: Array  # (batch, j)
    P: Array  # (batch, i, j)
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
    shape = (batch, n, n_inputs)
    return Traces(np.zeros((batch, n_inputs)), np.zeros(shape), costs.rest(shape))


def step(cell: Neuron, kernel: Kernel, traces: Traces, inputs: StepInputs) -> tuple[Traces, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V]).

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
    E = inputs.sigma_prime[:, :, None] * P
    F = costs.filter_step(kernel, before, E)
    gradient = np.einsum("bi,bij->ij", inputs.error, F.B)
    new_Q = cell.alpha * Q + inputs.z
    new_P = cell.beta * P + Q[:, None, :] - spiking.paths(cell).reset * E
    return Traces(new_Q, new_P, F), gradient


def step_without_reset(cell: Neuron, kernel: Kernel, traces: Traces, inputs: StepInputs) -> tuple[Traces, Array]:
    """`step`, to which the reset is a constant: P_ij[n+1] = beta P_ij[n] + Q_j[n].

    Parameters
    ----------
    cell, kernel, traces, inputs : see `step`

    Returns
    -------
    the new traces, and dL[n]/d[W V], (n, n_inputs)
    """
    return step(cell._replace(reset="detach"), kernel, traces, inputs)


method = layerwise("eprop", rest, step)
without_reset = layerwise("eprop-without-reset", rest, step_without_reset)
