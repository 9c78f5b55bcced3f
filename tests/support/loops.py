"""DECOLLE a second time: docs/case_format.md in plain Python, one loop per index, one function per equation.

Written from that page and shares no line with the package, so that where the two agree neither has been asked about
itself.  Numbers are Python floats (float64) in flat lists; NumPy only carries arrays in and out.

    backend(about, arrays) -> the trace's arrays by name

Indices: `s` sample, `i` neuron, `j` input, `k` output, `v` window of the pooling.  A weight is `W[w]`; `taps[i]` lists
the pairs (j, w) of neuron i, which is all in which a convolution differs from a dense layer.
"""

import math
from collections import defaultdict
from types import SimpleNamespace

import numpy as np

_AXES = "P_reads", "U_reads", "gains", "refractory", "threshold", "decay", "surrogate", "readout", "pooling"
_NAMED = {
    "paper": "old_Q old_P one w at_or_above exp logistic sigma pool_U",
    "dcll": "new_Q new_P inverse gamma_w above euler logistic sigma pool_S",
    "decolle": "old_Q new_P leak leak_w above given fast_sigmoid_10 spikes pool_U",
    "decolle-base": "old_Q new_P inverse w above given fast_sigmoid_10 spikes pool_U",
    "decolle-nonorm": "old_Q new_P one w at_or_above given boxcar spikes pool_U",
}
_STATE, _MEMORY = ("P", "Q", "R"), ("m_W", "u_W", "m_b", "u_b")
_ACTIVE, _SILENT = 0.01, 0.1  # the numbers of the two penalties


def backend(about, arrays):
    """Run a case.  The whole of decolle_ref.cases.simulate(case, gradients=True), by loops."""
    layers = [_layer(about, arrays, k) for k in range(len(about["layers"]))]
    trace = defaultdict(list)
    for n in range(about["steps"]):
        S_in = arrays["inputs"][n].astype(float).tolist()
        for k, of in enumerate(layers):
            shown = _step(of, S_in, of.target[n] if about["targets"] else None)
            for name, value in shown.items():
                trace[f"layer{k + 1}_{name}"].append(_shaped(of, name, value))
            S_in = shown["S"]
            if about["learn"] and about.get("n", 0) + n >= about.get("burn_in", 0):
                update(of, about.get("optimiser", {"kind": "adamax"}), shown["dW"], shown["db"])
    return {name: np.array(values) for name, values in trace.items()} | _ends(about, layers)


backend.profile = {"name": "plain Python loops", "format": "float64", "level": "L2"}  # type: ignore[attr-defined]


def _step(of, S_in, target):
    """One layer, one step, all samples."""
    shown, won = _forward(of, S_in)
    return shown if target is None else shown | _judged(of, target, won, **shown)


def _forward(of, S_in):
    """What the layer shows, and the winners of its pooling; moves P, Q, R on."""
    P, Q, R = of.P, of.Q, of.R
    of.Q = [new_Q(of, *sample) for sample in zip(Q, S_in, strict=True)]
    of.P = [new_P(of, *sample) for sample in zip(P, of.Q if of.axes["P_reads"] == "new_Q" else Q, strict=True)]
    if of.axes["U_reads"] == "new_P":
        P, Q = of.P, of.Q
    U = [membrane(of, *sample) for sample in zip(P, R, strict=True)]
    of.R = [new_R(of, *sample) for sample in zip(R, U, strict=True)]
    ranked = [[sigma(of.surrogate, x) for x in u] for u in U] if of.axes["pooling"] == "pool_S" else U
    won = [[winner(r, window) for window in of.windows] for r in ranked]
    S = [[spike(of, u[i]) for i in wins] for u, wins in zip(U, won, strict=True)]
    Y = [readout(of, *sample) for sample in zip(U, won, strict=True)]
    return {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}, won


