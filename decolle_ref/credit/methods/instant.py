"""Random backpropagation as first applied to spikes: the gradient ignores the dynamics.  [N19 Sec. V-A]

    Q_j[n+1]    = z_j
    P_j[n+1]    = Q_j[n]
    dL[n]/dW_ij = e_i (epsilon * sigma'(U_i - theta) P_j)[n]

Compared with `superspike`, the leaks are gone too: a weight gets credit for the one spike that arrives just now, two
steps after it was sent, and for nothing that the synapse or the membrane remembers.

>>> traces = rest(batch=2, n=3, n_inputs=7)
>>> traces.Q.shape, traces.P.shape, traces.F.B.shape
((2, 7), (2, 7), (2, 3, 7))
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Kernel
from decolle_ref.credit.methods.online import StepInputs, layerwise
from decolle_ref.credit.methods.superspike import Traces, rest
from decolle_ref.credit.neuron.spiking import Neuron


def step(cell: Neuron, kernel: Kernel, traces: Traces, inputs: StepInputs) -> tuple[Traces, Array]:
    """(traces at n, spikes and errors at n) -> (traces at n+1, dL[n]/d[W V]), as `superspike.step`."""
    Q, P, before = traces
    E = inputs.sigma_prime[:, :, None] * P[:, None, :]
    F = costs.filter_step(kernel, before, E)
    gradient = np.einsum("bi,bij->ij", inputs.error, F.B)
    new_Q = inputs.z
    new_P = Q
    return Traces(new_Q, new_P, F), gradient


method = layerwise("instant", rest, step)
