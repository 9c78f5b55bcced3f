"""The released vectors: their version, and a hash of each in a file, so that they never change under one version.

`released.json` holds the version and the SHA-256 of every vector in both dtypes.  A change of any vector needs a new
version.

>>> sorted(read()["sha256"])
['float32', 'float64']
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from decolle_ref.cases import Case
from decolle_ref.oracle.vectors import exactness
from decolle_ref.oracle.vectors.catalogue import catalogue
from decolle_ref.oracle.vectors.properties import Arrays, Vector

VERSION = 3
FILE = Path(__file__).with_name("released.json")
DTYPES = "float32", "float64"


def read() -> dict[str, Any]:
    """The content of `released.json`.

    Returns
    -------
    dict
        `version`, and under `sha256` the hash of every vector by dtype and id.
    """
    released: dict[str, Any] = json.loads(FILE.read_text())
    return released


def content() -> dict[str, Any]:
    """What `released.json` must hold for the vectors of this code.

    Returns
    -------
    dict
    """
    hashes = {dtype: {vector.id: digest(vector) for vector in catalogue(dtype)} for dtype in DTYPES}
    return {"version": VERSION, "sha256": hashes}


def golden(vector: Vector) -> Arrays | None:
    """The golden trace of a vector.

    Parameters
    ----------
    vector : the vector

    Returns
    -------
    dict of str to array, or None
        None where the trace depends on the machine (see `exactness.portable`).
    """
    case = Case(vector.about, vector.arrays)
    return exactness.run(case) if exactness.portable(vector.about, case.dialect()) else None


def digest(vector: Vector) -> str:
    """The SHA-256 of a vector: of its case.json, and of the names, types, shapes and bytes of all arrays.

    The arrays are those of the case, and those of its golden trace.

    Parameters
    ----------
    vector : the vector

    Returns
    -------
    str
    """
    sha = hashlib.sha256(json.dumps(vector.about, sort_keys=True).encode())
    trace = {f"golden/{name}": x for name, x in (golden(vector) or {}).items()}
    for name, x in sorted((vector.arrays | trace).items()):
        little = x.astype(x.dtype.newbyteorder("<"))
        sha.update(f"{name} {little.dtype.str} {x.shape}".encode() + little.tobytes())
    return sha.hexdigest()


@cache
def catalogue_hash(dtype: str) -> str:
    """One SHA-256 for all vectors of a dtype, as `released.json` has them.

    Parameters
    ----------
    dtype : "float32" or "float64"

    Returns
    -------
    str
    """
    return hashlib.sha256(json.dumps(read()["sha256"][dtype]).encode()).hexdigest()
