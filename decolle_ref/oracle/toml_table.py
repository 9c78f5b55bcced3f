"""The one table of a TOML file: expected failures, or the backends of a matrix."""

import tomllib
from pathlib import Path
from typing import Any

from decolle_ref._util import reading
from decolle_ref._util.check import InputError, first_line

LARGEST, LONGEST_LINE = 1 << 16, 1000  # bytes, characters: dotted keys of n parts take n^2 steps to read


def read(path: Path, name: str, expected: str) -> dict[str, Any]:
    """Read a TOML file that has one table and nothing else.

    Parameters
    ----------
    path : the file
    name : of the table
    expected : how the message describes the content of the file

    Returns
    -------
    dict
        The content of the table.

    Raises
    ------
    InputError
        If the file is missing, too large, not TOML, or has anything else in it.
    """
    text = reading.read_text(path, "a TOML file", LARGEST)
    if max(map(len, text.splitlines()), default=0) > LONGEST_LINE:
        raise InputError(f"{path}: expected lines of at most {LONGEST_LINE} characters, got a longer one")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise InputError(f"{path}: expected TOML, got something else ({first_line(problem)})") from None
    table = content.get(name)
    if set(content) != {name} or not isinstance(table, dict):
        raise InputError(f"{path}: expected {expected}, got {', '.join(content) or 'none'}")
    return table
