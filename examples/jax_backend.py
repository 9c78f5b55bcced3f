"""DECOLLE in JAX: one jitted `lax.scan` over time, its gradients by `jax.grad`.  `backend(about, arrays)`.

The whole run, learning included, is one compiled function of the carry (state, weights, optimiser's memory).  The local
loss of a layer is a function of its own W and b alone, with P, R and the incoming spikes held; nudges of U and Y by 0
give delta = dL/dU and e = dL/dY from the same call.

Matrix products are asked for at "highest" precision: float32 is JAX's default on a CPU, but not on a GPU or TPU.  On a
CPU, XLA contracts a b + c into one rounding and turns subnormal numbers into 0: the profile below declares the latter.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# What the dialects choose; an object in case.json chooses axis by axis.
AXES = ("P_reads", "U_reads", "gains", "refractory", "threshold", "surrogate", "readout", "pooling")
CHOICES = {
    "paper": ("old_Q", "old_P", "one", "w", "at_or_above", "logistic", "sigma", "pool_U"),
    "dcll": ("new_Q", "new_P", "inverse", "gamma_w", "above", "logistic", "sigma", "pool_S"),
    "decolle": ("old_Q", "new_P", "leak", "leak_w", "above", "fast_sigmoid_10", "spikes", "pool_U"),
    "decolle-base": ("old_Q", "new_P", "inverse", "w", "above", "fast_sigmoid_10", "spikes", "pool_U"),
    "decolle-nonorm": ("old_Q", "new_P", "one", "w", "at_or_above", "boxcar", "spikes", "pool_U"),
}
DIALECTS = {name: dict(zip(AXES, row, strict=True)) for name, row in CHOICES.items()}

# In float64, rounded once to the case's dtype.
GAINS = {"one": np.ones_like, "leak": lambda decay: 1 - decay, "inverse": lambda decay: 1 / (1 - decay)}
STRENGTHS = {"w": np.ones_like, "gamma_w": lambda gamma: gamma, "leak_w": lambda gamma: 1 - gamma}
SPIKES = {"at_or_above": lambda u: (u >= 0).astype(u.dtype), "above": lambda u: (u > 0).astype(u.dtype)}


def odd(x, half):
    """1/2 + half on the right, 1/2 - half on the left."""
    return 0.5 + jnp.sign(x) * half


# name: (sigma, sigma')
SURROGATES = {
    "logistic": (jax.nn.sigmoid, lambda x: jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)),
    "fast_sigmoid": (lambda x: 0.5 + x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "fast_sigmoid_10": (lambda x: 0.5 + x / (1 + 10 * abs(x)), lambda x: 1 / (1 + 10 * abs(x)) ** 2),
    "piecewise_linear": (
        lambda x: odd(x, jnp.where(abs(x) < 1, abs(x) * (1 - abs(x) / 2), 0.5)),
        lambda x: jnp.maximum(1 - abs(x), 0),
    ),
    "exponential": (lambda x: odd(x, 1 - jnp.exp(-abs(x))), lambda x: jnp.exp(-abs(x))),
    "boxcar": (lambda x: jnp.clip(x + 0.5, 0, 1), lambda x: ((x > -0.5) & (x <= 0.5)).astype(x.dtype)),
}


def smooth_l1(Y, target):
    """d^2 / 2 where |d| < 1, else |d| - 1/2, per output."""
    d = Y - target
    return jnp.where(abs(d) < 1, d**2 / 2, abs(d) - 0.5)


LOSSES = {
    "squared_error": lambda Y, target: (Y - target) ** 2 / 2,
    "smooth_l1": smooth_l1,
    "cross_entropy": lambda Y, target: -(target * jax.nn.log_softmax(Y)).sum(axis=-1),
}
REDUCTIONS = {"sum": jnp.sum, "mean": jnp.mean}


def declared(value, slope):
    """The function value, with slope for its derivative: how spikes, and sigma, get their sigma'."""
    activity = jax.custom_jvp(value)
    activity.defjvp(lambda at, along: (value(*at), slope(*at) * along[0]))
    return activity


