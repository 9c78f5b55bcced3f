"""A candidate's trace: parsed once into a typed object, which the checks, the diagnosis and the report take.

    arrays by name  -- parse_trace -->  Trace  -- check -->  verdict  -- explain -->  hypotheses

The names of the arrays are those of docs/case_format.md.  There `e` is dL/dY and `delta` is dL/dU: the code outside
the oracle calls them dY and dU.

>>> required({"targets": True, "learn": False})
['Q', 'P', 'R', 'U', 'S', 'Y', 'e', 'delta', 'dW', 'db']
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from decolle_ref import cases
from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case, width
from decolle_ref.decolle.dialects import Dialect
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.optim import Optimiser
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.oracle.profile import Profile

FORWARD = ("Q", "P", "R", "U", "S", "Y")
BACKWARD = ("e", "delta", "dW", "db")
UPDATE = ("W", "b")
LOSS = "loss"
STATE = ("Q_final", "P_final", "R_final")
MEMORY = ("m_W_final", "u_W_final", "m_b_final", "u_b_final")
ORDER = (*UPDATE, *FORWARD, *BACKWARD, LOSS, *STATE, *MEMORY)  # within a step, each after what it is computed from


@dataclass(frozen=True)
class Operands:
    """One layer of a case, with what an implementation wrote down about it; arrays in float64, time first.

    Parameters
    ----------
    layer : the layer's synapse, neuron, readout, objective and pool
    dialect : the dialect of the case
    case : the case's arrays of this layer: W, b, G, c, alpha, beta, gamma, w, P0, target, rate_W, ...
    trace : the implementation's arrays of this layer: Q, P, R, U, S, Y, e, delta, dW, db, W, b, W_final, b_final
    spikes_in : (T, B, n_in), the input, or the spikes of the layer below
    optimiser : None where the case does not learn
    updates : how many updates the optimiser made before the first step
    learns : (T,), whether each step updates the weights
    schedule : (T,), the factor of the learning rates at each step, or None where it is 1
    """

    layer: Layer
    dialect: Dialect
    case: dict[str, Array]
    trace: dict[str, Array]
    spikes_in: Array
    optimiser: Optimiser | None
    updates: int
    learns: Array
    schedule: Array | None = None

    @property
    def mask(self) -> Mask:
        """The factors of dropout at all steps."""
        factors = self.case.get("mask")
        return KEEP if factors is None else Mask(**{self.dialect.value("dropout"): factors})

    @property
    def u(self) -> Array:
        """The potentials that are transmitted and read: U, or the winners of a pool."""
        pool = self.layer.pool
        return self.trace["U"] if pool is None else pool.pick(self.trace["U"], self.winners)

    @property
    def winners(self) -> Array:
        """The index of the winning neuron of every pooling window."""
        assert self.layer.pool is not None
        return self.layer.pool.winners(self.layer.pool_key(self.trace["U"]))

    def before(self, name: str) -> Array:
        """`name` one step earlier; at the first step, the state that the case starts from."""
        start = self.case.get(f"{name}0")
        first = np.zeros_like(self.trace[name][:1]) if start is None else start[None]
        return np.concatenate([first, self.trace[name][:-1]])

    def case_from(self, steps: slice) -> dict[str, Array]:
        """The case's arrays for some of the steps, which start from the state that the trace has there."""
        n, arrays = steps.start, dict(self.case)
        for x in "PQ":
            arrays[f"{x}0"] = self.before(x)[n] if self.layer.neuron.U_reads else self.trace[x][n]
        arrays["R0"] = self.trace["R"][n]
        return arrays | {name: arrays[name][steps] for name in ("target", "mask") if name in arrays}

    def weights(self) -> tuple[Array, Array]:
        """W and b as each step read them, (T, ...)."""
        steps = len(self.spikes_in)
        W, b = (self.trace.get(x, np.broadcast_to(self.case[x], (steps, *self.case[x].shape))) for x in "Wb")
        return W, b


