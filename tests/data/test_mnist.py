import gzip
import hashlib
import os
import struct
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util import progress
from decolle_ref._util.check import InputError
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
        content = gzip.compress(file.name.encode(), mtime=0)
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


@contextmanager
def server(answer):
    """The address of a server on this machine that sends what `answer(handler)` writes, and the paths asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            answer(self)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{site.server_port}", asked
        finally:
            site.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def send(content, announced, status=200):
    """An answer of `content` that announces `announced` bytes, or does not say how many there will be."""

    def answer(handler):
        handler.send_response(status)
        if announced is not None:
            handler.send_header("Content-Length", str(announced))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_fills_the_data_folder_once(mirror, elsewhere, tmp_path):
    whole = {name: (tmp_path / "mirror" / name).read_bytes() for name in names(tmp_path / "mirror")}
    with server(lambda h: send(whole[h.path[1:]], len(whole[h.path[1:]]))(h)) as (address, asked):
        paths = mnist.download(address, quiet=True)
        assert [p.name for p in paths] == [file.name for file in mnist.FILES.values()] == [p[1:] for p in asked]
        assert {p.name: p.read_bytes() for p in paths} == whole and names(elsewhere) == sorted(whole)
        assert mnist.download(address, quiet=True) == paths
        assert len(asked) == 4
        paths[2].unlink()
        assert mnist.download(address, quiet=True) == paths
    assert asked[4:] == [f"/{paths[2].name}"] and paths[2].read_bytes() == whole[paths[2].name]


def test_a_full_data_folder_need_not_be_writable(mirror, elsewhere, monkeypatch):
    paths = mnist.download(mirror, quiet=True)
    monkeypatch.setattr(mnist.store, "output_folder", lambda folder: pytest.fail("asked for a writable folder"))
    assert mnist.download("file:///nowhere", quiet=True) == paths


FIRST = next(iter(mnist.FILES.values())).name


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (send(b"x" * 400, 1000), "expected 1000 bytes, got 400|expected a download, got none .*IncompleteRead.*"),
        (send(b"x" * 400, None), "expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}"),
        (send(b"something else", 14), "expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}"),
        (send(b"", 0), "expected sha256 [0-9a-f]{64}, got e3b0c44298fc.*"),
        (send(b"gone", 4, 404), r"expected a download, got none \(HTTP Error 404: Not Found\)"),
        (send(b"", "many"), r"expected a download, got none \(invalid literal .*\)"),
        (lambda handler: None, r"expected a download, got none \(Remote end closed connection without response\)"),
        (lambda handler: handler.wfile.write(b"SMTP\r\n\r\n"), r"expected a download, got none \(SMTP.*\)"),
    ],
    ids=["hangs up", "hangs up unannounced", "other file", "nothing", "404", "bad header", "no answer", "not http"],
)
def test_a_download_that_fails_leaves_no_file_and_one_line(answer, message, elsewhere):
    with server(answer) as (address, asked):
        with pytest.raises(InputError, match=rf"^{address}/{FIRST}: ({message})$") as problem:
            mnist.download(address, quiet=True)
    assert len(asked) == 1 and names(elsewhere) == [] and "\n" not in str(problem.value)


def test_a_failed_file_leaves_the_ones_before_it(mirror, elsewhere, tmp_path):
    (tmp_path / "mirror" / IMAGES.name).write_bytes(b"something else")
    with pytest.raises(InputError, match=f"{IMAGES.name}: expected sha256 [0-9a-f]{{64}}, got "):
        mnist.download(mirror, quiet=True)
    before = [file.name for file in mnist.FILES.values()][:2]
    assert names(elsewhere) == sorted(before)


def test_an_interrupted_download_leaves_no_file(mirror, elsewhere, monkeypatch):
    def interrupt(self, status, by=1):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist.Progress, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        mnist.download(mirror, quiet=True)
    assert names(elsewhere) == []


def test_a_mirror_that_cannot_be_reached_is_named(elsewhere):
    with pytest.raises(InputError, match=r"file:///nowhere/train-images-idx3-ubyte.gz: expected a download, got none"):
        mnist.download("file:///nowhere", quiet=True)
    with pytest.raises(InputError, match=r"nowhere/train-images-idx3-ubyte.gz: expected a download, got none"):
        mnist.download("nowhere", quiet=True)


def test_progress_counts_the_bytes_of_each_file(mirror, elsewhere, tmp_path, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, description, total, **_):
            bars.append({"name": description, "total": total, "steps": [], "closed": False})

        def advance(self, status, by=1):
            bars[-1]["steps"].append(by)

        def close(self):
            bars[-1]["closed"] = True

    monkeypatch.setattr(mnist, "Progress", Bar)
    monkeypatch.setattr(mnist, "CHUNK", 10)
    for path in mnist.download(mirror):
        bar, size = bars.pop(0), path.stat().st_size
        assert bar["name"] == path.name and bar["total"] == sum(bar["steps"]) == size > 10 and bar["closed"]
        assert max(bar["steps"]) == 10


def test_a_quiet_download_prints_nothing(mirror, elsewhere, capfd):
    pytest.importorskip("tqdm")
    mnist.download(mirror, quiet=True)
    assert capfd.readouterr() == ("", "")
    (elsewhere / "mnist" / IMAGES.name).unlink()
    mnist.download(mirror)
    out, err = capfd.readouterr()
    assert out == "" and IMAGES.name in err and "train" not in err and "100%" in err


def test_without_tqdm_there_is_no_bar_and_no_error(mirror, elsewhere, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert len(mnist.download(mirror)) == 4
    assert capfd.readouterr() == ("", "")


def test_a_bar_goes_by_the_given_amount(capsys):
    pytest.importorskip("tqdm")
    bar = progress.Progress("some.gz", 3_000_000, unit="B", unit_scale=True)
    bar.advance("", by=1_500_000)
    bar.close()
    assert "50%" in capsys.readouterr().err.split("\r")[-1]
