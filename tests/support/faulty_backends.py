"""Lively random cases in any number format, and backends with one fault that no dialect permits.

FAULTS has, for each fault, the equation that it breaks, how it changes a layer of valid_variants (one constant or one
operation), and the settings of a case that shows it.  A fault has the name of the hypothesis that explains it, apart
from those in NAMELESS, which no hypothesis explains.
"""

from itertools import pairwise

import numpy as np

from decolle_ref.cases import Case, connections, width
from decolle_ref.decolle.dialects import AXES, DIALECTS
from decolle_ref.decolle.objective import LOSSES
from tests.support.valid_variants import error, gradient, learn, slope, step

ADAMAX = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8}
OPTIMISERS = {"kind": "sgd"}, ADAMAX, ADAMAX | {"beta1": 0.9}


def _set(**changes):
    """A fault: other constants or operations, each as a function of the layer."""

    def fault(layer):
        for name, value in {name: change(layer) for name, change in changes.items()}.items():
            setattr(layer, name, value)

    return fault


def _does(name, operation):
    """A fault: another operation."""
    return _set(**{name: lambda layer: operation})


def _early(layer):
    """The layer learns before the step, and then runs the step with the new weights."""

    def step_after(layer, x, target):
        learn(layer, step(layer, x, target))
        return step(layer, x, target)

    layer.step, layer.learn = step_after, lambda layer, row: None


def _late(layer):
    """The layer reads at each step the spikes of the step before."""
    inputs = [0 * layer.state[0]]

    def hear(layer, x):
        inputs.append(x)
        return inputs[-2]

    layer.hear = hear


def _repeated(layer):
    """b, where the last neuron has that of the one before it."""
    return np.append(layer.b[:-1], layer.b[-2])


def averaged(layer, row):
    """dW divided by the batch size, and db."""
    dW, db = gradient(layer, row)
    return layer.m.over(dW, len(layer.state[0])), db


def _past(layer, name):
    return 0 * layer.state["PQR".index(name)] if layer.last is None else layer.last[name]


# name: (the equation that it breaks, the change of the layer, settings of the case besides SQUARE)
FAULTS = {
    "Q hears its input one step late": ("Q", _late, {}),
    "P decays with beta": ("P", _set(alpha=lambda layer: layer.beta), {}),
    "R does not decay": ("R", _set(gamma=lambda layer: np.ones_like(layer.gamma)), {}),
    "U without b": ("U", _does("bias", lambda layer: 0 * layer.b), {}),
    "U adds R": ("U", _set(strength=lambda layer: -layer.strength), {}),
    "the last neuron has its neighbour's b": ("U", _does("bias", _repeated), {}),
    "Y without c": ("Y", _set(c=lambda layer: 0 * layer.c), {}),
    "e without the factor of the mean": ("e", _set(N=lambda layer: 1), {}),
    "e with the wrong sign": ("e", _does("error", lambda layer, Y, target: -error(layer, Y, target)), {}),
    "delta without sigma'": ("delta", _does("slope", lambda layer, row: np.ones_like(row["u"])), {}),
    "sigma' at W P + b": (
        "delta",
        _does("slope", lambda layer, row: slope(layer, row | {"u": layer.m.total(layer.strength, row["R"], row["U"])})),
        {},
    ),
    "delta with the neurons of G moved on by one": (
        "delta",
        _set(G_back=lambda layer: np.roll(layer.G, 1, axis=1)),
        {},
    ),
    "G not transposed": ("delta", _set(G_back=lambda layer: layer.G.T), {}),
    "dW from P of the step before": ("dW", _does("eligible", lambda layer, row: _past(layer, "P")), {}),
    "dW is divided by the batch size once too often": ("dW", _does("gradient", averaged), {}),
    "W moves uphill": ("W", _set(rate_W=lambda layer: -layer.rate_W), {}),
    "W learns before burn_in": ("W", _set(burn_in=lambda layer: 0), {}),
    "learns before the forward pass": ("W", _early, {"burn_in": 0}),
    "b learns at the rate of W": ("b", _set(rate_b=lambda layer: layer.rate_W), {}),
    "W: Adamax without its maximum": (
        "W",
        _set(optimiser=lambda layer: layer.optimiser | {"beta2": 0.0}),
        {"optimiser": ADAMAX},
    ),
}
NAMELESS = (
    "the last neuron has its neighbour's b",
    "learns before the forward pass",
)
SQUARE = {"sizes": (4, 4, 4), "n_out": 4, "batch": 3, "reduction": "mean", "burn_in": 3, "initial_state": "given"}