@dataclass(frozen=True)
class Trace:
    """A trace whose arrays are all there, of their shapes, finite, and numbers that the profile's format holds."""

    case: Case
    profile: Profile
    layers: tuple[Operands, ...]


def parse_trace(case: Case, arrays: Mapping[str, Array], profile: Profile) -> Trace:
    """The trace of `case` that an implementation with this profile wrote down.

    Parameters
    ----------
    case : the case that the implementation ran
    arrays : the arrays of the trace by name (docs/case_format.md); arrays that the level does not ask for are ignored
    profile : the implementation's arithmetic and level

    Returns
    -------
    Trace
        Its arrays are float64, which holds every number of every format exactly.

    Raises
    ------
    InputError
        In one line, for an array that is missing, of another shape, not finite, or not of the declared format; below
        level L2 for spikes other than 0 and 1; for a case whose constants are not decays.
    """
    if case.about["constants"] != "decay":
        raise InputError(f"constants: expected 'decay' for the oracle, got {case.about['constants']!r}")
    full = profile.level == "L2"
    checked: dict[str, Array] = {}
    for name, shape in shapes(case.about, profile.level).items():
        if name in arrays:
            checked[name] = _parse_array(name, arrays[name], shape)
        else:
            raise InputError(f"trace: expected an array {name}{'' if full else f' at level {profile.level}'}, got none")
    if full:
        also = optional(case.about)
        checked |= {name: _parse_array(name, arrays[name], also[name]) for name in also.keys() & arrays.keys()}
    _validate_finite(checked)
    if full:
        _validate_format(checked, profile)
    else:
        _validate_spikes(checked)
    return Trace(case, profile, tuple(_operands(case, checked)))


def required(about: Mapping[str, Any]) -> list[str]:
    """The arrays of every layer that the full check (level L2) of a case needs.

    Parameters
    ----------
    about : the contents of case.json

    Returns
    -------
    list of str
        The arrays' names within a layer; where the case learns, W_final and b_final are needed besides.
    """
    names = [*FORWARD, *(BACKWARD if about["targets"] else ())]
    return names + list(UPDATE) if about["learn"] else names


def shapes(about: Mapping[str, Any], level: str = "L2") -> dict[str, tuple[int, ...]]:
    """The arrays that the check reads at a level, and their shapes.

    Parameters
    ----------
    about : the contents of case.json
    level : "L2": everything; "L1": spikes and all weights; "L0": spikes and final weights

    Returns
    -------
    dict of str to tuple of int
        Names such as layer1_U.
    """
    T, B, case_shapes = about["steps"], about["batch"], cases.shapes(about)
    expected: dict[str, tuple[int, ...]] = {}
    for k, layer in enumerate(about["layers"], start=1):
        W, b = (case_shapes[f"layer{k}_{x}"] for x in UPDATE)
        each = {"Q": (T, B, layer["n_in"]), "P": (T, B, layer["n_in"]), "S": (T, B, width(layer))}
        each |= dict.fromkeys(("R", "U", "delta"), (T, B, layer["n"]))
        each |= dict.fromkeys(("Y", "e"), (T, B, layer["n_out"]))
        each |= {"dW": (T, *W), "db": (T, *b), "W": (T, *W), "b": (T, *b)}
        names = required(about) if level == "L2" else ["S", *(UPDATE if about["learn"] and level == "L1" else ())]
        expected |= {f"layer{k}_{name}": each[name] for name in names}
        if about["learn"]:
            expected |= {f"layer{k}_W_final": W, f"layer{k}_b_final": b}
    return expected


