"""Notebook 10: exact gradients of spike times."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import spike_time
from decolle_ref.teach.task import Slip, Task


def _draw_membrane(rng: np.random.Generator) -> tuple[Any, ...]:
    """w, t (m,), at: some inputs arrive before `at`, and some after it."""
    return rng.normal(0.8, 0.5, 6), rng.uniform(0, 4, 6), rng.uniform(1.5, 3)


def _membrane(w: Array, t: Array, at: float) -> Any:
    return spike_time.potential(w[None], t, np.array([at]))[0, 0]


def _membrane_in_z(w: Array, t: Array, at: float) -> float:
    z, z_j = np.exp(at), np.exp(t)
    return float(sum(w[j] * (1 - z_j[j] / z) for j in range(len(w)) if z_j[j] < z))


MEMBRANE = Task(
    "membrane",
    _membrane,
    _draw_membrane,
    slips=(
        Slip(
            "inputs that have not arrived",
            lambda w, t, at: w @ (1 - np.exp(t - at)),
            "An input that arrives after this time has no effect yet. What stands for this in equation (1)?",
        ),
        Slip(
            "the current",
            lambda w, t, at: w @ (np.exp(np.minimum(t - at, 0)) * (t < at)),
            "This is the current I. The potential is its integral.",
        ),
        Slip(
            "without the weights",
            lambda w, t, at: np.maximum(1 - np.exp(t - at), 0).sum(),
            "Every input acts in proportion to its weight.",
        ),
        Slip("wrong sign", lambda *args: -_membrane(*args), "An excitatory input (w > 0) raises the potential."),
        Slip(
            "an average in place of the sum",
            lambda w, *args: _membrane(w, *args) / len(w),
            "The effects of the inputs add up; nothing is divided by their number.",
        ),
    ),
    forms=(
        _membrane_in_z,
        lambda w, t, at: (w * (1 - np.exp(-np.maximum(at - t, 0)))).sum(),
        lambda w, t, at: np.where(t < at, w * (1 - np.exp(t - at)), 0).sum(),
    ),
)


def _draw_neuron(rng: np.random.Generator) -> tuple[Any, ...]:
    """w, z (m,), z in order of arrival; some of the neurons are silent."""
    return rng.normal(0.3, 0.9, 8), np.sort(np.exp(rng.uniform(0, 3, 8)))


def _first_spike(w: Array, z: Array) -> Any:
    return spike_time.fire(w[None], z[None]).z[0, 0]


def _by_sums(w: Array, z: Array) -> Any:
    sums = np.cumsum(w)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.cumsum(w * z) / (sums - 1)
    good = (sums > 1) & (out <= np.append(z[1:], np.inf))
    return out[good][0] if good.any() else np.inf


def _search(w: Array, z: Array, enough: float = 1.0, until_next: bool = True, bias: float = 1.0) -> float:
    """The first prefix that satisfies both conditions, with the changes of a slip."""
    for k in range(1, len(w) + 1):
        total = w[:k].sum()
        if total > enough:
            out = float(w[:k] @ z[:k] / (total - bias))
            if not until_next or k == len(w) or out <= z[k]:
                return out
    return np.inf


def _all_inputs(w: Array, z: Array) -> float:
    return float(w @ z / (w.sum() - 1)) if w.sum() > 1 else np.inf


FIRST_SPIKE = Task(
    "first_spike",
    _first_spike,
    _draw_neuron,
    points=2,
    slips=(
        Slip(
            "only the sum of the weights",
            lambda w, z: _search(w, z, until_next=False),
            "Another input may arrive before the spike that you have computed. Which second condition excludes this?",
        ),
        Slip(
            "without the minus one",
            lambda w, z: _search(w, z, bias=0.0),
            "The denominator of equation (3) is the sum of the weights minus the threshold.",
        ),
        Slip(
            "any positive sum",
            lambda w, z: _search(w, z, enough=0.0),
            "The potential approaches the sum of the weights. What must this sum exceed for a spike?",
        ),
        Slip(
            "all inputs",
            _all_inputs,
            "You use all inputs. Those that arrive after the spike cannot have caused it.",
        ),
        Slip(
            "the time in place of z",
            lambda w, z: np.log(_first_spike(w, z)),
            "This is the time t. The exercise asks for z = exp(t).",
        ),
        Slip(
            "no silent neuron",
            lambda w, z: _first_spike(w, z) if np.isfinite(_first_spike(w, z)) else None,
            "A neuron that never reaches the threshold has z = np.inf. What does your function return after its loop?",
        ),
    ),
    forms=(_by_sums, _search),
)


def _draw_derivatives(rng: np.random.Generator) -> tuple[Any, ...]:
    """w, z (m,) and z_out of a neuron that fires after some of its inputs, and before others."""
    while True:
        w, z = rng.normal(0.9, 0.6, 7), np.exp(rng.uniform(0, 3, 7))
        z_out = float(_first_spike(*(array[np.argsort(z)] for array in (w, z))))
        if 3 <= (z < z_out).sum() <= 5:
            return w, z, z_out


def _derivatives(w: Array, z: Array, z_out: float) -> tuple[Any, Any]:
    before = z < z_out
    I = w[before].sum() - 1
    return np.where(before, z - z_out, 0) / I, np.where(before, w, 0) / I


def _derivatives_by_the_package(w: Array, z: Array, z_out: float) -> tuple[Any, Any]:
    spikes = spike_time.fire(w[None], z[None])
    dw, dz = spike_time.derivatives(w[None], z[None], spikes)
    return dw[0, 0], dz[0, 0]


def _derivatives_by_loops(w: Array, z: Array, z_out: float) -> tuple[Any, Any]:
    I = sum(w_j for w_j, z_j in zip(w, z, strict=True) if z_j < z_out) - 1
    pairs = [((z_j - z_out) / I, w_j / I) if z_j < z_out else (0.0, 0.0) for w_j, z_j in zip(w, z, strict=True)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _current_of_all(w: Array, z: Array, z_out: float) -> tuple[Any, Any]:
    dw, dz = _derivatives(w, z, z_out)
    factor = (w[z < z_out].sum() - 1) / (w.sum() - 1)
    return dw * factor, dz * factor


SPIKE_DERIVATIVES = Task(
    "spike_derivatives",
    _derivatives,
    _draw_derivatives,
    points=2,
    slips=(
        Slip(
            "wrong sign of dz/dw",
            lambda *args: (-_derivatives(*args)[0], _derivatives(*args)[1]),
            "A larger weight makes the spike come earlier, so dz_out/dw cannot be positive.",
        ),
        Slip(
            "inputs after the spike",
            lambda w, z, z_out: ((z - z_out) / (w[z < z_out].sum() - 1), w / (w[z < z_out].sum() - 1)),
            "An input that arrives after the spike has no influence on it: its derivatives are 0.",
        ),
        Slip(
            "current of all inputs",
            _current_of_all,
            "The current at the spike comes from the causal set alone.",
        ),
        Slip(
            "without the current",
            lambda *args: tuple(part * (args[0][args[1] < args[2]].sum() - 1) for part in _derivatives(*args)),
            "Both derivatives are divided by the current at the spike.",
        ),
        Slip(
            "sum of the weights in place of the current",
            lambda w, z, z_out: tuple(part * (1 - 1 / w[z < z_out].sum()) for part in _derivatives(w, z, z_out)),
            "The current at the spike is the sum of the weights minus 1: it has decayed since the inputs arrived.",
        ),
        Slip(
            "exchanged",
            lambda *args: _derivatives(*args)[::-1],
            "Return the derivative with respect to the weights first, then that with respect to the arrivals.",
        ),
    ),
    forms=(_derivatives_by_the_package, _derivatives_by_loops),
)


def _draw_layers(rng: np.random.Generator) -> tuple[Any, ...]:
    """W1 (5, 3), W2 (2, 5), z (4, 3), e (4, 2)."""
    W1, W2 = rng.normal(1.0, 0.3, (5, 3)), rng.normal(0.7, 0.3, (2, 5))
    return W1, W2, spike_time.encode(rng.uniform(0, 2, (4, 3))), rng.normal(size=(4, 2))


def _two_layer_gradient(W1: Array, W2: Array, z: Array, e: Array) -> tuple[Array, ...]:
    dW, _ = spike_time.backward((W1, W2), z, spike_time.forward((W1, W2), z), e)
    return dW


def _layers_by_hand(
    W1: Array, W2: Array, z: Array, e: Array, *, through: str = "arrivals", total: bool = True
) -> tuple[Array, ...]:
    hidden, out = spike_time.forward((W1, W2), z)
    dz_dW2, dz_dh = spike_time.derivatives(W2, hidden.z, out)
    dz_dW1, _ = spike_time.derivatives(W1, z, hidden)
    down = {"arrivals": dz_dh, "weights": np.broadcast_to(W2, dz_dh.shape), "dW": dz_dW2}[through]
    e_hidden = np.einsum("bi,bip->bp", e, down)
    scale = 1 if total else 1 / len(z)
    return np.einsum("bi,bip->ip", e_hidden, dz_dW1) * scale, np.einsum("bi,bip->ip", e, dz_dW2) * scale


def _sample_by_sample(W1: Array, W2: Array, z: Array, e: Array) -> tuple[Array, ...]:
    parts = [_layers_by_hand(W1, W2, z[b : b + 1], e[b : b + 1]) for b in range(len(z))]
    return np.sum([dW1 for dW1, _ in parts], axis=0), np.sum([dW2 for _, dW2 in parts], axis=0)


TWO_LAYER_GRADIENT = Task(
    "two_layer_gradient",
    _two_layer_gradient,
    _draw_layers,
    points=2,
    slips=(
        Slip(
            "wrong sign",
            lambda *args: tuple(-part for part in _two_layer_gradient(*args)),
            "This is the direction in which the weights move; the gradient points uphill.",
        ),
        Slip(
            "transposed",
            lambda *args: tuple(part.T for part in _two_layer_gradient(*args)),
            "Each result has the shape of its weights: a row for each receiver, a column for each sender.",
        ),
        Slip(
            "errors through the weights",
            lambda *args: _layers_by_hand(*args, through="weights"),
            "The error of a hidden spike goes through dz_out/dz_hidden, which is not the weight alone.",
        ),
        Slip(
            "errors through dz/dW",
            lambda *args: _layers_by_hand(*args, through="dW"),
            "spike_time.derivatives returns two arrays. Which of them says how a later arrival moves the output?",
        ),
        Slip(
            "mean over the batch",
            lambda *args: _layers_by_hand(*args, total=False),
            "The loss is a sum over the samples of the batch, so the gradient is a sum, too.",
        ),
        Slip(
            "layers exchanged",
            lambda *args: _two_layer_gradient(*args)[::-1],
            "Return the gradient of W1 first, then that of W2.",
        ),
    ),
    forms=(
        _layers_by_hand,
        _sample_by_sample,
    ),
)

TASKS = (MEMBRANE, FIRST_SPIKE, SPIKE_DERIVATIVES, TWO_LAYER_GRADIENT)
