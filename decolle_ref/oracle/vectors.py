"""Test vectors: cases that each exist for a reason, and the reason as a function that is run.

A vector says which bug it would catch (`why`) and proves it (`property`): that the bug, or its nearest relative among
a case's own options, changes the trace by far more than rounding; that a tie is exact; that the last step has a spike.
A vector whose property does not hold is an error, not a vector.

`catalogue` is complete and the same every time.  `fresh` draws lively cases from a seed, so that an implementation that
has learned the catalogue by heart is found out.  `export` writes the catalogue as files with hashes, and with golden
traces of the vectors that can have one: the same to the last bit on every machine.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import cases, lif, npy, simulate, store
from decolle_ref.cases import Case
from decolle_ref.check import Array, InputError, first_line, float_dtype
from decolle_ref.check import count as natural
from decolle_ref.dialects import AXES, DIALECTS, named
from decolle_ref.objective import LOSSES, REDUCTIONS
from decolle_ref.oracle import exactness
from decolle_ref.synapse import Conv2d

FORMAT, VERSION = "decolle_ref vectors", 1
SURROGATES = ("boxcar", "exponential", "fast_sigmoid", "fast_sigmoid_10", "logistic", "piecewise_linear")
ADAMAX = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8}
SINGLE = 24  # bits of the significand of float32
LIVELY = 0.02, 0.8  # the share of spikes of a lively layer
About = dict[str, Any]
Arrays = dict[str, Array]
Trace = dict[str, Array]
Pair = tuple[About, Arrays]
Property = Callable[["Vector"], None]


@dataclass(frozen=True)
class Vector:
    """A case, which bug it would catch, and the proof: a function that raises InputError unless it would."""

    id: str
    about: About
    arrays: Arrays
    why: str
    property: Property
    bits: tuple[int, int] | None = None  # all is exact in so many, of a significand and of fixed point (0: not said)


# Properties


class Change(NamedTuple):
    """Something done otherwise, in words and as a function of a case."""

    words: str
    apply: Callable[[About, Arrays], Pair]


def axes(**options: str) -> Change:
    """Another dialect: one or more axes changed."""

    def apply(about: About, arrays: Arrays) -> Pair:
        dialect = named(about["dialect"])
        return {**about, "dialect": {axis: getattr(dialect, axis) for axis in AXES} | options}, arrays

    return Change(f"{options}", apply)


def layers(**settings: Any) -> Change:
    """Other settings of all layers."""
    return Change(f"{settings}", lambda about, a: (about | {"layers": [x | settings for x in about["layers"]]}, a))


def case(**keys: Any) -> Change:
    """Other keys of case.json."""
    return Change(f"{keys}", lambda about, arrays: (about | keys, arrays))


def array(letter: str, change: Callable[[Array], Array]) -> Change:
    """Another array `letter`, of the case or of every layer that has it."""

    def apply(about: About, arrays: Arrays) -> Pair:
        return about, {name: change(x) if letter in (name, _letter(name)) else x for name, x in arrays.items()}

    return Change(f"another {letter}", apply)


def expect(holds: bool, claim: str) -> None:
    """Raise InputError unless the claim holds."""
    if not holds:
        raise InputError(f"expected {claim}, got a case where it is not so")


def shows(*changes: tuple[Change, str]) -> Property:
    """Each change moves each of the arrays named after it, somewhere, by more than a thousandth of its size."""

    def holds(vector: Vector) -> None:
        ours = trace(vector)
        for change, names in changes:
            theirs = simulate.simulate(Case(*change.apply(vector.about, vector.arrays)), vector.about["targets"])
            for name in names.split():
                moved = any(_differ(ours[x], theirs[x]) for x in ours if _letter(x) == name)
                expect(moved, f"another {name} with {change.words}")

    return holds


def each(*properties: Property) -> Property:
    """All of them."""

    def holds(vector: Vector) -> None:
        for one in properties:
            one(vector)

    return holds


def claims(claim: str, holds: Callable[[Trace, Arrays], Any]) -> Property:
    """A claim about the reference trace and the case's arrays."""
    return lambda vector: expect(bool(holds(trace(vector), vector.arrays)), claim)


def lively(vector: Vector) -> None:
    """Every layer transmits between 2 % and 80 % of the spikes that it could."""
    for name, S in trace(vector).items():
        if _letter(name) == "S":
            expect(LIVELY[0] <= S.mean() <= LIVELY[1], f"{name} to hold 2 % to 80 % spikes")


def exact(vector: Vector) -> None:
    """All numbers of all steps need no more bits than it says, in any order of sums; simulate finds exactly them."""
    certified, need = exactness.certify(Case(vector.about, vector.arrays))
    expect(vector.bits is not None and need.fits(*vector.bits), f"bits that suffice, {need}")
    found = trace(vector)
    for name, fractions in certified.items():
        expect(bool((exactness.fractions(found[name]) == fractions).all()), f"{name} exact")


