"""The vectors in which every two features of the format meet, and the fresh cases of a run.

A mistake that needs two features together (a pool and a regulariser, say) shows only in a case that has both.  Each
vector here is a random case of `mixed_cases`, and together they are a covering array of strength two: whatever two
features can meet do so in at least one of them.  `choose` finds such cases greedily.  RELEASED holds the seeds that it
chose, so that the vectors never change.

>>> len(choose([[0, k] for k in range(20)], 3))
3
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.objective import LOSSES
from decolle_ref.oracle.vectors import mixed_cases
from decolle_ref.oracle.vectors.features import OF_LAYER, Pair, by_layer, pairs_of
from decolle_ref.oracle.vectors.properties import (
    About,
    Arrays,
    Change,
    Property,
    Vector,
    array,
    axes,
    case,
    check,
    claims,
    layers,
    letter,
    lively,
    shows,
    trace,
)
from decolle_ref.oracle.vectors.random_cases import vector

EARLY = 24  # steps that show whether a feature matters
PLAIN = (
    1679,
    1259,
    1383,
    1408,
    1040,
    2041,
    1378,
    1687,
    939,
    275,
    793,
    935,
    1074,
    1312,
    104,
    2249,
    199,
    460,
    1903,
    107,
    329,
    1322,
    801,
    1201,
    56,
    533,
    909,
    1004,
    69,
    106,
    6,
    8,
    749,
    867,
)
FULL = (683, 959, 458, 881, 1966, 447, 1999, 2194, 660, 138, 1058, 330, 2246, 191, 90, 349, 608, 949, 281)
RELEASED = (*((seed, True) for seed in PLAIN), *((seed, False) for seed in FULL))  # seed, and whether it is plain


def pairs(dtype: str) -> Iterator[Vector]:
    """All pairs of features, in as few cases as the greedy choice needs."""
    for number, (seed, plain) in enumerate(RELEASED, start=1):
        yield mixed_vector(f"pairs-{number:02}", [seed], dtype, plain)


def mixed_vector(id: str, seed: list[int], dtype: str, plain: bool = False) -> Vector:
    """A case of `mixed_cases` as a vector: each of its features moves the trace.

    Parameters
    ----------
    id : of the vector
    seed : of the case
    dtype : "float32" or "float64"
    plain : without exp, regularisers and beta1

    Returns
    -------
    Vector
    """
    about, arrays = mixed_cases.mixed_case(seed, plain)
    why = "a mistake that shows only where two features meet, here " + words(about, arrays)
    return vector(dtype, id, why, (about, arrays), lively, *proofs(about, arrays))


def words(about: About, arrays: Arrays) -> str:
    """The features of a case in words, without those that say that something is absent."""
    absent = {"none", "rest", "fresh", "constant", "whole", "same", "binary", "short"}
    found: dict[str, list[str]] = {}
    for layer in by_layer(about, arrays):
        for factor, value in sorted(layer):
            if value not in absent and value not in found.setdefault(factor, []):
                found[factor].append(value)
    return ", ".join(f"{factor} {' and '.join(values)}" for factor, values in sorted(found.items()))


def proofs(about: About, arrays: Arrays) -> Iterator[Property]:
    """The claims that each feature of a case moves its trace, within its first steps."""
    moves = [*_of_dialect(about), *_of_start(about)]
    if arrays["inputs"].max() > 1:
        moves.append((array("inputs", lambda x: np.minimum(x, 1)), "Q"))
    if any("conv" in layer for layer in about["layers"]):
        moves.append((array("W", lambda W: W[..., ::-1, ::-1].copy() if W.ndim > 2 else W), "U"))
    if about["targets"]:
        moves += _of_loss(about["layers"])
    if about["learn"]:
        yield claims("weights that move", moved)
        moves += _of_learning(about)
    yield _early(shows(*moves))


def moved(t: Arrays, arrays: Arrays) -> bool:
    """Whether the weights of some layer are others at the end."""
    return any((t[f"{name}_final"] != x).any() for name, x in arrays.items() if letter(name) == "W")


def _early(holds: Property) -> Property:
    """The property of the first steps of a case."""

    def holds_early(vector: Vector, reference: Arrays) -> None:
        steps = min(vector.about["steps"], EARLY)
        timed = ("inputs", "schedule", "target", "mask")
        arrays = {name: x[:steps] if letter(name) in timed else x for name, x in vector.arrays.items()}
        first = replace(vector, about=vector.about | {"steps": steps}, arrays=arrays)
        holds(first, trace(first))

    return holds_early


Moves = Iterator[tuple[Change, str]]


def _of_dialect(about: About) -> Moves:
    for axis in ("gains", "U_reads"):
        yield axes(**{axis: next(x for x in AXES[axis] if x != getattr(Case(about, {}).dialect(), axis))}), "P"


def _of_start(about: About) -> Moves:
    if about["initial_state"] == "given":
        yield case(initial_state="rest"), "P R"
    if about.get("dropout") == "given":
        yield case(dropout="none"), "Y"


def _of_loss(stack: list[About]) -> Moves:
    """Another loss, reduction, surrogate, and each regulariser left out."""
    yield layers(loss=next(x for x in LOSSES if x != stack[0]["loss"])), "e"
    yield layers(surrogate=next(x for x in OF_LAYER["surrogate"] if x != stack[0]["surrogate"])), "delta"
    yield layers(reduction="mean" if all(x["reduction"] == "sum" for x in stack) else "sum"), "e"
    for name in ("lambda1", "lambda2"):
        if any(name in layer for layer in stack):
            yield layers(**{name: 0.0}), "delta"


def _of_learning(about: About) -> Moves:
    """The schedule, the burn-in, beta1 and the optimiser's memory."""
    if about["optimiser"].get("beta1"):
        yield case(optimiser=about["optimiser"] | {"beta1": 0.0}), "W_final"
    if about["schedule"] == "given":
        yield case(schedule="constant"), "W_final"
    if about["burn_in"]:
        yield case(burn_in=0), "W_final"
    if about["n"] and about["burn_in"]:
        yield case(n=0), "W_final"
    if about.get("memory") == "given":
        yield case(memory="fresh"), "W_final"


