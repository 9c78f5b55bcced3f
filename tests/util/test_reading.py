"""What is not a regular file, or would fill the memory, is refused in one line before it is read."""

import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from decolle_ref._util import npy, reading
from decolle_ref._util.check import InputError, file_name

READERS = {
    "bytes": lambda path: reading.read_bytes(path, "a file"),
    "text": lambda path: reading.read_text(path, "a file"),
    "json": reading.read_json,
    "npy": lambda path: npy.read(path, (1,)),
    "npz": lambda path: reading.read_npz(path, "test"),
    "arrays": lambda path: reading.read_arrays(path, "test"),
}
MEBI = 1 << 20


def refused(read, *args):
    """The message of the refusal, one line, which needs little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as refusal:
            read(*args)
        assert tracemalloc.get_traced_memory()[1] < 20 * MEBI
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def packed(path, content, compression=zipfile.ZIP_STORED):
    """An archive of these members, by name."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_pipe_is_refused_without_waiting_for_its_writer(read, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(read, tmp_path / "pipe")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("what", ["/dev/zero", "/dev/null", "/dev/stdin", "/"])
def test_devices_and_folders_are_refused(read, what):
    refused(read, what)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("name", ["none", "a\0b", "\ud800", "x" * 5000])
def test_a_name_that_no_file_has_is_refused(read, name, tmp_path):
    refused(read, tmp_path / name)


@pytest.mark.parametrize("name", ["json", "text", "bytes", "npz", "arrays"])
def test_a_file_that_is_too_large_is_refused_before_it_is_read(name, tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(reading.LARGEST_ARCHIVE + 1)  # a file of holes
    assert "bytes, got" in refused(READERS[name], tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1e999}',
        '{"a": -1e999}',
        '{"a": NaN}',
        '{"a": 9223372036854775808}',
        '{"a": ' + 100000 * "9" + "}",
        '{"a": 1, "a": 1}',
        '["\\ud800"]',
        '{"\\udfff": 1}',
        '["a\\u0000b"]',
        33 * "[" + 33 * "]",
        100000 * "[",
        100000 * '{"a":',
        '["\xff',
        "",
    ],
    ids=lambda text: text[:20],
)
def test_json_outside_the_limits_is_refused(text, tmp_path):
    (tmp_path / "x.json").write_bytes(text.encode("latin1"))
    assert "expected JSON" in refused(reading.read_json, tmp_path / "x.json")


def test_json_at_the_limits_is_read(tmp_path):
    text = '["\\ud83d\\ude00", -9223372036854775808, 9223372036854775807, 1.7e308, 2.0, ' + 31 * "[" + 31 * "]" + "]"
    (tmp_path / "x.json").write_text(text)
    first, *numbers, _ = reading.read_json(tmp_path / "x.json")
    assert first == "\U0001f600" and numbers == [-(2**63), 2**63 - 1, 1.7e308, 2]


def test_an_archive_comes_back_as_it_was_compressed_or_not(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros((0, 2), np.uint8), "c": np.array("text")}
    arrays["d"] = np.asfortranarray(arrays["a"].astype(">f4"))
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        back = reading.read_npz(tmp_path / "x.npz", "test")
        assert list(back) == list(arrays)
        for name, array in arrays.items():
            assert back[name].dtype == array.dtype and back[name].flags.writeable
            np.testing.assert_array_equal(back[name], array)


def test_only_the_named_members_are_read(tmp_path):
    packed(tmp_path / "x.npz", {"a.npy": npy_bytes(np.ones(3)), "b.npy": b"not an array"})
    assert list(reading.read_npz(tmp_path / "x.npz", "test", ["a", "c"])) == ["a"]


def test_a_small_archive_of_huge_arrays_is_refused_before_it_is_unpacked(tmp_path):
    zeros = npy_bytes(np.zeros(9 * MEBI))
    path = packed(tmp_path / "x.npz", {"a.npy": zeros}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < MEBI / 2
    assert "bytes unpacked" in refused(reading.read_npz, path, "test")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_without_a_limit_are_refused(compression, tmp_path):
    path = packed(tmp_path / "x.npz", {"a.npy": npy_bytes(np.zeros(9))}, compression)
    assert "another compression" in refused(reading.read_npz, path, "test")


def test_a_table_of_contents_that_would_fill_the_memory_is_refused(tmp_path):
    path = packed(tmp_path / "x.npz", {f"{k}.npy": b"" for k in range(25000)})
    assert "no archive of arrays" in refused(reading.read_npz, path, "test")


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path):
    content = npy_bytes(np.zeros(5))
    for wrong in (b"(6,)", b"(4,)", b"(-5,)", b"(5,5)", b"(99999999999,)"):
        changed = content.replace(b"(5,), }" + (len(wrong) - 4) * b" ", wrong + b", }")
        path = packed(tmp_path / "x.npz", {"a.npy": changed})
        refused(reading.read_npz, path, "test")
        (tmp_path / "x.npy").write_bytes(changed)
        refused(npy.read, tmp_path / "x.npy", (5,))


def test_a_header_that_says_it_is_huge_takes_no_memory(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\2\0\xff\xff\xff\xff" + 100 * b" ")
    refused(npy.read, tmp_path / "x.npy", (5,))


@pytest.mark.parametrize("array", [np.zeros(3, "V8"), np.zeros(3, complex), np.zeros(3, "S0"), np.zeros(3, "i4,f8")])
def test_arrays_of_other_things_than_numbers_are_refused(array, tmp_path):
    np.savez(tmp_path / "x.npz", a=array)
    assert "not a plain array" in refused(reading.read_npz, tmp_path / "x.npz", "test")


@pytest.mark.parametrize("order", "<>")
def test_letters_that_do_not_exist_are_refused(order, tmp_path):
    letters = np.array([0x110000], f"{order}u4").view(f"{order}U1").reshape(())
    np.savez(tmp_path / "x.npz", about=letters)
    assert "letters that do not exist" in refused(reading.read_arrays, tmp_path / "x.npz", "test")


@pytest.mark.parametrize("about", ["3", "[]", '{"kind": ' + 200 * "[", "{", '{"kind": 1e999}', '{"kind": "\\ud800"}'])
def test_a_description_that_is_no_object_of_this_kind_is_refused(about, tmp_path):
    np.savez(tmp_path / "x.npz", about=np.array(about))
    assert "expected a test file" in refused(reading.read_arrays, tmp_path / "x.npz", "test")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "/root", "a/b", "a b", ".hidden", "a\0", "\ud800", "a\n", 101 * "a", 3]
)
def test_a_name_that_would_lead_elsewhere_is_no_file_name(name):
    assert "\n" not in refused(file_name, "name", name)


@pytest.mark.parametrize("name", ["a", "dense-paper", "Q8.16", "random_1", 100 * "a"])
def test_a_plain_name_is_a_file_name(name):
    assert file_name("name", name) == name
