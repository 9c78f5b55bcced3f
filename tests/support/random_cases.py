"""Random small cases in which every key and option occurs, and comparisons of their traces."""

import numpy as np
from hypothesis import strategies as st

from decolle_ref import cases
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import DIALECTS

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
