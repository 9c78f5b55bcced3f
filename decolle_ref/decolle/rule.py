"""The DECOLLE rule: three factors, one product.  [K20 Eq. 2, 3]

    dL/dW_ij = dL/dS_i  *  dS_i/dU_i  *  dU_i/dW_ij
             = (sum_k G_ki dY_k)  *  sigma'(U_i)  *  P_j

R is held constant in the last factor, so dU_i/dW_ij = P_j.  No gradient leaves the layer and none flows through time:
every quantity on the right is available at neuron i and its input j at this step.

>>> import numpy as np
>>> from decolle_ref import Dense, Objective, Readout, rule, surrogate
>>> one = Readout(G=np.array([[2.0]]), c=np.zeros(1))  # one input, one neuron, one output
>>> dU = rule.error_signal(one, surrogate.logistic, Objective(), dY=np.array([0.5]), U=np.array([0.0]))
>>> dU, rule.gradient(Dense(1, 1), dU, P=np.array([3.0])).W
(array([0.25]), array([[0.75]]))
"""

from decolle_ref._util.check import Array, floats
from decolle_ref.decolle.objective import Objective
from decolle_ref.decolle.readout import KEEP, Mask, Readout, local_error
from decolle_ref.decolle.surrogate import Surrogate
from decolle_ref.decolle.synapse import Synapse, Weights


def error_signal(
    readout: Readout,
    surrogate: Surrogate,
    objective: Objective,
    dY: Array,
    U: Array,
    mask: Mask = KEEP,
    rate: Surrogate | None = None,
) -> Array:
    """dU_i = dL/dU_i = (sum_k G_ki dY_k) sigma'(U_i), plus the regularisers' own dL/dU_i.  [K20 Eq. 3, 4]

    Parameters
    ----------
    readout : Readout
    surrogate : Surrogate
    objective : Objective
        Its regularisers act on U.
    dY : array of shape (..., n_out)
        dL/dY.
    U : array of shape (..., n)
    mask : Mask
        Dropout.
    rate : Surrogate or None
        What the regularisers read; by default the surrogate.

    Returns
    -------
    array of shape (..., n)

    Raises
    ------
    InputError
        For shapes that do not fit.
    """
    n_out, n = readout.G.shape
    U = floats("U", U, ..., n)
    modulatory = local_error(readout, floats("dY", dY, *U.shape[:-1], n_out), mask)
    postsynaptic = surrogate.derivative(U)
    return modulatory * postsynaptic + objective.penalty(U, surrogate if rate is None else rate)


def gradient(synapse: Synapse, dU: Array, P: Array) -> Weights:
    """dL/dW_ij = dU_i P_j, dL/db_i = dU_i, summed over the batch.  [K20 Eq. 3]

    Parameters
    ----------
    synapse : Dense or Conv2d
    dU : array of shape (..., n)
        dL/dU.
    P : array of shape (..., n_in)
        The presynaptic trace.

    Returns
    -------
    Weights
        Weights of the same shapes as W and b of the layer.

    Raises
    ------
    InputError
        For shapes that do not fit.
    """
    return synapse.gradient(dU, P)