def constants(axes, of):
    """The layer's arrays and all that follows from the dialect, float64."""
    return of | {
        "gain_Q": GAINS[axes["gains"]](of["beta"]),
        "gain_P": GAINS[axes["gains"]](of["alpha"]),
        "delta": STRENGTHS[axes["refractory"]](of["gamma"]) * of["w"],
    }


def start(about, layer, of):
    """(state, weights, the optimiser's memory) before the first step."""
    B, given = about["batch"], about["initial_state"] == "given"
    sizes = {"Q": layer["n_in"], "P": layer["n_in"], "R": layer["n"]}
    state = {x: of[f"{x}0"] if given else jnp.zeros((B, size), of["W"].dtype) for x, size in sizes.items()}
    weights = {x: of[x] for x in "Wb"}
    fresh = about.get("memory") != "given"
    memory = {x: {y: jnp.zeros_like(of[y]) if fresh else of[f"{x}_{y}"] for y in "Wb"} for x in "mu"}
    return state, weights, memory


def integrate(axes, of, state, S_in):
    """New Q and P, and the state that U reads."""
    Q = of["beta"] * state["Q"] + of["gain_Q"] * S_in
    P = of["alpha"] * state["P"] + of["gain_P"] * (Q if axes["P_reads"] == "new_Q" else state["Q"])
    after = {"Q": Q, "P": P, "R": state["R"]}
    return after, after if axes["U_reads"] == "new_P" else state


def local(layer, axes, of, seen, target):
    """L of W, b and two nudges; on the side U, S, Y and, behind no pool, the neurons' own spikes."""
    sigma, slope = SURROGATES[layer.get("surrogate", axes["surrogate"])]
    spike = SPIKES[axes["threshold"]]
    rate, read = declared(sigma, slope), declared(spike if axes["readout"] == "spikes" else sigma, slope)

    def loss(weights, nudge):
        U = drive(layer, weights, seen["P"]) - of["delta"] * seen["R"] + nudge["U"]
        u = pooled(layer, U, sigma if axes["pooling"] == "pool_S" else lambda x: x)
        Y = read(u) @ of["G"].T + of["c"] + nudge["Y"]
        L = 0.0 if target is None else REDUCTIONS[layer["reduction"]](LOSSES[layer["loss"]](Y, target))
        return L + penalty(layer, u, rate(u)), ({"U": U, "S": spike(u), "Y": Y}, spike(U))

    return loss


def drive(layer, weights, P):
    """W P + b, flat."""
    if "conv" not in layer:
        return P @ weights["W"].T + weights["b"]
    conv, strides = layer["conv"], [layer["conv"].get("stride", 1)] * 2
    image = P.reshape(-1, conv["channels_in"], conv["height"], conv["width"])
    U = lax.conv_general_dilated(image, weights["W"], strides, [(conv.get("padding", 0),) * 2] * 2)
    return (U + weights["b"][:, None, None]).reshape(len(P), -1)