# The greedy choice


def choose(
    seeds: Iterable[list[int]], count: int, plain: bool = False, covered: Collection[Pair] = ()
) -> list[list[int]]:
    """The seeds whose cases cover the most pairs of features, one after the other.

    Parameters
    ----------
    seeds : of cases of `mixed_cases`
    count : how many to choose
    plain : as in `mixed_case`
    covered : the pairs that need not be covered again

    Returns
    -------
    list of seeds
        The best first.
    """
    found = [(seed, meets(seed, plain)) for seed in seeds]
    chosen: list[list[int]] = []
    known = set(covered)
    while found and len(chosen) < count:
        best = max(range(len(found)), key=lambda k: len(found[k][1] - known))
        seed, pairs = found.pop(best)
        chosen.append(seed)
        known |= pairs
    return chosen


def meets(seed: list[int], plain: bool) -> set[Pair]:
    """The pairs of features that meet in the case of a seed."""
    about, arrays = mixed_cases.mixed_case(seed, plain)
    return pairs_of(by_layer(about, arrays))


def search(last: int) -> Iterator[tuple[int, bool]]:
    """Seeds below `last` whose cases prove their features and cover all pairs that can meet: plain cases first.

    This is how RELEASED was found; it takes minutes.
    """
    known: set[Pair] = set()
    for plain in (True, False):
        found = {seed: meets([seed], plain) for seed in range(last)}
        while pool := {seed: len(pairs - known) for seed, pairs in found.items() if pairs - known}:
            seed = max(pool, key=pool.__getitem__)
            pairs = found.pop(seed)
            if _proven(seed, plain):
                known |= pairs
                yield seed, plain


def _proven(seed: int, plain: bool) -> bool:
    """Whether the properties of the case hold in both dtypes."""
    try:
        for dtype in ("float32", "float64"):
            check(mixed_vector("candidate", [seed], dtype, plain))
    except InputError:
        return False
    return True
