"""What a run says about its failures: a cause must fit all of them; a step that passes alone is a diagnosis itself."""

from functools import cache

import numpy as np

from decolle_ref.oracle import runner, verdict
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.diagnose import Cause, Ended, Explanation, summarise
from decolle_ref.oracle.diagnose.mutants import MUTANTS, candidate
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors import select

FLOAT32 = PROFILES["float32"]


def failing(id, *causes, equation="P", features=()):
    explanation = Explanation((equation,), (1,), tuple(Cause(name) for name in causes), 9)
    return Ended(id, (explanation,), frozenset(features))


@cache
def every():
    return select(FLOAT32, 0)


def run(call, *ids):
    vectors = [vector for vector in every() if vector.id in ids]
    backend = Backend("planted", call, FLOAT32)
    return backend, list(runner.run(backend, vectors))


def test_a_cause_that_fits_all_failures_is_named_without_the_others():
    lines = summarise([failing("a", "P decays with beta", "P without its gain"), failing("b", "P decays with beta")])
    assert lines == ["P: 2 of 2 failing vectors; consistent with: P decays with beta"]


def test_a_cause_that_does_not_fit_all_failures_says_how_many_it_fits():
    lines = summarise([failing("a", "P decays with beta"), failing("b"), failing("c", "P decays with beta")])
    assert lines == ["P: 3 of 3 failing vectors; no known mistake fits all: P decays with beta fits 2 of 3 failures"]


def test_an_equation_without_a_cause_is_unexplained():
    assert summarise([failing("a"), failing("b")]) == ["P: 2 of 2 failing vectors; unexplained, equation P"]


def test_what_only_failing_vectors_have_is_named():
    pool, conv = ("pool", "2"), ("synapse", "conv")
    ended = [failing("a", "P decays with beta", features=[pool, conv])]
    ended += [Ended(id, (), frozenset([conv])) for id in "bcd"]
    assert summarise(ended)[0].endswith("only vectors with this fail: pool 2")


def test_one_mistake_in_all_vectors_is_the_one_cause_of_the_run():
    backend, outcomes = run(candidate(FLOAT32, MUTANTS["P decays with beta"]), "dense-paper", "dense-dcll", "batch-3")
    summary = verdict.summary(verdict.Run(backend, tuple(outcomes), 0, True))
    assert summary.splitlines()[0] == "P: 3 of 3 failing vectors; consistent with: P decays with beta"


def test_a_state_left_over_between_runs_is_found_by_running_the_step_alone():
    right, calls = candidate(FLOAT32), []

    def leaky(about, arrays):
        calls.append(0)
        arrays = {name: x.copy() for name, x in arrays.items()}
        arrays["inputs"][0] = np.where(len(calls) % 2, arrays["inputs"][0], 1 - arrays["inputs"][0])
        return right(about, arrays)

    calls.append(0)
    _, (outcome,) = run(leaky, "dense-paper")
    assert outcome.status == "fail" and outcome.details["alone"] == "gives another answer each time"


def test_a_step_that_passes_alone_says_so():
    right = candidate(FLOAT32)

    def forgetful(about, arrays):
        trace = right(about, arrays)
        if about["steps"] > 5:
            trace["layer1_Y"][5:] = FLOAT32.quantise(trace["layer1_Y"][5:] + 1)
        return trace

    _, (outcome,) = run(forgetful, "dense-paper")
    assert outcome.details["alone"] == "passes" and "earlier steps or earlier runs" in outcome.text


def test_no_units_in_the_last_place_of_zero():
    def loud(about, arrays):
        trace = candidate(FLOAT32)(about, arrays)
        trace["layer1_Q"][0, 0, 0] = 2.0**-100
        return trace

    _, (outcome,) = run(loud, "dense-paper")
    assert "off by    7.89e-31, where 0 is right" in outcome.text and "last place" not in outcome.text


def test_nan_is_reported_where_it_is_first_in_the_order_of_computation():
    def broken(about, arrays):
        trace = candidate(FLOAT32)(about, arrays)
        for name, step in (("layer1_Q", 5), ("layer1_P", 4), ("layer2_Q", 3), ("layer1_dW", 3), ("layer1_U", 3)):
            trace[name][step:] = np.nan
        return trace

    _, (outcome,) = run(broken, "dense-paper")
    assert "trace layer1_U: expected finite numbers, got nan at (3, 0, 0)" in outcome.text
