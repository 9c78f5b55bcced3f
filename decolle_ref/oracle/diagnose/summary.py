"""What a whole run says: a cause counts only if it fits every failure of its equation.

>>> from decolle_ref.oracle.diagnose.explanation import Cause
>>> ended = [Ended("a", (Explanation(("U",), (1,), (Cause("U without b"),), 9),), frozenset())]
>>> summarise(ended)
['U: 1 of 1 failing vectors; consistent with: U without b']
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from decolle_ref.oracle.diagnose.explanation import Explanation, rest

MOST = 4  # causes, and features, that are named of one equation
ENOUGH = 3  # passing vectors, so that what they lack says something


class Ended(NamedTuple):
    """One vector after its run.

    Parameters
    ----------
    id : of the vector
    explanations : of the equations that fail; empty if it passed, or was refused
    features : of its case, such as ("pool", "2")
    """

    id: str
    explanations: tuple[Explanation, ...]
    features: frozenset[tuple[str, str]]


class _Found(NamedTuple):
    """What is known about one equation over a run."""

    equation: str
    failing: list[Ended]
    causes: Counter[str]
    pairs: set[str]  # the causes that are two mistakes


def summarise(ended: Sequence[Ended]) -> list[str]:
    """One line for each equation that fails, the most frequent first; equations with the same causes share a line.

    Parameters
    ----------
    ended : all vectors of the run whose trace was checked

    Returns
    -------
    list of str
    """
    failing = [vector for vector in ended if vector.explanations]
    passing = [vector for vector in ended if not vector.explanations]
    lines: dict[str, list[str]] = {}
    for found in _by_equation(failing):
        counts = f"{len(found.failing)} of {len(failing)} failing vectors"
        words = f"{counts}; {_causes(found)}{_only_with(found.failing, passing)}"
        lines.setdefault(words, []).append(found.equation)
    return [f"{', '.join(equations)}: {words}" for words, equations in lines.items()]


def _by_equation(failing: Sequence[Ended]) -> list[_Found]:
    found: dict[str, _Found] = {}
    for vector in failing:
        for explanation in vector.explanations:
            names = {rest(explanation, cause.name): cause.name for cause in explanation.causes}
            for equation in explanation.equations:
                entry = found.setdefault(equation, _Found(equation, [], Counter(), set()))
                entry.failing.append(vector)
                entry.causes.update(names.keys())
                entry.pairs.update(rest(explanation, cause.name) for cause in explanation.causes if cause.mistakes > 1)
    return sorted(found.values(), key=lambda entry: -len(entry.failing))


def _causes(found: _Found) -> str:
    """The causes that fit all failures, or how many each one fits, or none."""
    n = len(found.failing)
    common = [
        (cause, count) for cause, count in found.causes.most_common() if count >= min(n, 2) or cause not in found.pairs
    ]
    every = [cause for cause, count in common if count == n]
    if every:
        begin = "consistent with one of" if len(every) > 1 else "consistent with"
        return f"{begin}: {'; or '.join(_named(found.equation, cause) for cause in every[:MOST])}"
    if not common:
        return f"unexplained, equation {found.equation}"
    parts = [f"{_named(found.equation, cause)} fits {count} of {n} failures" for cause, count in common[:MOST]]
    return f"no known mistake fits all: {'; '.join(parts)}"


def _named(equation: str, cause: str) -> str:
    """The cause with its equation, if that is not part of its name."""
    if cause[:1].isupper() or cause.startswith("sigma'"):
        return cause
    return f"{equation}, {cause}" if cause.startswith("where") else f"{equation} {cause}"


def _only_with(failing: Sequence[Ended], passing: Sequence[Ended]) -> str:
    """The features that all failing vectors have and no passing one."""
    if len(passing) < ENOUGH:
        return ""
    common = frozenset.intersection(*(vector.features for vector in failing))
    alone = common - frozenset().union(*(vector.features for vector in passing))
    if not 0 < len(alone) <= MOST:
        return ""
    words = ", ".join(f"{factor} {value}" for factor, value in sorted(alone))
    return f"; only vectors with this fail: {words}"
