"""The reference against independent computations: loops in plain Python, complex step, PyTorch's autograd."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decolle_ref import cases, gradcheck
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle import network
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.synapse import Weights
from tests.support import loops

NAMES = sorted(DIALECTS)
AXES = {
    "P_reads": ["old_Q", "new_Q"],
    "U_reads": ["old_P", "new_P"],
    "gains": ["one", "leak", "inverse"],
    "refractory": ["w", "gamma_w", "leak_w"],
    "threshold": ["at_or_above", "above"],
    "decay": ["exp", "euler", "given"],
    "surrogate": ["logistic", "fast_sigmoid_10", "boxcar"],
    "readout": ["sigma", "spikes"],
    "dropout": ["before_G"],
    "pooling": ["pool_U", "pool_S"],
    "regulariser_reads": ["primitive", "logistic"],
    "regulariser_place": ["pooled", "unpooled"],
}
SURROGATES = ["logistic", "fast_sigmoid", "fast_sigmoid_10", "piecewise_linear", "exponential", "boxcar"]
LOSSES = ["squared_error", "smooth_l1", "cross_entropy"]
RANGES = {
    **{"alpha": (0.3, 0.9), "beta": (0.2, 0.8), "gamma": (0.1, 0.9), "w": (0.3, 2)},
    **{"tau_mem": (0.005, 0.02), "tau_syn": (0.003, 0.01), "tau_ref": (0.002, 0.005)},
    **{"P0": (0, 3), "Q0": (0, 2), "R0": (0, 2), "G": (-1, 1), "c": (-1, 1), "target": (-1.5, 1.5)},
    **{"rate_W": (0.05, 0.5), "rate_b": (0.01, 0.2), "m_W": (-1, 1), "m_b": (-1, 1), "u_W": (0.1, 2), "u_b": (0.1, 2)},
}
SCALE = {"one": 1.0, "leak": 5.0, "inverse": 0.03}  # of W, so that in every dialect about half of the neurons spike
EDGES = 0.0, 0.5, -0.5  # at rest U = b, which is then exactly at the threshold, or at an edge of the boxcar
NEAR = 1e-9  # closer to an edge than this, but not on it, another order of sums may decide otherwise


def random_dialect(draw):
    """A name, or with equal probability an option per axis."""
    name = draw(st.sampled_from([*NAMES, *[None] * len(NAMES)]))
    return name or {axis: draw(st.sampled_from(choices)) for axis, choices in AXES.items()}


def convolution(draw, image):
    """A small convolution, with or without a pool: (its entries in case.json, the shape of its output)."""
    kernel, stride, padding = draw(st.sampled_from([(2, 1, 0), (3, 2, 1), (1, 1, 0), (2, 1, 1), (3, 1, 1), (2, 2, 0)]))
    conv = dict(zip(("channels_in", "height", "width"), image, strict=True))
    conv |= {"channels": draw(st.integers(1, 2)), "kernel": kernel, "stride": stride, "padding": padding}
    rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in image[1:])
    pool = draw(st.sampled_from([p for p in (1, 2, 3) if p <= min(rows, columns)]))
    about_layer = {"n": conv["channels"] * rows * columns, "conv": conv} | ({"pool": pool} if pool > 1 else {})
    return about_layer, (conv["channels"], rows // pool, columns // pool)


def connected_layers(draw):
    """One or two layers: convolutions, dense layers, or one of each."""
    layers, image = [], (draw(st.integers(1, 2)), 4, 3)
    for _ in range(draw(st.integers(1, 2))):
        n_in = int(np.prod(image))
        if min(image[1:]) > 1 and draw(st.booleans()):
            about_layer, image = convolution(draw, image)
        else:
            about_layer = {"n": draw(st.integers(1, 4))}
            image = about_layer["n"], 1, 1
        layers.append({"n_in": n_in, **about_layer})
    return layers


def some(draw, **options):
    """Some of the options; each is present or absent."""
    return {name: draw(values) for name, values in options.items() if draw(st.booleans())}


def with_objective(draw, layer):
    """The layer with a random objective."""
    penalties = {name: st.floats(0.1, 2) for name in ("lambda1", "lambda2")}
    penalties |= {"surrogate": st.sampled_from(SURROGATES), "activity": st.sampled_from(["rate", "membrane"])}
    ends = {"n_out": draw(st.integers(1, 3)), "loss": draw(st.sampled_from(LOSSES))}
    return layer | ends | {"reduction": draw(st.sampled_from(["sum", "mean"]))} | some(draw, **penalties)


@st.composite
def descriptions(draw, dialect=None, targets=None):
    """The contents of case.json for a small random case; all keys and options occur."""
    learn = draw(st.booleans())
    adamax = st.floats(0, 0.95).map(lambda beta1: {"kind": "adamax", "beta1": beta1, "beta2": 0.9, "eps": 1e-6})
    about = {
        "dialect": dialect or random_dialect(draw),
        "dtype": "float64",
        "constants": draw(st.sampled_from(["tau", "decay"])),
        "dt": 0.001,
        "steps": draw(st.integers(1, 7)),
        "batch": draw(st.integers(1, 3)),
        "initial_state": draw(st.sampled_from(["rest", "given"])),
        "targets": learn or targets or draw(st.booleans()),
        "learn": learn,
        "layers": [with_objective(draw, layer) for layer in connected_layers(draw)],
    }
    if learn and draw(st.booleans()):
        about |= {"memory": "given", "updates": draw(st.integers(0, 3))}
    optimiser = st.one_of(st.just({"kind": "sgd"}), adamax)
    return about | some(draw, burn_in=st.integers(0, 4), n=st.integers(0, 3), optimiser=optimiser)


def random_arrays(about, rng):
    """Random arrays for case.json."""
    shapes = cases.shapes(about)
    arrays = {name: rng.uniform(*RANGES.get(name.partition("_")[2], (0, 1)), shape) for name, shape in shapes.items()}
    arrays["inputs"] = rng.poisson(0.6, shapes["inputs"]).astype(rng.choice(["u1", "i4", "f8"]))
    scale = SCALE[Case(about, {}).dialect().gains]
    for k in range(1, len(about["layers"]) + 1):
        W, b = arrays[f"layer{k}_W"], arrays[f"layer{k}_b"]
        size = scale / np.sqrt(W[0].size)
        arrays[f"layer{k}_W"] = rng.normal(size=W.shape) * size
        arrays[f"layer{k}_b"] = np.where(
            rng.random(b.shape) < 0.4, rng.choice(EDGES, b.shape), rng.normal(size=b.shape)
        )
        if about["learn"]:
            arrays[f"layer{k}_rate_W"] *= size
    return arrays


@st.composite
def random_cases(draw, **fixed):
    """Random cases: (about, arrays)."""
    about = draw(descriptions(**fixed))
    return about, random_arrays(about, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


def depends_on_the_last_bit(about, trace):
    """Whether a pool of S compares potentials so large that the last bit of sigma decides."""
    pools = [k for k, layer in enumerate(about["layers"], start=1) if "pool" in layer]
    return Case(about, {}).dialect().pooling == "pool_S" and any(trace[f"layer{k}_U"].max() > 20 for k in pools)


def undecided(trace):
    """Whether some U is so near an edge that the order of a sum decides."""
    distances = [np.abs(U - edge) for name, U in trace.items() if name.endswith("_U") for edge in (*EDGES, -0.01)]
    return any(((gap > 0) & (gap < NEAR)).any() for gap in distances)


def relative_difference(got, expected, size=0.0):
    """The largest difference, relative to the largest magnitude of the array or to `size`."""
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / (max(np.abs(expected).max(), size) or 1))


def sizes_of_rounding(about, arrays, trace):
    """(sizes, factors) by name of an array: what its rounding errors are relative to, and how they are amplified.

    A gradient is a sum over batch and places, whose terms may cancel: its errors are relative to the sum of their
    magnitudes.  U is such a sum, too; its error is an absolute one for sigma'(U), which falls by orders of magnitude,
    so whatever is made of sigma' has that error relative to itself.
    """
    sizes, factors = {}, {}
    for k, layer in enumerate(Case(about, arrays).network() if about["targets"] else (), start=1):
        dU, P, W = (trace[f"layer{k}_{name}"] for name in ("delta", "P", "W"))
        gradients = [layer.synapse.gradient(np.abs(e), np.abs(p)) for e, p in zip(dU, P, strict=True)]
        terms = [
            layer.synapse.drive(Weights(np.abs(w), 0 * b), np.abs(p))
            for w, b, p in zip(W, trace[f"layer{k}_b"], P, strict=True)
        ]
        amplified = max(1.0, max(float(x.max()) for x in terms))
        for letter in "Wb":
            size = max(float(getattr(gradient, letter).max()) for gradient in gradients)
            sizes |= {f"layer{k}_d{letter}": size, f"layer{k}_m_{letter}_final": size}
            names = (f"d{letter}", letter, f"{letter}_final", f"m_{letter}_final", f"u_{letter}_final", "delta")
            factors |= {f"layer{k}_{name}": amplified for name in names}
    return sizes, factors


def options(about):
    """The keys of a case, and the values that are words: {"loss smooth_l1", "conv", ...}."""
    custom = about["dialect"] if isinstance(about["dialect"], dict) else {}
    groups = [about, custom, about.get("optimiser", {}), *about["layers"]]
    pairs = {(key, value) for group in groups for key, value in group.items() if isinstance(value, str | bool)}
    return {key for group in groups for key in group} | {f"{key} {value}" for key, value in pairs}


WANTED = {f"{axis} {option}" for axis, choices in AXES.items() for option in choices} | {f"dialect {x}" for x in NAMES}
WANTED |= {f"surrogate {x}" for x in SURROGATES} | {f"loss {x}" for x in LOSSES} | {"reduction sum", "reduction mean"}
WANTED |= {"activity rate", "activity membrane", "lambda1", "lambda2", "conv", "pool", "kind sgd", "kind adamax"}
WANTED |= {"memory given", "initial_state given", "burn_in", "constants tau", "constants decay", "targets False"}


# --- loops


def test_loops_in_plain_python_give_the_same_trace_on_every_axis():
    counts, rates = Counter(), []

    @settings(max_examples=500)
    @given(random_cases())
    def check(case):
        about, arrays = case
        trace = simulate(Case(about, arrays), gradients=about["targets"])
        if depends_on_the_last_bit(about, trace) or undecided(trace):
            counts["flat" if depends_on_the_last_bit(about, trace) else "undecided"] += 1
            return
        by_loops = loops.backend(about, arrays)
        assert by_loops.keys() == trace.keys()
        sizes, factors = sizes_of_rounding(about, arrays, trace)
        errors = {name: relative_difference(by_loops[name], x, sizes.get(name, 0.0)) for name, x in trace.items()}
        assert {name: error for name, error in errors.items() if error > 1e-12 * factors.get(name, 1.0)} == {}
        rates.append(trace["layer1_S"].mean())
        counts.update(options(about))

    check()
    assert counts["undecided"] == 0 and counts["flat"] < 50  # of 500, skipped
    assert WANTED <= counts.keys()
    assert 0.3 < np.mean(rates) < 0.7


# --- complex step


def at_step(about, arrays, trace, n):
    """(layer, weights, P, R, e, name of its arrays) of every layer at step n."""
    for k, layer in enumerate(Case(about, arrays).network(), start=1):
        W, b, P, R, e = (trace[f"layer{k}_{x}"][n] for x in ("W", "b", "P", "R", "e"))
        yield layer, Weights(W, b), P, R, e, f"layer{k}"


@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=12)
@given(data=st.data())
def test_delta_dW_and_db_are_complex_step_derivatives_of_the_frozen_error_loss(dialect, data):
    """delta is checked through R: U_i has the term -delta_i R_i, and each sample has its own R."""
    about, arrays = data.draw(random_cases(dialect=dialect, targets=True))
    trace = simulate(Case(about, arrays), gradients=True)
    n = data.draw(st.integers(0, about["steps"] - 1))
    for layer, weights, P, R, e, name in at_step(about, arrays, trace, n):
        L = partial(network.frozen_error_loss, layer)
        dW, db, delta = (trace[f"{name}_{x}"][n] for x in ("dW", "db", "delta"))
        assert gradcheck.check(lambda W: L(Weights(W, weights.b), P, R, e), dW, weights.W)  # noqa: B023
        assert gradcheck.check(lambda b: L(Weights(weights.W, b), P, R, e), db, weights.b)  # noqa: B023
        assert gradcheck.check(lambda R: L(weights, P, R, e), -layer.neuron.delta * delta, R)  # noqa: B023


# --- autograd


def sigmas(torch):
    """The primitives for torch; at a kink autograd takes the side that sigma' takes."""
    return {
        "logistic": lambda x: torch_logistic(torch, x),
        "fast_sigmoid": lambda x: 0.5 + x / (1 + x.abs()),
        "fast_sigmoid_10": lambda x: 0.5 + x / (1 + 10 * x.abs()),
        "piecewise_linear": lambda x: 0.5 + x.clamp(-1, 1) * (1 - x.clamp(-1, 1).abs() / 2),
        "exponential": lambda x: torch.where(x < 0, x.clamp(max=0).exp() - 0.5, 1.5 - (-x.clamp(min=0)).exp()),
        "boxcar": lambda x: torch.where((x > -0.5) & (x <= 0.5), x + 0.5, (x > 0).double()),
    }


