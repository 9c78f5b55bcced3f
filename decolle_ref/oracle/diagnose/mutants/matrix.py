"""The kill matrix: by how many bounds each mutant misses its equation, and whether the diagnosis names it.

A mutant is killed with guaranteed power where residual / bound >= 2: then no rounding that the profile allows can bring
it back.  It is named if the diagnosis has its name, alone or in a class of mistakes with the same numbers.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.diagnose.explanation import Explanation, rest
from decolle_ref.oracle.diagnose.mutants.candidate import candidate
from decolle_ref.oracle.diagnose.mutants.mutant import Mutant
from decolle_ref.oracle.diagnose.mutants.planted import MUTANTS
from decolle_ref.oracle.diagnose.mutants.planting import SQUARE
from decolle_ref.oracle.diagnose.search import explain_all
from decolle_ref.oracle.profile import PROFILES, Profile
from decolle_ref.oracle.trace import Trace, parse_trace
from decolle_ref.oracle.vectors.catalogue import dtype_of, quantised, select
from decolle_ref.oracle.vectors.properties import Vector
from decolle_ref.oracle.vectors.random_cases import dense, random_case, vector

POWER = 2.0  # bounds, from which on a kill is guaranteed
PAGE = tuple(PROFILES[name] for name in ("float64", "float32", "Q8.16", "bfloat16"))
PAIRS, SEED = 60, 16
BAR = "\\|"  # in a table of Markdown


class Kill(NamedTuple):
    """What became of a mutant under one profile.

    Parameters
    ----------
    ratio : the largest residual over bound of its equation; infinite where the equation must hold exactly
    named : how many mistakes the diagnosis names for its equation, its own among them; 0 if that is not
    """

    ratio: float
    named: int


def vectors(profile: Profile, ids: Iterable[str]) -> dict[str, Vector]:
    """Vectors of the catalogue by id, and `square`, in the profile's number format.

    Parameters
    ----------
    profile : of the implementation
    ids : of vectors

    Returns
    -------
    dict of str to Vector
    """
    wanted, found = set(ids), {SQUARE: square(profile)}
    for each in select(profile, 0):
        if each.id in wanted:
            found[each.id] = each
    return found


def square(profile: Profile) -> Vector:
    """Two dense layers of five neurons, five outputs and three samples, so that any two matrices can be exchanged.

    Parameters
    ----------
    profile : of the implementation

    Returns
    -------
    Vector
    """
    stack = dense(5, 5, 5, n_out=5)
    pair = random_case(7, stack, steps=12, batch=3, burn_in=4, optimiser={"kind": "sgd"})
    return quantised(vector(dtype_of(profile), SQUARE, "matrices transposed or exchanged", pair), profile)


def trace(profile: Profile, case: Vector, *mutants: Mutant) -> Trace:
    """The trace of a right implementation with these mistakes.

    Parameters
    ----------
    profile : its arithmetic
    case : the vector
    mutants : the mistakes

    Returns
    -------
    Trace
    """
    arrays = candidate(profile, *mutants)(case.about, case.arrays)
    return parse_trace(Case(case.about, case.arrays), arrays, profile)


def kill(profile: Profile, case: Vector, mutant: Mutant) -> Kill:
    """Check and explain one mutant.

    Parameters
    ----------
    profile : its arithmetic
    case : the vector
    mutant : the mistake

    Returns
    -------
    Kill
    """
    wrong = trace(profile, case, mutant)
    verdict = residual.check(wrong)
    ratio = max(worst for (_, equation), worst in verdict.worst().items() if equation == mutant.equation)
    return Kill(ratio, _named(explain_all(wrong, verdict), mutant))


def _named(explanations: Sequence[Explanation], mutant: Mutant) -> int:
    for explanation in explanations:
        if mutant.equation in explanation.equations and mutant.name in names(explanation):
            return len(explanation.causes)
    return 0


def names(explanation: Explanation) -> set[str]:
    """The names of all causes, as each of the equations has them.

    Parameters
    ----------
    explanation : from the diagnosis

    Returns
    -------
    set of str
        "W does not learn" is one of "W and b: does not learn".
    """
    found = {cause.name for cause in explanation.causes}
    parts = {rest(explanation, cause.name) for cause in explanation.causes}
    return found | {f"{x}{between}{part}" for x in explanation.equations for part in parts for between in (" ", ": ")}


def pairs(number: int = PAIRS) -> list[tuple[Mutant, Mutant]]:
    """Random pairs of mutants that one vector shows.

    Parameters
    ----------
    number : of pairs

    Returns
    -------
    list of (mutant, mutant)
    """
    planted = [mutant for mutant in MUTANTS.values() if mutant.vector == SQUARE and mutant.record is None]
    every = list(combinations(planted, 2))
    chosen = np.random.default_rng(SEED).choice(len(every), number, replace=False)
    return [every[k] for k in chosen]


def both_named(profile: Profile, pair: tuple[Mutant, Mutant]) -> bool:
    """Whether the diagnosis of a trace with two mistakes has both names.

    Parameters
    ----------
    profile : its arithmetic
    pair : the mistakes

    Returns
    -------
    bool
    """
    found: set[str] = set()
    for explanation in explain_all(trace(profile, square(profile), *pair)):
        for name in names(explanation):
            found |= {name, *name.split(", and ")}
    return all(mutant.name in found for mutant in pair)


def page(declared: Sequence[Profile] = PAGE, number: int = PAIRS) -> str:
    """The kill matrix of all mutants as a page.

    Parameters
    ----------
    declared : profiles, one per column
    number : of pairs of mutants

    Returns
    -------
    str
        Markdown.
    """
    profiles = [profile.name for profile in declared]
    columns = [_column(profile) for profile in declared]
    lines = [
        "| mistake | equation | vector | " + " | ".join(profiles) + " | named |",
        "| --- | --- | --- |" + " ---: |" * len(profiles) + " --- |",
    ]
    for name, mutant in MUTANTS.items():
        kills = [column[name] for column in columns]
        cells = " | ".join(_cell(each) for each in kills)
        mistake = name.replace("|", BAR)
        lines.append(f"| {mistake} | {mutant.equation} | `{mutant.vector}` | {cells} | {_words(kills)} |")
    counts = [f"{sum(each.ratio >= POWER for each in column.values())} of {len(column)}" for column in columns]
    killed = "; ".join(f"{name}: {count}" for name, count in zip(profiles, counts, strict=True))
    both = [sum(both_named(profile, pair) for pair in pairs(number)) for profile in declared]
    paired = "; ".join(f"{name}: {count} of {number}" for name, count in zip(profiles, both, strict=True))
    tail = f"Killed at twice the bound or more: {killed}.\n\nPairs of mistakes of which both are named: {paired}.\n"
    return HEAD.format(count=len(MUTANTS), pairs=number) + "\n".join(lines) + "\n\n" + tail


def _column(profile: Profile) -> dict[str, Kill]:
    cases = vectors(profile, {mutant.vector for mutant in MUTANTS.values()})
    return {name: kill(profile, cases[mutant.vector], mutant) for name, mutant in MUTANTS.items()}


def _cell(each: Kill) -> str:
    if not np.isfinite(each.ratio) or each.ratio > 1e30:
        return "exact"
    return f"{each.ratio:.2g}" if each.ratio >= POWER else f"({each.ratio:.2g})"


def _words(kills: Sequence[Kill]) -> str:
    counts = {each.named for each in kills}
    if counts == {1}:
        return "alone"
    return "not always" if 0 in counts else f"among {max(counts)}"


HEAD = """# Which mistakes does the oracle find?

{count} mistakes are planted, one at a time, in a right implementation, and the [oracle](oracle.md) checks its trace of
one vector. A number is the largest residual over the bound of the equation that the mistake breaks; *exact* means that
the equation must hold exactly, or that the right number is 0. From 2 on the kill is guaranteed: no rounding that the
profile allows can hide the mistake. A number in brackets is below 2. The last column says whether the diagnosis names
the mistake alone, or among others that give the same numbers on this vector, or not under every profile. A mutant in
which nothing changes would be worth nothing: the tests assert that each one changes its equation.

The diagnosis names only mistakes that fit all failures of an equation. It tries single mistakes first, in the order of
their plausibility, then mistakes with a number that it estimates, such as a decay that is 1 % off, and then pairs.
{pairs} random pairs of these mistakes are planted together, too.

`decolle-ref oracle mutants --out docs/kill_matrix.md` makes this page, in a few minutes.

"""
