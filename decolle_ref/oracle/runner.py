"""Run a backend on vectors and say what came of each.  Expected failures are named in a TOML file, and must fail."""

import difflib
import secrets
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case
from decolle_ref.oracle import report
from decolle_ref.oracle.backends import Backend, Unsupported, answer
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.diagnose import hypotheses
from decolle_ref.oracle.profile import Profile, describe
from decolle_ref.oracle.spikes_only import driven
from decolle_ref.oracle.vectors import catalogue
from decolle_ref.oracle.vectors.properties import Vector

FRESH_ID = "fresh"
FRESH = 6  # random cases of every run, which no stored answer can know
DEFAULTS = {"burn_in": 0, "n": 0, "updates": 0, "memory": "fresh"}  # so that a callable need not know them
GOOD = ("pass", "expected failure", "unsupported")


@dataclass(frozen=True)
class Outcome:
    """What came of one vector: pass, fail, inconclusive, unsupported, or with expected failures their counterparts."""

    id: str
    status: str
    text: str
    why: str
    details: Mapping[str, Any] = field(default_factory=dict)
    excerpt: Case | None = None  # one step that shows the failure

    @property
    def good(self) -> bool:
        """Does it let the run pass?"""
        return self.status in GOOD

    def __str__(self) -> str:
        guards = "" if self.good else f"\nit guards: {self.why}"
        return f"{self.id}: {self.text}{guards}"


def selection(profile: Profile, seed: int, only: str = "") -> list[Vector]:
    """The vectors for a backend of this profile: the catalogue, in its number format, and fresh ones from the seed."""
    dtype = "float64" if profile.format in ("float64", "fixed") else "float32"
    fresh = catalogue.fresh(seed, dtype, profile.quantise, FRESH)
    chosen = [v for v in [*(quantised(v, profile) for v in catalogue.catalogue(dtype)), *fresh] if only in v.id]
    if not chosen:
        raise InputError(f"only: expected a part of a vector's id, got {only!r}, which none has")
    return chosen


