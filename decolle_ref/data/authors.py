"""The DECOLLE authors' own recorded run of the regression experiment (their repository nmi-lab/dcll, Apache-2.0)."""

import zipfile

import numpy as np

from decolle_ref.check import Array, InputError
from decolle_ref.data.location import find

REGRESSION = "authors/regression.npz"


def regression() -> dict[str, Array]:
    """The recorded arrays by name: input_spikes (500, 100), layer1_W, layer1_target, layer1_Y, ...

    Raises InputError if the file is missing or damaged.
    """
    path = find(REGRESSION)
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path}: expected the recorded regression run, got a damaged file ({problem})") from None
