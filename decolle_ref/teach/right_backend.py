"""The five functions of a DECOLLE backend, as equations (1)-(5) of notebook 12 say.  [K20 Eq. 1]

The notebook's broken backend has the same functions, each with a mistake.  All arrays have the batch axis first.
"""

from typing import Any

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import Objective, squared_error
from decolle_ref.decolle.surrogate import at_threshold
from decolle_ref.decolle.synapse import Dense, Weights


def traces(P: Array, Q: Array, S_in: Array, alpha: Array, beta: Array) -> tuple[Array, Array]:
    """P[n+1] = alpha P[n] + Q[n],  Q[n+1] = beta Q[n] + S_in[n].

    Parameters
    ----------
    P, Q, S_in : (batch, n_in), at step n
    alpha, beta : (n_in,), decays per step

    Returns
    -------
    P, Q of the next step
    """
    return alpha * P + Q, beta * Q + S_in


def potential(W: Array, b: Array, P: Array, R: Array, strength: Array) -> Any:
    """U = W P + b - strength R.

    Parameters
    ----------
    W, b : (n, n_in) and (n,)
    P, R : (batch, n_in) and (batch, n)
    strength : (n,), of the refractory effect

    Returns
    -------
    U, (batch, n)
    """
    return Dense(W.shape[1], len(W)).drive(Weights(W, b), P) - strength * R


def spikes(U: Array) -> Any:
    """S = 1 where U >= 0, else 0.

    Parameters
    ----------
    U : (batch, n)

    Returns
    -------
    S of the same shape
    """
    return at_threshold(U)


def refractory(R: Array, S: Array, gamma: Array) -> Any:
    """R[n+1] = gamma R[n] + S[n].

    Parameters
    ----------
    R, S : (batch, n), at step n
    gamma : (n,), decay per step

    Returns
    -------
    R of the next step
    """
    return gamma * R + S


def error(Y: Array, target: Array) -> Any:
    """dL/dY of L = sum (Y - target)^2 / (2 batch n_out).

    Parameters
    ----------
    Y, target : (batch, n_out)

    Returns
    -------
    dL/dY of the same shape
    """
    return Objective(squared_error, "mean").error(Y, target)