def trace(vector: Vector) -> Trace:
    """The reference trace."""
    return simulate.simulate(Case(vector.about, vector.arrays), vector.about["targets"])


def check(vector: Vector) -> None:
    """Run the vector's property.  Raises InputError, naming the vector, where it does not hold."""
    try:
        vector.property(vector)
    except InputError as problem:
        raise InputError(f"vector {vector.id}: {problem}") from None


def _differ(a: Array, b: Array) -> bool:
    return a.shape != b.shape or bool(np.abs(a - b).max(initial=0) > 1e-3 * np.abs(a).max(initial=0))


def _letter(name: str) -> str:
    return name.partition("_")[2] if name.startswith("layer") else name


# Drawing cases


def dense(*sizes: int, **settings: Any) -> list[About]:
    """Layers of these sizes, inputs first."""
    return [_entry(n_in, n, settings) for n_in, n in pairwise(sizes)]


def conv(
    shape: tuple[int, int, int], channels: int, kernel: int, stride: int = 1, padding: int = 0, **settings: Any
) -> About:
    """A convolutional layer on images of `shape` (channels_in, height, width)."""
    of = Conv2d(shape, channels, kernel, stride, padding)
    sizes = dict(zip(("channels_in", "height", "width"), shape, strict=True))
    about = sizes | {"channels": channels, "kernel": kernel, "stride": stride, "padding": padding}
    return _entry(of.n_in, of.n, {"conv": about, **settings})


def _entry(n_in: int, n: int, settings: About) -> About:
    defaults = {"n_out": 3, "loss": "squared_error", "reduction": "mean", "surrogate": "fast_sigmoid"}
    given = {key: value for key, value in (defaults | settings).items() if value is not None}
    return {"n_in": n_in, "n": n, **given}


def draw(seed: int | list[int], stack: list[About], dialect: str = "paper", rate: float = 0.4, **keys: Any) -> Pair:
    """A network with decays, weights, readout, targets and rates at random, in float64; keys go into case.json.

    Weights and rates are per unit of steady trace, so that networks of all dialects are about equally lively.
    """
    rng = np.random.default_rng(seed)
    about: About = {"dialect": dialect, "dtype": "float64", "constants": "decay", "steps": 24, "batch": 2}
    about |= {"initial_state": "rest", "targets": True, "learn": True, "optimiser": ADAMAX, "layers": stack} | keys
    spikes = rng.random((about["steps"], about["batch"], stack[0]["n_in"])) < rate
    arrays: Arrays = {"inputs": spikes.astype(np.uint8)}
    for k, layer in enumerate(stack, start=1):
        arrays |= {f"layer{k}_{name}": x for name, x in _draw_layer(rng, about, layer).items()}
    return about, arrays


def _draw_layer(rng: np.random.Generator, about: About, layer: About) -> Arrays:
    n_in, n, n_out, shape_W, shape_b = layer["n_in"], layer["n"], layer["n_out"], *cases.connections(layer)[0].shapes
    dialect, alpha, beta, gamma = named(about["dialect"]), *_decays(rng, n_in, n)
    gain = lif.trace_gain(lif.from_decays(alpha, beta, gamma, dialect=dialect))
    if len(shape_W) > 2:  # one weight for a whole channel
        channels = gain.reshape(shape_W[1], -1)
        gain = exactness.in_order(channels)[:, None, None] / channels.shape[1]
    step: Array = 0.05 / (gain if about["optimiser"]["kind"] == "adamax" else gain**2)
    of = {
        "W": rng.uniform(-1, 2, shape_W) * 4 / np.sqrt(np.prod(shape_W[1:])) / gain,
        "b": -rng.uniform(0.05, 0.3, shape_b),
        "G": rng.uniform(-1, 1, (n_out, cases.width(layer))),
        "c": rng.uniform(-0.1, 0.1, n_out),
        "w": rng.uniform(0.5, 1.5, n) / dialect.value("refractory")(gamma),
        "target": rng.uniform(-2, 2, (about["steps"], about["batch"], n_out)),
        "rate_W": step * rng.uniform(0.5, 1.5, shape_W if len(shape_W) > 2 else n_in),
        "rate_b": 0.02 * rng.uniform(0.5, 1.5, shape_b),
    }
    if layer["loss"] == "cross_entropy":
        of["target"] = rng.uniform(0, 1, of["target"].shape)
    return {name: np.asarray(x) for name, x in of.items()} | {"alpha": alpha, "beta": beta, "gamma": gamma}


