import gzip
import hashlib
import os
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.data import mnist

CONTENT = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))


def written(folder, content, name="some.gz", pack=gzip.compress):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pack(content))
    return path


def test_mnist_is_read_as_published():
    if not os.environ.get("DECOLLE_REF_DATA"):
        pytest.skip("DECOLLE_REF_DATA is not set")
    for split, n, first, per_class in (("train", 60000, 5, 6742), ("test", 10000, 7, 1135)):
        images, labels = mnist.load(split)
        assert images.shape == (n, 28, 28) and images.dtype == labels.dtype == np.uint8
        assert labels[0] == first and (labels == 1).sum() == per_class == np.bincount(labels).max()
        assert (images[:, 0, 0] == 0).mean() > 0.99 and images.max() == 255
        for what in ("images", "labels"):
            content = mnist.location.find(f"mnist/{mnist.FILES[split, what].name}").read_bytes()
            assert hashlib.sha256(content).hexdigest() == mnist.FILES[split, what].sha256
            assert hashlib.md5(content).hexdigest() == mnist.FILES[split, what].md5


def test_bytes_come_in_the_order_of_the_file(tmp_path):
    np.testing.assert_array_equal(mnist.read_idx(written(tmp_path, CONTENT)), np.arange(24).reshape(2, 3, 4))


@given(st.binary(max_size=40))
def test_any_bytes_are_an_array_or_an_error_in_one_line(tmp_path_factory, content):
    path = written(tmp_path_factory.getbasetemp(), content)
    try:
        assert isinstance(mnist.read_idx(path), np.ndarray)
    except InputError as problem:
        assert str(path) in str(problem) and "\n" not in str(problem)


@pytest.mark.parametrize(
    ("content", "pack", "message"),
    [
        (CONTENT[:-1], gzip.compress, r"expected 24 bytes of data for shape \(2, 3, 4\), got 23"),
        (CONTENT + b"x", gzip.compress, "expected 24 bytes of data .*, got 25"),
        (CONTENT[:10], gzip.compress, "expected a header of 16 bytes, got 10"),
        (
            b"\0\0\x0d\3" + CONTENT[4:],
            gzip.compress,
            "expected an idx file of unsigned bytes, got one that begins 00 00",
        ),
        (b"", gzip.compress, "expected an idx file of unsigned bytes"),
        (b"\0\0\x08\3" + b"\xff" * 12, gzip.compress, r"got shape \(4294967295"),
        (CONTENT, bytes, "expected a whole gzip file, got a damaged one"),
        (gzip.compress(CONTENT, mtime=0)[:-9], bytes, "expected a whole gzip file, got a damaged one"),
        (gzip.compress(CONTENT, mtime=0)[:20] + b"\0" * 30, bytes, "expected a whole gzip file, got a damaged one"),
    ],
)
def test_damaged_files_are_named(content, pack, message, tmp_path):
    path = written(tmp_path, content, pack=pack)
    with pytest.raises(InputError, match=f"{path}: .*{message}"):
        mnist.read_idx(path)


@pytest.fixture
def loaded(elsewhere, monkeypatch):
    """A data folder with a test set of two images; a function that writes one of its files anew."""
    elsewhere.mkdir()
    small = {k: f._replace(shape=(2, 28, 28) if "images" in k else (2,)) for k, f in mnist.FILES.items()}
    monkeypatch.setattr(mnist, "FILES", small)

    def write(what, content, pack=gzip.compress, published=False):
        path = written(elsewhere / "mnist", content, mnist.FILES["test", what].name, pack)
        if published:
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            small["test", what] = small["test", what]._replace(sha256=sha256)
        return path

    write("images", idx(2, 28, 28), published=True)
    write("labels", idx(2), published=True)
    return write


def idx(*shape, last=0):
    """An idx file of zeros but for its last byte."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(np.prod(shape) - 1) + bytes([last])


@pytest.mark.parametrize(
    ("what", "content", "pack", "message"),
    [
        (
            "images",
            gzip.compress(idx(2, 28, 28), mtime=0)[:-9],
            bytes,
            r"expected a whole gzip file, got a damaged one \(.+\)",
        ),
        ("images", b"<html>not found</html>", bytes, r"expected a whole gzip file, got a damaged one \(.+\)"),
        ("images", b"", bytes, "expected an idx file of unsigned bytes, got one that begins "),
        (
            "images",
            idx(2, 28, 28)[:-1],
            gzip.compress,
            r"expected 1568 bytes of data for shape \(2, 28, 28\), got 1567",
        ),
        ("images", b"\0\0\x0d" + idx(2, 28, 28)[3:], gzip.compress, "expected an idx file .* begins 00 00 0d 03"),
        ("images", idx(2, 32, 32), gzip.compress, r"expected shape \(2, 28, 28\), got \(2, 32, 32\)"),
        ("images", idx(3, 28, 28), gzip.compress, r"expected shape \(2, 28, 28\), got \(3, 28, 28\)"),
        ("images", idx(2), gzip.compress, r"expected shape \(2, 28, 28\), got \(2,\)"),
        ("labels", idx(2, 28, 28), gzip.compress, r"expected shape \(2,\), got \(2, 28, 28\)"),
        ("labels", idx(2, last=10), gzip.compress, "expected labels 0..9, got 10"),
        (
            "images",
            idx(2, 28, 28, last=1),
            gzip.compress,
            "expected the published file, got one with sha256 [0-9a-f]{64}",
        ),
    ],
)
def test_one_line_says_what_is_wrong_with_a_file_and_what_to_do(what, content, pack, message, loaded):
    assert mnist.load("test")[0].shape == (2, 28, 28)
    path = loaded(what, content, pack)
    advice = f"the published file has sha256 {mnist.FILES['test', what].sha256}; remove this one and download it again"
    with pytest.raises(InputError, match=rf"^{path}: {message} \({advice}\)$") as problem:
        mnist.load("test")
    assert "\n" not in str(problem.value)


def test_labels_up_to_9_are_accepted(loaded):
    loaded("labels", idx(2, last=9), published=True)
    assert mnist.load("test")[1].tolist() == [0, 9]


def test_missing_files_and_unknown_splits_are_named(elsewhere):
    with pytest.raises(InputError, match=f"expected mnist/train-images-idx3-ubyte.gz in {elsewhere}"):
        mnist.load("train")
    with pytest.raises(InputError, match="split: expected one of train, test, got 'all'"):
        mnist.load("all")


@pytest.mark.parametrize(
    "header",
    [b"\0\0\x08\x41" + 65 * b"\0\0\0\1", b"\0\0\x08\3" + 12 * b"\xff", b"\0\0\x08\1\0\0\0\0", b"\0\0\x08\0"],
    ids=["65 axes", "2^96 bytes", "none", "no axis"],
)
def test_a_shape_that_no_image_file_has_is_refused(header, tmp_path):
    with pytest.raises(InputError, match=r"expected 1 to \d+ numbers on 1 to 4 axes, got"):
        mnist.read_idx(written(tmp_path, header))


def test_a_small_file_that_unpacks_to_a_huge_one_takes_no_memory(tmp_path):
    path = written(tmp_path, CONTENT + bytes(1 << 26))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"expected 24 bytes .*, got 25 or more"):
            mnist.read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
