"""Expected failures: vectors that a backend must fail, each with a reason, from a TOML file.

>>> validate_expected({"tie-paper": "the device compares with >"}, ["tie-paper", "tie-dcll"])
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from decolle_ref._util.check import InputError


def read_expected(path: Path) -> dict[str, str]:
    """Read the expected failures from a TOML file with one table [expected_failures].

    Parameters
    ----------
    path : the file

    Returns
    -------
    dict of str to str
        Ids of vectors, each with a reason.

    Raises
    ------
    InputError
        If the file is missing, or has anything else in it.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as problem:
        raise InputError(f"{path}: expected a TOML file, got none ({problem.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: expected TOML, got something else ({problem})") from None
    table = content.get("expected_failures")
    if set(content) != {"expected_failures"} or not isinstance(table, dict):
        raise InputError(f"{path}: expected one table [expected_failures], got {', '.join(content) or 'none'}")
    for name, reason in table.items():
        if not isinstance(reason, str) or not reason.strip():
            raise InputError(f"{path} {name}: expected a reason in words, got {reason!r}")
    return table


def validate_expected(reasons: Mapping[str, str], ids: Sequence[str]) -> None:
    """Validate that every reason belongs to a vector.

    Parameters
    ----------
    reasons : ids of vectors, each with a reason
    ids : of all vectors of the run

    Raises
    ------
    InputError
        For a reason whose id no vector has; the message names similar ids.
    """
    for name in reasons:
        if name not in ids:
            near = ", ".join(difflib.get_close_matches(name, ids, cutoff=0.3)) or "none is like it"
            raise InputError(f"expected failures: expected ids of vectors ({near}), got {name!r}")