def _decays(rng: np.random.Generator, n_in: int, n: int) -> tuple[Array, Array, Array]:
    return rng.uniform(0.5, 0.75, n_in), rng.uniform(0.4, 0.65, n_in), rng.uniform(0.4, 0.7, n)


def as_dtype(pair: Pair, dtype: str) -> Pair:
    """The case in float32 or float64, with the arrays that its description calls for; counts stay what they are."""
    about, arrays = pair
    kinds = {name: x.dtype if name == "inputs" else float_dtype(dtype) for name, x in arrays.items()}
    return about | {"dtype": dtype}, {name: arrays[name].astype(kinds[name]) for name in cases.shapes(about)}


def on_grid(pair: Pair, seed: int, alphas: Sequence[float] = (0.5, 0.75)) -> Pair:
    """The same network with these decays and 1/2, and all else small multiples of powers of two; boxcar, SGD."""
    about, arrays = pair
    rng, dialect, new = np.random.default_rng(seed), named(about["dialect"]), dict(arrays)
    for k, layer in enumerate(about["layers"], start=1):
        size = {name: arrays[f"layer{k}_{name}"].shape for name in ("W", "b", "G", "target", "rate_W", "rate_b")}
        alpha = np.full(layer["n_in"], 0.5) if "conv" in layer else rng.choice(alphas, layer["n_in"])
        beta, gamma = np.full(layer["n_in"], 0.5), np.full(layer["n"], 0.5)
        gain = lif.trace_gain(lif.from_decays(alpha, beta, gamma, dialect=dialect))
        gain = gain[0] if "conv" in layer else gain  # the same for all
        of = {"W": rng.integers(-1, 4, size["W"]) / gain, "b": -rng.integers(1, 4, size["b"]) / 4}
        of |= {"G": rng.integers(-2, 3, size["G"]) / 2, "c": np.zeros(layer["n_out"])}
        of |= {"w": 1 / dialect.value("refractory")(gamma), "target": rng.integers(-2, 3, size["target"]) / 2}
        of |= {"rate_W": np.full(size["rate_W"], 2.0**-6) / gain, "rate_b": np.full(size["rate_b"], 2.0**-6)}
        of |= {"alpha": alpha, "beta": beta, "gamma": gamma}
        new |= {f"layer{k}_{name}": x for name, x in of.items()}
    coarse = [layer | {"surrogate": "boxcar"} for layer in about["layers"]]
    return about | {"layers": coarse, "optimiser": {"kind": "sgd"}}, new


def exact_vector(dtype: str, id: str, why: str, pair: Pair, *properties: Property, fixed: int = 0) -> Vector:
    """As many steps of the case as are exact in 24 bits of a significand, and in so many of fixed point."""
    about, arrays = pair
    bits = SINGLE, fixed
    steps = exactness.exact_steps(Case(*as_dtype(pair, "float64")), *bits)
    timed = {name: x[:steps] for name, x in arrays.items() if _letter(name) in ("inputs", "target")}
    vector = _vector(dtype, id, why, (about | {"steps": steps}, arrays | timed), exact, *properties)
    return replace(vector, bits=bits)


def quantised(vector: Vector, quantise: Callable[[Array], Array]) -> Vector:
    """The vector with every array but the counts in another number format, given as float64 -> float64."""
    arrays = {
        name: x if name == "inputs" else quantise(x.astype(np.float64)).astype(x.dtype)
        for name, x in vector.arrays.items()
    }
    return replace(vector, arrays=arrays)


def put(pair: Pair, **changes: Any) -> Pair:
    """The pair with arrays replaced: inputs whole, others in every layer, by a number or a function of the array."""
    about, arrays = pair
    new = dict(arrays)
    for name, x in arrays.items():
        change = changes.get(_letter(name))
        if change is not None:
            new[name] = np.asarray(change(x)) if callable(change) else np.full(x.shape, change)
    return about, new


# The families


def _vector(dtype: str, id: str, why: str, pair: Pair, *properties: Property) -> Vector:
    about, arrays = as_dtype(pair, dtype)
    return Vector(id, {"name": id, "why": why, **about}, arrays, why, each(*properties))


def _dialects(dtype: str) -> Iterator[Vector]:
    for k, (name, d) in enumerate(DIALECTS.items()):
        other = {axis: next(o for o in AXES[axis] if o != getattr(d, axis)) for axis in AXES}
        moves = {
            "P_reads": "P U",
            "U_reads": "P U",
            "gains": "Q P",
            "refractory": "U",
            "readout": "Y",
            "surrogate": "delta",
        }
        proof = shows(*((axes(**{axis: other[axis]}), names) for axis, names in moves.items()))
        why = f"one axis of the dialect {name} taken from another: old or new Q or P, gains, delta, readout, sigma'"
        yield _vector(dtype, f"dense-{name}", why, draw(100 + k, dense(6, 5, 4, surrogate=None), name), lively, proof)


