"""DECOLLE in PyTorch, with gradients by autograd: `backend(about, arrays)` runs a case (see README.md beside it).

    L = loss(Y, target) + regularisers,    Y = G activity(u) + c,    U = W P + b - delta R,    u = U after the pool

One `L.backward()` per layer and step gives e = dL/dY, delta = dL/dU, dW and db.  P, R and the incoming spikes are plain
numbers, so no gradient reaches the layer below or the past.  It has dense and convolutional layers, and all dialects,
surrogates, losses, reductions, regularisers and optimisers of docs/case_format.md.  It imports nothing of decolle_ref.
"""

import numpy as np
import torch
import torch.nn.functional as F

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

# Computed in float64 and rounded once to the dtype of the case.
GAINS = {"one": np.ones_like, "leak": lambda decay: 1 - decay, "inverse": lambda decay: 1 / (1 - decay)}
STRENGTHS = {"w": np.ones_like, "gamma_w": lambda gamma: gamma, "leak_w": lambda gamma: 1 - gamma}
SPIKES = {"at_or_above": lambda u: (u >= 0).to(u.dtype), "above": lambda u: (u > 0).to(u.dtype)}


def odd(x, half):
    """1/2 + half for x > 0, 1/2 - half for x < 0."""
    return 0.5 + torch.sign(x) * half


# name: (sigma, sigma')
SURROGATES = {
    "logistic": (torch.sigmoid, lambda x: torch.sigmoid(x) * torch.sigmoid(-x)),
    "fast_sigmoid": (lambda x: 0.5 + x / (1 + x.abs()), lambda x: (1 + x.abs()) ** -2),
    "fast_sigmoid_10": (lambda x: 0.5 + x / (1 + 10 * x.abs()), lambda x: (1 + 10 * x.abs()) ** -2),
    "piecewise_linear": (
        lambda x: odd(x, torch.where(x.abs() < 1, x.abs() * (1 - x.abs() / 2), 0.5)),
        lambda x: F.relu(1 - x.abs()),
    ),
    "exponential": (lambda x: odd(x, 1 - torch.exp(-x.abs())), lambda x: torch.exp(-x.abs())),
    "boxcar": (lambda x: torch.clamp(x + 0.5, 0, 1), lambda x: ((x > -0.5) & (x <= 0.5)).to(x.dtype)),
}
LOSSES = {
    "squared_error": lambda Y, target, reduction: F.mse_loss(Y, target, reduction=reduction) / 2,
    "smooth_l1": lambda Y, target, reduction: F.smooth_l1_loss(Y, target, reduction=reduction),
    "cross_entropy": lambda Y, target, reduction: F.cross_entropy(Y, target, reduction=reduction),
}


class Activity(torch.autograd.Function):
    """The function value(u), whose derivative is declared to be slope(u): so spikes and sigma get sigma'."""

    @staticmethod
    def forward(ctx, u, value, slope):
        """value(u)."""
        ctx.save_for_backward(u)
        ctx.slope = slope
        return value(u)

    @staticmethod
    def backward(ctx, grad):
        """dL/du = dL/dvalue slope(u)."""
        (u,) = ctx.saved_tensors
        return grad * ctx.slope(u), None, None


