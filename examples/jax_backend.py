"""DECOLLE in JAX: one jitted `lax.scan` over time, with gradients by `jax.grad`.  `backend(about, arrays)` runs a case.

The whole run with its learning is one compiled function of the carry (state, weights, optimiser state).  The local loss
of a layer depends only on its own W and b: P, R and the incoming spikes are constants.  Adding 0 to U and to Y, and
differentiating by these zeros, gives delta = dL/dU and e = dL/dY in the same call.

Matrix products have "highest" precision: float32 is JAX's default on a CPU, but not on a GPU or TPU.  On a CPU, XLA
rounds a b + c once and turns subnormal numbers into 0; the profile below declares the latter.
"""

import os
from functools import partial

# Where XLA fuses operations, it may compute a number twice, rounded in two ways; then the trace shows only one of them.
os.environ.setdefault("XLA_FLAGS", "--xla_disable_hlo_passes=fusion")

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

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
SPIKES = {"at_or_above": lambda u: (u >= 0).astype(u.dtype), "above": lambda u: (u > 0).astype(u.dtype)}


def odd(x, half):
    """1/2 + half for x > 0, 1/2 - half for x < 0."""
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


def with_slope(value, slope):
    """The function value(x), whose derivative is declared to be slope(x): so spikes and sigma get sigma'."""
    activity = jax.custom_jvp(value)
    activity.defjvp(lambda at, along: (value(*at), slope(*at) * along[0]))
    return activity


def dropped(mask, x):
    """x times the factors of dropout; the choice keeps XLA from fusing this product with the next sum."""
    return x if mask is None else jnp.where(mask == 0, 0, mask * x)


def constants(axes, arrays):
    """The arrays of the layer, with the gains and delta that follow from the dialect, in float64."""
    return arrays | {
        "gain_Q": GAINS[axes["gains"]](arrays["beta"]),
        "gain_P": GAINS[axes["gains"]](arrays["alpha"]),
        "delta": STRENGTHS[axes["refractory"]](arrays["gamma"]) * arrays["w"],
    }


def start(about, layer, arrays):
    """(state, weights, optimiser state) before the first step."""
    B, is_given = about["batch"], about["initial_state"] == "given"
    sizes = {"Q": layer["n_in"], "P": layer["n_in"], "R": layer["n"]}
    state = {x: arrays[f"{x}0"] if is_given else jnp.zeros((B, size), arrays["W"].dtype) for x, size in sizes.items()}
    weights = {x: arrays[x] for x in "Wb"}
    at_rest = about.get("memory") != "given"
    opt_state = {x: {y: jnp.zeros_like(arrays[y]) if at_rest else arrays[f"{x}_{y}"] for y in "Wb"} for x in "mu"}
    return state, weights, opt_state


def integrate(axes, arrays, state, S_in):
    """The state with the new Q and P, and the state that U reads."""
    Q = arrays["beta"] * state["Q"] + arrays["gain_Q"] * S_in
    P = arrays["alpha"] * state["P"] + arrays["gain_P"] * (Q if axes["P_reads"] == "new_Q" else state["Q"])
    after = {"Q": Q, "P": P, "R": state["R"]}
    return after, after if axes["U_reads"] == "new_P" else state


def local_loss(layer, axes, arrays, state_read, target, mask):
    """L as a function of W, b and the zeros added to U and Y; also returns U, S, Y and the spikes before the pool."""
    sigma, slope = SURROGATES[layer.get("surrogate", axes["surrogate"])]
    spike = SPIKES[axes["threshold"]]
    read = with_slope(spike if axes["readout"] == "spikes" else sigma, slope)
    reads_logistic = axes.get("regulariser_reads") == "logistic"
    rate = with_slope(*SURROGATES["logistic"]) if reads_logistic else with_slope(sigma, slope)

    def loss(weights, zeros):
        U = drive(layer, weights, state_read["P"]) - arrays["delta"] * state_read["R"] + zeros["U"]
        u = pooled(layer, U, sigma if axes["pooling"] == "pool_S" else lambda x: x)
        before_G, after_G = (mask if axes["dropout"] == place else None for place in ("before_G", "after_G"))
        Y = dropped(after_G, dropped(before_G, read(u)) @ arrays["G"].T + arrays["c"]) + zeros["Y"]
        L = 0.0 if target is None else REDUCTIONS[layer["reduction"]](LOSSES[layer["loss"]](Y, target))
        loud = U if axes.get("regulariser_place") == "unpooled" else u
        return L + penalty(layer, loud, u, rate(u)), ({"U": U, "S": spike(u), "Y": Y}, spike(U))

    return loss


def drive(layer, weights, P):
    """W P + b, flat."""
    if "conv" not in layer:
        return P @ weights["W"].T + weights["b"]
    conv, strides = layer["conv"], [layer["conv"].get("stride", 1)] * 2
    image = P.reshape(-1, conv["channels_in"], conv["height"], conv["width"])
    U = lax.conv_general_dilated(image, weights["W"], strides, [(conv.get("padding", 0),) * 2] * 2)
    return (U + weights["b"][:, None, None]).reshape(len(P), -1)


