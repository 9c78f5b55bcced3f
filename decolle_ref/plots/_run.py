"""What the figures need of a run: the arrays in its folder, and a remark for the title."""

from pathlib import Path
from typing import Any

from decolle_ref._util import reading
from decolle_ref._util.check import Array


def arrays(out: Path, name: str) -> dict[str, Array]:
    """The arrays of NAME.npz in the folder `out`."""
    return reading.read_arrays(out / f"{name}.npz", f"decolle_ref {name}")[0]


def mark(*runs: dict[str, Any]) -> str:
    """A remark where one of the runs was a quick one."""
    return "" if all(run["comparable"] for run in runs) else " (quick run: not comparable)"