class Layer:
    """One layer: constants, weights and state, and the step of docs/case_format.md."""

    def __init__(self, about, layer, axes, array_of):
        """`array_of(name)` returns the layer's array of that name in float64."""
        self.dtype = getattr(torch, about["dtype"])
        self.about, self.axes, self.batch = layer, axes, about["batch"]
        self.alpha, self.beta, self.gamma = (self.tensor(array_of(x)) for x in ("alpha", "beta", "gamma"))
        self.gain_Q, self.gain_P = (self.tensor(GAINS[axes["gains"]](array_of(x))) for x in ("beta", "alpha"))
        self.delta = self.tensor(STRENGTHS[axes["refractory"]](array_of("gamma")) * array_of("w"))
        self.W, self.b = (self.tensor(array_of(x)).requires_grad_() for x in "Wb")
        self.G, self.c = self.tensor(array_of("G")), self.tensor(array_of("c"))
        sizes = {"Q": layer["n_in"], "P": layer["n_in"], "R": layer["n"]}
        is_given = about["initial_state"] == "given"
        for name, size in sizes.items():
            setattr(self, name, self.tensor(array_of(f"{name}0") if is_given else np.zeros((self.batch, size))))
        self.spike = SPIKES[axes["threshold"]]
        self.sigma, self.slope = SURROGATES[layer.get("surrogate", axes["surrogate"])]
        reads_logistic = axes.get("regulariser_reads") == "logistic"
        self.rate = SURROGATES["logistic"] if reads_logistic else (self.sigma, self.slope)

    def tensor(self, array):
        """A copy in the dtype of the case."""
        return torch.tensor(array, dtype=self.dtype)

    def forward(self, S_in, mask):
        """One step; replaces the state.  Returns Q, P, R as U read them, U, S, Y, and u; the graph starts at W, b."""
        old = self.Q, self.P
        self.Q = self.beta * self.Q + self.gain_Q * S_in
        self.P = self.alpha * self.P + self.gain_P * (self.Q if self.axes["P_reads"] == "new_Q" else old[0])
        Q, P = (self.Q, self.P) if self.axes["U_reads"] == "new_P" else old
        R = self.R
        U = self.drive(P) - self.delta * R
        u = self.pooled(U)
        read = self.spike if self.axes["readout"] == "spikes" else self.sigma
        Y = F.linear(mask.get("before_G", 1) * Activity.apply(u, read, self.slope), self.G, self.c)
        Y = mask.get("after_G", 1) * Y
        self.R = self.gamma * R + self.spike(U.detach())
        return {"Q": Q, "P": P, "R": R, "U": U, "S": self.spike(u.detach()), "Y": Y}, u

    def drive(self, P):
        """W P + b, flat: (B, n)."""
        if "conv" not in self.about:
            return F.linear(P, self.W, self.b)
        conv = self.about["conv"]
        image = P.reshape(self.batch, conv["channels_in"], conv["height"], conv["width"])
        U = F.conv2d(image, self.W, self.b, conv.get("stride", 1), conv.get("padding", 0))
        self.image = U.shape
        return U.flatten(1)

    def pooled(self, U):
        """U, or the U of every window's winner: the largest U, or sigma(U) in `dcll`."""
        if "pool" not in self.about:
            return U
        image = U.reshape(self.image)
        pool_key = (self.sigma(image) if self.axes["pooling"] == "pool_S" else image).detach()
        _, winners = F.max_pool2d(pool_key, self.about["pool"], return_indices=True)
        return image.flatten(2).gather(2, winners.flatten(2)).flatten(1)

    def loss(self, Y, U, u, target):
        """The local loss L, with the regularisers of [K20 Eq. 4]: the first may act before the pool."""
        L = LOSSES[self.about["loss"]](Y, target, self.about["reduction"])
        if lambda1 := self.about.get("lambda1", 0):
            loud = U if self.axes.get("regulariser_place") == "unpooled" else u
            L = L + lambda1 * F.relu(loud + 0.01).mean()
        if lambda2 := self.about.get("lambda2", 0):
            rate = self.about.get("activity", "rate") == "rate"
            active = Activity.apply(u, *self.rate).mean() if rate else u.mean(dim=1)
            L = L + lambda2 * F.relu(0.1 - active).mean()
        return L

    def gradients(self, row, u, target):
        """e, delta, dW and db of this step by autograd."""
        self.W.grad = self.b.grad = None
        row["U"].retain_grad()
        row["Y"].retain_grad()
        self.loss(row["Y"], row["U"], u, target).backward()
        return {"e": row["Y"].grad, "delta": row["U"].grad, "dW": self.W.grad, "db": self.b.grad}


