"""The report on a derivation: the worst entry, and the simplest explanations of the numbers.

>>> got, exact = {"W1": np.array([[1.0, 2.5]])}, {"W1": np.array([[1.0, 2.0]])}
>>> worst_entry(got, exact)
Entry(matrix='W1', place=(0, 1), got=2.5, exact=2.0, error=0.25)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import InputError, floats
from decolle_ref._util.verdict import within
from decolle_ref.credit.audit.hypotheses import BackwardCache, BackwardInputs, Explanation, Gradients, explanations
from decolle_ref.credit.neuron import spiking


class Entry(NamedTuple):
    """One number of the answer."""

    matrix: str
    place: tuple[int, ...]
    got: float
    exact: float
    error: float  # |got - exact|, relative to the largest entry of the matrix


class Finding(NamedTuple):
    """Some matrices, and the simplest explanations that give their numbers; none: unexplained."""

    matrices: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    likeness: str = ""  # where there are none: how near the numbers are


@dataclass(frozen=True)
class DerivationReport:
    """The result of a check.  `bool(report)` is True when the derivation is exact, `str(report)` explains it."""

    exact: bool
    checked: tuple[str, ...]
    worst: Entry
    findings: tuple[Finding, ...]
    note: str = ""

    def __bool__(self) -> bool:
        return self.exact

    def __str__(self) -> str:
        if self.exact:
            return f"exact: {', '.join(self.checked)}, worst relative error {self.worst.error:.1e}"
        lines = [self.note] if self.note else []
        for matrices, simplest, likeness in self.findings:
            names = ", ".join(matrices)
            lines += [f"{'or  ' if k else ''}{names}: {str(e) or 'exact'}" for k, e in enumerate(simplest)]
            lines += [] if simplest else [f"{names}: unexplained, {likeness}"]
        place = f"{self.worst.matrix}{list(self.worst.place)}"
        return "\n".join([*lines, f"worst entry: {place}, got {self.worst.got:.9g}, exact {self.worst.exact:.9g}"])


@np.errstate(all="ignore")  # numbers near the end of the range may overflow; these are never exact
def worst_entry(got: Gradients, exact: Gradients) -> Entry:
    """The entry of `got` with the largest relative error, over all its matrices.

    Parameters
    ----------
    got : matrices by name
    exact : the right ones, by the same names

    Returns
    -------
    Entry
    """
    entries = []
    for name, value in got.items():
        right = floats(name, exact[name])
        array = floats(name, value, *right.shape)
        if not right.shape or not right.size:
            raise InputError(f"{name}: expected at least one entry, got shape {right.shape}")
        difference = np.abs(array - right)
        index = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), array.shape))
        relative = float(difference[index] / (np.abs(right).max() or 1))
        error = relative if np.isfinite(relative) else np.inf  # NaN is never the smaller error
        entries.append(Entry(name, index, float(array[index]), float(right[index]), error))
    return max(entries, key=lambda entry: entry.error)


@np.errstate(all="ignore")
def explain(
    answers: Sequence[Gradients], inputs: Sequence[BackwardInputs], exact: Sequence[Gradients], tolerance: float
) -> tuple[Finding, ...]:
    """One finding for all matrices together if an explanation fits them all, else one for each matrix.

    Parameters
    ----------
    answers : the numbers of the derivation, one set per network
    inputs : of the backward pass, one per network
    exact : the right numbers, one set per network
    tolerance : relative to the largest entry of a matrix

    Returns
    -------
    findings, all with the simplest explanations
    """
    names = tuple(answers[0])
    groups = [names] if len(names) == 1 else [names, *((name,) for name in names)]
    together, *single = _simplest(answers, inputs, groups, tolerance)
    findings = [together] if together.explanations or not single else single
    return tuple(
        f if f.explanations else f._replace(likeness=_likeness(answers[0], exact[0], f.matrices)) for f in findings
    )


def _same(got: Gradients, other: Gradients, names: Sequence[str], tolerance: float) -> bool:
    """Do the named matrices agree?"""
    sizes = {name: np.max(np.abs([got[name], other[name]])) for name in names}
    return all(within(got[name], other[name], tolerance * size).all() for name, size in sizes.items())


def _likeness(got: Gradients, exact: Gradients, names: Sequence[str]) -> str:
    """How near unexplained numbers are to the exact ones."""
    a, b = (np.concatenate([numbers[name].ravel() for name in names]) for numbers in (got, exact))
    size = float(np.linalg.norm(a) * np.linalg.norm(b)) or 1.0
    return f"cosine to the exact gradient {a @ b / size:.3f}, best factor {a @ b / (b @ b or 1):.4g}"


def _simplest(
    answers: Sequence[Gradients],
    inputs: Sequence[BackwardInputs],
    groups: Sequence[tuple[str, ...]],
    tolerance: float,
) -> list[Finding]:
    """For each group of matrices, all explanations of the lowest order that give its numbers on every network.

    The first group has all matrices: once it is explained, the others need not be.
    """
    findings = [Finding(group, ()) for group in groups]
    caches: list[BackwardCache] = [{} for _ in inputs]
    for explanation in explanations(spiking.paths(inputs[0].cell)):
        wanted = [not f.explanations or f.explanations[0].order == explanation.order for f in findings]
        if not wanted[0]:
            break
        numbers = [explanation.apply(inputs[0], caches[0])]
        for k, (group, simplest, _) in enumerate(findings):
            if wanted[k] and _same(answers[0], numbers[0], group, tolerance):
                numbers += [explanation.apply(inputs[i], caches[i]) for i in range(len(numbers), len(inputs))]
                if all(_same(a, b, group, tolerance) for a, b in zip(answers, numbers, strict=True)):
                    findings[k] = Finding(group, (*simplest, explanation))
    return findings
