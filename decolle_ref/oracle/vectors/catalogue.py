"""Test vectors: cases that each exist for a reason, and prove it.

`catalogue` is always the same.  `random_vectors` makes lively cases from a seed, so that an implementation that has
stored the answers to the catalogue fails.

>>> catalogue()[0].id, len(catalogue())
('dense-paper', 73)
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref._util.check import count as natural
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.objective import LOSSES, REDUCTIONS
from decolle_ref.oracle.vectors import choices, situations
from decolle_ref.oracle.vectors.plain_network import ADAMAX
from decolle_ref.oracle.vectors.properties import About, Pair, Vector, check, claims, each, lively
from decolle_ref.oracle.vectors.random_cases import as_dtype, conv, dense, random_case

RANDOM_ID = "random"  # the start of the ids of random vectors
Family = Callable[[str], Iterator[Vector]]
FAMILIES: tuple[Family, ...] = (  # in the order of the catalogue
    choices.dialects,
    choices.surrogates,
    choices.losses,
    choices.convolutions,
    situations.ties,
    situations.dyadic,
    situations.inputs,
    situations.edges,
    situations.splits,
    choices.dynamics,
    choices.learning,
)


def catalogue(dtype: str = "float64") -> list[Vector]:
    """All vectors, always the same.

    Parameters
    ----------
    dtype : "float32" or "float64"

    Returns
    -------
    list of Vector
        Copies, which may be changed.  `properties.check` runs the property of each.
    """
    return [deepcopy(vector) for family in FAMILIES for vector in _members(family, dtype)]


@cache
def _members(family: Family, dtype: str) -> tuple[Vector, ...]:
    return tuple(family(dtype))


def quantised_arrays(vector: Vector, quantise: Callable[[Array], Array]) -> Vector:
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
        name: x if name == "inputs" else quantise(x.astype(np.float64)).astype(x.dtype)
        for name, x in vector.arrays.items()
    }
    return replace(vector, arrays=arrays)


def random_vectors(
    seed: int, dtype: str = "float64", quantise: Callable[[Array], Array] | None = None, count: int = 8
) -> list[Vector]:
    """Random lively cases that learn, of all dialects in turn.

    Parameters
    ----------
    seed : an integer >= 0
    dtype : "float32" or "float64"
    quantise : takes float64 to the nearest numbers of another format, as float64
    count : the number of vectors

    Returns
    -------
    list of Vector

    Raises
    ------
    InputError
        For a negative seed, a count below 1, or a format in which no network stays lively.
    """
    natural("seed", seed, 0)
    return [_random_vector(seed, dtype, quantise, number) for number in range(natural("count", count))]


def _random_vector(seed: int, dtype: str, quantise: Callable[[Array], Array] | None, number: int) -> Vector:
    learns = claims("weights that move", lambda t, a: (t["layer1_W_final"] != a["layer1_W"]).any())
    id, why = f"{RANDOM_ID}-{seed}-{number}", "an expected trace stored and echoed, inputs ignored, zeros returned"
    for attempt in range(100):
        about, arrays = _candidate([seed, number, attempt], dtype, number)
        vector = Vector(id, {"name": id, "why": why, **about}, arrays, why, each(lively, learns))
        try:
            vector = quantised_arrays(vector, quantise) if quantise else vector
            check(vector)
            return vector
        except InputError:
            continue
    raise InputError(
        "random vectors: expected a number format in which networks spike and learn, got none in 100 tries"
    )


def _candidate(seeds: list[int], dtype: str, number: int) -> Pair:
    """One random case; the settings of its optimiser are multiples of 2^-10, which most formats hold."""
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
    return as_dtype(random_case([*seeds, 1], stack, list(DIALECTS)[number % len(DIALECTS)], **keys), dtype)
