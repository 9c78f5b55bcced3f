"""An independent implementation of docs/case_format.md in plain Python: one loop per index, one function per equation.

It shares no line with the package, so that their agreement is evidence for both.  Numbers are Python floats (float64)
in flat lists; NumPy is used only for the arrays of the case and of the trace.

    backend(about, arrays) -> the trace's arrays by name

Indices: `s` sample, `i` neuron, `j` input, `k` output, `v` pooling window.  A weight is `W[w]`; `taps[i]` lists the
pairs (j, w) of neuron i: a convolution differs from a dense layer only in these.
"""

import math
from collections import defaultdict
from types import SimpleNamespace

import numpy as np

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
_ACTIVE, _SILENT = 0.01, 0.1  # the numbers of the two penalties


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


# --- the dynamics of one sample


def new_Q(layer, Q, S_in):
    """beta_j Q_j + g_Q S_in_j."""
    return [layer.beta[j] * Q[j] + layer.gain_Q[j] * S_in[j] for j in range(layer.n_in)]


def new_P(layer, P, Q):
    """alpha_j P_j + g_P Q_j, with the old Q or the new."""
    return [layer.alpha[j] * P[j] + layer.gain_P[j] * Q[j] for j in range(layer.n_in)]


def membrane(layer, P, R):
    """U_i = sum_j W_ij P_j + b_i - delta_i R_i."""
    W, b, delta = layer.W, layer.b, layer.delta
    return [sum(W[w] * P[j] for j, w in layer.taps[i]) + b[layer.bias[i]] - delta[i] * R[i] for i in range(layer.n)]


def spike(layer, u):
    """Theta(u)."""
    return 1.0 if u > 0 or (u == 0 and layer.axes["threshold"] == "at_or_above") else 0.0


def new_R(layer, R, U):
    """gamma_i R_i + Theta(U_i): the neuron's own spike, transmitted or not."""
    return [layer.gamma[i] * R[i] + spike(layer, U[i]) for i in range(layer.n)]


def winner(U, window):
    """The neuron of the window with the largest U; ties go to the lowest index."""
    first = window[0]
    for i in window:
        if U[i] > U[first]:
            first = i
    return first


def readout(layer, U, won):
    """Y_k = sum_v G_kv a_v + c_k, a = sigma(U) or S."""
    a = [spike(layer, U[i]) if layer.axes["readout"] == "spikes" else sigma(layer.surrogate, U[i]) for i in won]
    return [sum(layer.G[k][v] * a[v] for v in range(len(a))) + layer.c[k] for k in range(layer.n_out)]


# --- the losses of one sample


def softmax(Y):
    """exp(Y_k) / sum exp(Y)."""
    powers = [math.exp(y - max(Y)) for y in Y]
    return [power / sum(powers) for power in powers]


def loss(layer, Y, target):
    """L before the reduction."""
    if layer.about["loss"] == "cross_entropy":
        return -sum(t * math.log(p) for t, p in zip(target, softmax(Y), strict=True))
    d = [y - t for y, t in zip(Y, target, strict=True)]
    if layer.about["loss"] == "squared_error":
        return sum(x * x / 2 for x in d)
    return sum(x * x / 2 if abs(x) < 1 else abs(x) - 0.5 for x in d)


def error(layer, Y, target):
    """e = dL/dY before the reduction."""
    if layer.about["loss"] == "cross_entropy":
        return [p * sum(target) - t for p, t in zip(softmax(Y), target, strict=True)]
    d = [y - t for y, t in zip(Y, target, strict=True)]
    return d if layer.about["loss"] == "squared_error" else [max(-1.0, min(1.0, x)) for x in d]


def divisor(layer, batch):
    """The number by which `mean` divides L and e."""
    if layer.about["reduction"] == "sum":
        return 1
    return batch if layer.about["loss"] == "cross_entropy" else batch * layer.n_out


# --- backward


def backward(layer, e, U, won, slopes):
    """delta_i = (sum_k G_kv e_k) sigma'(U_i) for the winner i of window v, 0 for the others; plus the penalties."""
    delta = list(slopes)
    for v, i in enumerate(won):
        delta[i] += sum(layer.G[k][v] * e[k] for k in range(layer.n_out)) * sigma_prime(layer.surrogate, U[i])
    return delta


