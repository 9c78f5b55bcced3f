"""The verdict on a backend: what it passed, what that covers, and what it must pass.

    failed        a vector failed
    not covered   nothing failed, but something that a backend of this profile must pass was not passed
    passed        nothing failed, and all that must pass has passed

A backend may refuse what it does not support, and below level L2 the oracle cannot decide everything.  So the must-pass
list is small, and the coverage says how much of the format has been passed.

>>> [requirement.what for requirement in must_pass(Profile(level="L0"))]
['one dialect']
"""

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

import decolle_ref
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle import alone, diagnose
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.profile import Profile, describe
from decolle_ref.oracle.runner import Outcome
from decolle_ref.oracle.vectors import release
from decolle_ref.oracle.vectors.catalogue import dtype_of
from decolle_ref.oracle.vectors.features import FACTORS, Feature, Pair, pairs_of, possible_pairs
from decolle_ref.oracle.vectors.fresh import PREFIX

EXACT = "tie-{}", "dyadic-{}", "dyadic-learning-{}", PREFIX + "-*-{}"  # decided at every level, in any order of sums
EXACT_FIXED = "tie-{}", "dyadic-fixed16-{}", "dyadic-learning-{}", PREFIX + "-*-{}"
INEXACT = "dense-{}", "zero-{}", "delay-{}"  # with the dialect's own surrogate, and layers in a stack


class Requirement(NamedTuple):
    """Something that a backend must pass.

    Parameters
    ----------
    what : in words
    groups : at least one of these groups of vectors must pass as a whole; * stands for any part of an id
    """

    what: str
    groups: tuple[tuple[str, ...], ...]


def must_pass(profile: Profile) -> tuple[Requirement, ...]:
    """What a backend of this profile must pass: one dialect, with ties, exact numbers, learning and a fresh case.

    At level L2 a floating-point backend must also pass a plain, a delayed and a silent network of that dialect.

    Parameters
    ----------
    profile : the backend's arithmetic and level

    Returns
    -------
    tuple of Requirement
    """
    names: tuple[str, ...] = EXACT_FIXED if profile.fixed else EXACT
    names = names if profile.fixed or profile.level != "L2" else names + INEXACT
    return (Requirement("one dialect", tuple(tuple(name.format(d) for name in names) for d in DIALECTS)),)


