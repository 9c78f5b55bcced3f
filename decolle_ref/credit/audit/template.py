"""A derivation of dL/dW and dL/dV, to be checked: decolle-ref check-derivation THIS_FILE:gradient

The network [N19 Eq. 4, 5] has two layers and starts from rest, I[0] = U[0] = 0:

    S[n]   = sigma(U[n] - theta)
    I[n+1] = alpha I[n] + W S_below[n] + V S[n]          S_below: p.x for layer 1, S of layer 1 for layer 2
    U[n+1] = beta  U[n] + I[n] - S[n]

    L = sum over layers with a readout, steps n, outputs k of  1/2 (Y_k[n] - target_k[n])^2,    Y[n] = G S[n]

p holds everything, with time as the first axis; p.W[0] and p.W[1] are called "W1" and "W2" in the answer:

    p.W       [W1 (n1, n_in), W2 (n2, n1)]      p.V       [V1 (n1, n1), V2 (n2, n2)]
    p.G       [G1 or None, G2], (n_out, n)      None: no readout, and no loss, in this layer
    p.x       (T, n_in)                         p.target  (T, n_out)
    p.I, p.U, p.S                               [layer 1, layer 2], (T, n): from the forward pass
    p.alpha, p.beta, p.theta                    numbers
    p.sigma, p.dsigma                           functions of U - theta; dsigma stands for dS/dU

Return a dictionary with any of "W1", "V1", "W2", "V2": the derivatives of L, shaped like the matrices, good to 7 digits
(or give --tolerance 1e-4 for float32 or finite differences).
"""

import numpy as np


def gradient(p):  # type: ignore[no-untyped-def]
    """The derivation to be checked."""
    T = len(p.x)
    dW2 = np.zeros_like(p.W[1])
    for n in range(T):
        e = p.S[1][n] @ p.G[1].T - p.target[n]  # dL/dY[n]
        dS = e @ p.G[1]  # dL/dS[n], directly
        # put your derivation here, and use dS in it; for backpropagation through time, run this loop backwards
    raise NotImplementedError(f"fill in the derivation and remove this line (dS has shape {dS.shape})")
    return {"W2": dW2}