def torch_logistic(torch, x):
    """Accurate in both tails, where torch.sigmoid's derivative s (1 - s) cancels."""
    z = torch.where(x < 0, x, -x).exp()
    return torch.where(x < 0, z, 1) / (1 + z)


def torch_loss(torch, entry, Y, target):
    f = torch.nn.functional
    if entry["loss"] == "cross_entropy":
        return -(target * f.log_softmax(Y, 1)).sum() / (len(Y) if entry["reduction"] == "mean" else 1)
    if entry["loss"] == "smooth_l1":
        return f.smooth_l1_loss(Y, target, reduction=entry["reduction"])
    return f.mse_loss(Y, target, reduction=entry["reduction"]) / 2


def torch_penalty(entry, u, sigma):
    mean = u.mean(1) if entry.get("activity") == "membrane" else sigma(u).mean()
    return entry.get("lambda1", 0) * (u + 0.01).relu().mean() + entry.get("lambda2", 0) * (0.1 - mean).relu().mean()


def torch_potential(torch, entry, W, b, P):
    if "conv" not in entry:
        return torch.nn.functional.linear(P, W, b)
    images = P.unflatten(1, [entry["conv"][x] for x in ("channels_in", "height", "width")])
    return torch.nn.functional.conv2d(images, W, b, entry["conv"]["stride"], entry["conv"]["padding"])


