"""The vectors for one backend: those of the catalogue in its number format, and random ones.

>>> [vector.id for vector in select(Profile(format="float32"), seed=0, only="batch")]
['batch-1', 'batch-3']
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.vectors.catalogue import catalogue, quantised_arrays, random_vectors
from decolle_ref.oracle.vectors.properties import Vector

RANDOM_VECTORS = 6  # in every run: no stored answer can know them


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
    dtype = "float64" if profile.format in ("float64", "fixed") else "float32"
    stored = [quantised(vector, profile) for vector in catalogue(dtype)]
    vectors = [*stored, *random_vectors(seed, dtype, profile.quantise, RANDOM_VECTORS)]
    chosen = [vector for vector in vectors if only in vector.id]
    if not chosen:
        raise InputError(f"only: expected a part of a vector's id, got {only!r}, which none has")
    return chosen


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