def _surrogates(dtype: str) -> Iterator[Vector]:
    for name in SURROGATES:
        proof = shows(*((layers(surrogate=other), "Y delta dW") for other in SURROGATES if other != name))
        why = "another surrogate, a factor in its slope, sigma not 1/2 at threshold"
        yield _vector(dtype, f"surrogate-{name}", why, draw(120, dense(6, 5, surrogate=name)), lively, proof)


def _losses(dtype: str) -> Iterator[Vector]:
    for name in LOSSES:
        for reduction in REDUCTIONS:
            others = [(layers(loss=other), "e dW") for other in LOSSES if other != name]
            other = next(x for x in REDUCTIONS if x != reduction)
            pair = draw(130, dense(6, 5, 4, loss=name, reduction=reduction, n_out=4), batch=3, steps=16)
            why = "another loss, sum for mean or mean over the wrong axes, softmax of targets that do not sum to 1"
            proof = shows(*others, (layers(reduction=other), "e delta dW db"))
            yield _vector(dtype, f"loss-{name}-{reduction}".replace("_", "-"), why, pair, proof, _loss_claim(name))


def _loss_claim(name: str) -> Property:
    """What the targets must be like for a loss to be tried."""
    if name == "cross_entropy":
        return claims("targets that do not sum to 1", lambda t, a: (abs(a["layer1_target"].sum(-1) - 1) > 0.1).any())
    far = claims("differences of more than 1", lambda t, a: (abs(t["layer1_Y"] - a["layer1_target"]) > 1).any())
    near = claims("differences of less than 1", lambda t, a: (abs(t["layer1_Y"] - a["layer1_target"]) < 1).any())
    return each(far, near)


def _convolutions(dtype: str) -> Iterator[Vector]:
    turned = array("layer1_W", lambda W: W[..., ::-1, ::-1].copy()), "U"
    crossed = array("layer1_W", lambda W: W.swapaxes(-1, -2).copy()), "U"
    swapped = array("layer1_W", lambda W: W.swapaxes(0, 1).copy()), "U"
    stack = [conv((2, 7, 5), 2, 3, stride=2, padding=1), *dense(24, 4)]
    why = "a kernel turned round or transposed, channels swapped, rows for columns, stride or padding off by one"
    yield _vector(
        dtype, "conv-stride-padding", why, draw(140, stack, steps=16), lively, shows(turned, crossed, swapped)
    )
    stack = [conv((1, 7, 6), 2, 2, pool=2), conv((2, 3, 2), 2, 2, padding=1, pool=2)]
    why = "a window that is not full pooled all the same, R kept per window and not per neuron, average for maximum"
    pair = put(draw(141, stack, "decolle", steps=16), b=-0.9)
    last = claims(
        "neurons outside all windows to spike", lambda t, a: t["layer1_R"].reshape(16, 2, 2, 6, 5)[..., 4].any()
    )
    yield _vector(dtype, "conv-pool-leftover", why, pair, lively, last)
    why = "of several largest U in a window not the first chosen, or the error shared among them"
    pair = on_grid(draw(142, [conv((1, 5, 5), 2, 2, pool=2, n_out=2)], rate=0.25), 142)
    pair = put(pair, W=0.25, b=-0.5)
    yield exact_vector(dtype, "conv-pool-ties", why, pair, claims("ties that matter", _ties_matter))
    stack = [conv((1, 6, 6), 2, 3, pool=2, surrogate=None), *dense(8, 3, surrogate=None)]
    why = "old or new Q or P, gains or delta of another dialect, in a layer with pooling"
    proof = shows((axes(P_reads="old_Q"), "P U"), (axes(gains="one"), "Q P"), (axes(refractory="w"), "U"))
    yield _vector(dtype, "conv-pool-dcll", why, put(draw(143, stack, "dcll", steps=16), b=-1.2), lively, proof)


def _ties_matter(t: Trace, arrays: Arrays) -> bool:
    """In some window two neurons tie for the largest U, see different P, and only the first gets an error."""
    U, delta = (t[f"layer1_{x}"].reshape(-1, 2, 4, 4)[:, :, :2, :2].reshape(-1, 2, 4) for x in ("U", "delta"))
    P = t["layer1_P"].reshape(-1, 5, 5)
    seen = np.stack([P[:, y : y + 2, x : x + 2].reshape(-1, 4) for y in (0, 1) for x in (0, 1)], axis=1)
    top = U == U.max(axis=-1, keepdims=True)
    first = top.argmax(axis=-1)
    for n, c in np.argwhere(top.sum(axis=-1) > 1):
        others = [i for i in np.flatnonzero(top[n, c]) if (seen[n, i] != seen[n, first[n, c]]).any()]
        if others and delta[n, c, first[n, c]] != 0 and not delta[n, c, others].any():
            return True
    return False


