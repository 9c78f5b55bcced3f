"""The membrane potential in ordinary time, and the first spike found by following it: a check on `network.fire`.

>>> t = np.array([0.0])
>>> bool(np.isclose(simulate(np.array([2.0]), t), np.log(2)))  # 2 (1 - exp(-t)) = 1
True
>>> potential(np.array([[2.0]]), t, at=t).tolist()
[[0.0]]
"""

import numpy as np

from decolle_ref._util.check import Array, InputError, floats


def potential(W: Array, t: Array, at: Array) -> Array:
    """U_i = sum_j W_ij max(0, 1 - exp(-(at - t_j))), as if no spike reset it.

    Parameters
    ----------
    W : (n, m)
    t : (m,), presynaptic spike times, in synaptic time constants
    at : (T,), the times at which U is wanted

    Returns
    -------
    (T, n)
    """
    W = floats("W", W)
    if W.ndim != 2:
        raise InputError(f"W: expected shape (n, m), got {W.shape}")
    t, times = floats("t", t, W.shape[1]), floats("at", at, np.size(at))
    since = np.maximum(times[:, None] - t, 0)
    return np.asarray(-np.expm1(-since) @ W.T)


def simulate(w: Array, t: Array) -> float:
    """The first spike time of one neuron, from arrival to arrival.  [N19 Eq. 15]

    dU/dt = I, dI/dt = -I:  U <- U + I (1 - exp(-dt)), I <- I exp(-dt).  U reaches 1 if U + I > 1, after
    dt = -log(1 - (1 - U) / I), unless the next arrival is earlier.  This uses neither the causal set nor z.

    Parameters
    ----------
    w : (m,), weights
    t : (m,), presynaptic spike times, in synaptic time constants; inf: no spike

    Returns
    -------
    float, in synaptic time constants; inf if the neuron is silent
    """
    w, t = floats("w", w, np.size(w)), floats("t", t, np.size(w))
    if np.isnan(w).any() or np.isnan(t).any():
        return np.nan
    arrivals = sorted((float(when), float(weight)) for when, weight in zip(t, w, strict=True) if when < np.inf)
    U = I = 0.0
    for k, (now, weight) in enumerate(arrivals):
        I += weight
        then = arrivals[k + 1][0] if k + 1 < len(arrivals) else np.inf
        if I > 0 and U + I > 1 and (crossing := now - np.log1p((U - 1) / I)) <= then:
            return float(crossing)
        U, I = U - I * np.expm1(now - then), I * np.exp(now - then)
    return np.inf
