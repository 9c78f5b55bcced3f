"""Neftci, Mostafa, Zenke: Surrogate Gradient Learning in Spiking Neural Networks; exact gradients.  [N19 Eq. 6-8]

All layers have the same size here, for else the printed forms would not even have fitting shapes.  Where an equation
has two misprints, each is tested with the other one corrected.
"""

from collections.abc import Callable, Sequence

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit.neuron import rate, rnn
from decolle_ref.credit.neuron.rate import Record, tanh
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.errata.entry import derivative, deviations, erratum

__all__ = ["ENTRIES"]

N, LAYERS, STEPS, BATCH = 3, 3, 6, 2
LAYERED = "dL/dW of three layers of tanh neurons, against the complex step: relative deviation."
RECURRENT = "dL/dW and dL/dV of three layers over six steps, against the complex step: relative deviation."
FORWARD_MODE = "dL/dW of three layers over six steps, against the complex step: relative deviation."


def layers() -> tuple[list[Array], Record, Array]:
    """W, (N, N) per layer, a forward pass, and dL/dW by the complex step; L = 1/2 |y^(L)|^2, so that dL/dy = y."""
    rng = np.random.default_rng(0)
    W, x = rng.normal(0, 0.8, (LAYERS, N, N)), rng.normal(0, 1, (BATCH, N))
    expected = derivative(lambda W: (rate.forward(tanh, list(W), x).y[-1] ** 2).sum() / 2, W)
    return list(W), rate.forward(tanh, list(W), x), expected


@erratum(
    tag="N19 Eq. 6 (weights)",
    kind="misprint",
    title="which layer's weights carry the error down",
    printed="delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(l+1) W_ik^(T,(l))",
    meant="delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(l+1) W_ki^(l+1)",
    why="`y^(l)` enters `a^(l+1)` through `W^(l+1)`. The `G^(l)` of feedback alignment (Sec. V-A) is shifted in the "
    "same way.",
    measures=LAYERED,
)
def weights_above() -> tuple[float, float]:
    """Errors sent down through W^(l), and by backpropagation.  [N19 Eq. 6]"""
    W, record, expected = layers()
    printed = rate.feedback_alignment(tanh, W[:-1], record, record.y[-1])
    meant = rate.backpropagation(tanh, W, record, record.y[-1])
    return deviations(expected, rate.gradient(printed, record), rate.gradient(meant, record))


@erratum(
    tag="N19 Eq. 6 (top)",
    kind="misprint",
    title="the error of the output layer",
    printed="delta_i^(L) = dL/dy_i^(L)",
    meant="delta_i^(L) = sigma'(a_i^(L)) dL/dy_i^(L)",
    why="delta is dL/da in every other layer, and `dL/dW_ij = delta_i y_j` holds at the top only if it is there, too.",
    measures=LAYERED,
)
def top() -> tuple[float, float]:
    """Backpropagation of dL/dy taken for dL/da, and of dL/dy.  [N19 Eq. 6]"""
    W, record, expected = layers()
    printed = rate.backpropagation(tanh, W, record, record.y[-1] / tanh.sigma_prime(record.a[-1]))
    meant = rate.backpropagation(tanh, W, record, record.y[-1])
    return deviations(expected, rate.gradient(printed, record), rate.gradient(meant, record))


def recurrent() -> tuple[tuple[Synapses, ...], Record, Array]:
    """The network of Box 1, a forward pass, and dL/d[W V], (2, LAYERS, N, N), by the complex step.

    L = 1/2 sum_n |y^(L)[n]|^2, so that dL/dy[n] = y[n].
    """
    rng = np.random.default_rng(1)
    WV, x = rng.normal(0, 0.8, (2, LAYERS, N, N)), rng.normal(0, 1, (STEPS, BATCH, N))
    expected = derivative(lambda WV: (rnn.forward(tanh, _synapses(WV), x).y[-1] ** 2).sum() / 2, WV)
    return _synapses(WV), rnn.forward(tanh, _synapses(WV), x), expected


def _synapses(WV: Array) -> tuple[Synapses, ...]:
    return tuple(Synapses(W, V) for W, V in zip(*WV, strict=True))


