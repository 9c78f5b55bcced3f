"""The arrays that a run left in its folder."""

from pathlib import Path

from decolle_ref._util import store
from decolle_ref._util.check import Array


def arrays(out: Path, name: str) -> dict[str, Array]:
    """The arrays of NAME.npz in the folder `out`."""
    return store.read_arrays(out / f"{name}.npz", f"decolle_ref {name}")[0]
