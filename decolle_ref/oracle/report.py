"""A verdict for people and as JSON: the first failure, what passed before it, and the steps that show it.

>>> place(Failure(step=3, layer=1, equation="P", index=(0, 5), got=1.0, expected=2.0, bound=0.1, ratio=10.0))
'P of sample 0, input 5'
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.cases import Case
from decolle_ref.decolle.optim import Adamax, Moments
from decolle_ref.oracle.check.residual import Failure, Verdict
from decolle_ref.oracle.diagnose import Explanation
from decolle_ref.oracle.diagnose.places import WEIGHTS, axes
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.trace import ORDER, Operands, Trace


def text(verdict: Verdict, explanations: Sequence[Explanation] = ()) -> str:
    """The verdict in a few lines.

    Parameters
    ----------
    verdict : the result of the residual check
    explanations : of the equations that fail, the first failure first

    Returns
    -------
    str
    """
    if verdict.failure is None:
        (layer, equation), ratio = max(verdict.worst().items(), key=lambda entry: entry[1])
        steps = len(verdict.slots[0].got)
        used = f"used most: {100 * ratio:.0f} % of its bound, by {equation} of layer {layer}" if ratio else "all exact"
        return f"PASS: {len(verdict.slots)} equations at {steps} steps hold ({used})"
    lines = ["FAIL", *_failure(verdict.failure, verdict.profile)]
    lines += [in_words(explanation) for explanation in explanations[:1]]
    lines += [f"also fails, on its own numbers: {_named(other)}: {in_words(other)}" for other in explanations[1:]]
    return "\n".join(lines)


def in_words(explanation: Explanation) -> str:
    """What may have caused the failures of an equation, or that no known mistake did.

    Parameters
    ----------
    explanation : from the diagnosis

    Returns
    -------
    str
    """
    causes = [str(cause) for cause in explanation.causes]
    where = f"; it fails {explanation.where}" if explanation.where else ""
    if len(causes) > 1:
        return f"consistent with one of: {'; or '.join(causes)}{where}"
    if causes:
        return f"consistent with: {causes[0]}{where}"
    name = " and ".join(explanation.equations)
    return f"unexplained, equation {name}: {explanation.tried} known mistakes, alone and in pairs, do not fit{where}"


def _named(explanation: Explanation) -> str:
    layers = ", ".join(map(str, explanation.layers))
    return f"{' and '.join(explanation.equations)} of layer{'s' if len(explanation.layers) > 1 else ''} {layers}"


def _failure(failure: Failure, profile: Profile) -> list[str]:
    exactly = "must hold exactly" if failure.bound == 0 else f"{failure.ratio:.3g} times the bound {failure.bound:.2g}"
    return [
        f"first failure: step {failure.step}, layer {failure.layer}, {place(failure)}",
        f"  got       {failure.got:<24.17g} {failure.got.hex()}",
        f"  expected  {failure.expected:<24.17g} {failure.expected.hex()}",
        f"  off by    {_size(failure, profile)}; {exactly}",
        f"everything upstream passed: {upstream(failure)}",
    ]


def _size(failure: Failure, profile: Profile) -> str:
    """A small difference in units in the last place, a large one relative to the expected number, which may be 0."""
    off = abs(failure.got - failure.expected)
    if failure.expected == 0:
        return f"{off:.3g}, where 0 is right"
    ulps = off / float(profile.ulp(np.asarray(failure.expected)))
    if ulps < 1000:
        return f"{ulps:.3g} units in the last place of {profile.shown}"
    return f"{off / abs(failure.expected):.3g} times the expected number"


def place(failure: Failure) -> str:
    """The equation and the entry in words.

    Parameters
    ----------
    failure : the failure

    Returns
    -------
    str
        Such as "P of sample 0, input 5", or "W[2, 3]".
    """
    if failure.equation in WEIGHTS:
        entry = ", ".join(map(str, failure.index))
        return f"{failure.equation}[{entry}]"
    names = axes(failure.equation, len(failure.index))
    entry = ", ".join(f"{n} {i}" for n, i in zip(names, failure.index, strict=True))
    return f"{failure.equation} of {entry}" if entry else failure.equation


def upstream(failure: Failure) -> str:
    """The equations that are computed before the failing one, all of which hold.

    Parameters
    ----------
    failure : the failure

    Returns
    -------
    str
    """
    parts = [f"all equations before step {failure.step}"] if failure.step else []
    if failure.layer > 1:
        parts.append(f"at step {failure.step} every layer below")
    before = ORDER[: ORDER.index(failure.equation)]
    if before:
        parts.append(f"{', '.join(before)} of layer {failure.layer}")
    return "; ".join(parts) or "nothing comes before it"


def content(verdict: Verdict, explanations: Sequence[Explanation] = ()) -> dict[str, Any]:
    """The verdict as JSON.

    Parameters
    ----------
    verdict : the result of the residual check
    explanations : of the equations that fail, the first failure first

    Returns
    -------
    dict
        Numbers that are not finite become None, which JSON has.
    """
    failure = verdict.failure
    worst = {f"layer{k}_{name}": ratio for (k, name), ratio in verdict.worst().items()}
    entries: dict[str, Any] = {
        "status": "pass" if verdict else "fail",
        "profile": asdict(verdict.profile),
        "residual_over_bound": {name: _finite(ratio) for name, ratio in worst.items()},
    }
    if failure is not None:
        numbers = {name: _finite(x) if isinstance(x, float) else x for name, x in asdict(failure).items()}
        causes = explanations[0].causes if explanations else ()
        entries["failure"] = numbers | {
            "index": list(failure.index),
            "got_hex": failure.got.hex(),
            "expected_hex": failure.expected.hex(),
            "consistent_with": [str(cause) for cause in causes],
        }
        entries["failing_equations"] = [_entry(explanation) for explanation in explanations]
    return entries


def _entry(explanation: Explanation) -> dict[str, Any]:
    return {
        "equations": list(explanation.equations),
        "layers": list(explanation.layers),
        "causes": [cause._asdict() for cause in explanation.causes],
        "tried": explanation.tried,
        "where": explanation.where,
    }


def _finite(x: float) -> float | None:
    """x, or None where it is not finite."""
    return x if np.isfinite(x) else None


def excerpt(trace: Trace, failure: Failure) -> Case | None:
    """The step that fails and the one before it, as a case that starts from the implementation's own numbers.

    Parameters
    ----------
    trace : the trace that failed, of level L2
    failure : from its verdict

    Returns
    -------
    Case or None
        One or two steps, in the dtype of the trace's case; None where this dtype does not hold the trace's numbers.
    """
    case = trace.case
    last = min(failure.step, case.about["steps"] - 1)
    steps = slice(max(0, last - 1), last + 1)
    about = dict(case.about) | {
        "name": f"{case.about['name']}-step-{failure.step}",
        "steps": steps.stop - steps.start,
        "initial_state": "given",
        "n": case.about.get("n", 0) + steps.start,
    }
    if case.about["learn"]:
        about["updates"] = trace.layers[0].updates + int(trace.layers[0].learns[: steps.start].sum())
        if isinstance(trace.layers[0].optimiser, Adamax):
            about["memory"] = "given"
    arrays = {name: x[steps] for name, x in case.arrays.items() if name in ("inputs", "schedule")}
    with np.errstate(all="ignore"):  # numbers near the end of the range may overflow
        for k, operands in enumerate(trace.layers, start=1):
            start = _start(operands, steps)
            arrays |= {f"layer{k}_{name}": np.asarray(x).astype(about["dtype"]) for name, x in start.items()}
    if not all(np.isfinite(x).all() for x in arrays.values()):
        return None
    return replace(case, about=about, arrays=arrays)


def _start(operands: Operands, steps: slice) -> dict[str, Array]:
    """The case's arrays of one layer, where state, weights and moments are those of the trace at the first step."""
    n, arrays = steps.start, operands.case_from(steps)
    if operands.optimiser is not None:
        arrays |= {x: operands.trace[x][n] for x in "Wb"}
    if isinstance(operands.optimiser, Adamax):
        arrays |= _moments(operands, operands.optimiser, n)
    return arrays


def _moments(operands: Operands, optimiser: Adamax, n: int) -> dict[str, Array]:
    """m and u after the updates of the first n steps, from the gradients of the trace."""
    arrays: dict[str, Array] = {}
    for x in "Wb":
        zero = np.zeros_like(operands.case[x])
        moments = Moments(operands.case.get(f"m_{x}", zero), operands.case.get(f"u_{x}", zero), operands.updates)
        for g in operands.trace[f"d{x}"][:n][operands.learns[:n]]:
            _, moments = optimiser.update(zero, g, moments, np.zeros(()))
        arrays |= {f"m_{x}": moments.m, f"u_{x}": moments.u}
    return arrays