def stacked(gradient: Sequence[Synapses]) -> Array:
    """[W V] of every layer, (2, LAYERS, N, N)."""
    return np.array([[W for W, _ in gradient], [V for _, V in gradient]])


def unrolled(synapses: Sequence[Synapses], record: Record, dL_dy: Array, down: Sequence[Array], lag: int) -> Array:
    """dL/d[W V] by Eq. 7; errors go down through `down`, and spikes take `lag` steps to the next layer."""
    steps, top = len(dL_dy), len(synapses) - 1
    dL_da = [np.zeros((steps + 1, *a.shape[1:])) for a in record.a]  # 0 after the last step
    for n in reversed(range(lag, steps)):
        for l in reversed(range(top + 1)):
            dy = dL_dy[n] if l == top else dL_da[l + 1][n + lag] @ down[l]
            dL_da[l][n] = tanh.sigma_prime(record.a[l][n]) * (dy + dL_da[l][n + 1] @ synapses[l].V)

    def summed(l: int, y: Array, delay: int) -> Array:
        total: Array = np.einsum("tbi,tbj->ij", dL_da[l][delay:steps], y[: steps - delay])
        return total

    dW = [summed(l, record.y[l], lag) for l in range(top + 1)]
    dV = [summed(l, record.y[l + 1], 1) for l in range(top + 1)]
    return np.array([dW, dV])


def _backward(down: slice, lag: int) -> tuple[float, float]:
    """Deviations of `unrolled` with the weights of the layers `down`, and of the package's BPTT."""
    synapses, record, expected = recurrent()
    printed = unrolled(synapses, record, record.y[-1], [W for W, _ in synapses[down]], lag)
    return deviations(expected, printed, stacked(rnn.bptt(tanh, synapses, record, record.y[-1])))


@erratum(
    tag="N19 Eq. 7 (time)",
    kind="misprint",
    title="the delay from layer to layer",
    printed="dL/dW^(l) = sum_m delta^(l)[m] y^(l-1)[m],   delta^(l)[n] from delta^(l+1)[n]",
    meant="dL/dW^(l) = sum_m delta^(l)[m] y^(l-1)[m-1], delta^(l)[n] from delta^(l+1)[n+1]",
    why="In Box 1, `y^(l-1)[n-1]` enters `a^(l)[n]`. The printed form belongs to a network without delay between "
    "layers. Besides, `delta[s]` stands for `delta[m]`, the upper limit t for n, and the output layer's own term "
    "`sigma' dL/dy` is not printed.",
    measures=RECURRENT,
)
def delay() -> tuple[float, float]:
    """Backpropagation through time with the printed steps, and with those of Box 1.  [N19 Eq. 7]"""
    return _backward(down=slice(1, None), lag=0)


@erratum(
    tag="N19 Eq. 7 (weights)",
    kind="misprint",
    title="which layer's weights carry the error down, again",
    printed="delta^(l) = sigma'(a^(l)) (W^(l)T delta^(l+1) + V^(l)T delta^(l))",
    meant="delta^(l) = sigma'(a^(l)) (W^(l+1)T delta^(l+1) + V^(l)T delta^(l))",
    why="As in Eq. 6. The recurrent weights are those of layer l, as printed.",
    measures=RECURRENT,
)
def weights_above_unrolled() -> tuple[float, float]:
    """Backpropagation through time through W^(l), and through W^(l+1).  [N19 Eq. 7]"""
    return _backward(down=slice(-1), lag=1)


Through = Callable[[Array, Array], Array]  # weights M (N, N), P (batch, i, j, k) -> the shape of P
Source = Callable[[Array], Array]  # y (batch, N) -> (batch, i, j, k)


def through_row_i(M: Array, P: Array) -> Array:
    """sum_c M_ic P_ijc, for every k: Eq. 8 as printed."""
    return np.broadcast_to(np.einsum("ic,bijc->bij", M, P)[..., None], P.shape)


def through_row_k(M: Array, P: Array) -> Array:
    """sum_c M_kc P_ijc."""
    return np.asarray(np.einsum("kc,bijc->bijk", M, P))


def to_every_k(y: Array) -> Array:
    """y_i, for every j and k: Eq. 8 as printed."""
    return np.broadcast_to(y[:, :, None, None], (*y.shape, N, N))


