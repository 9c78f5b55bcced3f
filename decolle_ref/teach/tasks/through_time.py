"""The exercises of notebook 03 that lead through time: a step back, a step forward, a gradient.  [N19 Eq. 7, 8]"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit.audit.derivation import Problem
from decolle_ref.teach import derivation
from decolle_ref.teach.task import Slip, Task


def _draw_backward(rng: np.random.Generator) -> tuple[Any, ...]:
    """gI, gU (n,) and gI of the layer above (m,), all at n+1; dL/dS, sigma' (n,); W_above (m, n), V (n, n); decays."""
    n, m = 4, 3
    later = rng.normal(size=n), rng.normal(size=n), rng.normal(size=m)
    here = rng.normal(size=n), rng.uniform(0.2, 0.9, n)
    return (
        *later,
        *here,
        rng.normal(size=(m, n)),
        rng.normal(size=(n, n)),
        rng.uniform(0.6, 0.8),
        rng.uniform(0.85, 0.95),
    )


def _backward(
    gI: Array, gU: Array, gI_above: Array, dL_dS: Array, sigma_prime: Array, W_above: Array, V: Array, alpha: float,
    beta: float, *, reset: float = -1.0, recurrent: float = 1.0, above: float = 1.0,
) -> Any:  # fmt: skip
    gS = dL_dS + above * W_above.T @ gI_above + recurrent * V.T @ gI + reset * gU
    return gU + alpha * gI, sigma_prime * gS + beta * gU


def _backward_by_loops(
    gI: Array, gU: Array, gI_above: Array, dL_dS: Array, sigma_prime: Array, W_above: Array, V: Array, alpha: float,
    beta: float,
) -> Any:  # fmt: skip
    new_I, new_U = [], []
    for i in range(len(gI)):
        gS = dL_dS[i] - gU[i]
        gS += sum(W_above[k, i] * gI_above[k] for k in range(len(gI_above)))
        gS += sum(V[k, i] * gI[k] for k in range(len(gI)))
        new_I.append(alpha * gI[i] + gU[i])
        new_U.append(beta * gU[i] + sigma_prime[i] * gS)
    return new_I, new_U


def _v_not_transposed(*p: Any) -> Any:
    *before, V, alpha, beta = p
    return _backward(*(*before, V.T, alpha, beta))


def _decays_exchanged(*p: Any) -> Any:
    *before, alpha, beta = p
    return _backward(*(*before, beta, alpha))


def _slope_on_everything(*p: Any) -> Any:
    gI, gU = _backward(*p)
    return gI, gU + (p[4] - 1) * p[8] * p[1]


BACKWARD_STEP = Task(
    "backward_step",
    _backward,
    _draw_backward,
    slips=(
        Slip(
            "without the reset",
            lambda *p: _backward(*p, reset=0.0),
            "Three arrows leave S[n] in the graph. One of them leads to the membrane of the same neuron.",
        ),
        Slip(
            "wrong sign of the reset",
            lambda *p: _backward(*p, reset=1.0),
            "The reset subtracts S[n] from U[n+1]: with which sign does it enter?",
        ),
        Slip(
            "without the recurrent weights",
            lambda *p: _backward(*p, recurrent=0.0),
            "Three arrows leave S[n] in the graph. One of them leads through V to the currents of the same layer.",
        ),
        Slip(
            "without the layer above",
            lambda *p: _backward(*p, above=0.0),
            "Three arrows leave S[n] in the graph. One of them leads to the layer above.",
        ),
        Slip(
            "V not transposed",
            _v_not_transposed,
            "V[k, i] leads from neuron i to neuron k. The sum for neuron i runs over the neurons k that it reaches.",
        ),
        Slip(
            "alpha and beta exchanged",
            _decays_exchanged,
            "alpha belongs to the current, beta to the membrane.",
        ),
        Slip(
            "sigma' on the leak, too",
            _slope_on_everything,
            "The leak leads from U[n] to U[n+1] without passing through S: it has no factor sigma'.",
        ),
    ),
    forms=(
        _backward_by_loops,
        lambda gI, gU, up, dS, slope, W, V, alpha, beta: (
            alpha * gI + gU,
            beta * gU + (dS - gU + up @ W + gI @ V) * slope,
        ),
    ),
)  # fmt: skip


def _draw_forward(rng: np.random.Generator) -> tuple[Any, ...]:
    """P, Q (n, n, n_in); V (n, n); x (n_in,); sigma' (n,); alpha, beta."""
    n, n_in = 3, 4
    spikes = rng.permutation([0.0, 1.0, 1.0, 1.0])
    return (
        *rng.normal(size=(2, n, n, n_in)),
        rng.normal(size=(n, n)),
        spikes,
        rng.uniform(0.2, 0.9, n),
        rng.uniform(0.6, 0.8),
        rng.uniform(0.85, 0.95),
    )


def _rtrl(
    P: Array, Q: Array, V: Array, x: Array, sigma_prime: Array, alpha: float, beta: float, *, reset: float = -1.0,
    recurrent: float = 1.0, source: Array | None = None,
) -> Any:  # fmt: skip
    dS = sigma_prime[:, None, None] * P
    source = np.eye(len(V)) if source is None else source
    new_Q = alpha * Q + recurrent * np.einsum("kc,cij->kij", V, dS) + source[:, :, None] * x
    return beta * P + Q + reset * dS, new_Q


def _rtrl_by_loops(P: Array, Q: Array, V: Array, x: Array, sigma_prime: Array, alpha: float, beta: float) -> Any:
    n, n_in = len(V), len(x)
    new_P, new_Q = np.zeros_like(P), np.zeros_like(Q)
    for k, i, j in np.ndindex(n, n, n_in):
        new_P[k, i, j] = (beta - sigma_prime[k]) * P[k, i, j] + Q[k, i, j]
        arrives = sum(V[k, c] * sigma_prime[c] * P[c, i, j] for c in range(n))
        new_Q[k, i, j] = alpha * Q[k, i, j] + arrives + (x[j] if k == i else 0)
    return new_P, new_Q


