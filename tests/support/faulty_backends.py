"""Lively random cases in any number format, and errors that no dialect permits, planted into a correct network.

PLANTED names each error, the equation that it breaks, and how a layer of oracle_wheats is changed for it: one constant
or one operation.  Its name is that of the slip that explains it, but for NAMELESS, which no slip explains.
"""

from itertools import pairwise

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import AXES, DIALECTS
from decolle_ref.decolle.objective import LOSSES
from tests.support.valid_variants import error, gradient, learn, slope, step

ADAMAX = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8}
OPTIMISERS = {"kind": "sgd"}, ADAMAX, ADAMAX | {"beta1": 0.9}


def _set(**changes):
    """Plant: other constants or operations, each given as a function of the layer."""

    def plant(of):
        for name, value in {name: change(of) for name, change in changes.items()}.items():
            setattr(of, name, value)

    return plant


def _does(name, operation):
    """Plant another operation."""
    return _set(**{name: lambda of: operation})


def _early(of):
    """Learns from what this step would show, then shows the step with the new weights."""

    def step_after(of, x, target):
        learn(of, step(of, x, target))
        return step(of, x, target)

    of.step, of.learn = step_after, lambda of, seen: None


def _late(of):
    """Hears at each step the spikes of the step before."""
    heard = [0 * of.state[0]]

    def hear(of, x):
        heard.append(x)
        return heard[-2]

    of.hear = hear


def averaged(of, dW, db):
    """dW divided by the batch."""
    return of.m.over(dW, len(of.state[0])), db


def _past(of, name):
    return 0 * of.state["PQR".index(name)] if of.last is None else of.last[name]


# the equation that it breaks, and how; what the case must have for that besides SQUARE
PLANTED = {
    "Q hears its input one step late": ("Q", _late, {}),
    "P decays with beta": ("P", _set(alpha=lambda of: of.beta), {}),
    "R does not decay": ("R", _set(gamma=lambda of: np.ones_like(of.gamma)), {}),
    "U without b": ("U", _does("bias", lambda of: 0 * of.b), {}),
    "U adds R": ("U", _set(strength=lambda of: -of.strength), {}),
    "the last neuron has its neighbour's b": ("U", _does("bias", lambda of: of.b[[*range(len(of.b) - 1), -2]]), {}),
    "Y without c": ("Y", _set(c=lambda of: 0 * of.c), {}),
    "e without the factor of the mean": ("e", _set(N=lambda of: 1), {}),
    "e with the wrong sign": ("e", _does("error", lambda of, Y, target: -error(of, Y, target)), {}),
    "delta without sigma'": ("delta", _does("slope", lambda of, seen: np.ones_like(seen["U"])), {}),
    "sigma' at W P + b": (
        "delta",
        _does("slope", lambda of, seen: slope(of, seen | {"U": of.m.total(of.strength, seen["R"], seen["U"])})),
        {},
    ),
    "G's columns permuted on the way back": ("delta", _set(G_back=lambda of: np.roll(of.G, 1, axis=1)), {}),
    "G not transposed": ("delta", _set(G_back=lambda of: of.G.T), {}),
    "dW from P of the step before": ("dW", _does("eligible", lambda of, seen: _past(of, "P")), {}),
    "dW averaged over the batch": ("dW", _does("gradient", lambda of, seen: averaged(of, *gradient(of, seen))), {}),
    "W moves uphill": ("W", _set(rate_W=lambda of: -of.rate_W), {}),
    "W learns before burn_in": ("W", _set(burn_in=lambda of: 0), {}),
    "learns before the forward pass": ("W", _early, {"burn_in": 0}),
    "b learns at the rate of W": ("b", _set(rate_b=lambda of: of.rate_W), {}),
    "W: Adamax without its maximum": (
        "W",
        _set(optimiser=lambda of: of.optimiser | {"beta2": 0.0}),
        {"optimiser": ADAMAX},
    ),
}
NAMELESS = (
    "the last neuron has its neighbour's b",
    "G's columns permuted on the way back",
    "learns before the forward pass",
)
SQUARE = {"sizes": (4, 4, 4), "n_out": 4, "batch": 3, "reduction": "mean", "burn_in": 3, "initial_state": "given"}