def _ties(dtype: str) -> Iterator[Vector]:
    for k, (name, d) in enumerate(DIALECTS.items()):
        flip = axes(threshold="above" if d.threshold == "at_or_above" else "at_or_above")
        zero = put(
            draw(150, dense(3, 4, 2), name, steps=6, learn=False), W=0.0, b=0.0, w=lambda w: w * (np.arange(len(w)) % 2)
        )
        still = claims("U = 0 at every step where w = 0", lambda t, a: not t["layer1_U"][..., a["layer1_w"] == 0].any())
        yield _vector(dtype, f"zero-{name}", "> for >= at the threshold, or >= for >", zero, still, shows((flip, "S")))
        why = "> for >= at the threshold, or >= for >, where W P, b and delta R cancel"
        pair = on_grid(_bare(dense(6, 16), name, 151 + k), 151 + k, (0.5,))
        tie = claims("U = 0 with R != 0", lambda t, a: ((t["layer1_U"] == 0) & (t["layer1_R"] != 0)).any())
        yield exact_vector(dtype, f"tie-{name}", why, pair, tie, shows((flip, "S R")))


def _bare(stack: list[About], dialect: str, seed: int) -> Pair:
    """A case without targets."""
    return draw(seed, stack, dialect, targets=False, learn=False)


def _dyadic(dtype: str) -> Iterator[Vector]:
    for k, name in enumerate(DIALECTS):
        why = "any rounding at all: every number is exact in {} bits, whatever the order of sums"
        bare, learning = _bare(dense(6, 5, 4), name, 160 + k), draw(170 + k, dense(6, 5, n_out=2), name, burn_in=3)
        pair = on_grid(bare, 160 + k)
        yield exact_vector(dtype, f"dyadic-{name}", why.format(24), pair, lively)
        pair = on_grid(bare, 165 + k, (0.5,))
        yield exact_vector(dtype, f"dyadic-fixed16-{name}", why.format(16), pair, lively, fixed=16)
        pair = on_grid(learning, 170 + k, (0.5,))
        moves = claims("weights that move", lambda t, a: (t["layer1_W_final"] != a["layer1_W"]).any())
        yield exact_vector(dtype, f"dyadic-learning-{name}", why.format(24), pair, lively, moves)


def _inputs(dtype: str) -> Iterator[Vector]:
    pair = put(draw(180, dense(6, 5)), inputs=lambda x: 0 * x.astype("<i8"), b=lambda b: b - 0.2)
    quiet = claims("no spike, no P, no dW", lambda t, a: not any(t[f"layer1_{x}"].any() for x in ("S", "P", "dW")))
    moves = claims(
        "biases to learn and weights to stay",
        lambda t, a: (t["layer1_W_final"] == a["layer1_W"]).all() and (t["layer1_b_final"] != a["layer1_b"]).all(),
    )
    yield _vector(
        dtype,
        "silent",
        "0/0 in the optimiser where no input came; biases that do not learn in silence",
        pair,
        quiet,
        moves,
    )
    volley = np.isin(np.arange(24), (1, 7, 15))[:, None, None]
    pair = put(draw(181, dense(6, 5)), inputs=lambda x: np.where(volley, 1, 0 * x).astype("u1"), W=abs, b=-0.05)
    together = claims(
        "steps at which all neurons spike, and silent ones", lambda t, a: {0, 1} <= set(t["layer1_S"].mean(axis=(1, 2)))
    )
    yield _vector(
        dtype, "simultaneous", "spikes of one step handled one after the other, or all but one lost", pair, together
    )
    many = np.random.default_rng(182).integers(0, 6, (24, 2, 6))
    pair = put(draw(182, dense(6, 5)), inputs=lambda x: (many * x).astype("u1"), b=-0.8)
    clipped = shows((array("inputs", lambda x: np.minimum(x, 1)), "Q P U"))
    yield _vector(dtype, "frames", "counts of more than one event taken for one", pair, clipped, lively)
    pair = put(pair, inputs=lambda x: x.astype("<i4") * 100, W=lambda W: W / 100, rate_W=lambda r: r / 100)
    wrapped = shows((array("inputs", lambda x: x % 256), "Q P U"))
    yield _vector(dtype, "frames-wide", "counts above 255 wrapped round", pair, wrapped, lively)
    pair = put(draw(183, dense(6, 5)), inputs=lambda x: x.astype(bool))
    yield _vector(dtype, "frames-bool", "an input array of booleans misread", pair, lively)


