"""The catalogue as files with hashes, and with a golden trace for every vector that can have one.

A golden trace is the same to the last bit on every machine, so one hash stands for all files.

>>> golden(next(vector for vector in catalogue("float32") if vector.id == "sgd"))["layer1_W"].dtype
dtype('float32')
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from decolle_ref import cases
from decolle_ref._util import npy, store
from decolle_ref._util.check import InputError, first_line
from decolle_ref.cases.simulation import describe_trace
from decolle_ref.oracle.profile import Profile, describe
from decolle_ref.oracle.vectors import golden_bounds, memory_files
from decolle_ref.oracle.vectors.catalogue import catalogue, dtype_of, quantised
from decolle_ref.oracle.vectors.properties import About, Arrays, Vector, check
from decolle_ref.oracle.vectors.release import VERSION, golden

FORMAT = "decolle_ref vectors"


def export(folder: str | Path, dtype: str = "float64", profile: Profile | None = None, hex: bool = False) -> str:
    """Write the catalogue: one case folder per vector, golden traces, and index.json.

    Parameters
    ----------
    folder : a new or empty folder
    dtype : "float32" or "float64"
    profile : if given, all numbers are rounded to its format first, in its dtype; profile.json states it, and the
        bounds lie beside the golden traces
    hex : whether to write the arrays of each case and of its golden trace as memory files, too

    Returns
    -------
    str
        The SHA-256 of index.json.  The bytes are the same on every machine, so it stands for all files.

    Raises
    ------
    InputError
        If the folder is not empty, or the property of a vector does not hold; then nothing is written.  Also for memory
        files without a profile in fixed point.
    """
    if hex:
        memory_files.validate(profile)
    dtype = dtype if profile is None else dtype_of(profile)
    with store.new_folder(folder) as path:
        entries = []
        for vector in catalogue(dtype):
            check(vector)
            entries.append(_write(path, vector if profile is None else quantised(vector, profile), profile, hex))
        about: About = {"format": FORMAT, "version": VERSION, "dtype": dtype, "vectors": entries}
        if profile is not None:
            store.write_json(path / "profile.json", describe(profile))
            about["profile"] = describe(profile)
        store.write_json(path / "index.json", about | {"sha256": _hashes(path)})
        return _hash(path / "index.json")


def _write(path: Path, vector: Vector, profile: Profile | None, hex: bool) -> About:
    """Write one vector; returns its entry in the index."""
    cases.write(path / vector.id, vector.about, vector.arrays)
    trace = golden(vector)
    folders = {"": vector.arrays} if trace is None else {"": vector.arrays, "golden": trace}
    if trace is not None:
        _write_arrays(path / vector.id / "golden", trace)
        store.write_json(path / vector.id / "golden" / "trace.json", describe_trace(vector.about))
        if profile is not None:
            _write_arrays(path / vector.id / "bounds", golden_bounds.bounds(vector, trace, profile))
    if hex and profile is not None:
        for name, arrays in folders.items():
            target = path / vector.id / "hex" / name
            target.mkdir()
            memory_files.write(target, arrays, profile)
    return {"id": vector.id, "why": vector.why, "golden": trace is not None, "bits": vector.bits}


def _write_arrays(folder: Path, arrays: Arrays) -> None:
    folder.mkdir()
    for name, x in arrays.items():
        npy.write(folder / f"{name}.npy", x)


def verify(folder: str | Path) -> About:
    """Check that an exported folder is as its index says.

    Parameters
    ----------
    folder : the exported folder

    Returns
    -------
    dict
        The contents of index.json.

    Raises
    ------
    InputError
        In one line, for a file that is missing, extra or changed, and for another index or version.
    """
    path = Path(folder)
    index = _index(path / "index.json")
    paths = [file for file in sorted(path.rglob("*")) if file.is_symlink() or not file.is_dir()]
    files = {file.relative_to(path).as_posix(): file for file in paths}
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
