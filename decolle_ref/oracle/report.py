"""What a check found, for people and as JSON: the first failure, what passed before it, and one step that shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.cases import Case
from decolle_ref.decolle.optim import Adamax, Moments
from decolle_ref.oracle.check.learning import ORDER
from decolle_ref.oracle.check.residual import Failure, Verdict, layers
from decolle_ref.oracle.profile import Profile

AXES = {"Q": ("sample", "input"), "P": ("sample", "input"), "Y": ("sample", "output"), "e": ("sample", "output")}
WEIGHTS = ("W", "b", "dW", "db")


def text(verdict: Verdict, explanation: Sequence[str] = ()) -> str:
    """The verdict in a few lines."""
    if verdict.failure is None:
        (layer, equation), ratio = max(verdict.worst().items(), key=lambda entry: entry[1])
        steps = len(verdict.slots[0].got)
        used = f"used most: {100 * ratio:.0f} % of its bound, by {equation} of layer {layer}" if ratio else "all exact"
        return f"PASS: {len(verdict.slots)} equations at {steps} steps hold ({used})"
    return "\n".join(["FAIL", *_failure(verdict.failure, verdict.profile, explanation)])


def _failure(failure: Failure, profile: Profile, explanation: Sequence[str]) -> list[str]:
    off = abs(failure.got - failure.expected)
    ulps = off / float(profile.ulp(np.asarray(failure.expected)))
    exactly = "must hold exactly" if failure.bound == 0 else f"{failure.ratio:.3g} times the bound {failure.bound:.2g}"
    lines = [
        f"first failure: step {failure.step}, layer {failure.layer}, {place(failure)}",
        f"  got       {failure.got:<24.17g} {failure.got.hex()}",
        f"  expected  {failure.expected:<24.17g} {failure.expected.hex()}",
        f"  off by    {_size(off, failure.expected, ulps, profile)}; {exactly}",
        f"everything upstream passed: {upstream(failure)}",
    ]
    if explanation:
        lines.append("consistent with: " + "; or ".join(explanation))
    else:
        lines.append(f"consistent with none of the known slips in the equation of {failure.equation}")
    return lines


def _size(off: float, expected: float, ulps: float, profile: Profile) -> str:
    """A small difference in units in the last place, a large one relative to what was expected."""
    if ulps < 1000 or expected == 0:
        return f"{ulps:.3g} units in the last place of {profile.format}"
    return f"a factor of {1 + off / abs(expected):.3g}" if off > abs(expected) else f"{off / abs(expected):.2g} of it"


def place(failure: Failure) -> str:
    """Equation and entry, in words."""
    if failure.equation in WEIGHTS:
        entry = ", ".join(map(str, failure.index))
        return f"{failure.equation}[{entry}]"
    names = AXES.get(failure.equation, ("sample", "neuron"))
    return f"{failure.equation} of " + ", ".join(f"{n} {i}" for n, i in zip(names, failure.index, strict=True))


def upstream(failure: Failure) -> str:
    """What is needed before the failing equation, and holds."""
    parts = [f"all equations before step {failure.step}"] if failure.step else []
    if failure.layer > 1:
        parts.append(f"at step {failure.step} every layer below")
    before = ORDER[: ORDER.index(failure.equation)]
    if before:
        parts.append(f"{', '.join(before)} of layer {failure.layer}")
    return "; ".join(parts) or "nothing comes before it"


def content(verdict: Verdict, explanation: Sequence[str] = ()) -> dict[str, Any]:
    """The same for machines."""
    failure = verdict.failure
    worst = {f"layer{k}_{name}": ratio for (k, name), ratio in verdict.worst().items()}
    found: dict[str, Any] = {
        "status": "pass" if verdict else "fail",
        "profile": asdict(verdict.profile),
        "residual_over_bound": {name: ratio if np.isfinite(ratio) else None for name, ratio in worst.items()},
    }
    if failure is not None:
        numbers = asdict(failure) | {"ratio": failure.ratio if np.isfinite(failure.ratio) else None}
        found["failure"] = numbers | {
            "index": list(failure.index),
            "got_hex": failure.got.hex(),
            "expected_hex": failure.expected.hex(),
            "consistent_with": list(explanation),
        }
    return found


def excerpt(case: Case, shown: Mapping[str, Array], failure: Failure) -> Case:
    """The one or two steps that show a failure, as a case that starts from the implementation's own numbers."""
    last = min(failure.step, case.about["steps"] - 1)
    first = max(0, last - 1)
    about = dict(case.about) | {
        "name": f"{case.about['name']}, step {failure.step}",
        "steps": last - first + 1,
        "initial_state": "given",
        "n": case.about.get("n", 0) + first,
    }
    arrays = {"inputs": case.inputs[first : last + 1]}
    for k, operands in enumerate(layers(case, shown), start=1):
        own = dict(operands.case)
        own |= (
            {f"{x}0": operands.before(x)[first] for x in "PQ"}
            if operands.layer.neuron.U_reads
            else {f"{x}0": operands.shown[x][first] for x in "PQ"}
        )
        own["R0"] = operands.shown["R"][first]
        if "target" in own:
            own["target"] = own["target"][first : last + 1]
        if case.about["learn"]:
            own |= {x: operands.shown[x][first] for x in "Wb"}
            about["updates"] = operands.updates + int(operands.learns[:first].sum())
            if isinstance(operands.optimiser, Adamax):
                about["memory"] = "given"
                own |= moments(operands.optimiser, own, operands.shown, operands.learns[:first], operands.updates)
        dtype = np.dtype(about["dtype"])
        arrays |= {f"layer{k}_{name}": np.asarray(x).astype(dtype) for name, x in own.items()}
    return replace(case, about=about, arrays=arrays)


def moments(
    optimiser: Adamax, own: Mapping[str, Array], shown: Mapping[str, Array], learns: Array, updates: int
) -> dict[str, Array]:
    """m and u after the updates of the steps before, from the gradients that were written down."""
    found: dict[str, Array] = {}
    for x in "Wb":
        gradients = shown[f"d{x}"][: len(learns)][learns]
        start = np.zeros(shown[f"d{x}"].shape[1:])
        memory = Moments(own.get(f"m_{x}", start), own.get(f"u_{x}", start), updates)
        for g in gradients:
            _, memory = optimiser.update(start, g, memory, np.zeros(()))
        found |= {f"m_{x}": memory.m, f"u_{x}": memory.u}
    return found
