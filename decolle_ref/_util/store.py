"""Files that are whole or absent: written under a temporary name, then renamed.  No pickle anywhere."""

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from decolle_ref._util.check import Array, InputError, first_line


def output_folder(path: str | Path) -> Path:
    """Create the folder if need be and make sure that a file can be written there.

    Raises InputError, in one line, if it cannot.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise InputError(f"out: expected a writable folder, got {folder} ({problem.strerror})") from None
    return folder


def atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write through `write` and rename, so that a reader sees the old file or the new one, never a part.

    What a writer that was killed left under a temporary name is removed.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*"):
        leftover.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder that appears at `path` when the block ends well, and not at all otherwise.

    Raises InputError if `path` is already there and not an empty folder, or cannot be made.
    """
    target = Path(path).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"out: expected a new or empty folder, got {path}, which has something in it")
    parent = output_folder(target.parent)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    try:
        yield work
        work.chmod(0o755)
        os.replace(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON, atomically; NaN and infinity are refused."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    atomically(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, kind: str, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays and a JSON-able `about` into one npz, atomically; `kind` marks whose file it is."""
    label = json.dumps({"kind": kind, **about}, allow_nan=False)
    # numpy types savez's names as its own options, hence the ignore
    atomically(path, lambda file: np.savez(file, about=np.array(label), **arrays))  # type: ignore[arg-type]


def read_npz(path: Path, kind: str) -> dict[str, Array]:
    """The arrays of an npz file.  Raises InputError, in one line, for anything but plain arrays."""
    try:
        # opened here, because np.load leaves the file open when it turns out not to be a zip archive
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as problem:  # what a damaged archive raises is not limited to a few types
        raise InputError(f"{path}: expected a {kind} file, got something unreadable ({first_line(problem)})") from None


def read_arrays(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what `write_arrays` wrote: (arrays, about).

    Raises InputError for a file that is missing, truncated, not an npz of plain arrays, or of another kind.
    """
    arrays = read_npz(path, kind)
    try:
        about = json.loads(str(arrays.pop("about")))
    except (KeyError, ValueError) as problem:
        raise InputError(f"{path}: expected a {kind} file, got something unreadable ({first_line(problem)})") from None
    if not isinstance(about, dict) or about.get("kind") != kind:
        found = about.get("kind") if isinstance(about, dict) else about
        raise InputError(f"{path}: expected a {kind} file, got {found!r}")
    del about["kind"]
    return arrays, about