class SGD:
    """W <- W - lr g, with a learning rate per input (`torch.optim.SGD` has one per tensor)."""

    def __init__(self, parameter, rate):
        self.parameter, self.rate = parameter, rate

    @torch.no_grad()
    def step(self, factor):
        """One update from the parameter's .grad."""
        self.parameter -= factor * self.rate * self.parameter.grad


class Adamax:
    """`torch.optim.Adamax` with a learning rate per input."""

    def __init__(self, parameter, rate, m, u, t, beta1=0.0, beta2=0.95, eps=1e-8):
        self.parameter, self.rate, self.m, self.u, self.t = parameter, rate, m, u, t
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    @torch.no_grad()
    def step(self, factor):
        """m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  W <- W - lr / (1 - beta1^t) m / u."""
        g = self.parameter.grad
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.u = torch.maximum(self.beta2 * self.u, g.abs() + self.eps)
        self.parameter -= factor * self.rate / (1 - self.beta1**self.t) * (self.m / self.u)


def optimisers(about, layer, array_of):
    """One optimiser per parameter of the layer."""
    settings = dict(about.get("optimiser", {"kind": "adamax"}))
    kind = settings.pop("kind")
    for name, parameter in (("W", layer.W), ("b", layer.b)):
        rate = layer.tensor(array_of(f"rate_{name}"))
        if kind == "sgd":
            yield SGD(parameter, rate)
            continue
        is_given = about.get("memory") == "given"
        m, u = (layer.tensor(array_of(f"{x}_{name}")) if is_given else torch.zeros_like(parameter) for x in "mu")
        yield Adamax(parameter, rate, m, u, about.get("updates", 0) if is_given else 0, **settings)


def backend(about, arrays):
    """Run a case: (contents of case.json, arrays by name) -> arrays of the trace by name, time first."""
    if about["constants"] != "decay":
        raise NotImplementedError("constants: expected decays, got time constants")
    dialect = about["dialect"]
    axes = DIALECTS[dialect] if isinstance(dialect, str) else dialect
    arrays_of = [lambda x, k=k: arrays[f"layer{k}_{x}"].astype(np.float64) for k in range(1, len(about["layers"]) + 1)]
    stack = [Layer(about, layer, axes, array_of) for layer, array_of in zip(about["layers"], arrays_of, strict=True)]
    learning = about["learn"]
    optimisers_of = [
        [*optimisers(about, layer, array_of)] if learning else []
        for layer, array_of in zip(stack, arrays_of, strict=True)
    ]
    series = {}
    for step in range(about["steps"]):
        S = stack[0].tensor(arrays["inputs"][step])
        for k, (layer, layer_optimisers) in enumerate(zip(stack, optimisers_of, strict=True), start=1):
            mask = {axes["dropout"]: layer.tensor(arrays[f"layer{k}_mask"][step])} if f"layer{k}_mask" in arrays else {}
            row, u = layer.forward(S, mask)
            S = row["S"]
            if about["targets"]:
                target = layer.tensor(arrays[f"layer{k}_target"][step])
                row |= layer.gradients(row, u, target)
            if learning:
                row |= {"W": layer.W, "b": layer.b}
            for name, tensor in row.items():
                series.setdefault(f"layer{k}_{name}", []).append(tensor.detach().numpy().copy())
            if about.get("n", 0) + step >= about.get("burn_in", 0):
                for optimiser in layer_optimisers:
                    optimiser.step(arrays["schedule"][step] if "schedule" in arrays else 1)
    trace = {name: np.stack(rows) for name, rows in series.items()}
    for k, layer in enumerate(stack, start=1):
        trace |= {f"layer{k}_{x}_final": getattr(layer, x).detach().numpy().copy() for x in "Wb"}
    return trace


backend.profile = {"name": "PyTorch on the CPU", "format": "float32", "level": "L2"}
