"""An independent implementation of docs/case_format.md in plain Python: one loop per index, one function per equation.

The equations are in loop_equations.py.  Both files share no line with the package, so that their agreement is evidence
for both.  Numbers are Python floats (float64) in flat lists; NumPy is used only for the arrays of the case and of the
trace.

    backend(about, arrays) -> the trace's arrays by name

Indices: `s` sample, `i` neuron, `j` input, `k` output, `v` pooling window.  A weight is `W[w]`; `taps[i]` lists the
pairs (j, w) of neuron i: a convolution differs from a dense layer only in these.
"""

import math
from collections import defaultdict
from types import SimpleNamespace

import numpy as np

from tests.support.loop_equations import (
    backward,
    divisor,
    error,
    gradient,
    loss,
    membrane,
    new_P,
    new_Q,
    new_R,
    readout,
    regulariser,
    sigma,
    spike,
    update,
    winner,
)

_AXES = (
    "P_reads U_reads gains refractory threshold decay surrogate readout pooling regulariser_reads regulariser_place"
).split()
_NAMED = {
    "paper": "old_Q old_P one w at_or_above exp logistic sigma pool_U primitive pooled",
    "dcll": "new_Q new_P inverse gamma_w above euler logistic sigma pool_S primitive unpooled",
    "decolle": "old_Q new_P leak leak_w above given fast_sigmoid_10 spikes pool_U logistic pooled",
    "decolle-base": "old_Q new_P inverse w above given fast_sigmoid_10 spikes pool_U logistic pooled",
    "decolle-nonorm": "old_Q new_P one w at_or_above given boxcar spikes pool_U logistic pooled",
}
_STATE, _MEMORY = ("P", "Q", "R"), ("m_W", "u_W", "m_b", "u_b")


def backend(about, arrays):
    """Run a case: the same trace as decolle_ref.cases.simulate(case, gradients=True), computed by loops."""
    layers = [_layer(about, arrays, k) for k in range(len(about["layers"]))]
    trace = defaultdict(list)
    for n in range(about["steps"]):
        S_in = arrays["inputs"][n].astype(float).tolist()
        for k, layer in enumerate(layers):
            rows = _step(layer, S_in, layer.target[n] if about["targets"] else None)
            for name, value in rows.items():
                trace[f"layer{k + 1}_{name}"].append(_shaped(layer, name, value))
            S_in = rows["S"]
            if about["learn"] and about.get("n", 0) + n >= about.get("burn_in", 0):
                update(layer, about.get("optimiser", {"kind": "adamax"}), rows["dW"], rows["db"])
    return {name: np.array(values) for name, values in trace.items()} | _ends(about, layers)


backend.profile = {"name": "plain Python loops", "format": "float64", "level": "L2"}  # type: ignore[attr-defined]


def _step(layer, S_in, target):
    """One layer, one step, all samples."""
    rows, won = _forward(layer, S_in)
    return rows if target is None else rows | _learning_signals(layer, target, won, **rows)


def _forward(layer, S_in):
    """The trace of the layer and the winners of its pool; replaces P, Q, R by their new values."""
    P, Q, R = layer.P, layer.Q, layer.R
    layer.Q = [new_Q(layer, *sample) for sample in zip(Q, S_in, strict=True)]
    read = layer.Q if layer.axes["P_reads"] == "new_Q" else Q
    layer.P = [new_P(layer, *sample) for sample in zip(P, read, strict=True)]
    if layer.axes["U_reads"] == "new_P":
        P, Q = layer.P, layer.Q
    U = [membrane(layer, *sample) for sample in zip(P, R, strict=True)]
    layer.R = [new_R(layer, *sample) for sample in zip(R, U, strict=True)]
    keys = [[sigma(layer.surrogate, x) for x in u] for u in U] if layer.axes["pooling"] == "pool_S" else U
    won = [[winner(r, window) for window in layer.windows] for r in keys]
    S = [[spike(layer, u[i]) for i in wins] for u, wins in zip(U, won, strict=True)]
    Y = [readout(layer, *sample) for sample in zip(U, won, strict=True)]
    return {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}, won


def _learning_signals(layer, target, won, P, U, Y, **_):
    """The loss and the gradients, with the weights before the update."""
    by = divisor(layer, len(Y))
    e = [[x / by for x in error(layer, *sample)] for sample in zip(Y, target, strict=True)]
    penalty, slopes = regulariser(layer, U, won)
    delta = [backward(layer, *sample) for sample in zip(e, U, won, slopes, strict=True)]
    L = sum(loss(layer, *sample) for sample in zip(Y, target, strict=True)) / by + penalty
    dW, db = gradient(layer, delta, P)
    return {"loss": L, "e": e, "delta": delta, "dW": dW, "db": db, "W": layer.W, "b": layer.b}


# --- a layer from its case


def _layer(about, arrays, k):
    """Everything of layer k: constants, wiring, weights, state, learning."""
    entry = about["layers"][k]
    sizes = {name: entry[name] for name in ("n_in", "n", "n_out")}
    layer = SimpleNamespace(about=entry, **sizes, axes=_dialect(about["dialect"]))
    case_arrays = {name.split("_", 1)[1]: x for name, x in arrays.items() if name.startswith(f"layer{k + 1}_")}
    layer.surrogate = entry.get("surrogate", layer.axes["surrogate"])
    layer.taps, layer.bias, layer.windows = wiring(entry)
    layer.shapes = {"W": case_arrays["W"].shape, "b": case_arrays["b"].shape}
    layer.W, layer.b = case_arrays["W"].ravel().tolist(), case_arrays["b"].ravel().tolist()
    layer.G, layer.c = case_arrays["G"].tolist(), case_arrays["c"].tolist()
    layer.target = case_arrays["target"].tolist() if about["targets"] else None
    _constants(layer, about, case_arrays)
    for x, size in zip(_STATE, (layer.n_in, layer.n_in, layer.n), strict=True):
        rest = [[0.0] * size for _ in range(about["batch"])]
        setattr(layer, x, case_arrays[x + "0"].tolist() if about["initial_state"] == "given" else rest)
    if about["learn"]:
        _init_learning(layer, about, case_arrays)
    return layer


