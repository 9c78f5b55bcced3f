"""JUnit, HTML, badges and the matrix: what they say is what the run found, and they are whole files."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.cli.main import main
from decolle_ref.oracle import badges, course, html, junit, matrix, svg
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.course import Course
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.runner import Outcome
from decolle_ref.oracle.trace import parse_trace
from decolle_ref.oracle.vectors import exactness
from decolle_ref.oracle.verdict import Run
from tests.support.vectors import vectors

ROOT = Path(__file__).parents[2]
NUMPY, WRONG = "examples/numpy_backend.py:backend", "examples/wrong_backend.py:backend"
STATUSES = ("pass", "fail", "inconclusive", "unsupported", "expected failure", "unexpected pass")
COURSE = Course("layer 1, U of sample 0, neuron 2", 2, np.array([0, 1, 5.0, np.nan]), np.arange(4.0), np.full(4, 0.1))


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def a_run(*outcomes, level="L2", selected=True):
    return Run(Backend("mine <&>", lambda about, arrays: {}, Profile(level=level)), outcomes, 1, selected)


def every(level="L2", selected=True):
    """One outcome of every status."""
    outcomes = [Outcome(s.replace(" ", "-"), s, f"FAIL\n<{s}> \x07", "a <reason>", course=COURSE) for s in STATUSES]
    return a_run(*outcomes, level=level, selected=selected)


# JUnit


@pytest.mark.parametrize(
    ("level", "failures"), [("L2", ["fail", "inconclusive", "unexpected-pass"]), ("L0", ["fail", "unexpected-pass"])]
)
def test_junit_counts_as_failures_what_fails_the_run(level, failures):
    suite = ElementTree.fromstring(junit.text(every(level)))
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    skipped = [case.get("name") for case in suite if case.find("skipped") is not None]
    assert failed == failures
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (
        "6",
        str(len(failed)),
        str(len(skipped)),
    )
    assert len(failed) + len(skipped) == 5
    assert suite.find("testcase/failure").get("message") == "<fail> ?"


def test_junit_fails_where_the_must_pass_list_is_not_met():
    suite = ElementTree.fromstring(junit.text(a_run(Outcome("sgd", "pass", "PASS", ""), selected=False)))
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [junit.MUST_PASS]


# HTML and plots


class Page(HTMLParser):
    """The tags, the addresses and the text of a page; every tag is closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "rect", "line", "polyline", "polygon"):
            self.open.append(tag)
        self.addresses += [x for name, x in attributes if name in ("href", "src", "xlink:href", "style")]

    def handle_endtag(self, tag):
        if tag not in ("rect", "line", "polyline", "polygon"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_a_page_needs_no_other_file_and_shows_every_vector_and_failure():
    text = html.text(every())
    page = Page(text)
    assert page.addresses == [] and "script" not in page.tags and "url(" not in text and "@import" not in text
    assert page.tags.count("details") == 3 and page.tags.count("polyline") == 9
    words = "".join(page.words)
    assert "mine <&>" in words and all(status in words for status in STATUSES)


def test_a_plot_is_well_formed_and_leaves_out_what_is_not_finite():
    root = ElementTree.fromstring(svg.plot(COURSE))
    lines = [x.get("points").split() for x in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(line) for line in lines] == [4, 3, 3]  # expected, got, and their difference
    bottom = [float(point.split(",")[1]) for point in lines[2]]
    assert bottom.index(min(bottom)) == COURSE.step  # the largest difference is drawn on top


@pytest.mark.parametrize("value", [0.0, 1e308, -1e308, 1e-300, np.inf, np.nan])
def test_plots_of_any_numbers_have_only_finite_places(value):
    x = np.array([value, 1.0, -value])
    text = svg.plot(Course("U", 0, x, np.zeros(3), np.abs(x)))
    ElementTree.fromstring(text)
    assert not re.search(r'points="[^"]*(nan|inf)', text)
    assert not re.search(r"(nan|inf)", re.sub(r">[^<]*<", "><", text))


def test_the_course_is_the_entry_that_the_report_names():
    case = vectors("float64")["sgd"]
    arrays = exactness.run(Case(case.about, case.arrays))
    for name, index in (("layer1_U", (3, 0, 2)), ("layer2_dW", (5, 0, 1))):
        wrong = arrays[name].copy()
        wrong[index] += 1
        trace = parse_trace(Case(case.about, case.arrays), arrays | {name: wrong}, Profile("f", "float64"))
        verdict = residual.check(trace)
        found = course.of(verdict)
        assert found.step == verdict.failure.step
        at = (slice(None), *verdict.failure.index)
        shown = dict(arrays | {name: wrong})[f"layer{verdict.failure.layer}_{verdict.failure.equation}"]
        np.testing.assert_array_equal(found.got[: len(shown)], shown[at])
        assert abs(found.got[found.step] - found.expected[found.step]) > found.bound[found.step]
    assert (
        course.of(residual.check(parse_trace(Case(case.about, case.arrays), arrays, Profile("f", "float64")))) is None
    )


# Badges and the matrix


@pytest.mark.parametrize("run", [every(), a_run(Outcome("sgd", "pass", "PASS", ""))])
def test_a_badge_says_the_verdict_and_how_many_passed(run):
    root = ElementTree.fromstring(badges.of(run))
    words = " ".join(root.itertext())
    assert f"{run.verdict} 1/{len(run.outcomes)} float32 L2" in words
    assert any(x.get("fill") == badges.COLOURS[run.verdict] for x in root)


TABLES = """
[backends.numpy]
backend = "examples/numpy_backend.py:backend"
[backends.wrong]
backend = "examples/wrong_backend.py:backend"
profile = {name = "mine", format = "float32"}
"""


def test_a_matrix_runs_every_backend_and_writes_table_reports_and_badges(tmp_path, capsys):
    (tmp_path / "m.toml").write_text(TABLES + '[backends.none]\nprogram = ["./nothing"]\n')
    out = tmp_path / "out"
    args = ["oracle", "matrix", str(tmp_path / "m.toml"), "--out", str(out), "--only", "dense-d", "--seed", "3"]
    assert main(args) == 2  # one could not be run
    assert "none: could not be run: ./nothing: expected a program, got none" in capsys.readouterr().out
    table = (out / "matrix.md").read_text()
    assert "| ![numpy](numpy.svg) numpy | passed | 4 | 0 | 0 | float32 L2 |" in table
    assert "| ![wrong](wrong.svg) wrong | failed | 1 | 3 | 0 | float32 L2 |" in table and "seed 3" in table
    assert {x.name for x in out.iterdir()} == {"matrix.md", "matrix.html", "numpy", "wrong", "none.svg"} | {
        "numpy.svg",
        "wrong.svg",
    }
    assert json.loads((out / "wrong" / "report.json").read_text())["verdict"] == "failed"
    page = Page((out / "matrix.html").read_text())
    assert page.addresses == ["numpy/report.html", "wrong/report.html"]
    assert "dense-dcll" in page.words and "dense-decolle-nonorm" not in page.words


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "expected tables [backends.NAME], got none"),
        ("[other]", "expected tables [backends.NAME], got other"),
        ("[backends.a]", "a: expected either backend or program, got {}"),
        ('[backends.a]\nbackend = "x:y"\nprogram = ["z"]', "a: expected either backend or program, got"),
        ('[backends.a]\nprogram = "z"', "a: expected a name, or a program as a list of words, got 'z'"),
        ('[backends.a]\nbackend = "x:y"\ncolour = 1', "a key: expected"),
        ('[backends."../a"]\nbackend = "x:y"', "name of a backend: expected a name of at most 100 letters"),
        ("[backends", "expected TOML, got something else"),
    ],
)
def test_another_matrix_file_is_refused_in_one_line(content, says, tmp_path):
    (tmp_path / "m.toml").write_text(content)
    with pytest.raises(InputError) as caught:
        matrix.read(tmp_path / "m.toml")
    assert says in str(caught.value) and "\n" not in str(caught.value)


