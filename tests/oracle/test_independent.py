"""The reference checked by what is not the reference: loops in plain Python, complex step, PyTorch's autograd."""

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
from tests.support import loops as oracle_loops

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
}
SURROGATES = ["logistic", "fast_sigmoid", "fast_sigmoid_10", "piecewise_linear", "exponential", "boxcar"]
LOSSES = ["squared_error", "smooth_l1", "cross_entropy"]
RANGES = {
    **{"alpha": (0.3, 0.9), "beta": (0.2, 0.8), "gamma": (0.1, 0.9), "w": (0.3, 2)},
    **{"tau_mem": (0.005, 0.02), "tau_syn": (0.003, 0.01), "tau_ref": (0.002, 0.005)},
    **{"P0": (0, 3), "Q0": (0, 2), "R0": (0, 2), "G": (-1, 1), "c": (-1, 1), "target": (-1.5, 1.5)},
    **{"rate_W": (0.05, 0.5), "rate_b": (0.01, 0.2), "m_W": (-1, 1), "m_b": (-1, 1), "u_W": (0.1, 2), "u_b": (0.1, 2)},
}
SCALE = {"one": 1.0, "leak": 5.0, "inverse": 0.03}  # of W, so that every dialect spikes about as often as not
EDGES = 0.0, 0.5, -0.5  # at rest U = b: a bias there lies exactly on the threshold, or on the boxcar's edge
NEAR = 1e-9  # U closer to an edge than this, but not on it, may fall on either side in another summation order


def drawn_dialect(draw):
    """A name, or as often an option per axis."""
    name = draw(st.sampled_from([*NAMES, *[None] * len(NAMES)]))
    return name or {axis: draw(st.sampled_from(among)) for axis, among in AXES.items()}


