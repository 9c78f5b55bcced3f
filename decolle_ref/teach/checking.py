"""Checking: is a student's function right, and if not, which hint fits?

The function is called on fresh random arguments, several times; the seed is the name of the task, so every run gives
the same verdict.  It sees copies, and any correct form passes.  If an answer is wrong, the first place that differs is
named, and the hint is the first of these that fits all calls:

- that of the slip with the same results as the student's function,
- that of the task's own `explain`,
- a general one: another sign, a constant factor, a transpose, too little precision.
"""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.teach import registry
from decolle_ref.teach.outcome import Outcome, alike, difference, outcome
from decolle_ref.teach.task import Function, Task, Verdict

DRAWS = 5
NEARLY = 1e-3  # a relative error below this, and above the tolerance, is a matter of precision

Calls = Sequence[Outcome]


def check(task: str, function: Function) -> Verdict:
    """Check a student's function, and print the verdict.

    Parameters
    ----------
    task : the name of the exercise
    function : the student's

    Returns
    -------
    Verdict

    Raises
    ------
    InputError
        If there is no such task, or the second argument is not a function.
    """
    if not callable(function):
        raise InputError(f"{task}: expected a function, got {type(function).__name__} (write {task} without brackets)")
    verdict = judge(registry.find(task), function)
    print(verdict)
    return verdict


def judge(task: Task, function: Function) -> Verdict:
    """The verdict on a function.

    Parameters
    ----------
    task : the exercise
    function : the student's

    Returns
    -------
    Verdict
    """
    rng = np.random.default_rng(list(task.name.encode()))
    arguments = [task.draw(rng) for _ in range(DRAWS)]
    like = [task.solution(*each) for each in arguments]

    def calls(f: Function) -> list[Outcome]:
        return [outcome(f, each, answer) for each, answer in zip(arguments, like, strict=True)]

    got = calls(function)
    if any(call.to_do for call in got):
        return Verdict(task.name, "to do")
    expected = calls(task.solution)
    problems = [difference(*pair, task.tolerance) for pair in zip(got, expected, strict=True)]
    if not any(problems):
        if _same(calls(function), expected, task.tolerance):
            return Verdict(task.name, "pass")
        problem = "right in the first call, wrong in a second one: does it keep something between calls?"
        return Verdict(task.name, "not yet", problem)
    hint = next((slip.hint for slip in task.slips if _same(got, calls(slip.answer), task.tolerance)), "")
    hint = hint or (task.explain(function) if task.explain else "") or _general(got, expected, task.tolerance)
    return Verdict(task.name, "not yet", next(filter(None, problems)), hint)


def _same(got: Calls, other: Calls, tolerance: float) -> bool:
    return all(alike(*pair, tolerance) for pair in zip(got, other, strict=True))


def _general(got: Calls, expected: Calls, tolerance: float) -> str:
    """A hint that needs no knowledge of the task."""
    if any(call.problem for call in got):
        return ""
    pairs = [(a.parts[name], b.parts[name]) for a, b in zip(got, expected, strict=True) for name in b.parts]
    if all(a.shape == b.shape[::-1] and np.allclose(a.T, b, rtol=0, atol=tolerance) for a, b in pairs):
        return "Your result is the transpose of the right one."
    if any(a.shape != b.shape for a, b in pairs):
        return ""
    a, b = (np.concatenate([array.ravel().astype(float) for array in side]) for side in zip(*pairs, strict=True))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return "Some of your numbers are not finite." if np.isfinite(b).all() else ""
    scale = np.abs(b).max()
    if np.abs(a - b).max() <= NEARLY * scale:
        return "Your numbers are nearly right: is something rounded, or computed in float32?"
    factor = float(a @ b / (b @ b or 1))
    if factor and np.abs(a - factor * b).max() <= tolerance * scale:
        wrong = "sign" if abs(factor + 1) <= tolerance else "size"
        return f"Only the {wrong} is wrong: your result is the right one times {factor:.6g}, everywhere."
    return ""