RTRL_STEP = Task(
    "rtrl_step",
    _rtrl,
    _draw_forward,
    slips=(
        Slip(
            "without the reset",
            lambda *p: _rtrl(*p, reset=0.0),
            "P belongs to U, and U[n+1] contains -S[n]: which derivative is missing?",
        ),
        Slip(
            "without the recurrent weights",
            lambda *p: _rtrl(*p, recurrent=0.0),
            "The current of neuron k also contains the spikes of its own layer, which depend on all weights.",
        ),
        Slip(
            "V transposed",
            lambda P, Q, V, *p: _rtrl(P, Q, V.T, *p),
            "V[k, c] leads from neuron c to neuron k. Over which of its indices does the sum run?",
        ),
        Slip(
            "a source for every neuron",
            lambda *p: _rtrl(*p, source=np.ones((len(p[2]), len(p[2])))),
            "W[i, j] feeds neuron i and no other: the source x[j] appears only where k = i.",
        ),
        Slip(
            "without sigma'",
            lambda P, Q, V, x, slope, *p: _rtrl(P, Q, V, x, np.ones_like(slope), *p),
            "A factor leads from dU to dS. Where is it?",
        ),
        Slip(
            "alpha and beta exchanged",
            lambda P, Q, V, x, slope, alpha, beta: _rtrl(P, Q, V, x, slope, beta, alpha),
            "alpha belongs to the current and so to Q, beta to the membrane and so to P.",
        ),
    ),
    forms=(_rtrl_by_loops, lambda P, Q, V, x, slope, alpha, beta: (
        P * (beta - slope)[:, None, None] + Q,
        alpha * Q + np.tensordot(V * slope, P, axes=1) + np.multiply.outer(np.eye(len(V)), x),
    )),
)  # fmt: skip


def _last_layer(p: Problem, reset: float = 1.0, recurrent: float = 1.0, theta: float = 1.0, sign: float = 1.0) -> Any:
    """dL/dW of layer 2, backward in time."""
    gI, gU, dW = np.zeros(len(p.V[1])), np.zeros(len(p.V[1])), np.zeros_like(p.W[1])
    dL_dS = _errors(p)
    for n in reversed(range(len(p.x))):
        dW += sign * np.outer(gI, p.S[0][n])
        gS = dL_dS[n] + recurrent * gI @ p.V[1] - reset * gU
        gI, gU = gU + p.alpha * gI, p.dsigma(p.U[1][n] - theta * p.theta) * gS + p.beta * gU
    return {"W2": dW}


def _errors(p: Problem) -> Any:
    """dL/dS of layer 2 at every step, without what S does later."""
    G: Any = p.G[1]
    return (p.S[1] @ G.T - p.target) @ G


def _last_layer_at_the_end(p: Problem) -> Any:
    """Backward in time, with all products taken at the end."""
    gI, gU = np.zeros((2, len(p.x) + 1, len(p.V[1])))
    slopes, dL_dS = p.dsigma(p.U[1] - p.theta), _errors(p)
    for n in reversed(range(len(p.x))):
        gI[n] = gU[n + 1] + p.alpha * gI[n + 1]
        gU[n] = slopes[n] * (dL_dS[n] + p.V[1].T @ gI[n + 1] - gU[n + 1]) + p.beta * gU[n + 1]
    return {"W2": np.einsum("ni,nj->ij", gI[1:], p.S[0])}


def _last_layer_forward(p: Problem) -> Any:
    """Forward in time."""
    n2, n1 = p.W[1].shape
    P, Q, dW = np.zeros((n2, n2, n1)), np.zeros((n2, n2, n1)), np.zeros_like(p.W[1])
    for n, dL_dS in enumerate(_errors(p)):
        slope = p.dsigma(p.U[1][n] - p.theta)
        dW += np.einsum("k,k,kij->ij", dL_dS, slope, P)
        P, Q = _rtrl(P, Q, p.V[1], p.S[0][n], slope, p.alpha, p.beta)
    return {"W2": dW}


LAST_LAYER_GRADIENT = Task(
    "last_layer_gradient",
    _last_layer,
    derivation.draw,
    slips=(
        Slip(
            "without the reset",
            lambda p: _last_layer(p, reset=0.0),
            "What you have is the gradient without the path through the reset: S[n] also lowers U[n+1].",
        ),
        Slip(
            "without the recurrent weights",
            lambda p: _last_layer(p, recurrent=0.0),
            "What you have is the gradient without the path through V: S[n] also feeds the currents of its own layer.",
        ),
        Slip(
            "SuperSpike",
            lambda p: _last_layer(p, reset=0.0, recurrent=0.0),
            "This is the rule of SuperSpike: it leaves out the reset and the recurrent weights.",
        ),
        Slip(
            "sigma' without the threshold",
            lambda p: _last_layer(p, theta=0.0),
            "The surrogate derivative is largest where U is at the threshold: at which argument do you evaluate it?",
        ),
        Slip(
            "wrong sign",
            lambda p: _last_layer(p, sign=-1.0),
            "Everything is right but the sign: the error is output minus target.",
        ),
        Slip(
            "transposed",
            lambda p: {"W2": _last_layer(p)["W2"].T},
            "Rows of dL/dW belong to the neurons of layer 2, columns to those of layer 1.",
        ),
    ),
    forms=(_last_layer_forward, _last_layer_at_the_end),
    tolerance=1e-8,
    explain=derivation.explain,
)
