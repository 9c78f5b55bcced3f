import fcntl
import gc
import math
import resource
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from decolle_ref._util import npy, reading, store
from decolle_ref._util.check import InputError
from decolle_ref.plots import style


def write_arrays(path, array):
    store.write_arrays(path, "test", {"a": array}, {})


def write_picture(path, array):
    figure, axis = plt.subplots()
    axis.plot(array)
    style.save(figure, path)


@contextmanager
def no_space():
    """No file may become larger than 1 kB, as on a full disk.  Not in the whole test, because pytest writes files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"a": np.arange(3.0), "b": np.zeros((0, 2), np.float32)}
    store.write_arrays(tmp_path / "x.npz", "test", arrays, {"n": 3})
    back, about = reading.read_arrays(tmp_path / "x.npz", "test")
    assert about == {"n": 3}
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    store.atomically(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"new")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_what_a_killed_writer_left_behind_is_removed_by_the_next_and_nothing_else(tmp_path):
    """Neither a user's hidden file, nor the temporary file of another name, nor one that is being written."""
    others = {".x.abcdef", ".decolle_ref-x.json.abcdefgh.part", ".decolle_ref-x.notes.part", ".decolle_ref-x.abcdefgh"}
    for name in (".decolle_ref-x.abcdefgh.part", *others):
        (tmp_path / name).write_bytes(b"half")

    with (tmp_path / ".decolle_ref-x.writing_.part").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as a living writer does
        store.atomically(tmp_path / "x", lambda file: file.write(b"half"))
        others.add(Path(file.name).name)
        assert {p.name for p in tmp_path.iterdir()} == {"x", *others}
    others.remove(Path(file.name).name)
    store.atomically(tmp_path / "x", lambda file: file.write(b"whole"))
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert {p.name for p in tmp_path.iterdir()} == {"x", *others}


@pytest.mark.parametrize(
    "write", (store.write_json, npy.write, write_arrays, write_picture), ids=("json", "npy", "npz", "png")
)
def test_a_full_disk_is_an_error_that_names_the_file(write, tmp_path):
    content = np.arange(20000.0) if write is not store.write_json else list(range(2000))
    with pytest.raises(OSError, match="File too large") as refusal, no_space():
        write(tmp_path / "file", content)
    assert refusal.value.filename == str(tmp_path / "file")
    gc.collect()  # what is left of a library's file must not complain later
    assert all(file.name == "file" and write is npy.write for file in tmp_path.iterdir())


def test_a_new_folder_on_a_full_disk_names_the_file_and_leaves_nothing(tmp_path):
    refused = pytest.raises(OSError, match="File too large")
    with refused as refusal, no_space(), store.new_folder(tmp_path / "new") as folder:
        npy.write(folder / "a.npy", np.arange(2000.0))
    assert refusal.value.filename == str(tmp_path / "new" / "a.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_deleted_is_an_error_that_names_the_file(tmp_path):
    folder = store.output_folder(tmp_path / "gone")
    folder.rmdir()
    with pytest.raises(FileNotFoundError) as refusal:
        store.write_json(folder / "x.json", {})
    assert refusal.value.filename == str(folder / "x.json")


@pytest.mark.parametrize("content", ({"a": {"b": [0.0, math.nan]}}, {"a": {"b": (1, -math.inf)}}))
def test_json_with_a_number_that_is_not_finite_names_its_place(content, tmp_path):
    with pytest.raises(InputError, match=r"x\.json\.a\.b\[1\]: expected a finite number, got (nan|-inf)$"):
        store.write_json(tmp_path / "x.json", content)
    assert list(tmp_path.iterdir()) == []


def test_a_locked_folder_is_refused_until_it_is_free(tmp_path):
    with store.locked(tmp_path):
        with pytest.raises(InputError, match="expected a folder that no other process writes into"):
            with store.locked(tmp_path):
                pass
        assert (tmp_path / store.LOCK).exists()
    with store.locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_that_a_killed_process_left_is_no_obstacle(tmp_path):
    (tmp_path / store.LOCK).write_bytes(b"")
    with store.locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_folder_leaves_its_lock_to_the_process_that_made_it_again(tmp_path):
    folder = tmp_path / "run"
    with store.locked(store.output_folder(folder)):
        (folder / store.LOCK).unlink()
        folder.rmdir()
        (store.output_folder(folder) / store.LOCK).write_bytes(b"")
    assert (folder / store.LOCK).exists()


def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path):
    path = tmp_path / "x.npz"
    store.write_arrays(path, "test", {"a": np.arange(100.0)}, {})
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="expected a test file, got something unreadable") as refusal:
            reading.read_arrays(path, "test")
        assert "\n" not in str(refusal.value)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    store.write_arrays(path, "other", {}, {})
    with pytest.raises(InputError, match="expected a test file, got 'other'"):
        reading.read_arrays(path, "test")
    np.savez(path, a=np.zeros(1))
    with pytest.raises(InputError, match="expected a test file"):
        reading.read_arrays(path, "test")
    np.savez(path, about=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="expected a test file, got something unreadable"):
        reading.read_arrays(path, "test")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"out: expected a writable folder, got .*file/sub"):
        store.output_folder(tmp_path / "file" / "sub")


def test_an_empty_name_is_not_the_current_folder():
    for refuse in (store.output_folder, lambda path: store.new_folder(path).__enter__()):
        with pytest.raises(InputError, match="out: expected the name of a folder, got an empty one"):
            refuse("")