def _edges(dtype: str) -> Iterator[Vector]:
    pair = put(draw(190, dense(6, 5), "dcll", steps=8), b=0.1)
    first = claims(
        "input, spikes and an update at step 0",
        lambda t, a: a["inputs"][0].any() and t["layer1_S"][0].any() and (t["layer1_W"][1] != t["layer1_W"][0]).any(),
    )
    missed = shows(
        (case(burn_in=1), "W b U"), (array("inputs", lambda x: x * (np.arange(8) > 0)[:, None, None]), "Q P U")
    )
    yield _vector(dtype, "first-step", "the input, the spikes or the update of step 0 left out", pair, first, missed)
    last = claims(
        "input, spikes and an update at the last step",
        lambda t, a: (
            a["inputs"][-1].any() and t["layer1_S"][-1].any() and (t["layer1_W_final"] != t["layer1_W"][-1]).any()
        ),
    )
    lost = shows(
        (case(burn_in=8), "W_final b_final"),
        (array("inputs", lambda x: x * (np.arange(8) < 7)[:, None, None]), "Q_final"),
    )
    yield _vector(
        dtype,
        "last-step",
        "the spikes or the update of the last step lost",
        draw(191, dense(6, 5), steps=8),
        last,
        lost,
    )
    pair = draw(192, dense(6, 5, 4), burn_in=5, steps=12)
    still = claims(
        "W the same up to step 5, and another at step 6",
        lambda t, a: (t["layer1_W"][5] == a["layer1_W"]).all() and (t["layer1_W"][6] != a["layer1_W"]).any(),
    )
    off = shows(*((case(burn_in=n), "W b dW") for n in (0, 4, 6)))
    yield _vector(dtype, "burn-in", "learning from step 0, or one step early or late", pair, still, off)
    for batch in (1, 3):
        pair = draw(193, dense(6, 5, 4), batch=batch)
        proof = [shows((layers(reduction="sum"), "e dW db"))]
        if batch > 1:
            proof.append(claims("samples that differ", lambda t, a: np.ptp(t["layer2_S"], axis=1).any()))
        why = "the batch axis dropped where it is 1" if batch == 1 else "sum for mean over the batch; samples mixed up"
        yield _vector(dtype, f"batch-{batch}", why, pair, lively, *proof)


def _splits(dtype: str) -> Iterator[Vector]:
    momentum = ADAMAX | {"beta1": 0.5}
    for id, burn_in, why, off in (
        (
            "split",
            3,
            "state, optimiser memory or the number of updates lost between calls",
            [case(updates=0), case(memory="fresh"), case(initial_state="rest")],
        ),
        ("split-burn-in", 11, "burn-in counted from the call and not from rest", [case(n=0)]),
    ):
        whole = as_dtype(draw(202, dense(6, 5, 4), steps=16, burn_in=burn_in, optimiser=momentum), dtype)
        first, second = halves(whole, 8)
        yield _vector(
            dtype, id, why, second, _continues(whole, first), shows(*((change, "W_final b_final") for change in off))
        )


def halves(whole: Pair, at: int) -> tuple[Pair, Pair]:
    """A learning case from rest, split before step `at`; the second half starts where the first ends."""
    about, arrays = whole
    cut = {name: x for name, x in arrays.items() if _letter(name) in ("inputs", "target")}
    first = about | {"steps": at}, arrays | {name: x[:at] for name, x in cut.items()}
    end, second = exactness.run(Case(*first)), arrays | {name: x[at:] for name, x in cut.items()}
    for k in range(1, 1 + len(about["layers"])):
        for name in ("W", "b", "m_W", "u_W", "m_b", "u_b"):
            second[f"layer{k}_{name}"] = end[f"layer{k}_{name}_final"]
        for name in "PQR":
            second[f"layer{k}_{name}0"] = end[f"layer{k}_{name}_final"]
    done = {"n": at, "updates": max(0, at - about.get("burn_in", 0)), "initial_state": "given", "memory": "given"}
    return first, (about | {"steps": about["steps"] - at} | done, second)


def _continues(whole: Pair, first: Pair) -> Property:
    """The first half and then the vector are the whole, to the last bit."""

    def holds(vector: Vector) -> None:
        one, two, all_ = (exactness.run(Case(*pair)) for pair in (first, (vector.about, vector.arrays), whole))
        for name, x in all_.items():
            joined = two[name] if name.endswith("final") else np.concatenate([one[name], two[name]])
            expect(bool((joined == x).all()), f"{name} of both halves to be that of the whole")

    return holds


