"""The equations of docs/case_format.md, one function each; loops.py has their order.

Indices: `s` sample, `i` neuron, `j` input, `k` output, `v` pooling window.  A weight is `W[w]`; `taps[i]` lists the
pairs (j, w) of neuron i: a convolution differs from a dense layer only in these.
"""

import math

_ACTIVE, _SILENT = 0.01, 0.1  # the numbers of the two penalties


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
