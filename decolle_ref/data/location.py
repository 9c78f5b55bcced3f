"""Where the data files lie: in the folder named by DECOLLE_REF_DATA, else in the user's cache.

>>> from unittest import mock
>>> with mock.patch.dict(os.environ, DECOLLE_REF_DATA="/data"):
...     folder().as_posix()
'/data'
"""

import os
from pathlib import Path

from decolle_ref._util.check import InputError


def folder() -> Path:
    """The data folder: $DECOLLE_REF_DATA if set, else $XDG_CACHE_HOME/decolle_ref or ~/.cache/decolle_ref.

    Returns
    -------
    Path
        The folder, which need not exist.

    Raises
    ------
    InputError
        If the user has no home folder and none of these variables is set.
    """
    chosen = os.environ.get("DECOLLE_REF_DATA")
    if chosen:
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "decolle_ref"
    except RuntimeError:
        raise InputError("data: expected a home folder, got none (set DECOLLE_REF_DATA to a folder)") from None


def find(name: str, hint: str = "") -> Path:
    """The path of a data file.

    Parameters
    ----------
    name : str
        The path within the data folder, such as "authors/regression.npz".
    hint : str
        Further advice for the error message.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no such file; the message says where it was expected and what to do.
    """
    path = folder() / name
    if not path.is_file():
        raise InputError(_missing(name, "file", hint))
    return path


def find_folder(name: str, hint: str = "") -> Path:
    """The path of a folder of data files.

    Parameters
    ----------
    name : str
        The path within the data folder, such as "nmnist/Train".
    hint : str
        Further advice for the error message.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no such folder.
    """
    path = folder() / name
    if not path.is_dir():
        raise InputError(_missing(name, "folder", hint))
    return path


def _missing(name: str, kind: str, hint: str) -> str:
    advice = f"set DECOLLE_REF_DATA to the folder that has it{hint}"
    return f"data: expected {name} in {folder()}, found no such {kind} ({advice})"
