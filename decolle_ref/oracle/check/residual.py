"""The residual check: every equation, at every step, in every layer, on the implementation's own numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import cases
from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case, width
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.network import Layer
from decolle_ref.oracle.check.equations import FORWARD, Operands
from decolle_ref.oracle.check.error_bounds import Arithmetic
from decolle_ref.oracle.check.learning import BACKWARD, ORDER, UPDATE, required
from decolle_ref.oracle.profile import Profile

EQUATIONS = {**UPDATE, **FORWARD, **BACKWARD}


class Slot(NamedTuple):
    """One equation of one layer over all steps."""

    layer: int  # from 1
    equation: str
    got: Array  # (T, ...)
    expected: Array
    bound: Array

    @property
    def ratio(self) -> Array:
        """|got - expected| / bound: at most 1 where the equation holds; infinite where it must hold exactly."""
        off = np.abs(self.got - self.expected)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(off == 0, 0.0, off / self.bound)


@dataclass(frozen=True)
class Failure:
    """The first place where an equation does not hold."""

    step: int
    layer: int
    equation: str
    index: tuple[int, ...]  # within the step: (sample, neuron), or the index of a weight
    got: float
    expected: float
    bound: float
    ratio: float


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    profile: Profile
    slots: tuple[Slot, ...]
    failure: Failure | None

    def __bool__(self) -> bool:
        return self.failure is None

    def worst(self) -> dict[tuple[int, str], float]:
        """The largest ratio of every layer's equations: how much of its bound each one used."""
        return {(slot.layer, slot.equation): float(slot.ratio.max(initial=0)) for slot in self.slots}


def check(case: Case, shown: Mapping[str, Array], profile: Profile) -> Verdict:
    """Evaluate all equations of `case` on a trace that shows everything (level L2).

    Raises InputError, in one line, for arrays that are missing, of another shape, or not finite, and for a case whose
    constants are not decays.
    """
    arrays = validate(case, shown)
    representable(arrays, profile)
    arithmetic = Arithmetic(profile)
    slots = [
        slot
        for k, operands in enumerate(layers(case, arrays), start=1)
        for slot in evaluate(k, operands, arithmetic, required(case.about))
    ]
    return Verdict(profile, tuple(slots), first_failure(slots))


def representable(arrays: Mapping[str, Array], profile: Profile) -> None:
    """Raise InputError for a number that an implementation of this profile cannot have: its format does not hold it."""
    for name, array in arrays.items():
        off = profile.quantise(array) != array
        if off.any():
            place = tuple(int(i) for i in np.argwhere(off)[0])
            got = f"got {float(array[place])!r} at {place}"
            raise InputError(f"trace {name}: expected numbers of the declared format {profile.format}, {got}")


def evaluate(k: int, operands: Operands, arithmetic: Arithmetic, names: list[str]) -> list[Slot]:
    """The slots of one layer."""
    found = []
    for name in names:
        expected = EQUATIONS[name](operands, arithmetic)
        got = operands.shown[name]
        if name in UPDATE and f"{name}_final" in operands.shown:
            got = np.concatenate([got, operands.shown[f"{name}_final"][None]])
        found.append(Slot(k, name, got, *expected))
    return found


def first_failure(slots: list[Slot]) -> Failure | None:
    """The first step, then the lowest layer, then the equation that is needed first, then the worst entry."""
    found = []
    for slot in slots:
        ratio = slot.ratio
        steps = np.flatnonzero((ratio > 1).reshape(len(ratio), -1).any(axis=1))
        if len(steps):
            found.append((int(steps[0]), slot.layer, ORDER.index(slot.equation), slot, ratio[steps[0]]))
    if not found:
        return None
    step, layer, _, slot, ratio = min(found, key=lambda entry: entry[:3])
    index = tuple(int(i) for i in np.unravel_index(ratio.argmax(), ratio.shape))
    got, expected, bound = (float(x[step][index]) for x in (slot.got, slot.expected, slot.bound))
    return Failure(step, layer, slot.equation, index, got, expected, bound, float(ratio[index]))


