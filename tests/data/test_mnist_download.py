import gzip
import hashlib
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from decolle_ref._util import progress
from decolle_ref._util.check import InputError
from decolle_ref.data import download, mnist

IMAGES = mnist.FILES["test", "images"]


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror of four small files whose checksums are the expected ones."""
    small = {}
    (tmp_path / "mirror").mkdir()
    for what, file in mnist.FILES.items():
        content = gzip.compress(file.name.encode(), mtime=0)
        (tmp_path / "mirror" / file.name).write_bytes(content)
        small[what] = file._replace(sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(mnist, "FILES", small)
    return (tmp_path / "mirror").as_uri()


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

    monkeypatch.setattr(download.Progress, "advance", interrupt)
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

    monkeypatch.setattr(download, "Progress", Bar)
    monkeypatch.setattr(download, "CHUNK", 10)
    paths = mnist.download(mirror)
    assert len(paths) == len(bars) == 4
    for path in paths:
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
