"""The recurrent network of rates, and the two exact ways to its gradient.  [N19 Box 1, Eq. 7, 8]

    y^(l)[n] = sigma(a^(l)[n]),   y^(0)[n] = x[n]
    a^(l)[n] = V^(l) y^(l)[n-1] + W^(l) y^(l-1)[n-1],   0 at n = 0

These are the review's own equations, with the indices put right.  The files `bptt` and `rtrl` have the same two for
spiking neurons, which carry two states instead of one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, validate_shape
from decolle_ref.credit.neuron.rate import Activation
from decolle_ref.credit.neuron.spiking import Synapses


class Record(NamedTuple):
    """y[0] = x and y[l] of layer l, a[l-1] of layer l; (T, batch, n)."""

    a: tuple[Array, ...]
    y: tuple[Array, ...]


def forward(f: Activation, synapses: Sequence[Synapses], x: Array) -> Record:
    """Box 1 over all steps.  x (T, batch, n_in)."""
    a = [np.zeros((x.shape[1], len(W)), x.dtype) for W, _ in synapses]
    record: list[tuple[list[Array], list[Array]]] = []
    for now in x:
        y = [now, *map(f.sigma, a)]
        record.append((a, y))
        a = [own @ V.T + below @ W.T for (W, V), below, own in zip(synapses, y[:-1], y[1:], strict=True)]
    return Record(
        tuple(np.stack([a[k] for a, _ in record]) for k in range(len(synapses))),
        tuple(np.stack([y[k] for _, y in record]) for k in range(len(synapses) + 1)),
    )


def bptt(f: Activation, synapses: Sequence[Synapses], seen: Record, dL_dy: Array) -> tuple[Synapses, ...]:
    """Backpropagation through time.  [N19 Eq. 7]

        delta^(l)[n] = sigma'(a^(l)[n]) (W^(l+1)T delta^(l+1)[n+1] + V^(l)T delta^(l)[n+1]), at the top + dL/dy^(L)[n]
        dL/dW^(l) = sum_n delta^(l)[n] y^(l-1)[n-1],   dL/dV^(l) = sum_n delta^(l)[n] y^(l)[n-1]

    dL_dy (T, batch, n_L).  The review prints delta^(l+1)[n] with W^(l), and y^(l-1)[n].
    """
    validate_shape("dL_dy", dL_dy, seen.y[-1].shape)
    later = [np.zeros_like(a[0]) for a in seen.a]
    total = [Synapses(np.zeros_like(W), np.zeros_like(V)) for W, V in synapses]
    for n in range(len(dL_dy) - 1, 0, -1):
        come = [delta @ V for delta, (_, V) in zip(later, synapses, strict=True)]
        come = [c + later[l + 1] @ synapses[l + 1].W for l, c in enumerate(come[:-1])] + [come[-1] + dL_dy[n]]
        delta = [f.slope(a[n]) * c for a, c in zip(seen.a, come, strict=True)]
        total = [
            Synapses(t.W + d.T @ below[n - 1], t.V + d.T @ own[n - 1])
            for t, d, below, own in zip(total, delta, seen.y[:-1], seen.y[1:], strict=True)
        ]
        later = delta
    return tuple(total)


def rtrl(f: Activation, synapses: Sequence[Synapses], seen: Record, dL_dy: Array) -> tuple[Synapses, ...]:
    """Real-time recurrent learning: P_kij^(l,m)[n] = dy_k^(l)[n]/dW_ij^(m), and the same for V.  [N19 Eq. 8]

        P_kij^(l,m)[n] = sigma'(a_k^(l)[n]) (sum_c V_kc^(l) P_cij^(l,m)[n-1] + sum_c W_kc^(l) P_cij^(l-1,m)[n-1]
                                             + [l = m, k = i] z_j[n-1])

    where z_j is what layer m hears: y^(m-1) for W, then y^(m) for V.  The review prints V_ij', W_ij' and y_i.
    """
    validate_shape("dL_dy", dL_dy, seen.y[-1].shape)
    batch, layers = seen.y[0].shape[1], range(len(synapses))
    heard = [np.concatenate(pair, axis=-1) for pair in zip(seen.y[:-1], seen.y[1:], strict=True)]
    P = [
        [np.zeros((batch, len(synapses[l].W), len(synapses[m].W), heard[m].shape[-1])) for m in layers] for l in layers
    ]
    total = [np.zeros(p.shape[2:]) for p in P[-1]]
    for n in range(1, len(dL_dy)):
        before, P = P, [[np.zeros_like(p) for p in row] for row in P]
        for l, (W, V) in enumerate(synapses):
            for m in range(l + 1):
                inner = np.einsum("kc,bcij->bkij", V, before[l][m])
                if m < l:
                    inner += np.einsum("kc,bcij->bkij", W, before[l - 1][m])
                else:
                    inner += np.einsum("ki,bj->bkij", np.eye(len(W)), heard[m][n - 1])
                P[l][m] = f.slope(seen.a[l][n])[:, :, None, None] * inner
        total = [t + np.einsum("bk,bkij->ij", dL_dy[n], p) for t, p in zip(total, P[-1], strict=True)]
    return tuple(Synapses(g[:, : W.shape[1]], g[:, W.shape[1] :]) for g, (W, _) in zip(total, synapses, strict=True))
