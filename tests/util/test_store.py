import numpy as np
import pytest

from decolle_ref._util import reading, store
from decolle_ref._util.check import InputError


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


def test_what_a_killed_writer_left_behind_is_removed_by_the_next(tmp_path):
    (tmp_path / ".x.abcdef").write_bytes(b"half")
    store.atomically(tmp_path / "x", lambda file: file.write(b"whole"))
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


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