@dataclass(frozen=True)
class Run:
    """All outcomes of one run of a backend.

    Parameters
    ----------
    backend : the implementation
    outcomes : one per vector
    seed : of the fresh vectors
    selected : whether only some vectors were chosen, so that the must-pass list does not apply
    """

    backend: Backend
    outcomes: tuple[Outcome, ...]
    seed: int
    selected: bool = False

    @cached_property
    def passed(self) -> tuple[Outcome, ...]:
        """The outcomes of the vectors that passed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "pass")

    @property
    def good(self) -> bool:
        """Whether the verdict is "passed"."""
        return self.verdict == "passed"

    @property
    def verdict(self) -> str:
        """The verdict in a word: "passed", "not covered" or "failed"."""
        if any(self.failed(outcome) for outcome in self.outcomes):
            return "failed"
        return "not covered" if self.unmet or not self.passed else "passed"

    def failed(self, outcome: Outcome) -> bool:
        """Whether an outcome is a failure at the level of the backend."""
        return outcome.fails(self.backend.profile.level)

    @cached_property
    def unmet(self) -> tuple[tuple[Requirement, tuple[str, ...]], ...]:
        """Every requirement that is not met, and what the nearest of its groups lacks."""
        if self.selected:
            return ()
        lacking = ((requirement, self._lacks(requirement)) for requirement in must_pass(self.backend.profile))
        return tuple((requirement, names) for requirement, names in lacking if names)

    def _lacks(self, requirement: Requirement) -> tuple[str, ...]:
        ids = [outcome.id for outcome in self.passed]
        lacking = [
            tuple(name for name in group if not any(fnmatchcase(id, name) for id in ids))
            for group in requirement.groups
        ]
        return min(lacking, key=len)

    @cached_property
    def features(self) -> frozenset[Feature]:
        """The features of the vectors that passed."""
        return frozenset().union(*(layer for outcome in self.passed for layer in outcome.features))

    @cached_property
    def pairs(self) -> frozenset[Pair]:
        """The pairs of features that met in vectors that passed."""
        return frozenset().union(*(pairs_of(list(outcome.features)) for outcome in self.passed))

    @property
    def missing(self) -> dict[str, list[str]]:
        """The features that no passed vector had, by factor."""
        lacking = {
            factor: [x for x in values if (factor, x) not in self.features] for factor, values in FACTORS.items()
        }
        return {factor: values for factor, values in lacking.items() if values}


def summary(run: Run) -> str:
    """The most frequent causes of failures, the coverage, and the verdict in the last line.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    str
    """
    counts, profile = Counter(outcome.status for outcome in run.outcomes), run.backend.profile
    lines = _causes(run.outcomes)
    unsupported = [outcome.id for outcome in run.outcomes if outcome.status == "unsupported"]
    if unsupported:
        lines.append(f"not supported, says the backend: {', '.join(unsupported)}")
    if not any(outcome.id.startswith(PREFIX) for outcome in run.outcomes):
        lines.append("no random vector was run: stored answers would pass too")
    lines += _coverage(run)
    numbers = ", ".join(f"{name} {value}" for name, value in describe(profile).items() if name != "name")
    parts = ", ".join(f"{number} {status}" for status, number in counts.items())
    words = {"passed": "PASSED", "not covered": "NOT COVERED", "failed": "NOT PASSED"}[run.verdict]
    if run.good and len(run.passed) < len(run.outcomes):
        words = f"PASSED what it supports, {len(run.passed)} of {len(run.outcomes)}"
    if run.good and run.selected:
        words += " (selected vectors only)"
    return "\n".join([*lines, f"oracle: {words}: {run.backend.name} ({numbers}): {parts}; seed {run.seed}"])


def _causes(outcomes: Sequence[Outcome]) -> list[str]:
    """The causes that fit all failures of an equation, and what the failing steps say where they were run alone."""
    ended = [
        diagnose.Ended(outcome.id, outcome.explanations, frozenset().union(*outcome.features))
        for outcome in outcomes
        if outcome.explanations or outcome.status == "pass"
    ]
    single = Counter(words for outcome in outcomes if (words := outcome.details.get("alone")))
    lines = [f"in {number} vectors {alone.LINE.format(words)}" for words, number in single.items()]
    return [*diagnose.summarise(ended), *lines]


def _coverage(run: Run) -> list[str]:
    """What was covered, what was not, and what must pass and did not."""
    counts, made = coverage(run), provenance(run)
    lines = [
        f"covered: {counts['features']} of {counts['all_features']} features, {counts['pairs']} of "
        f"{counts['all_pairs']} pairs of features, {len(run.passed)} of {len(run.outcomes)} vectors, "
        f"at level {run.backend.profile.level}"
    ]
    if run.missing and not run.selected:
        missing = (f"{factor} {' | '.join(values)}" for factor, values in run.missing.items())
        lines.append(f"not covered: {'; '.join(missing)}")
    lines += [f"must pass: {what.what}; the nearest one lacks {', '.join(names)}" for what, names in run.unmet]
    vectors = f"vectors version {made['vectors_version']}, SHA-256 {made['catalogue_sha256'][:16]}"
    return [*lines, f"decolle_ref {made['decolle_ref']}, {vectors}; {made['date']}"]


def coverage(run: Run) -> dict[str, int]:
    """How many features, and pairs of features, the passed vectors have, of how many there are.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    dict of str to int
    """
    features, pairs = sum(map(len, FACTORS.values())), len(possible_pairs())
    return {"features": len(run.features), "all_features": features, "pairs": len(run.pairs), "all_pairs": pairs}


def provenance(run: Run) -> dict[str, Any]:
    """The versions of the package and of its vectors, the hash of the catalogue, and the date.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    dict of str to str or int
    """
    return {
        "decolle_ref": decolle_ref.__version__,
        "vectors_version": release.VERSION,
        "catalogue_sha256": release.catalogue_hash(dtype_of(run.backend.profile)),
        "date": datetime.date.today().isoformat(),
    }


def content(run: Run) -> dict[str, Any]:
    """The whole run as JSON.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    dict
    """
    lacking = {requirement.what: list(names) for requirement, names in run.unmet}
    return {
        "backend": run.backend.name,
        **provenance(run),
        "profile": asdict(run.backend.profile),
        "seed": run.seed,
        "verdict": run.verdict,
        "passed": run.good,
        "selected": run.selected,
        "coverage": coverage(run) | {"missing_features": run.missing},
        "must_pass": {"met": not run.unmet, "lacking": lacking},
        "vectors": {each.id: {"status": each.status, "why": each.why, **each.details} for each in run.outcomes},
    }