def _judged(of, target, won, P, U, Y, **_):
    """The loss and what follows from it, with the weights as they are."""
    by = divisor(of, len(Y))
    e = [[x / by for x in error(of, *sample)] for sample in zip(Y, target, strict=True)]
    penalty, slopes = regulariser(of, U, won)
    delta = [backward(of, *sample) for sample in zip(e, U, won, slopes, strict=True)]
    L = sum(loss(of, *sample) for sample in zip(Y, target, strict=True)) / by + penalty
    dW, db = gradient(of, delta, P)
    return {"loss": L, "e": e, "delta": delta, "dW": dW, "db": db, "W": of.W, "b": of.b}


# --- the dynamics, of one sample


def new_Q(of, Q, S_in):
    """beta_j Q_j + g_Q S_in_j."""
    return [of.beta[j] * Q[j] + of.gain_Q[j] * S_in[j] for j in range(of.n_in)]


def new_P(of, P, Q):
    """alpha_j P_j + g_P Q_j, of the old Q or the new."""
    return [of.alpha[j] * P[j] + of.gain_P[j] * Q[j] for j in range(of.n_in)]


def membrane(of, P, R):
    """U_i = sum_j W_ij P_j + b_i - delta_i R_i."""
    return [sum(of.W[w] * P[j] for j, w in of.taps[i]) + of.b[of.bias[i]] - of.delta[i] * R[i] for i in range(of.n)]


def spike(of, u):
    """Theta(u)."""
    return 1.0 if u > 0 or (u == 0 and of.axes["threshold"] == "at_or_above") else 0.0


def new_R(of, R, U):
    """gamma_i R_i + Theta(U_i): a neuron's own spike, whether or not it is the one transmitted."""
    return [of.gamma[i] * R[i] + spike(of, U[i]) for i in range(of.n)]


def winner(U, window):
    """The neuron of the window with the largest U, of several the first."""
    first = window[0]
    for i in window:
        if U[i] > U[first]:
            first = i
    return first


def readout(of, U, won):
    """Y_k = sum_v G_kv a_v + c_k, a = sigma(U) or S."""
    a = [spike(of, U[i]) if of.axes["readout"] == "spikes" else sigma(of.surrogate, U[i]) for i in won]
    return [sum(of.G[k][v] * a[v] for v in range(len(a))) + of.c[k] for k in range(of.n_out)]


# --- losses, of one sample


def softmax(Y):
    """exp(Y_k) / sum exp(Y)."""
    powers = [math.exp(y - max(Y)) for y in Y]
    return [power / sum(powers) for power in powers]


def loss(of, Y, target):
    """L before the reduction."""
    if of.about["loss"] == "cross_entropy":
        return -sum(t * math.log(p) for t, p in zip(target, softmax(Y), strict=True))
    d = [y - t for y, t in zip(Y, target, strict=True)]
    if of.about["loss"] == "squared_error":
        return sum(x * x / 2 for x in d)
    return sum(x * x / 2 if abs(x) < 1 else abs(x) - 0.5 for x in d)


def error(of, Y, target):
    """e = dL/dY before the reduction."""
    if of.about["loss"] == "cross_entropy":
        return [p * sum(target) - t for p, t in zip(softmax(Y), target, strict=True)]
    d = [y - t for y, t in zip(Y, target, strict=True)]
    return d if of.about["loss"] == "squared_error" else [max(-1.0, min(1.0, x)) for x in d]


def divisor(of, batch):
    """What `mean` divides L and e by."""
    if of.about["reduction"] == "sum":
        return 1
    return batch if of.about["loss"] == "cross_entropy" else batch * of.n_out


# --- backward


def backward(of, e, U, won, slopes):
    """delta_i = (sum_k G_kv e_k) sigma'(U_i) for the winner i of window v, 0 for the others; plus the penalties'."""
    delta = list(slopes)
    for v, i in enumerate(won):
        delta[i] += sum(of.G[k][v] * e[k] for k in range(of.n_out)) * sigma_prime(of.surrogate, U[i])
    return delta