def case(seed, profile, dialect=None, sizes=None, n_out=None, steps=6, batch=None, **changes):
    """A lively network whose arrays the profile's format holds; options that are not given are random."""
    rng = np.random.default_rng([seed, 60])
    stack = _dense(sizes) if sizes else _connections(rng, convolution=seed % 3 == 2)
    n_out, batch = n_out or int(rng.integers(1, 5)), batch or int(rng.integers(1, 5))
    dialect = dialect or (sorted(DIALECTS)[seed] if seed < len(DIALECTS) else _axes(rng))
    about = {"name": f"seed {seed}", "dialect": dialect, "dtype": "float64", "constants": "decay", "steps": steps}
    about |= {"batch": batch, "initial_state": str(rng.choice(["rest", "given"])), "targets": True, "learn": True}
    about |= {"burn_in": int(rng.integers(0, 4)), "optimiser": OPTIMISERS[0 if profile.fixed else rng.integers(3)]}
    if about["optimiser"]["kind"] == "adamax":
        about["optimiser"] = about["optimiser"] | {"eps": max(1e-8, profile.least_divisor)}
    per_layer = {key: value for key, value in changes.items() if key in ("loss", "reduction", "surrogate")}
    about["layers"] = [entry | {"n_out": n_out} | _objective(rng, "pool" in entry) | per_layer for entry in stack]
    about |= {key: value for key, value in changes.items() if key not in per_layer}
    its_dialect = Case(about, {}).dialect()
    arrays = {"inputs": (rng.random((steps, batch, stack[0]["n_in"])) < 0.5).astype(np.uint8)}
    for k, entry in enumerate(about["layers"], start=1):
        case_arrays = _arrays(rng, about, entry, its_dialect)
        arrays |= {f"layer{k}_{name}": profile.quantise(x) for name, x in case_arrays.items()}
    return Case(about, arrays)


def _dense(sizes):
    return [{"n_in": n_in, "n": n} for n_in, n in pairwise(sizes)]


def _connections(rng, convolution):
    """Two layers: dense, or a convolution, often with a pool, below a dense one."""
    sizes = tuple(map(int, rng.integers(2, 7, 3)))
    if not convolution:
        return _dense(sizes)
    channels_in, channels, kernel, stride, padding = (
        int(rng.integers(*x)) for x in ((1, 3), (1, 3), (2, 4), (1, 3), (0, 2))
    )
    conv = {"channels_in": channels_in, "height": 5, "width": 4, "channels": channels}
    conv |= {"kernel": kernel, "stride": stride, "padding": padding}
    sides = [(side + 2 * padding - kernel) // stride + 1 for side in (5, 4)]
    first = {"n_in": channels_in * 20, "n": channels * sides[0] * sides[1], "conv": conv}
    first |= {"pool": 2} if min(sides) > 1 and rng.random() < 0.7 else {}
    return [first, *_dense((width(first), sizes[2]))]


def _axes(rng):
    """A random option on every axis."""
    return {axis: str(rng.choice(list(options))) for axis, options in AXES.items()}


def _objective(rng, pooled=False):
    """A random loss and reduction, and sometimes a surrogate and, without a pool, regularisers."""
    entry = {"loss": str(rng.choice(list(LOSSES))), "reduction": str(rng.choice(["mean", "sum"]))}
    sharp = str(rng.choice(["fast_sigmoid", "logistic", ""], p=[0.4, 0.4, 0.2]))
    entry |= {"surrogate": sharp} if sharp else {}
    if rng.random() < 0.3 and not pooled:
        entry |= {"lambda1": float(rng.uniform(0, 1)), "lambda2": float(rng.uniform(0, 1))}
        entry |= {"activity": str(rng.choice(["rate", "membrane"]))}
    return entry


def _arrays(rng, about, entry, dialect):
    """The random arrays of one layer."""
    n_in, n, n_out, T, B = entry["n_in"], entry["n"], entry["n_out"], about["steps"], about["batch"]
    conv, (shape_W, shape_b) = "conv" in entry, connections(entry)[0].shapes
    alpha, beta, gamma = rng.uniform(0.4, 0.75, n_in), rng.uniform(0.3, 0.7, n_in), rng.uniform(0.2, 0.8, n)
    if conv:  # the same in every place of a channel
        alpha, beta = (np.repeat(x[: shape_W[1]], n_in // shape_W[1]) for x in (alpha, beta))
    of_alpha, of_beta = (dialect.value("gains")(x) for x in (alpha, beta))
    steady = of_alpha * of_beta / ((1 - alpha) * (1 - beta))  # P after many steps that all bring a spike
    case_arrays = {"alpha": alpha, "beta": beta, "gamma": gamma, "b": rng.uniform(-0.3, 0.2, shape_b)}
    per_weight = steady.reshape(shape_W[1], -1)[:, :1, None] if conv else steady
    case_arrays |= {"W": rng.uniform(-1.2, 2, shape_W) * 4 / np.sqrt(np.prod(shape_W[1:])) / per_weight}
    case_arrays |= {"G": rng.uniform(-1, 1, (n_out, width(entry))), "c": rng.uniform(-0.5, 0.5, n_out)}
    case_arrays |= {"w": rng.uniform(0.3, 1.0, n) / dialect.value("refractory")(gamma)}
    target = (
        rng.dirichlet(np.ones(n_out), (T, B)) if entry["loss"] == "cross_entropy" else rng.normal(size=(T, B, n_out))
    )
    case_arrays |= {
        "target": target,
        "rate_W": 0.05 * rng.uniform(0.5, 1, shape_W if conv else n_in) / per_weight,
        "rate_b": rng.uniform(0.02, 0.05, shape_b),
    }
    if about["initial_state"] == "given":
        start = {"P0": steady / 2, "Q0": of_beta, "R0": np.ones(n)}
        case_arrays |= {name: rng.uniform(0, 1, (B, len(size))) * size for name, size in start.items()}
    return case_arrays