def torch_layer(torch, entry, axes, arrays_of_layer, state, S_in, target, W, b):
    """One step of one layer: (state, S transmitted, dL/dW, dL/db)."""
    theta = (lambda u: (u >= 0).double()) if axes.threshold == "at_or_above" else (lambda u: (u > 0).double())
    sigma = sigmas(torch)[entry.get("surrogate", axes.surrogate)]
    P, Q, R = state
    Q_new = arrays_of_layer["const_beta"] * Q + arrays_of_layer["const_gain_Q"] * S_in
    P_new = arrays_of_layer["const_alpha"] * P + arrays_of_layer["const_gain_P"] * (
        Q_new if axes.P_reads == "new_Q" else Q
    )
    drive = torch_potential(torch, entry, W, b, P_new if axes.U_reads == "new_P" else P)
    U = drive - (arrays_of_layer["const_delta"] * R).reshape(drive.shape)
    u = (torch.nn.functional.max_pool2d(U, entry["pool"]) if "pool" in entry else U).flatten(1)
    read = sigma(u) if axes.readout == "sigma" else theta(u) + sigma(u) - sigma(u).detach()  # straight through
    L = torch_loss(torch, entry, read @ arrays_of_layer["G"].T + arrays_of_layer["c"], target) + torch_penalty(
        entry, u, sigma
    )
    dW, db = torch.autograd.grad(L, (W, b))
    return (P_new, Q_new, arrays_of_layer["const_gamma"] * R + theta(U.detach()).flatten(1)), theta(u.detach()), dW, db


