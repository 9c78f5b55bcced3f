import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.data import cifar10


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """Generated images in the layout of the data set, 3 in each file."""
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    monkeypatch.setattr(cifar10, "IMAGES", 3)
    batches = tmp_path / "cifar-10-batches-bin"
    batches.mkdir()
    for name in (*cifar10.FILES["train"], *cifar10.FILES["test"]):
        records = rng.integers(0, 256, (3, cifar10.RECORD), np.uint8)
        records[:, 0] %= 10
        (batches / name).write_bytes(records.tobytes())
    return batches


def test_all_batches_are_read_in_order(folder):
    images, labels = cifar10.load("train")
    assert images.shape == (15, 32, 32, 3) and labels.shape == (15,) and images.dtype == labels.dtype == np.uint8
    raw = np.frombuffer((folder / "data_batch_2.bin").read_bytes(), np.uint8).reshape(3, -1)
    np.testing.assert_array_equal(labels[3:6], raw[:, 0])
    assert cifar10.load("test")[0].shape == (3, 32, 32, 3)


def test_colours_are_planes_of_rows(folder):
    record = np.zeros(cifar10.RECORD, np.uint8)
    record[0], record[1 + 1024 + 32 * 5 + 7] = 4, 200  # green, row 5, column 7
    (folder / "one.bin").write_bytes(record.tobytes())
    images, labels = cifar10.read(folder / "one.bin")
    assert labels.tolist() == [4] and images[0, 5, 7, 1] == 200 and images.sum() == 200


def test_a_truncated_file_is_named_with_the_expected_checksum(folder):
    path = folder / "data_batch_4.bin"
    path.write_bytes(path.read_bytes()[:-1])
    message = f"{path}: expected {3 * cifar10.RECORD} bytes, got {3 * cifar10.RECORD - 1} .*md5 {cifar10.MD5}"
    with pytest.raises(InputError, match=message):
        cifar10.load("train")
    with pytest.raises(InputError, match=f"{path}: expected whole records of 3073 bytes"):
        cifar10.read(path)


def test_wrong_labels_missing_files_and_unknown_splits_are_named(folder):
    path = folder / "test_batch.bin"
    path.write_bytes(b"\x0a" + path.read_bytes()[1:])
    with pytest.raises(InputError, match=r"test_batch.bin: expected labels 0..9, got 10"):
        cifar10.load("test")
    path.unlink()
    with pytest.raises(InputError, match=r"expected cifar-10-batches-bin/test_batch.bin in"):
        cifar10.load("test")
    with pytest.raises(InputError, match="split: expected one of train, test, got 'valid'"):
        cifar10.load("valid")
