"""What the vectors cover, and the verdict: every pair of features meets, and a backend that refuses much is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decolle_ref.cases import simulate
from decolle_ref.oracle import coverage_page, runner, verdict
from decolle_ref.oracle.backends import Backend, Unsupported, load
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.runner import Outcome
from decolle_ref.oracle.vectors import features, pairs, select
from decolle_ref.oracle.vectors.features import FACTORS, FEATURES, by_layer, pairs_of, possible_pairs
from decolle_ref.oracle.vectors.fresh import fresh_ids
from decolle_ref.oracle.verdict import Run, must_pass
from tests.support.vectors import vectors

ROOT = Path(__file__).parents[2]
FLOAT32 = PROFILES["float32"]


def reference(about, arrays):
    return simulate(features.Case(about, arrays), about["targets"])


def outcomes_of(profile, statuses, default="pass"):
    """An outcome for every vector that a backend of this profile may have to pass, without running anything."""
    ids = [name.replace("*", "7") for group in must_pass(profile)[0].groups for name in group]
    return tuple(Outcome(id, statuses.get(id, default), "", "") for id in dict.fromkeys(ids))


# Coverage


def test_every_two_features_that_can_meet_do():
    met = set().union(*(pairs_of(by_layer(x.about, x.arrays)) for x in pairs.pairs("float64")))
    assert met == set(possible_pairs())


def test_no_vector_has_two_features_that_cannot_meet():
    for vector in vectors("float64").values():
        assert pairs_of(by_layer(vector.about, vector.arrays)) <= set(possible_pairs()), vector.id


def test_every_exclusion_names_features_and_a_reason():
    for factor, value, other, other_value, why in features.IMPOSSIBLE:
        assert value in FACTORS[factor] and (other_value == "*" or other_value in FACTORS[other]) and why


def test_the_page_is_that_of_the_vectors():
    assert (ROOT / "docs" / "coverage.md").read_text() == coverage_page.page()


def test_the_page_names_a_vector_for_every_pair():
    first = coverage_page.where(list(pairs.pairs("float64")))
    assert set(first) == set(possible_pairs())
    one, other = ("pool", "3"), ("regulariser", "lambda1")
    vector = list(pairs.pairs("float64"))[first[one, other] - 1]
    assert any({one, other} <= layer for layer in by_layer(vector.about, vector.arrays))


def test_features_of_a_vector_are_what_its_case_says():
    large = vectors("float64")["large"]
    found = features.features(large.about, large.arrays)
    assert {("layers", "3"), ("steps", "130"), ("batch", "8"), ("n_out", "batch"), ("synapse", "dense")} <= found
    split = features.features(vectors("float64")["split"].about, vectors("float64")["split"].arrays)
    assert {("start", "given"), ("memory", "given"), ("run", "continued"), ("learning", "adamax beta1")} <= split


def test_the_large_vector_is_small_on_disk():
    assert sum(x.nbytes for x in vectors("float64")["large"].arrays.values()) < 2_000_000


def test_the_greedy_choice_takes_the_case_that_adds_most():
    seeds = [[0, k] for k in range(12)]
    found = [pairs.meets(seed, False) for seed in seeds]
    best = max(range(12), key=lambda k: len(found[k]))
    first, second = pairs.choose(seeds, 2)
    assert first == seeds[best]
    assert len(pairs.meets(second, False) - found[best]) == max(len(x - found[best]) for x in found)


# The verdict


def test_a_backend_that_refuses_nearly_everything_is_not_covered():
    def modest(about, arrays):
        if about["learn"]:
            raise Unsupported("learning")
        return reference(about, arrays)

    backend = Backend("modest", modest, FLOAT32)
    chosen = [x for x in select(FLOAT32, 0) if x.id.startswith(("tie", "zero", "dyadic", "random"))]
    run = Run(backend, tuple(runner.run(backend, chosen)), 0)
    assert run.verdict == "not covered" and not run.good and len(run.passed) >= 10
    text = verdict.summary(run).splitlines()
    assert any(line.startswith("must pass: one dialect; the nearest one lacks ") for line in text)
    assert text[-1].startswith("oracle: NOT COVERED: modest (format float32): ")


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("level", ["L0", "L2"])
def test_one_dialect_in_full_is_enough_and_each_of_its_vectors_is_needed(name, level):
    profile = replace(PROFILES[name], level=level)
    (requirement,) = must_pass(profile)
    ids = [id.replace("*", "7") for id in requirement.groups[2]]
    backend = Backend("one dialect", reference, profile)
    enough = outcomes_of(profile, dict.fromkeys(ids, "pass"), "unsupported")
    assert Run(backend, enough, 7).verdict == "passed"
    for id in ids:
        less = tuple(replace(x, status="unsupported") if x.id == id else x for x in enough)
        assert Run(backend, less, 7).verdict == "not covered", id
        wrong = tuple(replace(x, status="fail") if x.id == id else x for x in enough)
        assert Run(backend, wrong, 7).verdict == "failed", id


def test_every_vector_of_the_must_pass_list_exists():
    ids = {*vectors("float64"), *fresh_ids(7)}
    assert {vector.id for vector in select(FLOAT32, 7, "random")} == set(fresh_ids(7))
    for profile in PROFILES.values():
        for group in must_pass(profile)[0].groups:
            assert {name.replace("*", "7") for name in group} <= ids


def test_undecided_vectors_are_failures_only_where_the_trace_shows_all():
    for level, word in (("L0", "passed"), ("L1", "passed"), ("L2", "failed")):
        profile = replace(FLOAT32, level=level)
        outcomes = (*outcomes_of(profile, {}), Outcome("more", "inconclusive", "", ""))
        assert Run(Backend("b", reference, profile), outcomes, 7).verdict == word


@pytest.mark.parametrize("level", ["L0", "L1"])
@pytest.mark.parametrize("name", ["float32", "Q8.16"])
def test_a_correct_backend_that_shows_only_spikes_and_weights_passes(level, name):
    profile = replace(PROFILES[name], level=level)
    backend = Backend("spikes only", reference, profile)
    groups = [id.replace("*", "3") for id in must_pass(profile)[0].groups[0]]
    chosen = [x for x in select(profile, 3) if x.id in groups]
    outcomes = list(runner.run(backend, chosen))
    assert {x.status for x in outcomes} == {"pass"} and len(outcomes) == 4


def test_a_tie_is_decided_from_spikes_alone():
    profile = replace(FLOAT32, level="L0")

    def strict(about, arrays):
        other = "above" if about["dialect"] == "paper" else "at_or_above"
        dialect = features.Case(about, arrays).dialect()
        spelled = {axis: getattr(dialect, axis) for axis in features.Case(about, arrays).dialect().__dataclass_fields__}
        del spelled["name"]
        return reference(about | {"dialect": spelled | {"threshold": other}}, arrays)

    (tie,) = (x for x in select(profile, 0) if x.id == "tie-paper")
    (outcome,) = runner.run(Backend("strict", strict, profile), [tie])
    assert outcome.status == "fail" and "S[" in outcome.text


def test_the_report_says_what_made_it():
    run = Run(Backend("b", reference, FLOAT32), outcomes_of(FLOAT32, {}), 7)
    content = verdict.content(run)
    assert content["verdict"] == "passed" and content["vectors_version"] == 3 and content["must_pass"]["met"]
    assert len(content["catalogue_sha256"]) == 64 and content["date"].count("-") == 2
    assert content["coverage"]["all_features"] == len(FEATURES) and content["profile"]["format"] == "float32"


# The end of a run


@pytest.mark.parametrize("array", ["loss", "P_final", "Q_final", "R_final", "m_W_final", "u_b_final"])
@pytest.mark.parametrize("id", ["adamax-momentum", "pairs-40"])
def test_a_wrong_loss_or_final_state_fails_where_it_is_shown(id, array):
    vector = vectors("float32")[id]
    right = reference(vector.about, vector.arrays)
    wrong = right | {f"layer1_{array}": right[f"layer1_{array}"] * np.float32(1.01)}
    for trace, status in ((right, "pass"), (wrong, "fail")):
        (outcome,) = runner.run(Backend("b", lambda about, arrays, trace=trace: trace, FLOAT32), [vector])
        assert outcome.status == status, outcome.text
    assert f"layer 1, {array}" in outcome.text


def test_final_weights_are_required_where_the_case_learns():
    vector = vectors("float32")["sgd"]
    trace = reference(vector.about, vector.arrays)
    del trace["layer2_W_final"]
    (outcome,) = runner.run(Backend("b", lambda about, arrays: trace, FLOAT32), [vector])
    assert outcome.status == "fail" and "expected an array layer2_W_final, got none" in outcome.text


def test_the_numpy_example_passes_fresh_cases_of_the_whole_format():
    backend = load(f"{ROOT / 'examples' / 'numpy_backend.py'}:backend")
    outcomes = list(runner.run(backend, select(FLOAT32, 11, "random")))
    assert [x.id for x in outcomes if x.status != "pass"] == []