@pytest.mark.parametrize("dialect", NAMES)
def test_dW_and_db_are_what_autograd_finds(dialect):
    torch = pytest.importorskip("torch")

    @settings(max_examples=12)
    @given(random_cases(dialect=dialect, targets=True))
    def check(case):
        about, arrays = case
        trace = simulate(Case(about, arrays), gradients=True)
        assume(not depends_on_the_last_bit(about, trace) and not undecided(trace))
        tensors = {name: torch.tensor(array, dtype=torch.float64) for name, array in (arrays | trace).items()}
        S = tensors["inputs"]
        for k, entry in enumerate(about["layers"], start=1):
            arrays_of_layer = {
                x.partition("_")[2]: tensor for x, tensor in tensors.items() if x.startswith(f"layer{k}_")
            }
            sizes = {"P0": entry["n_in"], "Q0": entry["n_in"], "R0": entry["n"]}
            zeros = {x: torch.zeros(about["batch"], size, dtype=torch.float64) for x, size in sizes.items()}
            state, sent = tuple((zeros | arrays_of_layer)[x] for x in sizes), []
            for n in range(about["steps"]):
                W, b = (trace[f"layer{k}_{x}"][n] for x in "Wb")
                W, b = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)
                args = entry, DIALECTS[dialect], arrays_of_layer, state, S[n], arrays_of_layer["target"][n], W, b
                state, spikes, dW, db = torch_layer(torch, *args)
                sent.append(spikes)
                assert relative_difference(dW.numpy(), trace[f"layer{k}_dW"][n]) < 1e-10
                assert relative_difference(db.numpy(), trace[f"layer{k}_db"][n]) < 1e-10
            S = sent

    check()