def pooled(layer, U, rank):
    """U, or the U of every window's winner: the largest rank(U), of several the first."""
    if "pool" not in layer:
        return U
    size, conv = layer["pool"], layer["conv"]
    sides = [conv[x] + 2 * conv.get("padding", 0) - conv["kernel"] for x in ("height", "width")]
    h, w = (side // conv.get("stride", 1) + 1 for side in sides)
    whole = U.reshape(-1, h, w)[:, : h // size * size, : w // size * size]  # samples and channels, windows that fill
    tiles = whole.reshape(-1, h // size, size, w // size, size).swapaxes(2, 3).reshape(len(U), -1, size**2)
    winners = rank(lax.stop_gradient(tiles)).argmax(axis=-1, keepdims=True)
    return jnp.take_along_axis(tiles, winners, axis=-1)[..., 0]


def penalty(layer, U, rate):
    """lambda1 <relu(U + 0.01)> + lambda2 relu(0.1 - <activity>).  [K20 Eq. 4]"""
    relu = jax.nn.relu
    active = rate.mean() if layer.get("activity", "rate") == "rate" else U.mean(axis=-1)
    return layer.get("lambda1", 0) * relu(U + 0.01).mean() + layer.get("lambda2", 0) * relu(0.1 - active).mean()


def update(about, of, weights, memory, gradient, t):
    """SGD, or Adamax at its t-th update, with a learning rate per input."""
    settings = about.get("optimiser", {"kind": "adamax"})
    rate = {x: of[f"rate_{x}"] for x in "Wb"}
    if settings["kind"] == "sgd":
        return {x: weights[x] - rate[x] * gradient[x] for x in "Wb"}, memory
    beta1, beta2, eps = (settings.get(x, default) for x, default in (("beta1", 0.0), ("beta2", 0.95), ("eps", 1e-8)))
    m = {x: beta1 * memory["m"][x] + (1 - beta1) * gradient[x] for x in "Wb"}
    u = {x: jnp.maximum(beta2 * memory["u"][x], abs(gradient[x]) + eps) for x in "Wb"}
    moved = {x: weights[x] - rate[x] / (1 - beta1**t) * (m[x] / u[x]) for x in "Wb"}
    return moved, {"m": m, "u": u}


def layer_step(about, layer, axes, of, carry, S_in, target, n, t):
    """One layer, one step: (carry, incoming spikes) -> (carry, what it shows)."""
    state, weights, memory = carry
    after, seen = integrate(axes, of, state, S_in)
    B, dtype = about["batch"], of["W"].dtype
    nudge = {"U": jnp.zeros((B, layer["n"]), dtype), "Y": jnp.zeros((B, layer["n_out"]), dtype)}
    loss = local(layer, axes, of, seen, target)
    (gradient, back), (out, own) = jax.grad(loss, argnums=(0, 1), has_aux=True)(weights, nudge)
    shown = {"Q": seen["Q"], "P": seen["P"], "R": seen["R"], **out}
    if target is not None:
        shown |= {"e": back["Y"], "delta": back["U"], "dW": gradient["W"], "db": gradient["b"]}
    after["R"] = of["gamma"] * state["R"] + own
    if about["learn"]:
        shown |= weights
        moved = update(about, of, weights, memory, gradient, t)
        learns = n >= about.get("burn_in", 0)
        weights, memory = jax.tree.map(lambda new, old: jnp.where(learns, new, old), moved, (weights, memory))
    return (after, weights, memory), shown


def run(about, axes, ofs, inputs, targets):
    """The scan over time; jitted by `backend`, with the case's structure closed over."""
    carry = [start(about, layer, of) for layer, of in zip(about["layers"], ofs, strict=True)]
    n0, burn_in, t0 = about.get("n", 0), about.get("burn_in", 0), about.get("updates", 0)

    def step(carry, now):
        n, S, goals = now
        t = t0 + 1 + n - jnp.maximum(n0, burn_in)
        after, shown = [], []
        for layer, of, own, goal in zip(about["layers"], ofs, carry, goals, strict=True):
            new, seen = layer_step(about, layer, axes, of, own, S, goal, n, t)
            after.append(new)
            shown.append(seen)
            S = seen["S"]
        return after, shown

    return lax.scan(step, carry, (n0 + jnp.arange(about["steps"]), inputs, targets))


def backend(about, arrays):
    """Run a case: (the content of case.json, its arrays by name) -> the trace's arrays by name, time first."""
    if about["constants"] != "decay":
        raise NotImplementedError("constants: expected decays, got time constants")
    axes = DIALECTS[about["dialect"]] if isinstance(about["dialect"], str) else about["dialect"]
    layers = range(1, len(about["layers"]) + 1)
    with jax.enable_x64(about["dtype"] == "float64"), jax.default_matmul_precision("highest"):
        case = {name: array.astype(np.float64) for name, array in arrays.items()}
        own = [{name.split("_", 1)[1]: a for name, a in case.items() if name.startswith(f"layer{k}_")} for k in layers]
        targets = [of.pop("target", None) for of in own]
        ofs = [constants(axes, of) for of in own]
        given = jax.tree.map(lambda a: a.astype(about["dtype"]), (ofs, case["inputs"], targets))
        end, shown = jax.jit(partial(run, about, axes))(*given)
    trace = {f"layer{k}_{x}": np.asarray(a) for k, seen in zip(layers, shown, strict=True) for x, a in seen.items()}
    finals = {f"layer{k}_{x}_final": np.asarray(last[1][x]) for k, last in zip(layers, end, strict=True) for x in "Wb"}
    return trace | finals


backend.profile = {"name": "JAX on the CPU", "format": "float32", "flush": True, "level": "L2"}