def regulariser(of, U, won):
    """The two penalties of all samples together, and their slopes by U.

    Over what is read: the winners.
    """
    slopes = [[0.0] * of.n for _ in U]
    total = active(of.about.get("lambda1", 0.0), U, won, slopes)
    silent = silent_membrane if of.about.get("activity", "rate") == "membrane" else silent_rate
    return total + silent(of, of.about.get("lambda2", 0.0), U, won, slopes), slopes


def active(lambda1, U, who, slopes):
    """lambda1 <relu(U + 0.01)>; adds its slope to `slopes`."""
    each = [(s, i) for s in range(len(U)) for i in who[s] if U[s][i] + _ACTIVE > 0]
    count = len(U) * len(who[0])
    for s, i in each:
        slopes[s][i] += lambda1 / count
    return lambda1 * sum(U[s][i] + _ACTIVE for s, i in each) / count


def silent_rate(of, lambda2, U, who, slopes):
    """lambda2 relu(0.1 - <sigma(U)>), one relu for all; adds its slope."""
    each = [(s, i) for s in range(len(U)) for i in who[s]]
    short = _SILENT - sum(sigma(of.surrogate, U[s][i]) for s, i in each) / len(each)
    for s, i in each if short > 0 else ():
        slopes[s][i] -= lambda2 * sigma_prime(of.surrogate, U[s][i]) / len(each)
    return lambda2 * max(0.0, short)


def silent_membrane(of, lambda2, U, who, slopes):
    """lambda2 <relu(0.1 - <U>_neurons)>, one relu per sample; adds its slope."""
    total = 0.0
    for s, wins in enumerate(who):
        short = _SILENT - sum(U[s][i] for i in wins) / len(wins)
        total += max(0.0, short) / len(who)
        for i in wins if short > 0 else ():
            slopes[s][i] -= lambda2 / (len(wins) * len(who))
    return lambda2 * total


def gradient(of, delta, P):
    """dW_ij = sum_s delta_i P_j, db_i = sum_s delta_i; shared weights collect from every neuron that uses them."""
    dW, db = [0.0] * len(of.W), [0.0] * len(of.b)
    for s in range(len(P)):
        for i in range(of.n):
            db[of.bias[i]] += delta[s][i]
            for j, w in of.taps[i]:
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


def update(of, optimiser, dW, db):
    """W and b, each by the optimiser."""
    of.t += 1
    for x, g in (("W", dW), ("b", db)):
        theta, rates = getattr(of, x), of.rates[x]
        for w in range(len(g)):
            if optimiser["kind"] == "sgd":
                theta[w] -= rates[w] * g[w]
            else:
                theta[w] -= adamax(of.memory["m_" + x], of.memory["u_" + x], w, g[w], rates[w], of.t, **optimiser)


def adamax(m, u, w, g, lr, t, kind, beta1=0.0, beta2=0.95, eps=1e-8):
    """m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  the step is lr / (1 - beta1^t) m / u."""
    m[w] = beta1 * m[w] + (1 - beta1) * g
    u[w] = max(beta2 * u[w], abs(g) + eps)
    return lr / (1 - beta1**t) * m[w] / u[w]


# --- what a case says of a layer


def _layer(about, arrays, k):
    """Everything of layer k: constants, wiring, weights, state, learning."""
    one = about["layers"][k]
    of = SimpleNamespace(about=one, n_in=one["n_in"], n=one["n"], n_out=one["n_out"], axes=_dialect(about["dialect"]))
    own = {name.split("_", 1)[1]: x for name, x in arrays.items() if name.startswith(f"layer{k + 1}_")}
    of.surrogate = one.get("surrogate", of.axes["surrogate"])
    of.taps, of.bias, of.windows = wiring(one)
    of.shapes = {"W": own["W"].shape, "b": own["b"].shape}
    of.W, of.b = own["W"].ravel().tolist(), own["b"].ravel().tolist()
    of.G, of.c = own["G"].tolist(), own["c"].tolist()
    of.target = own["target"].tolist() if about["targets"] else None
    _constants(of, about, own)
    given, sizes = about["initial_state"] == "given", {"P": of.n_in, "Q": of.n_in, "R": of.n}
    for x in _STATE:
        setattr(of, x, own[x + "0"].tolist() if given else [[0.0] * sizes[x] for _ in range(about["batch"])])
    if about["learn"]:
        _learning(of, about, own)
    return of