def case(seed, profile, dialect=None, sizes=None, n_out=None, steps=6, batch=None, **changes):
    """A lively network whose decays and arrays the profile's format holds; options drawn where they are not given."""
    rng = np.random.default_rng([seed, 60])
    sizes = sizes or tuple(map(int, rng.integers(2, 7, 3)))
    n_out, batch = n_out or int(rng.integers(1, 5)), batch or int(rng.integers(1, 5))
    dialect = dialect or (sorted(DIALECTS)[seed] if seed < len(DIALECTS) else _axes(rng))
    about = {"name": f"seed {seed}", "dialect": dialect, "dtype": "float64", "constants": "decay", "steps": steps}
    about |= {"batch": batch, "initial_state": str(rng.choice(["rest", "given"])), "targets": True, "learn": True}
    about |= {"burn_in": int(rng.integers(0, 4)), "optimiser": OPTIMISERS[0 if profile.fixed else rng.integers(3)]}
    per_layer = {key: value for key, value in changes.items() if key in ("loss", "reduction", "surrogate")}
    about["layers"] = [
        {"n_in": n_in, "n": n, "n_out": n_out} | _objective(rng) | per_layer for n_in, n in pairwise(sizes)
    ]
    about |= {key: value for key, value in changes.items() if key not in per_layer}
    speaks = Case(about, {}).dialect()
    arrays = {"inputs": (rng.random((steps, batch, sizes[0])) < 0.5).astype(np.uint8)}
    for k, one in enumerate(about["layers"], start=1):
        own = _arrays(rng, about, one, speaks)
        arrays |= {f"layer{k}_{name}": profile.quantise(x) for name, x in own.items()}
    return Case(about, arrays)


def _axes(rng):
    """One option on every axis."""
    return {axis: str(rng.choice(list(options))) for axis, options in AXES.items()}


def _objective(rng):
    """A loss, a reduction, a surrogate other than the dialect's own or not, and regularisers or not."""
    one = {"loss": str(rng.choice(list(LOSSES))), "reduction": str(rng.choice(["mean", "sum"]))}
    sharp = str(rng.choice(["fast_sigmoid", "logistic", ""], p=[0.4, 0.4, 0.2]))
    one |= {"surrogate": sharp} if sharp else {}
    if rng.random() < 0.3:
        one |= {"lambda1": float(rng.uniform(0, 1)), "lambda2": float(rng.uniform(0, 1))}
        one |= {"activity": str(rng.choice(["rate", "membrane"]))}
    return one


def _arrays(rng, about, one, dialect):
    """Of one layer."""
    n_in, n, n_out, T, B = one["n_in"], one["n"], one["n_out"], about["steps"], about["batch"]
    alpha, beta, gamma = rng.uniform(0.4, 0.75, n_in), rng.uniform(0.3, 0.7, n_in), rng.uniform(0.2, 0.8, n)
    of_alpha, of_beta = (dialect.value("gains")(x) for x in (alpha, beta))
    steady = of_alpha * of_beta / ((1 - alpha) * (1 - beta))  # of P, where every step brings a spike
    own = {"alpha": alpha, "beta": beta, "gamma": gamma, "b": rng.uniform(-0.3, 0.2, n)}
    own |= {"W": rng.uniform(-1.2, 2, (n, n_in)) * 4 / np.sqrt(n_in) / steady}
    own |= {"G": rng.uniform(-1, 1, (n_out, n)), "c": rng.uniform(-0.5, 0.5, n_out)}
    own |= {"w": rng.uniform(0.3, 1.0, n) / dialect.value("refractory")(gamma)}
    target = rng.dirichlet(np.ones(n_out), (T, B)) if one["loss"] == "cross_entropy" else rng.normal(size=(T, B, n_out))
    own |= {"target": target, "rate_W": 0.05 * rng.uniform(0.5, 1, n_in) / steady, "rate_b": rng.uniform(0.02, 0.05, n)}
    if about["initial_state"] == "given":
        start = {"P0": steady / 2, "Q0": of_beta, "R0": np.ones(n)}
        own |= {name: rng.uniform(0, 1, (B, len(size))) * size for name, size in start.items()}
    return own