def regulariser(layer, U, won):
    """The two penalties of all samples together, and their derivatives by U: the first of the winners or of all."""
    slopes = [[0.0] * layer.n for _ in U]
    loud = [list(range(layer.n)) for _ in U] if layer.axes.get("regulariser_place") == "unpooled" else won
    total = active(layer.about.get("lambda1", 0.0), U, loud, slopes)
    silent = silent_membrane if layer.about.get("activity", "rate") == "membrane" else silent_rate
    return total + silent(layer, layer.about.get("lambda2", 0.0), U, won, slopes), slopes


def active(lambda1, U, who, slopes):
    """lambda1 <relu(U + 0.01)>; adds its derivative to `slopes`."""
    each = [(s, i) for s in range(len(U)) for i in who[s] if U[s][i] + _ACTIVE > 0]
    count = len(U) * len(who[0])
    for s, i in each:
        slopes[s][i] += lambda1 / count
    return lambda1 * sum(U[s][i] + _ACTIVE for s, i in each) / count


def silent_rate(layer, lambda2, U, who, slopes):
    """lambda2 relu(0.1 - <a(U)>), a = sigma or the logistic function, one relu for all; adds its derivative."""
    name = "logistic" if layer.axes.get("regulariser_reads") == "logistic" else layer.surrogate
    each = [(s, i) for s in range(len(U)) for i in who[s]]
    short = _SILENT - sum(sigma(name, U[s][i]) for s, i in each) / len(each)
    for s, i in each if short > 0 else ():
        slopes[s][i] -= lambda2 * sigma_prime(name, U[s][i]) / len(each)
    return lambda2 * max(0.0, short)


def silent_membrane(layer, lambda2, U, who, slopes):
    """lambda2 <relu(0.1 - <U>_neurons)>, one relu per sample; adds its derivative."""
    total = 0.0
    for s, wins in enumerate(who):
        short = _SILENT - sum(U[s][i] for i in wins) / len(wins)
        total += max(0.0, short) / len(who)
        for i in wins if short > 0 else ():
            slopes[s][i] -= lambda2 / (len(wins) * len(who))
    return lambda2 * total


def gradient(layer, delta, P):
    """dW_ij = sum_s delta_i P_j, db_i = sum_s delta_i; shared weights collect from every neuron that uses them."""
    dW, db = [0.0] * len(layer.W), [0.0] * len(layer.b)
    for s in range(len(P)):
        for i in range(layer.n):
            db[layer.bias[i]] += delta[s][i]
            for j, w in layer.taps[i]:
                dW[w] += delta[s][i] * P[s][j]
    return dW, db


# --- surrogates


def sigma_prime(name, x):
    """The surrogate derivative."""
    a = abs(x)
    if name == "logistic":
        return sigma(name, x) * sigma(name, -x)
    if name == "piecewise_linear":
        return max(0.0, 1 - a)
    if name == "exponential":
        return math.exp(-a)
    if name == "boxcar":
        return 1.0 if -0.5 < x <= 0.5 else 0.0
    return 1 / (1 + (10 if name == "fast_sigmoid_10" else 1) * a) ** 2


def sigma(name, x):
    """Its primitive, 1/2 at 0."""
    a = abs(x)
    if name == "logistic":
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
    if name == "piecewise_linear":
        return 0.5 + x * (1 - a / 2) if a < 1 else float(x > 0)
    if name == "exponential":
        return 0.5 + math.copysign(1 - math.exp(-a), x)
    if name == "boxcar":
        return max(0.0, min(1.0, x + 0.5))
    return 0.5 + x / (1 + (10 if name == "fast_sigmoid_10" else 1) * a)


# --- learning


def update(layer, optimiser, dW, db):
    """One update of W and b by the optimiser."""
    layer.t += 1
    for x, g in (("W", dW), ("b", db)):
        theta, rates = getattr(layer, x), layer.rates[x]
        for w in range(len(g)):
            if optimiser["kind"] == "sgd":
                theta[w] -= rates[w] * g[w]
            else:
                m, u = layer.memory["m_" + x], layer.memory["u_" + x]
                theta[w] -= adamax(m, u, w, g[w], rates[w], layer.t, **optimiser)


def adamax(m, u, w, g, lr, t, kind, beta1=0.0, beta2=0.95, eps=1e-8):
    """m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  the step is lr / (1 - beta1^t) m / u."""
    m[w] = beta1 * m[w] + (1 - beta1) * g
    u[w] = max(beta2 * u[w], abs(g) + eps)
    return lr / (1 - beta1**t) * m[w] / u[w]


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
