"""The vectors for special situations: ties, exact numbers, unusual inputs, the first and the last step.

A run that is split in two must continue as if it were whole.
"""

from collections.abc import Iterator

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle.vectors import exactness
from decolle_ref.oracle.vectors.exactness import ADAMAX
from decolle_ref.oracle.vectors.properties import (
    Arrays,
    Pair,
    Property,
    Vector,
    array,
    axes,
    case,
    claims,
    expect,
    layers,
    letter,
    lively,
    shows,
)
from decolle_ref.oracle.vectors.random_cases import (
    as_dtype,
    dense,
    exact_vector,
    on_grid,
    random_case,
    vector,
    with_arrays,
)


def ties(dtype: str) -> Iterator[Vector]:
    """Potentials of exactly 0."""
    for k, (name, d) in enumerate(DIALECTS.items()):
        flip = axes(threshold="above" if d.threshold == "at_or_above" else "at_or_above")
        zero = random_case(150, dense(3, 4, 2), name, steps=6, learn=False)
        zero = with_arrays(zero, W=0.0, b=0.0, w=lambda w: w * (np.arange(len(w)) % 2))
        still = claims("U = 0 at every step where w = 0", lambda t, a: not t["layer1_U"][..., a["layer1_w"] == 0].any())
        yield vector(dtype, f"zero-{name}", "> for >= at the threshold, or >= for >", zero, still, shows((flip, "S")))
        why = "> for >= at the threshold, or >= for >, where W P, b and delta R cancel"
        pair = on_grid(random_case(151 + k, dense(6, 16), name, targets=False, learn=False), 151 + k, (0.5,))
        tie = claims("U = 0 with R != 0", lambda t, a: ((t["layer1_U"] == 0) & (t["layer1_R"] != 0)).any())
        yield exact_vector(dtype, f"tie-{name}", why, pair, tie, shows((flip, "S R")))


def dyadic(dtype: str) -> Iterator[Vector]:
    """Numbers that 24 bits, or 16, hold without rounding."""
    for k, name in enumerate(DIALECTS):
        why = "any rounding at all: every number is exact in {} bits, whatever the order of sums"
        still = random_case(160 + k, dense(6, 5, 4), name, targets=False, learn=False)
        moving = random_case(170 + k, dense(6, 5, n_out=2), name, burn_in=3, batch=(1, 2, 4)[k % 3])
        pair = on_grid(still, 160 + k)
        yield exact_vector(dtype, f"dyadic-{name}", why.format(24), pair, lively)
        pair = on_grid(still, 165 + k, (0.5,))
        yield exact_vector(dtype, f"dyadic-fixed16-{name}", why.format(16), pair, lively, fixed=16)
        pair = on_grid(moving, 170 + k, (0.5,))
        moves = claims("weights that move", lambda t, a: (t["layer1_W_final"] != a["layer1_W"]).any())
        yield exact_vector(dtype, f"dyadic-learning-{name}", why.format(24), pair, lively, moves)


def inputs(dtype: str) -> Iterator[Vector]:
    """No input, all neurons at once, counts of events, and the dtypes of counts."""
    pair = with_arrays(random_case(180, dense(6, 5)), inputs=lambda x: 0 * x.astype("<i8"), b=lambda b: b - 0.2)
    quiet = claims("no spike, no P, no dW", lambda t, a: not any(t[f"layer1_{x}"].any() for x in ("S", "P", "dW")))
    moves = claims(
        "biases to learn and weights to stay",
        lambda t, a: (t["layer1_W_final"] == a["layer1_W"]).all() and (t["layer1_b_final"] != a["layer1_b"]).all(),
    )
    why = "0/0 in the optimiser where no input came; biases that do not learn in silence"
    yield vector(dtype, "silent", why, pair, quiet, moves)
    volley = np.isin(np.arange(24), (1, 7, 15))[:, None, None]
    pair = random_case(181, dense(6, 5))
    pair = with_arrays(pair, inputs=lambda x: np.where(volley, 1, 0 * x).astype("u1"), W=abs, b=-0.05)
    together = claims(
        "steps at which all neurons spike, and silent ones", lambda t, a: {0, 1} <= set(t["layer1_S"].mean(axis=(1, 2)))
    )
    why = "spikes of one step handled one after the other, or all but one lost"
    yield vector(dtype, "simultaneous", why, pair, together)
    many = np.random.default_rng(182).integers(0, 6, (24, 8, 6))
    pair = with_arrays(random_case(182, dense(6, 5), batch=8), inputs=lambda x: (many * x).astype("u1"), b=-0.8)
    clipped = shows((array("inputs", lambda x: np.minimum(x, 1)), "Q P U"))
    yield vector(dtype, "frames", "counts of more than one event taken for one", pair, clipped, lively)
    pair = with_arrays(pair, inputs=lambda x: x.astype("<i4") * 100, W=lambda W: W / 100, rate_W=lambda r: r / 100)
    wrapped = shows((array("inputs", lambda x: x % 256), "Q P U"))
    yield vector(dtype, "frames-wide", "counts above 255 wrapped round", pair, wrapped, lively)
    pair = with_arrays(random_case(183, dense(6, 5)), inputs=lambda x: x.astype(bool))
    yield vector(dtype, "frames-bool", "an input array of booleans misread", pair, lively)


