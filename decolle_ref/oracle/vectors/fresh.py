"""Fresh vectors: cases from a seed that no stored answer can know.

The first are exact: one small dense network per dialect, which any backend can run and every level decides.  The others
are cases of `mixed_cases`, chosen so that those of one run together cover many pairs of features.

>>> [vector.id for vector in exact_vectors(7, "float64")][:2]
['random-7-paper', 'random-7-dcll']
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from decolle_ref._util.check import Array, InputError, count
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle.vectors.features import Pair, by_layer, pairs_of
from decolle_ref.oracle.vectors.pairs import choose, mixed_vector, moved
from decolle_ref.oracle.vectors.properties import Vector, claims, lively, trace
from decolle_ref.oracle.vectors.random_cases import dense, exact_vector, on_grid, random_case

PREFIX = "random"  # the start of the ids of fresh vectors
MIXED = 6  # mixed cases in every selection
CANDIDATES = 12  # among which each of them is chosen
LEAST = 3  # steps of an exact case
WHY = "an expected trace stored and echoed, inputs ignored, zeros returned"
Quantise = Callable[[Array], Array]


def fresh_ids(seed: int) -> list[str]:
    """The ids of the fresh vectors of a run.

    Parameters
    ----------
    seed : of the run

    Returns
    -------
    list of str
    """
    return [f"{PREFIX}-{seed}-{name}" for name in (*DIALECTS, *range(MIXED))]


def quantised_arrays(vector: Vector, quantise: Quantise) -> Vector:
    """The vector with all arrays, apart from the input counts, in another number format.

    Parameters
    ----------
    vector : the vector
    quantise : takes float64 to the nearest numbers of the format, as float64

    Returns
    -------
    Vector
    """
    arrays = {
        name: x if name == "inputs" else quantise(x.astype("f8")).astype(x.dtype) for name, x in vector.arrays.items()
    }
    return replace(vector, arrays=arrays)


def exact_vectors(seed: int, dtype: str) -> Iterator[Vector]:
    """One vector per dialect whose numbers are all exact in 24 bits: one or two dense layers that learn by SGD.

    Parameters
    ----------
    seed : an integer >= 0
    dtype : "float32" or "float64"

    Yields
    ------
    Vector
    """
    for k, name in enumerate(DIALECTS):
        attempts = (_exact(seed, k, name, dtype, attempt) for attempt in range(200))
        valid = (vector for vector in attempts if vector.about["steps"] >= LEAST and _holds(vector))
        yield max(islice(valid, 3), key=lambda vector: int(vector.about["steps"]))


def _exact(seed: int, k: int, dialect: str, dtype: str, attempt: int) -> Vector:
    seeds = [count("seed", seed, 0), k, attempt]
    pair = random_case(seeds, dense(6, 5, n_out=2), dialect, batch=1 + (seed + k) % 2, burn_in=2)
    pair = on_grid(pair, [*seeds, 1], (0.5,))
    return exact_vector(dtype, f"{PREFIX}-{seed}-{dialect}", WHY, pair, lively, claims("weights that move", moved))


def mixed_vectors(seed: int, dtype: str, quantise: Quantise | None = None, number: int = MIXED) -> Iterator[Vector]:
    """Lively cases of the whole format, half of them plain, that together cover many pairs of features.

    Parameters
    ----------
    seed : an integer >= 0
    dtype : "float32" or "float64"
    quantise : takes float64 to the nearest numbers of another format, as float64
    number : how many

    Yields
    ------
    Vector

    Raises
    ------
    InputError
        For a negative seed, a number below 1, or a format in which no network stays lively.
    """
    count("seed", seed, 0)
    covered: set[Pair] = set()
    for k in range(count("number", number)):
        vector = _mixed(seed, k, dtype, quantise, covered)
        covered |= pairs_of(by_layer(vector.about, vector.arrays))
        yield vector


def _mixed(seed: int, k: int, dtype: str, quantise: Quantise | None, covered: set[Pair]) -> Vector:
    """The first vector that holds, of candidates that cover the most new pairs first."""
    plain = k % 2 == 0
    for attempt in range(10):
        for seeds in choose(([seed, k, attempt, x] for x in range(CANDIDATES)), CANDIDATES, plain, covered):
            vector = replace(mixed_vector(f"{PREFIX}-{seed}-{k}", seeds, dtype, plain), property=lively)
            vector = quantised_arrays(vector, quantise) if quantise else vector
            if _holds(vector):
                return vector
    tries = 10 * CANDIDATES
    raise InputError(
        f"random vectors: expected a number format in which networks spike and learn, got none in {tries} tries"
    )


def _holds(vector: Vector) -> bool:
    """Whether the network of a fresh vector is lively, and learns if it should."""
    try:
        reference = trace(vector)
        lively(vector, reference)
        return not vector.about["learn"] or moved(reference, vector.arrays)
    except InputError:
        return False