def quantised(vector: Vector, profile: Profile) -> Vector:
    """The vector with all its numbers, those of the optimiser too, in the backend's format."""
    about = dict(vector.about)
    if profile.fixed and about.get("optimiser", {}).get("kind") == "adamax":
        settings = {
            name: float(profile.quantise(np.asarray(x))) for name, x in about["optimiser"].items() if name != "kind"
        }
        settings["eps"] = max(settings.get("eps", 0.0), 2.0 ** -(profile.fraction_bits // 2))  # u is divided by
        about["optimiser"] = {"kind": "adamax", **settings}
    about["layers"] = [_quantised_strengths(layer, profile) for layer in about["layers"]]
    return replace(catalogue.quantised(vector, profile.quantise), about=about)


def _quantised_strengths(layer: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """One entry of `layers`, the strengths of its regularisers in the backend's format."""
    strengths = {
        name: float(profile.quantise(np.asarray(layer[name]))) for name in ("lambda1", "lambda2") if name in layer
    }
    return layer | strengths


def run(backend: Backend, chosen: Iterable[Vector], expected: Mapping[str, str] | None = None) -> Iterator[Outcome]:
    """One outcome per vector.  expected: reasons by id, of vectors that must fail.

    Raises InputError for an id in `expected` that no vector has.
    """
    chosen, reasons = list(chosen), dict(expected or {})
    known(reasons, chosen)
    for vector in chosen:
        outcome = judge(backend, vector)
        yield outcome if vector.id not in reasons else turned(outcome, reasons[vector.id])


def known(reasons: Mapping[str, str], chosen: Sequence[Vector]) -> None:
    """Raise InputError for a reason whose id no vector has."""
    ids = [vector.id for vector in chosen]
    for name in reasons:
        if name not in ids:
            near = ", ".join(difflib.get_close_matches(name, ids, cutoff=0.3)) or "none is like it"
            raise InputError(f"expected failures: expected ids of vectors ({near}), got {name!r}")


def judge(backend: Backend, vector: Vector) -> Outcome:
    """Run one vector and check what came back."""
    try:
        shown = answer(backend, DEFAULTS | vector.about, vector.arrays)
        return check(Case(vector.about, vector.arrays), shown, backend.profile, vector.id, vector.why)
    except Unsupported as reason:
        return Outcome(vector.id, "unsupported", f"not supported, says the backend ({reason})", vector.why)
    except InputError as problem:
        return Outcome(vector.id, "fail", f"FAIL\n{problem}", vector.why, {"status": "fail", "error": str(problem)})


def check(case: Case, shown: Mapping[str, Array], profile: Profile, name: str, why: str) -> Outcome:
    """The check that the profile's level allows."""
    if profile.level != "L2":
        found = driven.check(case, shown, profile)
        return Outcome(name, found.status, str(found), why, {"status": found.status, "undecided": found.undecided})
    verdict = residual.check(case, shown, profile)
    if verdict.failure is None:
        return Outcome(name, "pass", report.text(verdict), why, report.content(verdict))
    arrays = residual.validate(case, shown)
    explanation = hypotheses.explain(case, arrays, profile, verdict.failure)
    return Outcome(
        name,
        "fail",
        report.text(verdict, explanation),
        why,
        report.content(verdict, explanation),
        report.excerpt(case, arrays, verdict.failure),
    )


def turned(outcome: Outcome, reason: str) -> Outcome:
    """The outcome of a vector that was expected to fail: strict, so that a repaired one is noticed."""
    if outcome.status == "unsupported":
        return outcome
    if outcome.status == "pass":
        text = f"UNEXPECTED PASS, though expected to fail ({reason})"
        return Outcome(outcome.id, "unexpected pass", text, outcome.why, outcome.details)
    text = f"expected failure ({reason})"
    return Outcome(outcome.id, "expected failure", text, outcome.why, outcome.details)


def passed(outcomes: Sequence[Outcome]) -> bool:
    """Nothing failed or was left open, and at least one vector passed."""
    return all(outcome.good for outcome in outcomes) and any(outcome.status == "pass" for outcome in outcomes)


def read_expected(path: Path) -> dict[str, str]:
    """Reasons by id from a TOML file with one table [expected_failures].  Raises InputError for anything else."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as problem:
        raise InputError(f"{path}: expected a TOML file, got none ({problem.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: expected TOML, got something else ({problem})") from None
    table = content.get("expected_failures")
    if set(content) != {"expected_failures"} or not isinstance(table, dict):
        raise InputError(f"{path}: expected one table [expected_failures], got {', '.join(content) or 'none'}")
    for name, reason in table.items():
        if not isinstance(reason, str) or not reason.strip():
            raise InputError(f"{path} {name}: expected a reason in words, got {reason!r}")
    return table


def summary(outcomes: Sequence[Outcome], backend: Backend, seed: int) -> str:
    """What failed and why, by cause, and the result in one line."""
    counts = Counter(outcome.status for outcome in outcomes)
    causes = Counter(
        cause for outcome in outcomes for cause in outcome.details.get("failure", {}).get("consistent_with", [])
    )
    lines = [f"{number} of {counts['fail']} failures: {cause}" for cause, number in causes.most_common(5)]
    missing = [outcome.id for outcome in outcomes if outcome.status == "unsupported"]
    if missing:
        lines.append(f"not supported, says the backend: {', '.join(missing)}")
    if not any(outcome.id.startswith(FRESH_ID) for outcome in outcomes):
        lines.append("no fresh vector was run: stored answers would pass too")
    what = ", ".join(f"{name} {value}" for name, value in describe(backend.profile).items() if name != "name")
    parts = ", ".join(f"{number} {status}" for status, number in counts.items())
    word = "PASSED" if passed(outcomes) else "NOT PASSED"
    if missing and passed(outcomes):
        word = f"PASSED what it supports, {counts['pass']} of {len(outcomes)}"
    return "\n".join([*lines, f"oracle: {word}: {backend.name} ({what}): {parts}; seed {seed}"])


def content(outcomes: list[Outcome], backend: Backend, seed: int) -> dict[str, Any]:
    """All of it as JSON."""
    return {
        "backend": backend.name,
        "profile": asdict(backend.profile),
        "seed": seed,
        "passed": passed(outcomes),
        "vectors": {o.id: {"status": o.status, "why": o.why, **o.details} for o in outcomes},
    }


def random_seed() -> int:
    """A seed that nobody knew before."""
    return secrets.randbits(32)
