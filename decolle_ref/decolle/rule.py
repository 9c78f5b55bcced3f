"""The DECOLLE rule: three factors, one product.  [K20 Eq. 2, 3]

    dL/dW_ij = dL/dS_i  *  dS_i/dU_i  *  dU_i/dW_ij
             = (sum_k G_ki dY_k)  *  sigma'(U_i)  *  P_j

R is held constant in the last factor, so dU_i/dW_ij = P_j.  No gradient leaves the layer and none flows through time:
everything on the right is known to neuron i and its input j at this very step.
"""

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import Objective
from decolle_ref.decolle.readout import KEEP, Mask, Readout, local_error
from decolle_ref.decolle.surrogate import Surrogate
from decolle_ref.decolle.synapse import Synapse, Weights


def error_signal(
    readout: Readout, surrogate: Surrogate, objective: Objective, dY: Array, U: Array, mask: Mask = KEEP
) -> Array:
    """dU_i = dL/dU_i = (sum_k G_ki dY_k) sigma'(U_i), plus the regularisers' own dL/dU_i.  [K20 Eq. 3, 4]

    dY (..., n_out), U (..., n) -> (..., n).
    """
    modulatory = local_error(readout, dY, mask)
    postsynaptic = surrogate.derivative(U)
    return modulatory * postsynaptic + objective.penalty(U, surrogate)


def gradient(synapse: Synapse, dU: Array, P: Array) -> Weights:
    """dL/dW_ij = dU_i P_j, dL/db_i = dU_i, summed over the batch.  [K20 Eq. 3]

    dU (..., n), P (..., n_in) -> W (n, n_in), b (n,).
    """
    return synapse.gradient(dU, P)