# --- cases in which the descriptions once differed


def one_window(U, surrogate, /, **layer):
    """(about, arrays) of four neurons in one window of 2 x 2: one step with these potentials, under pool_S."""
    image = {"channels_in": 1, "height": 2, "width": 2, "channels": 1, "kernel": 1}
    ends = {"n_out": 1, "loss": "squared_error", "reduction": "sum"}
    dialect = {axis: choices[0] for axis, choices in AXES.items()} | {"pooling": "pool_S", "surrogate": surrogate}
    about = {"dialect": dialect, "dtype": "float64", "constants": "decay", "steps": 1, "batch": 1}
    about |= {"initial_state": "given", "targets": True, "learn": False}
    about["layers"] = [{"n_in": 4, "n": 4, "conv": image, "pool": 2} | ends | layer]
    arrays = {name: np.zeros(shape) for name, shape in cases.shapes(about).items()}
    return about, arrays | {"layer1_W": np.ones((1, 1, 1, 1)), "layer1_G": np.ones((1, 1)), "layer1_P0": np.array([U])}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("delta", one_window([0.5, 0.7, 0.1, -0.2], "boxcar")),  # sigma is flat above 1/2: the first wins
        ("Y", one_window([0.7, 3, 0, 0], "boxcar", surrogate="logistic")),  # ranked by the layer's own sigma
        ("delta", one_window([0.5, 1, 0.2, -0.2], "logistic", lambda1=1)),  # the penalties see the pooled U
    ],
)
def test_loops_give_the_same_for_a_pool_of_S(name, case):
    assert relative_difference(loops.backend(*case)[f"layer1_{name}"], simulate(Case(*case))[f"layer1_{name}"]) < 1e-12