# The command line


def test_x_stops_at_the_first_failure(capsys):
    assert main(["oracle", "run", WRONG, "--only", "dense", "--seed", "1", "-x"]) == 1
    out = capsys.readouterr().out
    assert out.count("FAIL") == 1 and "dense-paper: PASS" in out and "dense-decolle-nonorm" not in out


def test_a_run_writes_the_files_that_it_is_asked_for(tmp_path, capsys):
    files = ["--junit", str(tmp_path / "deep" / "junit.xml"), "--html", str(tmp_path / "report.html")]
    assert main(["oracle", "run", WRONG, "--only", "dense-d", "--seed", "1", *files]) == 1
    suite = ElementTree.fromstring((tmp_path / "deep" / "junit.xml").read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
    assert "polyline" in Page((tmp_path / "report.html").read_text()).tags
    assert sorted(x.name for x in tmp_path.rglob("*")) == ["deep", "junit.xml", "report.html"]


def test_a_reader_who_goes_away_does_not_lose_the_files(tmp_path):
    """`oracle run ... | head -1`"""
    command = [sys.executable, "-c", "from decolle_ref.cli.main import main; raise SystemExit(main())", "oracle", "run"]
    files = ["--out", str(tmp_path / "out"), "--junit", str(tmp_path / "j.xml")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, WRONG, "--only", "dense", "--seed", "1", *files], stdout=subprocess.PIPE, env=environment
    ) as running:
        assert b"dense-paper" in running.stdout.readline()
        running.stdout.close()
        assert running.wait(timeout=60) == 141  # as a shell reports SIGPIPE
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(report["vectors"])[-1] == "dense-decolle-nonorm" and (tmp_path / "out" / "one-step").is_dir()
    assert ElementTree.fromstring((tmp_path / "j.xml").read_text()).get("tests") == "5"
