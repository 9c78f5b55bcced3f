"""Run a backend on vectors: its traces are parsed once, checked and explained.

>>> outcome = Outcome("dense-paper", "fail", "FAIL", "another dialect")
>>> print(outcome)
dense-paper: FAIL
it guards: another dialect
>>> outcome.good
False
"""

import difflib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.oracle import alone, diagnose, report, toml_table
from decolle_ref.oracle.backends import Backend, Unsupported, answer
from decolle_ref.oracle.check import ends, residual
from decolle_ref.oracle.course import Course
from decolle_ref.oracle.course import of as course_of
from decolle_ref.oracle.spikes_only import driven, exact
from decolle_ref.oracle.trace import Trace, parse_trace
from decolle_ref.oracle.vectors.features import Feature, by_layer
from decolle_ref.oracle.vectors.properties import Vector

GOOD = ("pass", "expected failure", "unsupported")


@dataclass(frozen=True)
class Outcome:
    """The result of one vector.

    Parameters
    ----------
    id : the vector's id
    status : "pass", "fail", "inconclusive", "unsupported", "expected failure" or "unexpected pass"
    text : the report for people
    why : the mistake that the vector guards against
    details : the report as JSON
    excerpt : a case of one or two steps that shows the failure, or None
    features : the features of the vector that meet in each layer
    explanations : of the equations that fail
    course : what was got and expected at the place of the failure, over time, or None
    """

    id: str
    status: str
    text: str
    why: str
    details: Mapping[str, Any] = field(default_factory=dict)
    excerpt: Case | None = None
    features: tuple[frozenset[Feature], ...] = ()
    explanations: tuple[diagnose.Explanation, ...] = ()
    course: Course | None = None

    @property
    def good(self) -> bool:
        """Whether the backend did as it should."""
        return self.status in GOOD

    def fails(self, level: str) -> bool:
        """Whether it is a failure at a level; an inconclusive one only at L2, for those below show too little."""
        undecided = self.status == "inconclusive" and level != "L2"
        return not self.good and not undecided

    def __str__(self) -> str:
        guards = "" if self.good else f"\nit guards: {self.why}"
        return f"{self.id}: {self.text}{guards}"


def run(backend: Backend, vectors: Iterable[Vector], expected: Mapping[str, str] | None = None) -> Iterator[Outcome]:
    """Run a backend on vectors.

    Parameters
    ----------
    backend : the implementation
    vectors : such as `select` returns
    expected : the vectors that must fail: their ids, each with a reason

    Yields
    ------
    Outcome
        One per vector.

    Raises
    ------
    InputError
        For an id in `expected` that no vector has.
    """
    vectors, reasons = list(vectors), dict(expected or {})
    validate_expected(reasons, [vector.id for vector in vectors])
    for vector in vectors:
        outcome = replace(judge(backend, vector), features=tuple(by_layer(vector.about, vector.arrays)))
        yield outcome if vector.id not in reasons else as_expected_failure(outcome, reasons[vector.id])


def validate_expected(reasons: Mapping[str, str], ids: Sequence[str]) -> None:
    """Validate that every reason belongs to a vector.

    Parameters
    ----------
    reasons : ids of vectors, each with a reason
    ids : of all vectors of the run

    Raises
    ------
    InputError
        For a reason whose id no vector has; the message names similar ids.
    """
    for name in reasons:
        if name not in ids:
            near = ", ".join(difflib.get_close_matches(name, ids, cutoff=0.3)) or "none is like it"
            raise InputError(f"expected failures: expected ids of vectors ({near}), got {name!r}")


def judge(backend: Backend, vector: Vector) -> Outcome:
    """Run a backend on one vector, parse its trace, and check it.

    Parameters
    ----------
    backend : the implementation
    vector : the vector

    Returns
    -------
    Outcome
        A backend that raises an exception, or returns a trace that cannot be parsed, has failed.
    """
    try:
        arrays = answer(backend, vector.about, vector.arrays)
        trace = parse_trace(Case(vector.about, vector.arrays), arrays, backend.profile)
        outcome = check(trace, vector.id, vector.why, vector.bits is not None)
    except Unsupported as reason:
        return Outcome(vector.id, "unsupported", f"not supported, says the backend ({reason})", vector.why)
    except InputError as problem:
        return Outcome(vector.id, "fail", f"FAIL\n{problem}", vector.why, {"status": "fail", "error": str(problem)})
    words = alone.result(backend, outcome.excerpt) if outcome.excerpt else ""
    if not words:
        return outcome
    text, details = f"{outcome.text}\n{alone.LINE.format(words)}", {**outcome.details, "alone": words}
    return replace(outcome, text=text, details=details)


def check(trace: Trace, id: str, why: str, is_exact: bool = False) -> Outcome:
    """Check a trace as its level allows, and explain a failure.

    Parameters
    ----------
    trace : the parsed trace
    id, why : of the outcome
    is_exact : whether the case is an exact vector

    Returns
    -------
    Outcome
    """
    if trace.profile.level != "L2":
        result = (exact.check(trace) if is_exact else None) or driven.check(trace)
        return Outcome(id, result.status, str(result), why, {"status": result.status, "undecided": result.undecided})
    verdict = ends.check(trace, residual.check(trace))
    causes = () if verdict else tuple(diagnose.explain_all(trace, verdict))
    text, details = report.text(verdict, causes), report.content(verdict, causes)
    if verdict.failure is None:
        return Outcome(id, "pass", text, why, details)
    excerpt = report.excerpt(trace, verdict.failure)
    return Outcome(id, "fail", text, why, details, excerpt, explanations=causes, course=course_of(verdict))


def as_expected_failure(outcome: Outcome, reason: str) -> Outcome:
    """The outcome of a vector that was expected to fail.

    Parameters
    ----------
    outcome : the outcome without this expectation
    reason : why the vector was expected to fail

    Returns
    -------
    Outcome
        "expected failure", or "unexpected pass", which is an error, so that a repaired backend is noticed.
    """
    if outcome.status == "unsupported":
        return outcome
    if outcome.status == "pass":
        text = f"UNEXPECTED PASS, though expected to fail ({reason})"
        return Outcome(outcome.id, "unexpected pass", text, outcome.why, outcome.details)
    text = f"expected failure ({reason})"
    return Outcome(outcome.id, "expected failure", text, outcome.why, outcome.details)


def read_expected(path: Path) -> dict[str, str]:
    """Read the expected failures from a TOML file with one table [expected_failures].

    Parameters
    ----------
    path : the file

    Returns
    -------
    dict of str to str
        Ids of vectors, each with a reason.

    Raises
    ------
    InputError
        If the file is missing, or has anything else in it.
    """
    table = toml_table.read(path, "expected_failures", "one table [expected_failures]")
    for name, reason in table.items():
        if not isinstance(reason, str) or not reason.strip():
            raise InputError(f"{path} {name}: expected a reason in words, got {reason!r}")
    return table


def random_seed() -> int:
    """A new seed, which no stored answer can know.

    Returns
    -------
    int
        Below 2^32.
    """
    return secrets.randbits(32)
