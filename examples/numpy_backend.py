"""DECOLLE in NumPy, the whole format of docs/case_format.md: `backend(about, arrays)` runs a case.

It imports nothing of decolle_ref.  A layer has one method per direction: `forward` goes from the incoming spikes to
the readout Y, `backward` from the target to dW and db, and `learn` updates W and b.  Every number has the dtype of the
case.
"""

import numpy as np

# The choices of each dialect; case.json may also choose axis by axis.
AXES = (
    "P_reads U_reads gains refractory threshold surrogate readout dropout pooling regulariser_reads regulariser_place"
).split()
CHOICES = {
    "paper": "old_Q old_P one w at_or_above logistic sigma before_G pool_U primitive pooled",
    "dcll": "new_Q new_P inverse gamma_w above logistic sigma after_G pool_S primitive unpooled",
    "decolle": "old_Q new_P leak leak_w above fast_sigmoid_10 spikes before_G pool_U logistic pooled",
    "decolle-base": "old_Q new_P inverse w above fast_sigmoid_10 spikes before_G pool_U logistic pooled",
    "decolle-nonorm": "old_Q new_P one w at_or_above boxcar spikes before_G pool_U logistic pooled",
}
DIALECTS = {name: dict(zip(AXES, row.split(), strict=True)) for name, row in CHOICES.items()}
ADAMAX = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8}

# Computed in float64 and rounded once to the dtype of the case.
GAINS = {"one": np.ones_like, "leak": lambda decay: 1 - decay, "inverse": lambda decay: 1 / (1 - decay)}
STRENGTHS = {"w": np.ones_like, "gamma_w": lambda gamma: gamma, "leak_w": lambda gamma: 1 - gamma}


def logistic(x):
    """1 / (1 + exp(-x)), without an overflow."""
    z = np.exp(-abs(x))
    return np.where(x < 0, z, 1) / (1 + z)


def odd(x, half):
    """1/2 + half for x > 0, 1/2 - half for x < 0."""
    return 0.5 + np.sign(x) * half


