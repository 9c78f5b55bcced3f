"""Test vectors: cases that each exist for a reason, and prove it.

`catalogue` is always the same.  `random_vectors` makes lively cases from a seed, so that an implementation that has
stored the answers to the catalogue fails.  `select` takes both for one backend, in its number format.

>>> catalogue()[0].id, len(catalogue())
('dense-paper', 83)
>>> [vector.id for vector in select(Profile(format="float32"), seed=0, only="batch")]
['batch-1', 'batch-3']
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref._util.check import count as natural
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.objective import LOSSES, REDUCTIONS
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.vectors import choices, pairs, ranges, situations
from decolle_ref.oracle.vectors.exactness import ADAMAX
from decolle_ref.oracle.vectors.properties import About, Pair, Vector, check, claims, each, lively
from decolle_ref.oracle.vectors.random_cases import as_dtype, conv, dense, random_case

RANDOM_VECTORS = 6  # in every selection: no stored answer can know them
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
    choices.regularisers,
    choices.learning,
    ranges.ranges,
    ranges.saturation,
    ranges.large,
    pairs.pairs,
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


def select(profile: Profile, seed: int, only: str = "") -> list[Vector]:
    """The vectors for a backend of this profile: the catalogue in its number format, and random ones.

    Parameters
    ----------
    profile : the backend's arithmetic
    seed : the seed of the random vectors
    only : a part of the ids to select

    Returns
    -------
    list of Vector

    Raises
    ------
    InputError
        If no id has this part.
    """
    dtype = dtype_of(profile)
    stored = [quantised(vector, profile) for vector in catalogue(dtype)]
    vectors = [*stored, *random_vectors(seed, dtype, profile.quantise, RANDOM_VECTORS)]
    chosen = [vector for vector in vectors if only in vector.id]
    if not chosen:
        raise InputError(f"only: expected a part of a vector's id, got {only!r}, which none has")
    return chosen


def dtype_of(profile: Profile) -> str:
    """The dtype of the cases for a backend, which holds every number of its format.

    Parameters
    ----------
    profile : the backend's arithmetic

    Returns
    -------
    str
        "float32" or "float64".
    """
    return "float64" if profile.format in ("float64", "fixed") else "float32"


def quantised(vector: Vector, profile: Profile) -> Vector:
    """The vector with all numbers in the backend's format, those of the optimiser and the regularisers, too.

    Parameters
    ----------
    vector : a vector of the catalogue
    profile : the backend's arithmetic

    Returns
    -------
    Vector
    """
    about = dict(vector.about)
    if profile.fixed and about.get("optimiser", {}).get("kind") == "adamax":
        settings = _quantised_entries(about["optimiser"], about["optimiser"].keys() - {"kind"}, profile)
        settings["eps"] = max(settings.get("eps", 0.0), 2.0 ** -(profile.fraction_bits // 2))  # u is a divisor
        about["optimiser"] = settings
    about["layers"] = [_quantised_entries(layer, ("lambda1", "lambda2"), profile) for layer in about["layers"]]
    return replace(quantised_arrays(vector, profile.quantise), about=about)


def _quantised_entries(entries: dict[str, Any], names: Iterable[str], profile: Profile) -> dict[str, Any]:
    """The entries, those of these names in the backend's format."""
    return entries | {name: float(profile.quantise(np.asarray(entries[name]))) for name in names if name in entries}