def optional(about: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The arrays that a trace of level L2 may have, and that are checked if it does, with their shapes.

    Parameters
    ----------
    about : the contents of case.json

    Returns
    -------
    dict of str to tuple of int
        Names such as layer1_loss and layer1_P_final.
    """
    T, B, case_shapes = about["steps"], about["batch"], cases.shapes(about)
    expected: dict[str, tuple[int, ...]] = {}
    for k, layer in enumerate(about["layers"], start=1):
        sizes = (B, layer["n_in"]), (B, layer["n_in"]), (B, layer["n"])
        each: dict[str, tuple[int, ...]] = dict(zip(STATE, sizes, strict=True))
        if about["targets"]:
            each[LOSS] = (T,)
        if about["learn"] and about.get("optimiser", {"kind": "adamax"})["kind"] == "adamax":
            each |= {name: case_shapes[f"layer{k}_{name[2]}"] for name in MEMORY}
        expected |= {f"layer{k}_{name}": shape for name, shape in each.items()}
    return expected


def _parse_array(name: str, x: Any, shape: tuple[int, ...]) -> Array:
    """The array in float64, if it has this shape."""
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise InputError(f"trace {name}: expected numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise InputError(f"trace {name}: expected shape {shape}, got {array.shape}")
    return array.astype(np.float64)


def _validate_finite(arrays: Mapping[str, Array]) -> None:
    """Refuse NaN and infinity; name the first in the order of computation: of steps, then layers, then equations."""
    found = []
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            prefix, letter = name.removeprefix("layer").split("_", 1)
            place = _first(~np.isfinite(array))
            step, rank = (place[0], ORDER.index(letter)) if letter in ORDER else (np.inf, len(ORDER))  # else at the end
            found.append((step, int(prefix), rank, name, place))
    if found:
        *_, name, place = min(found)
        raise InputError(f"trace {name}: expected finite numbers, got {arrays[name][place]} at {place}")


def _validate_spikes(arrays: Mapping[str, Array]) -> None:
    for name, array in arrays.items():
        wrong = ~np.isin(array, (0, 1)) if name.endswith("_S") else np.zeros(1, bool)
        if wrong.any():
            raise InputError(f"trace {name}: expected spikes 0 or 1, got {array[wrong][0]:g}")


def _validate_format(arrays: Mapping[str, Array], profile: Profile) -> None:
    """Refuse numbers that an implementation of this profile cannot have."""
    for name, array in arrays.items():
        off = profile.quantise(array) != array
        if off.any():
            got = f"got {float(array[_first(off)])!r} at {_first(off)}"
            raise InputError(f"trace {name}: expected numbers of the declared format {profile.shown}, {got}")


def _first(condition: Array) -> tuple[int, ...]:
    """The index of the first entry that is true."""
    return tuple(int(i) for i in np.argwhere(condition)[0])


def _operands(case: Case, arrays: Mapping[str, Array]) -> list[Operands]:
    about, dialect, learner = case.about, case.dialect(), case.learner()
    steps = np.arange(about["steps"]) + about.get("n", 0)
    learns = steps >= learner.burn_in if learner else np.zeros(len(steps), bool)
    updates = int(about.get("updates", 0)) if about.get("memory") == "given" else 0  # fresh moments count from 0
    optimiser = learner.optimiser if learner else None
    schedule = case.arrays["schedule"].astype(np.float64) if "schedule" in case.arrays else None
    layers, spikes = [], np.asarray(case.inputs, np.float64)
    for k, layer in enumerate(case.network(), start=1):
        trace = _of_layer(arrays, k)
        layer_case = {name: x.astype(np.float64) for name, x in _of_layer(case.arrays, k).items()}
        how = optimiser, updates, learns, schedule
        layers.append(Operands(_in_float64(layer), dialect, layer_case, trace, spikes, *how))
        spikes = trace["S"]
    return layers


def _of_layer(arrays: Mapping[str, Array], k: int) -> dict[str, Array]:
    prefix = f"layer{k}_"
    return {name.removeprefix(prefix): x for name, x in arrays.items() if name.startswith(prefix)}


def _in_float64(layer: Layer) -> Layer:
    """The layer with constants in float64: the check reads only its structure and flags."""
    alpha, beta, gamma, delta, gain_Q, gain_P = (np.asarray(x, np.float64) for x in layer.neuron[:6])
    return layer._replace(neuron=LIF(alpha, beta, gamma, delta, gain_Q, gain_P, *layer.neuron[6:]))