# name: (sigma, sigma')
SURROGATES = {
    "logistic": (logistic, lambda x: logistic(x) * logistic(-x)),
    "fast_sigmoid": (lambda x: 0.5 + x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "fast_sigmoid_10": (lambda x: 0.5 + x / (1 + 10 * abs(x)), lambda x: 1 / (1 + 10 * abs(x)) ** 2),
    "piecewise_linear": (
        lambda x: odd(x, np.where(abs(x) < 1, abs(x) * (1 - abs(x) / 2), 0.5)),
        lambda x: np.maximum(1 - abs(x), 0),
    ),
    "exponential": (lambda x: odd(x, 1 - np.exp(-abs(x))), lambda x: np.exp(-abs(x))),
    "boxcar": (lambda x: np.clip(x + 0.5, 0, 1), lambda x: ((x > -0.5) & (x <= 0.5)).astype(x.dtype)),
}


def log_softmax(Y):
    """Y - log sum_k exp(Y_k), without an overflow."""
    shifted = Y - Y.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


# name: (loss per output, its derivative by Y)
LOSSES = {
    "squared_error": (lambda Y, target: (Y - target) ** 2 / 2, lambda Y, target: Y - target),
    "smooth_l1": (
        lambda Y, target: np.where(abs(Y - target) < 1, (Y - target) ** 2 / 2, abs(Y - target) - 0.5),
        lambda Y, target: np.clip(Y - target, -1, 1),
    ),
    "cross_entropy": (
        lambda Y, target: -target * log_softmax(Y),
        lambda Y, target: np.exp(log_softmax(Y)) * target.sum(axis=-1, keepdims=True) - target,
    ),
}


def wiring(layer):
    """The input of every weight at every place, n_in for padding; and the neurons of every pooling window."""
    if "conv" not in layer:
        return np.arange(layer["n_in"])[None], np.arange(layer["n"])[:, None]
    conv, pad = layer["conv"], layer["conv"].get("padding", 0)
    image = np.arange(layer["n_in"]).reshape(conv["channels_in"], conv["height"], conv["width"])
    image = np.pad(image, ((0, 0), (pad, pad), (pad, pad)), constant_values=layer["n_in"])
    patches = windows(image, conv["kernel"], conv.get("stride", 1)).transpose(1, 2, 0, 3, 4)
    rows, columns = patches.shape[:2]
    neurons, pool = np.arange(layer["n"]).reshape(-1, rows, columns), layer.get("pool", 1)
    return patches.reshape(rows * columns, -1), windows(neurons, pool, pool).reshape(-1, pool**2)


def windows(image, size, stride):
    """(channels, height, width) -> (channels, rows, columns, size, size): every window that fits."""
    every = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return every[:, ::stride, ::stride]


class Layer:
    """One layer: constants, weights, state and optimiser state."""

    def __init__(self, about, layer, axes, arrays):
        """`arrays` has the arrays of this layer by their names within it, such as W."""
        self.about, self.axes, self.dtype = layer, axes, np.dtype(about["dtype"])
        wide = {x: arrays[x].astype(np.float64) for x in ("alpha", "beta", "gamma", "w")}
        self.alpha, self.beta, self.gamma, self.G, self.c = (arrays[x] for x in ("alpha", "beta", "gamma", "G", "c"))
        self.gain_Q, self.gain_P = (GAINS[axes["gains"]](wide[x]).astype(self.dtype) for x in ("beta", "alpha"))
        self.delta = (STRENGTHS[axes["refractory"]](wide["gamma"]) * wide["w"]).astype(self.dtype)
        self.fan_in, self.windows = wiring(layer)
        self.shape_W, channels, B = arrays["W"].shape, len(arrays["b"]), about["batch"]
        self.W, self.b = arrays["W"].reshape(channels, -1), arrays["b"]
        at_rest = {"Q": (B, layer["n_in"]), "P": (B, layer["n_in"]), "R": (B, layer["n"])}
        self.Q, self.P, self.R = (arrays.get(f"{x}0", np.zeros(shape, self.dtype)) for x, shape in at_rest.items())
        fresh = {"W": np.zeros_like(self.W), "b": np.zeros_like(self.b)}
        self.m, self.u = ({x: arrays.get(f"{y}_{x}", fresh[x]).reshape(fresh[x].shape) for x in "Wb"} for y in "mu")
        if about["learn"]:
            self.rate_b, rate_W = arrays["rate_b"], arrays["rate_W"]
            self.rate_W = rate_W if rate_W.ndim == 1 else rate_W.reshape(self.W.shape)
        self.sigma, self.slope = SURROGATES[layer.get("surrogate", axes["surrogate"])]
        logistic_rate = axes.get("regulariser_reads") == "logistic"
        self.rate, self.rate_slope = SURROGATES["logistic"] if logistic_rate else (self.sigma, self.slope)

    def spike(self, U):
        """S = 1 if U >= 0, or U > 0, else 0."""
        return (U > 0 if self.axes["threshold"] == "above" else U >= 0).astype(self.dtype)

    def inputs_of_weights(self, P):
        """The P that every weight reads at every place, 0 for padding: (B, places, weights of a neuron)."""
        return np.concatenate([P, np.zeros_like(P[:, :1])], axis=1)[:, self.fan_in]

    def new_Q(self, S_in):
        """Q[n+1] = beta Q[n] + g_Q S_in[n]."""
        return self.beta * self.Q + self.gain_Q * S_in

    def new_P(self, Q):
        """P[n+1] = alpha P[n] + g_P Q, with the old or the new Q."""
        return self.alpha * self.P + self.gain_P * Q

    def forward(self, S_in, mask):
        """One step; replaces the state.  Returns Q, P, R as U read them, and U, S, Y."""
        Q, P, R = self.Q, self.P, self.R
        self.Q, old_Q = self.new_Q(S_in), self.Q
        self.P = self.new_P(self.Q if self.axes["P_reads"] == "new_Q" else old_Q)
        if self.axes["U_reads"] == "new_P":
            Q, P = self.Q, self.P
        drive = self.inputs_of_weights(P) @ self.W.T + self.b  # (B, places, channels)
        U = drive.swapaxes(1, 2).reshape(R.shape) - self.delta * R
        key = self.sigma(U) if self.axes["pooling"] == "pool_S" else U
        first = key[:, self.windows].argmax(axis=-1)  # the first of equals in reading order
        self.winners = self.windows[np.arange(len(self.windows)), first]
        u = np.take_along_axis(U, self.winners, axis=1)
        S = self.spike(u)
        read = S if self.axes["readout"] == "spikes" else self.sigma(u)
        Y = mask["after_G"] * ((mask["before_G"] * read) @ self.G.T + self.c)
        self.R = self.gamma * R + self.spike(U)
        return {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}

    def backward(self, row, target, mask):
        """e = dL/dY, delta = dL/dU, dW and db of this step, and L."""
        loss, slope = LOSSES[self.about["loss"]]
        Y, U, u = row["Y"], row["U"], np.take_along_axis(row["U"], self.winners, axis=1)
        terms = len(Y) if self.about["loss"] == "cross_entropy" else Y.size
        share = self.dtype.type(1 / terms if self.about["reduction"] == "mean" else 1)
        e = share * slope(Y, target)
        at_winners = mask["before_G"] * ((mask["after_G"] * e) @ self.G) * self.slope(u)
        at_winners = at_winners + self.silent(u)[1]
        unpooled = self.axes.get("regulariser_place") == "unpooled"
        if not unpooled:
            at_winners = at_winners + self.loud(u)[1]
        delta = np.zeros_like(U)
        np.put_along_axis(delta, self.winners, at_winners.astype(self.dtype), axis=1)
        if unpooled:
            delta = delta + self.loud(U)[1]
        L = share * loss(Y, target).sum() + self.loud(U if unpooled else u)[0] + self.silent(u)[0]
        per_channel = delta.reshape(len(delta), len(self.b), -1)  # (B, channels, places)
        dW = np.tensordot(per_channel, self.inputs_of_weights(row["P"]), axes=((0, 2), (0, 1)))
        gradient = {"dW": dW.reshape(self.shape_W), "db": per_channel.sum(axis=(0, 2))}
        return {"loss": L.astype(self.dtype), "e": e, "delta": delta, **gradient}

    def loud(self, U):
        """lambda1 <relu(U + 0.01)>, and its derivative by U."""
        lambda1, x = self.about.get("lambda1", 0.0), U + self.dtype.type(0.01)
        return lambda1 * np.maximum(x, 0).mean(), (lambda1 / U.size * (x > 0)).astype(self.dtype)

    def silent(self, u):
        """lambda2 relu(0.1 - <activity>), and its derivative by u."""
        lambda2 = self.about.get("lambda2", 0.0)
        if self.about.get("activity", "rate") == "rate":
            mean, slope = self.rate(u).mean(), self.rate_slope(u)
        else:
            mean, slope = u.mean(axis=1, keepdims=True), np.ones_like(u)
        value = lambda2 * np.maximum(0.1 - mean, 0).mean()
        return value, (-lambda2 / u.size * (mean < self.dtype.type(0.1)) * slope).astype(self.dtype)

    def learn(self, row, optimiser, t, factor):
        """The t-th update of W and b by SGD or Adamax; `factor` is that of the schedule."""
        for x in "Wb":
            g, rate = row[f"d{x}"].reshape(getattr(self, x).shape), factor * getattr(self, f"rate_{x}")
            if optimiser["kind"] == "adamax":
                beta1, beta2, eps = optimiser["beta1"], optimiser["beta2"], optimiser["eps"]
                self.m[x] = beta1 * self.m[x] + (1 - beta1) * g
                self.u[x] = np.maximum(beta2 * self.u[x], abs(g) + eps)
                g, rate = self.m[x] / self.u[x], rate / (1 - beta1**t)
            setattr(self, x, getattr(self, x) - rate * g)

    def weights(self):
        """W and b, in the shapes of the case."""
        return {"W": self.W.reshape(self.shape_W), "b": self.b}

    def end(self, adamax):
        """Weights, state and the optimiser's state after the last step."""
        yield from self.weights().items()
        yield from (("P", self.P), ("Q", self.Q), ("R", self.R))
        for x, shape in (("W", self.shape_W), ("b", self.b.shape)) if adamax else ():
            yield from ((f"m_{x}", self.m[x].reshape(shape)), (f"u_{x}", self.u[x].reshape(shape)))


def backend(about, arrays, of_layer=Layer):
    """Run a case: (contents of case.json, arrays by name) -> arrays of the trace by name, time first."""
    if about["constants"] != "decay":
        raise NotImplementedError("constants: expected decays, got time constants")
    axes = DIALECTS[about["dialect"]] if isinstance(about["dialect"], str) else about["dialect"]
    optimiser, dtype, trace, stack = ADAMAX | about.get("optimiser", {}), np.dtype(about["dtype"]), {}, []
    own = [{name.split("_", 1)[1]: x for name, x in arrays.items() if name.startswith(f"layer{k}_")}
           for k in range(1, 1 + len(about["layers"]))]  # fmt: skip
    stack = [of_layer(about, layer, axes, x) for layer, x in zip(about["layers"], own, strict=True)]
    t = about.get("updates", 0) if about.get("memory") == "given" else 0
    for step in range(about["steps"]):
        S = arrays["inputs"][step].astype(dtype)
        learns = about["learn"] and about.get("n", 0) + step >= about.get("burn_in", 0)
        t += learns
        for k, (layer, given) in enumerate(zip(stack, own, strict=True), start=1):
            mask = {"before_G": dtype.type(1), "after_G": dtype.type(1)}
            if "mask" in given:
                mask[axes["dropout"]] = given["mask"][step]
            row = layer.forward(S, mask) | (layer.weights() if about["targets"] else {})
            if about["targets"]:
                row |= layer.backward(row, given["target"][step], mask)
            if learns:
                layer.learn(row, optimiser, t, arrays["schedule"][step] if "schedule" in arrays else dtype.type(1))
            S = row["S"]
            for name, x in row.items():
                trace.setdefault(f"layer{k}_{name}", []).append(x)
    trace = {name: np.stack(rows) for name, rows in trace.items()}
    adamax = about["learn"] and optimiser["kind"] == "adamax"
    return trace | {f"layer{k}_{x}_final": a for k, layer in enumerate(stack, start=1) for x, a in layer.end(adamax)}


backend.profile = {"name": "NumPy", "format": "float32"}