def _dynamics(dtype: str) -> Iterator[Vector]:
    for name in ("paper", "dcll"):
        pair = put(draw(210, dense(6, 5), name), w=lambda w: 4 * w, b=0.3)
        no = [(array(letter, np.zeros_like), names) for letter, names in (("w", "U S"), ("gamma", "R U"))]
        other = "gamma_w" if name == "paper" else "w"
        why = "refractoriness left out, for one step only, or decayed before it acts where it is not"
        yield _vector(dtype, f"refractory-{name}", why, pair, shows(*no, (axes(refractory=other), "U")), lively)
    for k, (name, d) in enumerate(DIALECTS.items()):
        pulse = np.arange(12)[:, None, None] == 0
        pair = draw(211 + k, dense(4, 4, 4, 4), name, steps=12, targets=False, learn=False)
        pair = put(pair, inputs=lambda x, pulse=pulse: np.where(pulse, 1, 0 * x).astype("u1"), W=abs, b=-1e-3)
        arrives = claims(f"layer k to spike first at step {d.delay} k", _first_at(d.delay))
        yield _vector(dtype, f"delay-{name}", "a step too many or too few between layers", pair, arrives)
    pair = put(draw(217, dense(6, 5, 4, lambda1=0.5, lambda2=0.8, activity="rate")), b=-0.8)
    off = [(layers(lambda1=0.0), "delta dW"), (layers(lambda2=0.0), "delta dW")]
    why = "a regulariser left out, or of the other activity, or summed where it is averaged"
    yield _vector(dtype, "regulariser-rate", why, pair, shows(*off, (layers(activity="membrane"), "delta")), lively)
    pair = layers(activity="membrane").apply(*pair)
    yield _vector(dtype, "regulariser-membrane", why, pair, shows(*off, (layers(activity="rate"), "delta")), lively)


def _first_at(delay: int) -> Callable[[Trace, Arrays], bool]:
    """Layer k of three spikes first at step delay k."""

    def holds(t: Trace, arrays: Arrays) -> bool:
        active = [t[f"layer{k}_S"].any(axis=(1, 2)) for k in (1, 2, 3)]
        return all(a.any() and a.argmax() == k * delay for k, a in enumerate(active, start=1))

    return holds


def _learning(dtype: str) -> Iterator[Vector]:
    sgd, momentum, large_eps = {"kind": "sgd"}, ADAMAX | {"beta1": 0.5}, ADAMAX | {"eps": 2.0**-6}
    for id, optimiser, others, why in (
        ("sgd", sgd, [ADAMAX], "the wrong optimiser, or one rate for all inputs"),
        (
            "adamax",
            ADAMAX,
            [sgd, ADAMAX | {"beta2": 0.5}, ADAMAX | {"beta2": 0.99}],
            "beta2 wrong; a mean where the maximum belongs",
        ),
        ("adamax-momentum", momentum, [ADAMAX], "beta1 left out, or its bias not corrected"),
        ("adamax-eps", large_eps, [ADAMAX], "eps left out, or added elsewhere"),
    ):
        off = [(case(optimiser=other), "W b W_final") for other in others]
        rates = array("rate_W", lambda r: r[::-1].copy()), "W"
        yield _vector(dtype, id, why, draw(220, dense(6, 5, 4), optimiser=optimiser), shows(*off, rates), lively)
    yield _vector(
        dtype, "no-targets", "a target expected where there is none", _bare(dense(6, 5, 4), "paper", 221), lively
    )
    pair = draw(222, dense(6, 5, 4), learn=False)
    still = claims(
        "gradients, and weights that stay",
        lambda t, a: t["layer1_dW"].any() and (t["layer1_W_final"] == a["layer1_W"]).all(),
    )
    yield _vector(dtype, "no-learning", "weights that move though the case does not learn", pair, still)


def _candidate(seeds: list[int], dtype: str, number: int) -> Pair:
    """One random case; the settings of its optimiser are multiples of 2^-10, so that most formats have them."""
    rng = np.random.default_rng(seeds)
    settings: About = {
        "loss": str(rng.choice(list(LOSSES))),
        "reduction": str(rng.choice(REDUCTIONS)),
        "surrogate": None,
    }
    n_in, n, top = (int(x) for x in rng.integers(3, 9, 3))
    stack = dense(n_in, n, top, **settings)
    if number % 3 == 2:
        first = conv((2, n_in, n), 2, 3, int(rng.integers(1, 3)), int(rng.integers(0, 2)), **settings)
        stack = [first, *dense(first["n"], top, **settings)]
    adamax = ADAMAX | {"beta2": 0.9375, "eps": 2.0**-10}
    keys: About = {"optimiser": adamax if rng.random() < 0.5 else {"kind": "sgd"}, "burn_in": int(rng.integers(0, 5))}
    keys |= {"steps": int(rng.integers(12, 25)), "batch": int(rng.integers(1, 4))}
    return as_dtype(draw([*seeds, 1], stack, list(DIALECTS)[number % len(DIALECTS)], **keys), dtype)


