"""The download of CIFAR-10, from a folder that stands for the published address."""

import hashlib
import io
import tarfile

import pytest

from decolle_ref._util.check import InputError
from decolle_ref.data import cifar10

RECORDS = bytes([3]) + bytes(cifar10.RECORD - 1)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A small archive of the published layout, with one image per file, and an empty data folder."""
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(cifar10, "IMAGES", 1)
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for name in ("batches.meta.txt", *(name for names in cifar10.FILES.values() for name in names)):
            member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            member.size = len(RECORDS)
            file.addfile(member, io.BytesIO(RECORDS))
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


def test_a_download_unpacks_the_six_files_once(archive, tmp_path):
    paths = cifar10.download(archive.as_uri(), quiet=True)
    assert sorted(path.name for path in (tmp_path / "data" / cifar10.FOLDER).iterdir()) == sorted(p.name for p in paths)
    images, labels = cifar10.load("train")
    assert images.shape == (5, 32, 32, 3) and labels.tolist() == [3] * 5
    assert cifar10.download("file:///nowhere", quiet=True) == paths


def test_another_archive_is_refused_and_leaves_no_file(archive, tmp_path):
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"cifar-10-binary.tar.gz: expected md5 \w+, got \w+"):
        cifar10.download(archive.as_uri(), quiet=True)
    assert not any(path.is_file() for path in (tmp_path / "data").rglob("*"))
