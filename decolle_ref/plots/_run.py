"""The arrays that a run left in its folder."""

from pathlib import Path

from decolle_ref._util import reading
from decolle_ref._util.check import Array


def arrays(out: Path, name: str) -> dict[str, Array]:
    """The arrays of NAME.npz in the folder `out`."""
    return reading.read_arrays(out / f"{name}.npz", f"decolle_ref {name}")[0]