def to_neuron_i(y: Array) -> Array:
    """[k = i] y_j."""
    return np.asarray(np.einsum("ik,bj->bijk", np.eye(N), y))


def carried(synapses: Sequence[Synapses], record: Record, dL_dy: Array, through: Through, source: Source) -> Array:
    """dL/dW of every layer by Eq. 8, with P_ijk^(l,m) of shape (batch, i, j, k)."""
    rest = np.zeros((dL_dy.shape[1], N, N, N))
    P = [[rest for _ in synapses] for _ in synapses]
    total = np.zeros((len(synapses), N, N))
    for n in range(1, len(dL_dy)):
        old_P, P = P, [[rest for _ in synapses] for _ in synapses]
        for l, (W, V) in enumerate(synapses):
            sigma_prime = tanh.sigma_prime(record.a[l][n])[:, None, None, :]
            for m in range(l + 1):
                below = source(record.y[l][n - 1]) if m == l else through(W, old_P[l - 1][m])
                P[l][m] = sigma_prime * (through(V, old_P[l][m]) + below)
        total += [np.einsum("bk,bijk->ij", dL_dy[n], p) for p in P[-1]]
    return total


def _forward_mode(through: Through, source: Source) -> tuple[float, float]:
    """Deviations of `carried` with these two steps, and of the package's RTRL."""
    synapses, record, (expected, _) = recurrent()
    printed = carried(synapses, record, record.y[-1], through, source)
    return deviations(expected, printed, stacked(rnn.rtrl(tanh, synapses, record, record.y[-1]))[0])


@erratum(
    tag="N19 Eq. 8 (weights)",
    kind="misprint",
    title="the row of the weights in forward mode",
    printed="P_ijk[n] = sigma'(a_k) (sum_c V_ic P_ijc[n-1] + sum_c W_ic P_ijc[n-1] + ...)",
    meant="P_ijk[n] = sigma'(a_k) (sum_c V_kc P_ijc[n-1] + sum_c W_kc P_ijc[n-1] + ...)",
    why="`P_ijk` is the derivative of `y_k`, and `y_c` enters `a_k` through `V_kc` and `W_kc`. (c is the paper's j'.)",
    measures=FORWARD_MODE,
)
def rows() -> tuple[float, float]:
    """Forward mode through row i, and the package's RTRL.  [N19 Eq. 8]"""
    return _forward_mode(through_row_i, to_neuron_i)


@erratum(
    tag="N19 Eq. 8 (source)",
    kind="misprint",
    title="the direct effect of a weight in forward mode",
    printed="... + delta_lm y_i^(l-1)[n-1]",
    meant="... + delta_lm delta_ik y_j^(l-1)[n-1]",
    why="`W_ij` multiplies `y_j`, and acts directly on neuron i alone.",
    measures=FORWARD_MODE,
)
def direct() -> tuple[float, float]:
    """Forward mode with y_i sent to every k, and the package's RTRL.  [N19 Eq. 8]"""
    return _forward_mode(through_row_k, to_every_k)


@erratum(
    tag="N19 Sec. IV (t)",
    kind="misprint",
    title="a superscript for the time",
    printed="sigma' = dy_i^(t) / da_i^(t)",
    meant="sigma'(a_i^(l)[n]) = dy_i^(l)[n] / da_i^(l)[n]",
    why="Everywhere else a superscript in parentheses is a layer, and the time step is in brackets. Eq. 7 and 8, of "
    "which the sentence speaks, have `sigma'(a^(l)[n])`.",
    measures="sigma' of the top layer at the first three steps, with (t) read as the layer, as elsewhere, against the "
    "complex step of sigma: relative deviation.",
)
def superscript() -> tuple[float, float]:
    """sigma' of layer t at step t, and of the top layer at step t.  [N19 Sec. IV]"""
    _, record, _ = recurrent()
    a = record.a[-1][1 : LAYERS + 1]
    printed = np.stack([record.a[t][t + 1] for t in range(LAYERS)])
    expected = derivative(lambda a: tanh.sigma(a).sum(), a)
    return deviations(expected, tanh.sigma_prime(printed), tanh.sigma_prime(a))


ENTRIES = (weights_above, top, delay, weights_above_unrolled, rows, direct, superscript)