def layers(case: Case, arrays: Mapping[str, Array]) -> list[Operands]:
    """What is known of every layer."""
    about, dialect = case.about, case.dialect()
    learner, steps = case.learner(), np.arange(case.about["steps"]) + case.about.get("n", 0)
    learns = steps >= learner.burn_in if learner else np.zeros(len(steps), bool)
    found, spikes = [], np.asarray(case.inputs, np.float64)
    for k, layer in enumerate(case.network(), start=1):
        own = {name: _of(arrays, k, name) for name in [*EQUATIONS, "W_final", "b_final"]}
        shown = {name: array for name, array in own.items() if array is not None}
        optimiser = learner.optimiser if learner else None
        found.append(
            Operands(in_float64(layer), dialect, _case(case, k), shown, spikes, optimiser, counted(about), learns)
        )
        spikes = shown["S"]
    return found


def counted(about: Mapping[str, Any]) -> int:
    """The updates that the optimiser's memory holds at the start: a fresh one counts from 0."""
    return int(about.get("updates", 0)) if about.get("memory") == "given" else 0


def in_float64(layer: Layer) -> Layer:
    """The layer, its constants as float64: only structure and flags are read of it."""
    n = layer.neuron
    alpha, beta, gamma, delta, gain_Q, gain_P = (np.asarray(x, np.float64) for x in n[:6])
    return layer._replace(neuron=LIF(alpha, beta, gamma, delta, gain_Q, gain_P, n.P_reads, n.U_reads))


def _case(case: Case, k: int) -> dict[str, Array]:
    """The case's own arrays of layer k in float64; a learning rate of W gets W's number of axes."""
    lead = f"layer{k}_"
    return {name.removeprefix(lead): x.astype(np.float64) for name, x in case.arrays.items() if name.startswith(lead)}


def _of(arrays: Mapping[str, Array], k: int, name: str) -> Array | None:
    return arrays.get(f"layer{k}_{name}")


def validate(case: Case, shown: Mapping[str, Array]) -> dict[str, Array]:
    """The trace's arrays in float64, if they are all there, of their shapes and finite.

    Raises InputError for the first that is not, and for a case that the check cannot evaluate.
    """
    if case.about["constants"] != "decay":
        raise InputError(f"constants: expected 'decay' for the oracle, got {case.about['constants']!r}")
    found: dict[str, Array] = {}
    for name, shape in shapes(case.about).items():
        if name not in shown:
            if name.endswith("_final"):
                continue
            raise InputError(f"trace: expected an array {name}, got none")
        found[name] = numbers(name, shown[name], shape)
    return found


def numbers(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    """One array of a trace in float64.  Raises InputError unless it has the shape and only finite numbers."""
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise InputError(f"trace {name}: expected numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise InputError(f"trace {name}: expected shape {shape}, got {array.shape}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"trace {name}: expected finite numbers, got {array[place]} at {place}")
    return array


def shapes(about: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every array that a trace may hold for the check, and its shape; those called _final are not required."""
    lead, given = (about["steps"], about["batch"]), cases.shapes(about)
    found: dict[str, tuple[int, ...]] = {}
    for k, layer in enumerate(about["layers"], start=1):
        W, b = (given[f"layer{k}_{x}"] for x in "Wb")
        each = {"Q": (*lead, layer["n_in"]), "P": (*lead, layer["n_in"]), "S": (*lead, width(layer))}
        each |= dict.fromkeys(("R", "U", "delta"), (*lead, layer["n"]))
        each |= dict.fromkeys(("Y", "e"), (*lead, layer["n_out"]))
        each |= {"dW": (lead[0], *W), "db": (lead[0], *b), "W": (lead[0], *W), "b": (lead[0], *b)}
        found |= {f"layer{k}_{name}": each[name] for name in required(dict(about))}
        if about["learn"]:
            found |= {f"layer{k}_W_final": W, f"layer{k}_b_final": b}
    return found
