"""Bugs planted by hand in the example backends, without sight of the vectors: the oracle finds them where they are.

There are two sets.  The second, `second-...`, was written without sight of the first and of what finds it.
"""

import importlib.util
import re
from collections import Counter
from functools import cache

import pytest

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.oracle.backends import Unsupported, answer
from decolle_ref.oracle.check import ends, residual
from decolle_ref.oracle.trace import parse_trace
from decolle_ref.oracle.vectors import select
from tests.support import planted

BUGS = {bug.id: bug for bug in planted.read()}
NEEDS = {"pytorch_backend.py": "torch", "jax_backend.py": "jax"}
SEED = 7
SECOND = {id for id in BUGS if id.startswith("second-")}
SURVIVORS: dict[str, str] = {}  # of the second set, each with the reason
LEAK = "second-numpy-optimiser-settings-leak"
LEAKS = {LEAK, "second-jax-compiled-by-shapes"}  # no vector shows them alone: an earlier one must leave something


@cache
def vectors(profile):
    """The vectors for a profile, the short ones first."""
    return sorted(select(profile, SEED), key=lambda vector: sum(x.size for x in vector.arrays.values()))


def first_failure(backend, vector):
    """The equation that fails first, or whose array is refused first, or nothing."""
    try:
        arrays = answer(backend, vector.about, vector.arrays)
        trace = parse_trace(Case(vector.about, vector.arrays), arrays, backend.profile)
        failure = ends.check(trace, residual.check(trace)).failure
        name = "" if failure is None else failure.equation
    except Unsupported:
        return ""
    except InputError as problem:
        refused = re.search(r"layer\d+_(\w+)", str(problem))
        name = refused[1] if refused else str(problem)
    return name.removesuffix("_final").removeprefix("m_").removeprefix("u_")


def kill(backend):
    """(vector, equation) of the first failure of a backend, or ("", "")."""
    for vector in vectors(backend.profile):
        if equation := first_failure(backend, vector):
            return vector.id, equation
    return "", ""


def runs(bug):
    """Whether what its backend needs is installed."""
    if bug.backend.endswith(".py"):
        return importlib.util.find_spec(NEEDS.get(bug.backend, "numpy")) is not None
    return planted.CC is not None


def test_the_list_has_150_bugs_of_five_backends_and_many_interactions():
    first = [bug for bug in BUGS.values() if bug.id not in SECOND]
    groups, backends = (Counter(getattr(bug, x) for bug in first) for x in ("group", "backend"))
    assert len(first) == 150 and groups["interactions"] >= 25
    assert min(backends.values()) >= 15 and len(backends) == 6


def test_the_second_list_has_60_bugs_of_five_backends_and_a_vector_for_each_that_is_no_survivor():
    second = [BUGS[id] for id in SECOND]
    groups, backends = (Counter(getattr(bug, x) for bug in second) for x in ("group", "backend"))
    assert len(second) == 60 and groups["interactions"] >= 12
    assert min(backends.values()) >= 10 and len(backends) == 5
    assert {bug.id for bug in second if not bug.by} == {*LEAKS, *SURVIVORS}


@pytest.mark.parametrize("id", [bug.id for bug in BUGS.values() if bug.backend == "numpy_backend.py" and bug.by])
def test_a_recorded_vector_kills_the_bug_at_its_equation(id, tmp_path):
    bug, backend = BUGS[id], planted.backend(BUGS[id], tmp_path)
    (vector,) = [vector for vector in vectors(backend.profile) if vector.id == bug.by]
    assert first_failure(backend, vector) in bug.at


def test_settings_that_an_earlier_case_left_are_found(tmp_path):
    backend = planted.backend(BUGS[LEAK], tmp_path)
    by_id = {vector.id: vector for vector in vectors(backend.profile)}
    first_failures = [first_failure(backend, by_id[id]) for id in ("adamax-defaults", "adamax-momentum") * 2]
    assert not any(first_failures[:2]) and first_failures[2] in BUGS[LEAK].at


@pytest.mark.study
@pytest.mark.parametrize("ids", [BUGS.keys() - SECOND, SECOND], ids=["first set", "second set"])
def test_97_percent_are_killed_and_99_percent_of_these_at_the_right_equation(ids, tmp_path):
    tried = [bug for bug in BUGS.values() if bug.id in ids and runs(bug)]
    kills = {bug: kill(planted.backend(bug, tmp_path)) for bug in tried}
    killed = {bug: equation for bug, (_, equation) in kills.items() if equation}
    right = [bug for bug, equation in killed.items() if equation in bug.at]
    survivors = {bug.id for bug in tried if bug not in killed}
    assert survivors & SECOND == SURVIVORS.keys() & ids
    assert len(killed) >= 0.97 * len(tried), survivors
    assert len(right) >= 0.99 * len(killed), [(bug.id, x) for bug, x in killed.items() if bug not in right]