def edges(dtype: str) -> Iterator[Vector]:
    """The first and the last step, burn-in, batches."""
    pair = with_arrays(random_case(190, dense(6, 5), "dcll", steps=8), b=0.1)
    first = claims(
        "input, spikes and an update at step 0",
        lambda t, a: a["inputs"][0].any() and t["layer1_S"][0].any() and (t["layer1_W"][1] != t["layer1_W"][0]).any(),
    )
    missed = shows(
        (case(burn_in=1), "W b U"), (array("inputs", lambda x: x * (np.arange(8) > 0)[:, None, None]), "Q P U")
    )
    yield vector(dtype, "first-step", "the input, the spikes or the update of step 0 left out", pair, first, missed)
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
    pair = random_case(191, dense(6, 5), steps=8)
    yield vector(dtype, "last-step", "the spikes or the update of the last step lost", pair, last, lost)
    pair = random_case(192, dense(6, 5, 4), burn_in=5, steps=12)
    still = claims(
        "W the same up to step 5, and another at step 6",
        lambda t, a: (t["layer1_W"][5] == a["layer1_W"]).all() and (t["layer1_W"][6] != a["layer1_W"]).any(),
    )
    off = shows(*((case(burn_in=n), "W b dW") for n in (0, 4, 6)))
    yield vector(dtype, "burn-in", "learning from step 0, or one step early or late", pair, still, off)
    for batch in (1, 3):
        pair = random_case(193, dense(6, 5, 4), batch=batch)
        proof = [shows((layers(reduction="sum"), "e dW db"))]
        if batch > 1:
            proof.append(claims("samples that differ", lambda t, a: np.ptp(t["layer2_S"], axis=1).any()))
        why = "the batch axis dropped where it is 1" if batch == 1 else "sum for mean over the batch; samples mixed up"
        yield vector(dtype, f"batch-{batch}", why, pair, lively, *proof)


def splits(dtype: str) -> Iterator[Vector]:
    """A run that continues where another ended."""
    momentum = ADAMAX | {"beta1": 0.5}
    restarts = [case(updates=0), case(memory="fresh"), case(initial_state="rest")]
    for id, burn_in, why, off in (
        ("split", 3, "state, optimiser memory or the number of updates lost between calls", restarts),
        ("split-burn-in", 11, "burn-in counted from the call and not from rest", [case(n=0)]),
    ):
        whole = as_dtype(random_case(202, dense(6, 5, 4), steps=16, burn_in=burn_in, optimiser=momentum), dtype)
        first, second = halves(whole, 8)
        yield vector(
            dtype, id, why, second, _continues(whole, first), shows(*((change, "W_final b_final") for change in off))
        )


def halves(whole: Pair, at: int) -> tuple[Pair, Pair]:
    """A learning case from rest, split before step `at`; the second half starts from the end of the first."""
    about, arrays = whole
    cut = {name: x for name, x in arrays.items() if letter(name) in ("inputs", "target")}
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
    """The traces of the first half and of the vector are together that of the whole case, to the last bit."""

    def holds(vector: Vector, reference: Arrays) -> None:
        before, after, together = (exactness.run(Case(*pair)) for pair in (first, (vector.about, vector.arrays), whole))
        for name, x in together.items():
            joined = after[name] if name.endswith("final") else np.concatenate([before[name], after[name]])
            expect(bool((joined == x).all()), f"{name} of both halves to be that of the whole")

    return holds
