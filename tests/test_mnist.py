import gzip
import hashlib
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref.check import InputError
from decolle_ref.data import mnist

IMAGES = mnist.FILES["test", "images"]
CONTENT = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))


def written(folder, content, name="some.gz", pack=gzip.compress):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pack(content))
    return path


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror of four small files whose checksums are the expected ones."""
    small = {}
    for what, file in mnist.FILES.items():
        content = gzip.compress(file.name.encode())
        written(tmp_path / "mirror", content, file.name, bytes)
        small[what] = file._replace(sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(mnist, "FILES", small)
    return (tmp_path / "mirror").as_uri()


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
        (b"\0\0\x08\3" + b"\xff" * 12, gzip.compress, "got 0"),
        (CONTENT, bytes, "expected a whole gzip file, got a damaged one"),
        (gzip.compress(CONTENT)[:-9], bytes, "expected a whole gzip file, got a damaged one"),
        (gzip.compress(CONTENT)[:20] + b"\0" * 30, bytes, "expected a whole gzip file, got a damaged one"),
    ],
)
def test_damaged_files_are_named(content, pack, message, tmp_path):
    path = written(tmp_path, content, pack=pack)
    with pytest.raises(InputError, match=f"{path}: .*{message}"):
        mnist.read_idx(path)


def test_a_truncated_file_of_the_data_set_names_the_expected_checksum(elsewhere):
    elsewhere.mkdir()
    written(elsewhere / "mnist", gzip.compress(CONTENT)[:-9], IMAGES.name, bytes)
    with pytest.raises(InputError, match=f"{IMAGES.name}: .* damaged .* sha256 {IMAGES.sha256}"):
        mnist.load("test")
    written(elsewhere / "mnist", CONTENT, IMAGES.name)
    with pytest.raises(
        InputError, match=rf"expected shape \(10000, 28, 28\), got \(2, 3, 4\).* sha256 {IMAGES.sha256}"
    ):
        mnist.load("test")


def test_labels_above_9_are_refused(elsewhere, monkeypatch):
    elsewhere.mkdir()
    monkeypatch.setattr(
        mnist,
        "FILES",
        {k: f._replace(shape=(2, 3, 4) if "images" in k else (2,)) for k, f in mnist.FILES.items()},
    )
    written(elsewhere / "mnist", CONTENT, IMAGES.name)
    labels = struct.pack(">4BI", 0, 0, 8, 1, 2)
    name = mnist.FILES["test", "labels"].name
    written(elsewhere / "mnist", labels + b"\0\x0a", name)
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte.gz: expected labels 0..9, got 10"):
        mnist.load("test")
    written(elsewhere / "mnist", labels + b"\0\x09", name)
    assert mnist.load("test")[1].tolist() == [0, 9]


def test_missing_files_and_unknown_splits_are_named(elsewhere):
    with pytest.raises(InputError, match=f"expected mnist/train-images-idx3-ubyte.gz in {elsewhere}"):
        mnist.load("train")
    with pytest.raises(InputError, match="split: expected one of train, test, got 'all'"):
        mnist.load("all")


def test_a_download_fills_the_data_folder_once(mirror, elsewhere):
    paths = mnist.download(mirror)
    assert [p.name for p in paths] == [file.name for file in mnist.FILES.values()]
    assert all(gzip.decompress(p.read_bytes()) == p.name.encode() for p in paths)
    assert mnist.download("file:///nowhere") == paths


def test_a_download_with_the_wrong_checksum_is_not_kept(mirror, elsewhere, tmp_path):
    (tmp_path / "mirror" / IMAGES.name).write_bytes(b"something else")
    with pytest.raises(InputError, match=f"{IMAGES.name}: expected sha256 [0-9a-f]{{64}}, got "):
        mnist.download(mirror)
    assert IMAGES.name not in {path.name for path in (elsewhere / "mnist").iterdir()}


def test_a_mirror_that_cannot_be_reached_is_named(elsewhere):
    with pytest.raises(InputError, match=r"file:///nowhere/train-images-idx3-ubyte.gz: expected a download, got none"):
        mnist.download("file:///nowhere")