def _dialect(given):
    return given if isinstance(given, dict) else dict(zip(_AXES, _NAMED[given].split(), strict=True))


def _constants(of, about, own):
    """alpha, beta, gamma, the two gains and delta, each a list."""
    for x, tau in (("alpha", "tau_mem"), ("beta", "tau_syn"), ("gamma", "tau_ref")):
        if about["constants"] == "decay":
            setattr(of, x, own[x].tolist())
        else:
            setattr(of, x, [decay(of.axes["decay"], about["dt"], each) for each in own[tau].tolist()])
    of.gain_Q = [gain(of.axes["gains"], x) for x in of.beta]
    of.gain_P = [gain(of.axes["gains"], x) for x in of.alpha]
    of.delta = [strength(of.axes["refractory"], *each) for each in zip(of.gamma, own["w"].tolist(), strict=True)]


def decay(option, dt, tau):
    """exp(-dt/tau), or by Euler's step."""
    return 1 - dt / tau if option == "euler" else math.exp(-dt / tau)


def gain(option, x):
    """Of the trace that decays by x."""
    return {"one": 1.0, "leak": 1 - x, "inverse": 1 / (1 - x)}[option]


def strength(option, gamma, w):
    """delta."""
    return {"w": w, "gamma_w": gamma * w, "leak_w": (1 - gamma) * w}[option]


def wiring(one):
    """(taps, bias, windows): the inputs and weights of each neuron, its bias, the neurons of each pooling window."""
    if "conv" not in one:
        taps = [[(j, i * one["n_in"] + j) for j in range(one["n_in"])] for i in range(one["n"])]
        return taps, list(range(one["n"])), [[i] for i in range(one["n"])]
    conv = {"stride": 1, "padding": 0} | one["conv"]
    rows, columns = (
        (conv[x] + 2 * conv["padding"] - conv["kernel"]) // conv["stride"] + 1 for x in ("height", "width")
    )
    places = [(o, y, x) for o in range(conv["channels"]) for y in range(rows) for x in range(columns)]
    taps = [_field(conv, *place) for place in places]
    return taps, [o for o, _, _ in places], _windows(conv["channels"], rows, columns, one.get("pool", 1))


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


def _learning(of, about, own):
    """Rates and memory, flat as W and b; a dense layer has one rate per input."""
    rate_W = own["rate_W"].ravel().tolist()
    of.rates = {"W": rate_W if "conv" in of.about else rate_W * of.n, "b": own["rate_b"].tolist()}
    given = about.get("memory") == "given"
    of.memory = {x: own[x].ravel().tolist() if given else [0.0] * len(getattr(of, x[-1])) for x in _MEMORY}
    of.t = about.get("updates", 0) if given else 0


# --- out


def _shaped(of, name, value):
    shape = of.shapes.get(name[-1]) if name in ("W", "b", "dW", "db") else None
    return np.array(value) if shape is None else np.array(value).reshape(shape)


def _ends(about, layers):
    """Constants as used, and where the run ended."""
    ends = {}
    for k, of in enumerate(layers, start=1):
        last = {f"{x}_final": _shaped(of, x, getattr(of, x)) for x in ("W", "b", *_STATE)}
        if about["learn"] and about.get("optimiser", {}).get("kind", "adamax") == "adamax":
            last |= {f"{x}_final": np.array(of.memory[x]).reshape(of.shapes[x[-1]]) for x in _MEMORY}
        last |= {f"const_{x}": np.array(getattr(of, x)) for x in ("alpha", "beta", "gamma", "delta")}
        last |= {f"const_{x}": np.array(getattr(of, x)) for x in ("gain_Q", "gain_P")}
        ends |= {f"layer{k}_{x}": array for x, array in last.items()}
    return ends
