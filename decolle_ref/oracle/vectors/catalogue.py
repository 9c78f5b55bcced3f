"""Test vectors: cases that each exist for a reason, and prove it.

`catalogue` is always the same.  `random_vectors` makes fresh ones from a seed, so that an implementation that has
stored the answers to the catalogue fails.  `select` takes both for one backend, in its number format.

>>> catalogue()[0].id, len(catalogue())
('dense-paper', 150)
>>> [vector.id for vector in select(Profile(format="float32"), seed=0, only="batch")]
['batch-1', 'batch-3']
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.optim import Adamax
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.vectors import choices, pairs, ranges, situations
from decolle_ref.oracle.vectors.fresh import MIXED, exact_vectors, fresh_ids, mixed_vectors, quantised_arrays
from decolle_ref.oracle.vectors.properties import Arrays, Vector, letter

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


def random_vectors(
    seed: int, dtype: str = "float64", quantise: Callable[[Array], Array] | None = None, count: int = MIXED
) -> list[Vector]:
    """Fresh vectors: an exact one for every dialect, and `count` of the whole format (see `fresh`).

    Parameters
    ----------
    seed : an integer >= 0
    dtype : "float32" or "float64"
    quantise : takes float64 to the nearest numbers of another format, as float64
    count : the number of vectors of the whole format

    Returns
    -------
    list of Vector

    Raises
    ------
    InputError
        For a negative seed, a count below 1, or a format in which no network stays lively.
    """
    exact = exact_vectors(seed, dtype)
    exact = (quantised_arrays(vector, quantise) for vector in exact) if quantise else exact
    return [*exact, *mixed_vectors(seed, dtype, quantise, count)]


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
    chosen = [vector for vector in stored if only in vector.id]
    if any(only in id for id in fresh_ids(seed)):
        chosen += [vector for vector in random_vectors(seed, dtype, profile.quantise) if only in vector.id]
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
    if about.get("optimiser", {}).get("kind") == "adamax":
        settings = about["optimiser"]
        if profile.fixed:
            settings = asdict(Adamax()) | settings  # the format need not hold the defaults
            settings = _quantised_entries(settings, settings.keys() - {"kind"}, profile)
        least = profile.least_divisor  # eps may be all that Adamax divides by
        about["optimiser"] = settings | {"eps": max(settings.get("eps", Adamax().eps), least)}
    about["layers"] = [_quantised_entries(layer, ("lambda1", "lambda2"), profile) for layer in about["layers"]]
    made = quantised_arrays(vector, profile.quantise)
    return replace(made, about=about, arrays=_below_one(made.arrays, profile))


def _below_one(arrays: Arrays, profile: Profile) -> Arrays:
    """The arrays, in which a decay that a format rounds to 1 is the largest number below it."""
    most = 1 - float(profile.ulp(np.asarray(0.5)))
    decays = {name: x for name, x in arrays.items() if letter(name) in ("alpha", "beta", "gamma")}
    return arrays | {name: np.minimum(x, x.dtype.type(most)) for name, x in decays.items()}


def _quantised_entries(entries: dict[str, Any], names: Iterable[str], profile: Profile) -> dict[str, Any]:
    """The entries, those of these names in the backend's format."""
    return entries | {name: float(profile.quantise(np.asarray(entries[name]))) for name in names if name in entries}
