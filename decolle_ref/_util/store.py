"""Files that are whole or absent: each is written under a temporary name and then renamed.  No pickle anywhere.

Written means flushed, closed and checked.  Where that fails, as on a full disk, the OSError names the file.
"""

import errno
import glob
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from decolle_ref._util.check import Array, InputError

LOCK = ".decolle_ref.lock"
TEMPORARY, END, RANDOM = ".decolle_ref-", ".part", 8  # .decolle_ref-NAME.XXXXXXXX.part, with 8 random characters


def output_folder(path: str | Path) -> Path:
    """The folder at `path`, created if need be.  Raises InputError, in one line, if no file can be written there."""
    folder = _named(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise InputError(f"out: expected a writable folder, got {folder} ({problem.strerror})") from None
    return folder


def _named(path: str | Path) -> Path:
    if str(path) == "":
        raise InputError("out: expected the name of a folder, got an empty one")
    return Path(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for this process inside the block.  Raises InputError if another process keeps it.

    The lock ends with the process, however that ends.  Where the system has no such locks, nothing is kept.
    """
    path = folder / LOCK
    while True:
        with path.open("ab") as file:
            if not _lock(file):
                raise InputError(f"out: expected a folder that no other process writes into, got {folder}")
            if not _is(file, path):  # the process before removed it after it was opened here
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    if _is(file, path):
                        path.unlink()
            return


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False if it is locked already."""
    try:
        import fcntl
    except ImportError:  # on Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:  # some network folders have no locks
        if problem.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
            raise
    return True


def _is(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is still the one at `path`."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Inside the block every OSError names `path`, and no temporary file."""
    try:
        yield
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror or str(problem), str(path)) from None


def atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write what `write` writes to a temporary file and rename it, so that a reader sees the old file or the new one.

    `write` writes into memory: the libraries behind it neither say why a file could not be written nor clean up after
    it.  Temporary files that a killed writer left behind are removed.  An OSError names `path`.
    """
    content = BytesIO()
    write(content)
    _remove_leftovers(path)
    prefix = f"{TEMPORARY}{path.name}."
    with (
        writing(path),
        tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, suffix=END, delete=False) as file,
    ):
        try:
            _lock(file)
            with content.getbuffer() as view:  # released at once: a memory that is still seen cannot be freed
                file.write(view)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            with suppress(OSError):  # the folder may be gone
                os.unlink(file.name)
            raise


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `path` that no process writes any more."""
    for leftover in path.parent.glob(f"{TEMPORARY}{glob.escape(path.name)}.{'?' * RANDOM}{END}"):
        with suppress(OSError), leftover.open("ab") as file:
            if _lock(file):
                leftover.unlink()


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `path` if the block ends without an exception, and removed otherwise.

    Raises InputError if `path` exists and is not an empty folder, or if it cannot be created.
    """
    target = _named(path).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"out: expected a new or empty folder, got {path}, which has something in it")
    parent = output_folder(target.parent)
    work = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{target.name}.", suffix=END, dir=parent))
    try:
        yield work
        work.chmod(0o755)
        os.replace(work, target)
    except BaseException as problem:
        shutil.rmtree(work, ignore_errors=True)
        if isinstance(problem, OSError):  # it may name a file in the temporary folder
            problem.filename = str(problem.filename or path).replace(str(work), str(path))
        raise


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically.  Raises InputError, which names the first one, for NaN and infinity."""
    validate_json(str(path), content)
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8 atomically; halves of surrogate pairs become question marks."""
    atomically(path, lambda file: file.write(text.encode(errors="replace")))


def validate_json(name: str, content: Any) -> None:
    """Raise InputError unless all numbers in `content` are finite; JSON has no others."""
    if isinstance(content, float) and not math.isfinite(content):
        raise InputError(f"{name}: expected a finite number, got {content}")
    if isinstance(content, dict):
        for key, value in content.items():
            validate_json(f"{name}.{key}", value)
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            validate_json(f"{name}[{index}]", value)


def write_arrays(path: Path, kind: str, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays and `about`, which must fit into JSON, to one npz file, atomically.

    kind: which program part the file belongs to; `reading.read_arrays` refuses files of another kind.
    """
    label = json.dumps({"kind": kind, **about}, allow_nan=False)
    # the ignore is needed because numpy's type of savez takes the names for options
    atomically(path, lambda file: np.savez(file, about=np.array(label), **arrays))  # type: ignore[arg-type]
