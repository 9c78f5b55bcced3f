"""Where data is found: the folder named by DECOLLE_REF_DATA, else the user's cache."""

import os
from pathlib import Path

from decolle_ref._util.check import InputError


def folder() -> Path:
    """$DECOLLE_REF_DATA if set, else $XDG_CACHE_HOME/decolle_ref or ~/.cache/decolle_ref."""
    named = os.environ.get("DECOLLE_REF_DATA")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "decolle_ref"


def find(name: str, hint: str = "") -> Path:
    """The data file `name` (e.g. "authors/regression.npz").

    Raises InputError if absent: where it was looked for, and what to do, to which `hint` adds.
    """
    path = folder() / name
    if not path.is_file():
        advice = f"set DECOLLE_REF_DATA to the folder that has it{hint}"
        raise InputError(f"data: expected {name} in {folder()}, found no such file ({advice})")
    return path
