"""The recurrent network of rates, and the two exact ways to its gradient.  [N19 Box 1, Eq. 7, 8]

    y^(l)[n] = sigma(a^(l)[n]),   y^(0)[n] = x[n]
    a^(l)[n] = V^(l) y^(l)[n-1] + W^(l) y^(l-1)[n-1],   0 at n = 0

These are the review's own equations, with the indices put right.  `methods/bptt` and `methods/rtrl` have the same two
for spiking neurons, which carry two states instead of one.

>>> from decolle_ref.credit.neuron.rate import tanh
>>> rng = np.random.default_rng(0)
>>> synapses = [Synapses(rng.normal(size=(3, 2)), rng.normal(size=(3, 3)))]
>>> record = forward(tanh, synapses, rng.normal(size=(6, 1, 2)))
>>> (backward,), (carried,) = (method(tanh, synapses, record, record.y[-1]) for method in (bptt, rtrl))
>>> bool(np.allclose(backward.V, carried.V))
True
"""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import Array, InputError, floats, matrices
from decolle_ref.credit.neuron.rate import Activation, Record
from decolle_ref.credit.neuron.spiking import Synapses


def forward(f: Activation, synapses: Sequence[Synapses], x: Array) -> Record:
    """a^(l)[n] and y^(l)[n] at all steps.  [N19 Box 1]

    Parameters
    ----------
    f : Activation of all layers
    synapses : W and V of every layer
    x : (T, batch, n_in)

    Returns
    -------
    Record of (T, batch, n) arrays

    Raises
    ------
    InputError : for shapes that do not fit
    """
    x = floats("x", x)
    if x.ndim != 3 or not len(x):
        raise InputError(f"x: expected shape (steps, batch, n_in) with steps >= 1, got {x.shape}")
    synapses = _parse(synapses, x.shape[2])
    a = [np.zeros((x.shape[1], len(W)), x.dtype) for W, _ in synapses]
    steps: list[tuple[list[Array], list[Array]]] = []
    for x_n in x:
        y = [x_n, *map(f.sigma, a)]
        steps.append((a, y))
        a = [same @ V.T + below @ W.T for (W, V), below, same in zip(synapses, y[:-1], y[1:], strict=True)]
    return Record(
        tuple(np.stack([a[k] for a, _ in steps]) for k in range(len(synapses))),
        tuple(np.stack([y[k] for _, y in steps]) for k in range(len(synapses) + 1)),
    )


def bptt(f: Activation, synapses: Sequence[Synapses], record: Record, dL_dy: Array) -> tuple[Synapses, ...]:
    """Backpropagation through time.  [N19 Eq. 7]

        delta^(l)[n] = sigma'(a^(l)[n]) (W^(l+1)T delta^(l+1)[n+1] + V^(l)T delta^(l)[n+1]), at the top + dL/dy^(L)[n]
        dL/dW^(l) = sum_n delta^(l)[n] y^(l-1)[n-1],   dL/dV^(l) = sum_n delta^(l)[n] y^(l)[n-1]

    The review prints delta^(l+1)[n] with W^(l), and y^(l-1)[n].  The code calls delta dL_da.

    Parameters
    ----------
    f, synapses : as in `forward`
    record : the forward pass
    dL_dy : (T, batch, n_L), derivative of the loss with respect to the output

    Returns
    -------
    dL/dW and dL/dV of every layer

    Raises
    ------
    InputError : for shapes that do not fit
    """
    dL_dy = floats("dL_dy", dL_dy, *record.y[-1].shape)
    synapses = _parse(synapses, record.y[0].shape[-1])
    later = [np.zeros_like(a[0]) for a in record.a]
    total = [Synapses(np.zeros_like(W), np.zeros_like(V)) for W, V in synapses]
    for n in range(len(dL_dy) - 1, 0, -1):
        dy = [delta @ V for delta, (_, V) in zip(later, synapses, strict=True)]
        dy = [d + later[l + 1] @ synapses[l + 1].W for l, d in enumerate(dy[:-1])] + [dy[-1] + dL_dy[n]]
        dL_da = [f.sigma_prime(a[n]) * d for a, d in zip(record.a, dy, strict=True)]
        total = [
            Synapses(t.W + d.T @ below[n - 1], t.V + d.T @ same[n - 1])
            for t, d, below, same in zip(total, dL_da, record.y[:-1], record.y[1:], strict=True)
        ]
        later = dL_da
    return tuple(total)


def rtrl(f: Activation, synapses: Sequence[Synapses], record: Record, dL_dy: Array) -> tuple[Synapses, ...]:
    """Real-time recurrent learning: P_kij^(l,m)[n] = dy_k^(l)[n]/dW_ij^(m), and the same for V.  [N19 Eq. 8]

        P_kij^(l,m)[n] = sigma'(a_k^(l)[n]) (sum_c V_kc^(l) P_cij^(l,m)[n-1] + sum_c W_kc^(l) P_cij^(l-1,m)[n-1]
                                             + [l = m, k = i] z_j[n-1])

    Here z is the input of layer m: y^(m-1) for W, followed by y^(m) for V.  The review prints V_ij', W_ij' and y_i.

    Parameters
    ----------
    f, synapses, record, dL_dy : as in `bptt`

    Returns
    -------
    dL/dW and dL/dV of every layer

    Raises
    ------
    InputError : for shapes that do not fit
    """
    dL_dy = floats("dL_dy", dL_dy, *record.y[-1].shape)
    synapses = _parse(synapses, record.y[0].shape[-1])
    batch, layers = record.y[0].shape[1], range(len(synapses))
    z = [np.concatenate(pair, axis=-1) for pair in zip(record.y[:-1], record.y[1:], strict=True)]
    P = [[np.zeros((batch, len(synapses[l].W), len(synapses[m].W), z[m].shape[-1])) for m in layers] for l in layers]
    total = [np.zeros(p.shape[2:]) for p in P[-1]]
    for n in range(1, len(dL_dy)):
        old_P, P = P, [[np.zeros_like(p) for p in row] for row in P]
        for l, (W, V) in enumerate(synapses):
            for m in range(l + 1):
                da_dW = np.einsum("kc,bcij->bkij", V, old_P[l][m])
                if m < l:
                    da_dW += np.einsum("kc,bcij->bkij", W, old_P[l - 1][m])
                else:
                    da_dW += np.einsum("ki,bj->bkij", np.eye(len(W)), z[m][n - 1])
                P[l][m] = f.sigma_prime(record.a[l][n])[:, :, None, None] * da_dW
        total = [t + np.einsum("bk,bkij->ij", dL_dy[n], p) for t, p in zip(total, P[-1], strict=True)]
    return tuple(Synapses(g[:, : W.shape[1]], g[:, W.shape[1] :]) for g, (W, _) in zip(total, synapses, strict=True))


def _parse(synapses: Sequence[Synapses], n_in: int) -> tuple[Synapses, ...]:
    """W and V of every layer as floats that fit each other and the input."""
    sizes = [n_in, *(len(W) if np.ndim(W) else 0 for W, _ in synapses)]
    W = matrices("W", [layer.W for layer in synapses], list(zip(sizes[1:], sizes[:-1], strict=True)))
    V = matrices("V", [layer.V for layer in synapses], [(n, n) for n in sizes[1:]])
    return tuple(map(Synapses, W, V))
