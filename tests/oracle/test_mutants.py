"""Every mutant changes its equation, is killed with guaranteed power, and is named; two at once are named, too."""

import re
from functools import cache
from pathlib import Path

import pytest

from decolle_ref.oracle.check import residual
from decolle_ref.oracle.diagnose import FAMILIES, HYPOTHESES, windows
from decolle_ref.oracle.diagnose.mutants import MUTANTS, matrix
from decolle_ref.oracle.profile import PROFILES

STRICT = "float64", "float32", "Q8.16"
PAGE = Path(__file__).parents[2] / "docs" / "kill_matrix.md"
LATER = "recorded under|is recorded"  # mistakes of the recording are named for several equations at once


@cache
def vectors(name):
    return matrix.vectors(PROFILES[name], [mutant.vector for mutant in MUTANTS.values()])


def test_there_are_at_least_forty_mutants_and_each_has_a_name_that_the_diagnosis_knows():
    known = {each.name for table in (HYPOTHESES, FAMILIES) for rows in table.values() for each in rows}
    assert len(MUTANTS) >= 40
    assert {name for name in MUTANTS if not re.search(LATER, name)} <= known


@pytest.mark.parametrize("id", sorted({mutant.vector for mutant in MUTANTS.values()}))
def test_the_implementation_without_a_mutant_is_right(id):
    case = vectors("float32")[id]
    assert residual.check(matrix.trace(PROFILES["float32"], case))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_changes_its_equation_and_is_killed_with_guaranteed_power_and_named(name):
    mutant = MUTANTS[name]
    kill = matrix.kill(PROFILES["float32"], vectors("float32")[mutant.vector], mutant)
    assert kill.ratio >= matrix.POWER
    assert kill.named >= 1


@pytest.mark.parametrize("name", ["Q decays with alpha", "U adds R", "dW from Q", "W moves uphill", "delta with |G|"])
def test_a_part_of_a_large_layer_does_not_exclude_the_truth(name, monkeypatch):
    monkeypatch.setattr(windows, "LARGE", 0)
    mutant = MUTANTS[name]
    assert matrix.kill(PROFILES["float32"], vectors("float32")[mutant.vector], mutant).named


def test_two_mutants_of_different_equations_are_both_named():
    apart = [(one, other) for one, other in matrix.pairs(20) if one.equation != other.equation]
    assert all(matrix.both_named(PROFILES["float32"], pair) for pair in apart[:6])


@pytest.mark.study
@pytest.mark.parametrize("profile", STRICT)
def test_every_mutant_is_killed_under_every_strict_profile_and_named(profile):
    kills = {name: matrix.kill(PROFILES[profile], vectors(profile)[m.vector], m) for name, m in MUTANTS.items()}
    print(profile, {name: kill for name, kill in kills.items() if kill.ratio < 2 or kill.named != 1})
    assert all(kill.ratio >= matrix.POWER and kill.named for kill in kills.values())


@pytest.mark.study
@pytest.mark.parametrize("profile", STRICT)
def test_of_sixty_pairs_nine_in_ten_have_both_names(profile):
    named = [matrix.both_named(PROFILES[profile], pair) for pair in matrix.pairs()]
    print(profile, sum(named), "of", len(named))
    assert sum(named) >= 0.9 * matrix.PAIRS


def test_the_page_has_every_mutant_and_every_profile():
    rows = [line.split(" | ") for line in PAGE.read_text().replace("\\|", "\0").splitlines() if line.startswith("| ")]
    assert [cell.strip("| ") for cell in rows[0]][3:7] == [profile.name for profile in matrix.PAGE]
    names = [row[0].removeprefix("| ").replace("\0", "|") for row in rows[2:]]
    assert names == list(MUTANTS)