def convolution(draw, image):
    """One of a handful of small convolutions, with or without a pool: (what case.json says, the image transmitted)."""
    kernel, stride, padding = draw(st.sampled_from([(2, 1, 0), (3, 2, 1), (1, 1, 0), (2, 1, 1), (3, 1, 1), (2, 2, 0)]))
    conv = dict(zip(("channels_in", "height", "width"), image, strict=True))
    conv |= {"channels": draw(st.integers(1, 2)), "kernel": kernel, "stride": stride, "padding": padding}
    rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in image[1:])
    pool = draw(st.sampled_from([p for p in (1, 2, 3) if p <= min(rows, columns)]))
    says = {"n": conv["channels"] * rows * columns, "conv": conv} | ({"pool": pool} if pool > 1 else {})
    return says, (conv["channels"], rows // pool, columns // pool)


def wired(draw):
    """One or two layers: convolutions, dense layers, or one after the other."""
    layers, image = [], (draw(st.integers(1, 2)), 4, 3)
    for _ in range(draw(st.integers(1, 2))):
        n_in = int(np.prod(image))
        if min(image[1:]) > 1 and draw(st.booleans()):
            says, image = convolution(draw, image)
        else:
            says = {"n": draw(st.integers(1, 4))}
            image = says["n"], 1, 1
        layers.append({"n_in": n_in, **says})
    return layers


def some(draw, **options):
    """Each key present or absent."""
    return {name: draw(values) for name, values in options.items() if draw(st.booleans())}


def judged(draw, layer):
    """A layer with its objective."""
    penalties = {name: st.floats(0.1, 2) for name in ("lambda1", "lambda2")}
    penalties |= {"surrogate": st.sampled_from(SURROGATES), "activity": st.sampled_from(["rate", "membrane"])}
    ends = {"n_out": draw(st.integers(1, 3)), "loss": draw(st.sampled_from(LOSSES))}
    return layer | ends | {"reduction": draw(st.sampled_from(["sum", "mean"]))} | some(draw, **penalties)


@st.composite
def described(draw, dialect=None, targets=None):
    """case.json of a small case, every key and option that it may have."""
    learn = draw(st.booleans())
    adamax = st.floats(0, 0.95).map(lambda beta1: {"kind": "adamax", "beta1": beta1, "beta2": 0.9, "eps": 1e-6})
    about = {
        "dialect": dialect or drawn_dialect(draw),
        "dtype": "float64",
        "constants": draw(st.sampled_from(["tau", "decay"])),
        "dt": 0.001,
        "steps": draw(st.integers(1, 7)),
        "batch": draw(st.integers(1, 3)),
        "initial_state": draw(st.sampled_from(["rest", "given"])),
        "targets": learn or targets or draw(st.booleans()),
        "learn": learn,
        "layers": [judged(draw, layer) for layer in wired(draw)],
    }
    if learn and draw(st.booleans()):
        about |= {"memory": "given", "updates": draw(st.integers(0, 3))}
    optimiser = st.one_of(st.just({"kind": "sgd"}), adamax)
    return about | some(draw, burn_in=st.integers(0, 4), n=st.integers(0, 3), optimiser=optimiser)


def filled(about, rng):
    """Arrays for a description."""
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
def drawn(draw, **fixed):
    """(about, arrays)."""
    about = draw(described(**fixed))
    return about, filled(about, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


def flat(about, trace):
    """Whether a pool of S met potentials so large that the last bit of sigma, or a saturated one, decides."""
    pools = [k for k, layer in enumerate(about["layers"], start=1) if "pool" in layer]
    return Case(about, {}).dialect().pooling == "pool_S" and any(trace[f"layer{k}_U"].max() > 20 for k in pools)


def undecided(trace):
    """Whether some U is so near an edge that the order of a sum decides."""
    distances = [np.abs(U - edge) for name, U in trace.items() if name.endswith("_U") for edge in (*EDGES, -0.01)]
    return any(((gap > 0) & (gap < NEAR)).any() for gap in distances)


def off(got, expected):
    """Largest difference, relative to the array's largest magnitude."""
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / (np.abs(expected).max() or 1))


def options(about):
    """Every key that was set, and to what where it has few values: {"loss smooth_l1", "conv", ...}."""
    custom = about["dialect"] if isinstance(about["dialect"], dict) else {}
    groups = [about, custom, about.get("optimiser", {}), *about["layers"]]
    pairs = {(key, value) for group in groups for key, value in group.items() if isinstance(value, str | bool)}
    return {key for group in groups for key in group} | {f"{key} {value}" for key, value in pairs}


WANTED = {f"{axis} {option}" for axis, among in AXES.items() for option in among} | {f"dialect {x}" for x in NAMES}
WANTED |= {f"surrogate {x}" for x in SURROGATES} | {f"loss {x}" for x in LOSSES} | {"reduction sum", "reduction mean"}
WANTED |= {"activity rate", "activity membrane", "lambda1", "lambda2", "conv", "pool", "kind sgd", "kind adamax"}
WANTED |= {"memory given", "initial_state given", "burn_in", "constants tau", "constants decay", "targets False"}


# --- loops


def test_loops_in_plain_python_give_the_same_trace_on_every_axis():
    seen, rates = Counter(), []

    @settings(max_examples=250)
    @given(drawn())
    def check(case):
        about, arrays = case
        trace = simulate(Case(about, arrays), gradients=about["targets"])
        if flat(about, trace) or undecided(trace):
            seen["flat" if flat(about, trace) else "undecided"] += 1
            return
        loops = oracle_loops.backend(about, arrays)
        assert loops.keys() == trace.keys()
        assert {name: error for name in trace if (error := off(loops[name], trace[name])) > 1e-12} == {}
        rates.append(trace["layer1_S"].mean())
        seen.update(options(about))

    check()
    assert seen["undecided"] == 0 and seen["flat"] < 50  # of 250, skipped
    assert WANTED <= seen.keys()
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
    """delta by way of R: U_i holds -delta_i R_i, and R is each sample's own."""
    about, arrays = data.draw(drawn(dialect=dialect, targets=True))
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
    """The primitives for torch; at a kink autograd takes the side of sigma' as defined."""
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


def torch_loss(torch, of, Y, target):
    f = torch.nn.functional
    if of["loss"] == "cross_entropy":
        return -(target * f.log_softmax(Y, 1)).sum() / (len(Y) if of["reduction"] == "mean" else 1)
    if of["loss"] == "smooth_l1":
        return f.smooth_l1_loss(Y, target, reduction=of["reduction"])
    return f.mse_loss(Y, target, reduction=of["reduction"]) / 2


def torch_penalty(of, u, sigma):
    mean = u.mean(1) if of.get("activity") == "membrane" else sigma(u).mean()
    return of.get("lambda1", 0) * (u + 0.01).relu().mean() + of.get("lambda2", 0) * (0.1 - mean).relu().mean()


def torch_potential(torch, of, W, b, P):
    if "conv" not in of:
        return torch.nn.functional.linear(P, W, b)
    images = P.unflatten(1, [of["conv"][x] for x in ("channels_in", "height", "width")])
    return torch.nn.functional.conv2d(images, W, b, of["conv"]["stride"], of["conv"]["padding"])


def torch_layer(torch, of, axes, own, state, S_in, target, W, b):
    """One step of one layer: (state, S transmitted, dL/dW, dL/db)."""
    theta = (lambda u: (u >= 0).double()) if axes.threshold == "at_or_above" else (lambda u: (u > 0).double())
    sigma = sigmas(torch)[of.get("surrogate", axes.surrogate)]
    P, Q, R = state
    Q_new = own["const_beta"] * Q + own["const_gain_Q"] * S_in
    P_new = own["const_alpha"] * P + own["const_gain_P"] * (Q_new if axes.P_reads == "new_Q" else Q)
    drive = torch_potential(torch, of, W, b, P_new if axes.U_reads == "new_P" else P)
    U = drive - (own["const_delta"] * R).reshape(drive.shape)
    u = (torch.nn.functional.max_pool2d(U, of["pool"]) if "pool" in of else U).flatten(1)
    read = sigma(u) if axes.readout == "sigma" else theta(u) + sigma(u) - sigma(u).detach()  # straight through
    L = torch_loss(torch, of, read @ own["G"].T + own["c"], target) + torch_penalty(of, u, sigma)
    dW, db = torch.autograd.grad(L, (W, b))
    return (P_new, Q_new, own["const_gamma"] * R + theta(U.detach()).flatten(1)), theta(u.detach()), dW, db


@pytest.mark.parametrize("dialect", NAMES)
def test_dW_and_db_are_what_autograd_finds(dialect):
    torch = pytest.importorskip("torch")

    @settings(max_examples=12)
    @given(drawn(dialect=dialect, targets=True))
    def check(case):
        about, arrays = case
        trace = simulate(Case(about, arrays), gradients=True)
        assume(not flat(about, trace) and not undecided(trace))
        tensors = {name: torch.tensor(array, dtype=torch.float64) for name, array in (arrays | trace).items()}
        S = tensors["inputs"]
        for k, of in enumerate(about["layers"], start=1):
            own = {x.partition("_")[2]: tensor for x, tensor in tensors.items() if x.startswith(f"layer{k}_")}
            sizes = {"P0": of["n_in"], "Q0": of["n_in"], "R0": of["n"]}
            zeros = {x: torch.zeros(about["batch"], size, dtype=torch.float64) for x, size in sizes.items()}
            state, sent = tuple((zeros | own)[x] for x in sizes), []
            for n in range(about["steps"]):
                W, b = (trace[f"layer{k}_{x}"][n] for x in "Wb")
                W, b = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)
                args = of, DIALECTS[dialect], own, state, S[n], own["target"][n], W, b
                state, spikes, dW, db = torch_layer(torch, *args)
                sent.append(spikes)
                assert off(dW.numpy(), trace[f"layer{k}_dW"][n]) < 1e-10
                assert off(db.numpy(), trace[f"layer{k}_db"][n]) < 1e-10
            S = sent

    check()


# --- where the descriptions part


def one_window(U, surrogate, /, **layer):
    """(about, arrays) of four neurons in one window of 2 x 2: one step with these potentials, under pool_S."""
    image = {"channels_in": 1, "height": 2, "width": 2, "channels": 1, "kernel": 1}
    ends = {"n_out": 1, "loss": "squared_error", "reduction": "sum"}
    dialect = {axis: among[0] for axis, among in AXES.items()} | {"pooling": "pool_S", "surrogate": surrogate}
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
    assert off(oracle_loops.backend(*case)[f"layer1_{name}"], simulate(Case(*case))[f"layer1_{name}"]) < 1e-12