def _dialect(dialect):
    return dialect if isinstance(dialect, dict) else dict(zip(_AXES, _NAMED[dialect].split(), strict=True))


def _constants(layer, about, case_arrays):
    """alpha, beta, gamma, the two gains and delta, each a list."""
    for x, tau in (("alpha", "tau_mem"), ("beta", "tau_syn"), ("gamma", "tau_ref")):
        if about["constants"] == "decay":
            setattr(layer, x, case_arrays[x].tolist())
        else:
            setattr(layer, x, [decay(layer.axes["decay"], about["dt"], each) for each in case_arrays[tau].tolist()])
    layer.gain_Q = [gain(layer.axes["gains"], x) for x in layer.beta]
    layer.gain_P = [gain(layer.axes["gains"], x) for x in layer.alpha]
    pairs = zip(layer.gamma, case_arrays["w"].tolist(), strict=True)
    layer.delta = [strength(layer.axes["refractory"], *pair) for pair in pairs]


def decay(option, dt, tau):
    """exp(-dt/tau), or by Euler's step."""
    return 1 - dt / tau if option == "euler" else math.exp(-dt / tau)


def gain(option, x):
    """The gain of the trace that decays by x."""
    return {"one": 1.0, "leak": 1 - x, "inverse": 1 / (1 - x)}[option]


def strength(option, gamma, w):
    """The refractory strength delta."""
    return {"w": w, "gamma_w": gamma * w, "leak_w": (1 - gamma) * w}[option]


def wiring(entry):
    """(taps, bias, windows): the inputs and weights of each neuron, its bias, the neurons of each pooling window."""
    if "conv" not in entry:
        taps = [[(j, i * entry["n_in"] + j) for j in range(entry["n_in"])] for i in range(entry["n"])]
        return taps, list(range(entry["n"])), [[i] for i in range(entry["n"])]
    conv = {"stride": 1, "padding": 0} | entry["conv"]
    rows, columns = (
        (conv[x] + 2 * conv["padding"] - conv["kernel"]) // conv["stride"] + 1 for x in ("height", "width")
    )
    places = [(o, y, x) for o in range(conv["channels"]) for y in range(rows) for x in range(columns)]
    taps = [_field(conv, *place) for place in places]
    return taps, [o for o, _, _ in places], _windows(conv["channels"], rows, columns, entry.get("pool", 1))


def _field(conv, o, y, x):
    """The pairs (input, weight) of the neuron of channel o at row y, column x; nothing outside the image."""
    size, height, width = conv["kernel"], conv["height"], conv["width"]
    field = []
    for a in range(conv["channels_in"]):
        for p in range(size):
            for q in range(size):
                row, column = y * conv["stride"] + p - conv["padding"], x * conv["stride"] + q - conv["padding"]
                if 0 <= row < height and 0 <= column < width:
                    j, w = (a * height + row) * width + column, ((o * conv["channels_in"] + a) * size + p) * size + q
                    field.append((j, w))
    return field


def _windows(channels, rows, columns, pool):
    """The neurons of each whole window of pool x pool, in reading order."""
    corners = [(o, y, x) for o in range(channels) for y in range(rows // pool) for x in range(columns // pool)]
    inside = [(p, q) for p in range(pool) for q in range(pool)]
    return [[(o * rows + y * pool + p) * columns + x * pool + q for p, q in inside] for o, y, x in corners]


def _init_learning(layer, about, case_arrays):
    """Rates and memory, flat as W and b; a dense layer has one rate per input."""
    rate_W = case_arrays["rate_W"].ravel().tolist()
    layer.rates = {"W": rate_W if "conv" in layer.about else rate_W * layer.n, "b": case_arrays["rate_b"].tolist()}
    is_given = about.get("memory") == "given"
    zeros = {x: [0.0] * len(getattr(layer, x[-1])) for x in _MEMORY}
    layer.memory = {x: case_arrays[x].ravel().tolist() if is_given else zeros[x] for x in _MEMORY}
    layer.t = about.get("updates", 0) if is_given else 0


# --- the trace


def _shaped(layer, name, value):
    shape = layer.shapes.get(name[-1]) if name in ("W", "b", "dW", "db") else None
    return np.array(value) if shape is None else np.array(value).reshape(shape)


def _ends(about, layers):
    """The constants, and the end of the run."""
    ends = {}
    for k, layer in enumerate(layers, start=1):
        last = {f"{x}_final": _shaped(layer, x, getattr(layer, x)) for x in ("W", "b", *_STATE)}
        if about["learn"] and about.get("optimiser", {}).get("kind", "adamax") == "adamax":
            last |= {f"{x}_final": np.array(layer.memory[x]).reshape(layer.shapes[x[-1]]) for x in _MEMORY}
        last |= {f"const_{x}": np.array(getattr(layer, x)) for x in ("alpha", "beta", "gamma", "delta")}
        last |= {f"const_{x}": np.array(getattr(layer, x)) for x in ("gain_Q", "gain_P")}
        ends |= {f"layer{k}_{x}": array for x, array in last.items()}
    return ends
