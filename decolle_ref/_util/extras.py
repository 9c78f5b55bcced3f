"""The optional packages: which extra of this package installs each, and one line for whoever needs one.

>>> advice("figures")
'pip install "decolle_ref[figures]"'
"""

import importlib
from typing import Any

from decolle_ref._util.check import InputError

EXTRA = {
    "matplotlib": "figures",
    "tqdm": "figures",
    "threadpoolctl": "figures",
    "distributed": "dask",
    "ipywidgets": "tutorials",
    "pytest": "tests",
}
"""The extra that installs a package, for each optional package that this one imports."""


def advice(extra: str) -> str:
    """The command that installs this package with an extra."""
    return f'pip install "decolle_ref[{extra}]"'


def import_optional(package: str, module: str = "") -> Any:
    """An optional package, or a module of it.

    Parameters
    ----------
    package : str
        One of `EXTRA`.
    module : str
        The module to import, by default the package itself.

    Returns
    -------
    module

    Raises
    ------
    InputError
        If the package is not installed; the line says which command installs it.
    """
    try:
        return importlib.import_module(module or package)
    except ModuleNotFoundError as problem:
        if (problem.name or "").split(".")[0] != package:
            raise
        raise InputError(f"{package}: expected an installed package, got none ({advice(EXTRA[package])})") from None