def fresh(
    seed: int, dtype: str = "float64", profile_quantise: Callable[[Array], Array] | None = None, count: int = 8
) -> list[Vector]:
    """Random lively cases that learn, of all dialects in turn; profile_quantise takes float64 to a number format.

    Raises InputError for a negative seed, a count below 1, or a format in which no network stays lively.
    """
    natural("seed", seed, 0)
    return [_fresh(seed, dtype, profile_quantise, number) for number in range(natural("count", count))]


def _fresh(seed: int, dtype: str, quantise: Callable[[Array], Array] | None, number: int) -> Vector:
    learns = claims("weights that move", lambda t, a: (t["layer1_W_final"] != a["layer1_W"]).any())
    id, why = f"fresh-{seed}-{number}", "an expected trace stored and echoed, inputs ignored, zeros returned"
    for attempt in range(100):
        about, arrays = _candidate([seed, number, attempt], dtype, number)
        vector = Vector(id, {"name": id, "why": why, **about}, arrays, why, each(lively, learns))
        try:
            vector = quantised(vector, quantise) if quantise else vector
            check(vector)
            return vector
        except InputError:
            continue
    raise InputError("fresh: expected a number format in which networks spike and learn, got none such in 100 draws")


FAMILIES = (
    _dialects,
    _surrogates,
    _losses,
    _convolutions,
    _ties,
    _dyadic,
    _inputs,
    _edges,
    _splits,
    _dynamics,
    _learning,
)


def catalogue(dtype: str = "float64") -> list[Vector]:
    """All vectors, always the same, in float32 or float64.  Their properties are run by `check`."""
    return [vector for family in FAMILIES for vector in family(dtype)]


# Files


def golden(vector: Vector) -> Trace | None:
    """The trace that is the same on every machine, of a vector that can have one."""
    case = Case(vector.about, vector.arrays)
    return exactness.run(case) if exactness.portable(vector.about, case.dialect()) else None


def export(folder: str | Path, dtype: str = "float64") -> str:
    """Write the catalogue into a new folder: a case per vector, golden traces, index.json; returns its SHA-256.

    Every property is run first.  The same bytes every time and on every machine, so the returned hash stands for all.
    """
    with store.new_folder(folder) as path:
        listed = [_write(path, vector) for vector in catalogue(dtype)]
        about = {"format": FORMAT, "version": VERSION, "dtype": dtype, "vectors": listed}
        store.write_json(path / "index.json", about | {"sha256": _hashes(path)})
        return _hash(path / "index.json")


def _write(path: Path, vector: Vector) -> About:
    """One vector; returns its entry in the index."""
    check(vector)
    cases.write(path / vector.id, vector.about, vector.arrays)
    shown = golden(vector)
    if shown is not None:
        sizes = [{key: layer[key] for key in ("n_in", "n", "n_out")} for layer in vector.about["layers"]]
        same = {key: vector.about[key] for key in ("dtype", "steps", "batch")}
        about = {"format": simulate.FORMAT, "version": simulate.VERSION, "case": vector.id, **same, "layers": sizes}
        to = path / vector.id / "golden"
        to.mkdir()
        store.write_json(to / "trace.json", about)
        for name, x in shown.items():
            npy.write(to / f"{name}.npy", x)
    return {"id": vector.id, "why": vector.why, "golden": shown is not None, "bits": vector.bits}


def verify(folder: str | Path) -> About:
    """Compare an exported folder with its index, and return the index.

    Raises InputError, in one line, for a file that is missing, extra or changed, and for another index or version.
    """
    path = Path(folder)
    index = _index(path / "index.json")
    found = [file for file in sorted(path.rglob("*")) if file.is_symlink() or not file.is_dir()]
    files = {file.relative_to(path).as_posix(): file for file in found}
    files.pop("index.json")
    for name in sorted(index["sha256"].keys() - files.keys()):
        raise InputError(f"{path}: expected {name!r}, as index.json lists it, got none")
    for name, file in files.items():
        if name not in index["sha256"] or file.is_symlink():
            raise InputError(f"{file}: expected only plain files that index.json lists, got another")
        if _hash(file) != index["sha256"][name]:
            raise InputError(f"{file}: expected the SHA-256 that index.json lists, got a changed file")
    return index


def _index(file: Path) -> About:
    try:
        index = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"{file}: expected an index of vectors, got none ({first_line(problem)})") from None
    known = isinstance(index, dict) and index.get("format") == FORMAT and isinstance(index.get("sha256"), dict)
    if not known:
        raise InputError(f"{file}: expected format {FORMAT!r} with hashes, got something else")
    if index.get("version") != VERSION:
        raise InputError(f"{file}: expected vectors version {VERSION}, got {index.get('version')!r}")
    return dict(index)


def _hashes(path: Path) -> Mapping[str, str]:
    return {file.relative_to(path).as_posix(): _hash(file) for file in sorted(path.rglob("*")) if file.is_file()}


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