def pooled(layer, U, pool_key):
    """U, or the U of every window's winner: the largest key; ties go to the lowest index."""
    if "pool" not in layer:
        return U
    size, conv = layer["pool"], layer["conv"]
    sides = [conv[x] + 2 * conv.get("padding", 0) - conv["kernel"] for x in ("height", "width")]
    h, w = (side // conv.get("stride", 1) + 1 for side in sides)
    whole = U.reshape(-1, h, w)[:, : h // size * size, : w // size * size]  # (samples and channels, whole windows)
    tiles = whole.reshape(-1, h // size, size, w // size, size).swapaxes(2, 3).reshape(len(U), -1, size**2)
    winners = pool_key(lax.stop_gradient(tiles)).argmax(axis=-1, keepdims=True)
    return jnp.take_along_axis(tiles, winners, axis=-1)[..., 0]


def penalty(layer, loud, U, rate):
    """lambda1 <relu(U + 0.01)> + lambda2 relu(0.1 - <activity>).  [K20 Eq. 4]  `loud` is the U of the first term."""
    relu = jax.nn.relu
    active = rate.mean() if layer.get("activity", "rate") == "rate" else U.mean(axis=-1)
    return layer.get("lambda1", 0) * relu(loud + 0.01).mean() + layer.get("lambda2", 0) * relu(0.1 - active).mean()


def update(about, arrays, weights, opt_state, gradient, t, factor):
    """The t-th update by SGD or Adamax, with a learning rate per input times the factor of the schedule."""
    settings = about.get("optimiser", {"kind": "adamax"})
    rate = {x: factor * arrays[f"rate_{x}"] for x in "Wb"}
    if settings["kind"] == "sgd":
        return {x: weights[x] - rate[x] * gradient[x] for x in "Wb"}, opt_state
    beta1, beta2, eps = (settings.get(x, default) for x, default in (("beta1", 0.0), ("beta2", 0.95), ("eps", 1e-8)))
    m = {x: beta1 * opt_state["m"][x] + (1 - beta1) * gradient[x] for x in "Wb"}
    u = {x: jnp.maximum(beta2 * opt_state["u"][x], abs(gradient[x]) + eps) for x in "Wb"}
    moved = {x: weights[x] - rate[x] / (1 - beta1**t) * (m[x] / u[x]) for x in "Wb"}
    return moved, {"m": m, "u": u}


def layer_step(about, layer, axes, arrays, carry, S_in, now, n, t):
    """One step of one layer: (carry, incoming spikes) -> (carry, row of the trace)."""
    target, mask, factor = now
    state, weights, opt_state = carry
    after, state_read = integrate(axes, arrays, state, S_in)
    B, dtype = about["batch"], arrays["W"].dtype
    zeros = {"U": jnp.zeros((B, layer["n"]), dtype), "Y": jnp.zeros((B, layer["n_out"]), dtype)}
    loss = local_loss(layer, axes, arrays, state_read, target, mask)
    (gradient, back), (out, spikes) = jax.grad(loss, argnums=(0, 1), has_aux=True)(weights, zeros)
    row = {"Q": state_read["Q"], "P": state_read["P"], "R": state_read["R"], **out}
    if target is not None:
        row |= {"e": back["Y"], "delta": back["U"], "dW": gradient["W"], "db": gradient["b"]}
    after["R"] = arrays["gamma"] * state["R"] + spikes
    if about["learn"]:
        row |= weights
        moved = update(about, arrays, weights, opt_state, gradient, t, factor)
        learns = n >= about.get("burn_in", 0)
        weights, opt_state = jax.tree.map(lambda new, old: jnp.where(learns, new, old), moved, (weights, opt_state))
    return (after, weights, opt_state), row


def run(about, axes, layer_arrays, inputs, schedule, targets, masks):
    """The scan over time, which `backend` compiles for the structure of the case."""
    carry = [start(about, layer, arrays) for layer, arrays in zip(about["layers"], layer_arrays, strict=True)]
    n0, burn_in = about.get("n", 0), about.get("burn_in", 0)
    t0 = about.get("updates", 0) if about.get("memory") == "given" else 0  # t of a fresh memory starts at 0

    def step(carry, now):
        n, S, factor, goals, factors = now
        t = t0 + 1 + n - jnp.maximum(n0, burn_in)
        after, rows = [], []
        every = zip(about["layers"], layer_arrays, carry, goals, factors, strict=True)
        for layer, arrays, layer_carry, goal, mask in every:
            new, row = layer_step(about, layer, axes, arrays, layer_carry, S, (goal, mask, factor), n, t)
            after.append(new)
            rows.append(row)
            S = row["S"]
        return after, rows

    return lax.scan(step, carry, (n0 + jnp.arange(about["steps"]), inputs, schedule, targets, masks))


def backend(about, arrays):
    """Run a case: (contents of case.json, arrays by name) -> arrays of the trace by name, time first."""
    if about["constants"] != "decay":
        raise NotImplementedError("constants: expected decays, got time constants")
    axes = DIALECTS[about["dialect"]] if isinstance(about["dialect"], str) else about["dialect"]
    layers = range(1, len(about["layers"]) + 1)
    with jax.enable_x64(about["dtype"] == "float64"), jax.default_matmul_precision("highest"):
        case = {name: array.astype(np.float64) for name, array in arrays.items()}
        split = [
            {name.split("_", 1)[1]: a for name, a in case.items() if name.startswith(f"layer{k}_")} for k in layers
        ]
        targets, masks = ([layer.pop(x, None) for layer in split] for x in ("target", "mask"))
        schedule = case.get("schedule", np.ones(about["steps"]))
        operands = [constants(axes, layer) for layer in split], case["inputs"], schedule, targets, masks
        operands = jax.tree.map(lambda a: a.astype(about["dtype"]), operands)
        end, rows = jax.jit(partial(run, about, axes))(*operands)
    trace = {f"layer{k}_{x}": np.asarray(a) for k, row in zip(layers, rows, strict=True) for x, a in row.items()}
    finals = {f"layer{k}_{x}_final": np.asarray(last[1][x]) for k, last in zip(layers, end, strict=True) for x in "Wb"}
    return trace | finals


backend.profile = {"name": "JAX on the CPU", "format": "float32", "flush": True, "level": "L2"}
