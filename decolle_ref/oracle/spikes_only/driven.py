"""The check below L2: the reference driven by an implementation's own spikes, for what shows only these and weights.

    U in value +- err:   spike = Theta(U) where Theta(value - err) = Theta(value + err), else undecided

Every layer is driven by the spikes that the implementation says reached it, and its refractory state by the spikes
that it says the layer emitted, so the threshold amplifies nothing; but U itself is not seen, and errors are carried
from step to step.  A spike that the error leaves open is undecided: neither right nor wrong.  At level L1 the weights
of every step are given and each update is checked; at level L0 they too are carried, and only the last are checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decolle_ref import cases
from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.cases import Case, width
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.check.equations import Operands, gain, strength
from decolle_ref.oracle.check.error_bounds import Approx, exact
from decolle_ref.oracle.check.residual import Failure, Slot, first_failure, layers, numbers
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.spikes_only.bounded_learning import Two, change, gradients, remembered
from decolle_ref.oracle.spikes_only.intervals import Carrying, chosen, hull, is_exactly, rising


@dataclass(frozen=True)
class DrivenVerdict:
    """What the check found.

    decided, undecided: how many spikes, and which share of all.  width: the largest error of a compared array of
    weights, over the largest change that the rule makes to it; from 1 on, weights that never change would pass for
    right too.  0 where no weights are compared.
    """

    profile: Profile
    decided: int
    undecided: float
    width: float
    failure: Failure | None

    @property
    def status(self) -> str:
        """pass, only if nothing is left open; fail; or inconclusive."""
        if self.failure is not None:
            return "fail"
        return "pass" if self.undecided == 0 and self.width < 1 else "inconclusive"

    def __bool__(self) -> bool:
        return self.status == "pass"

    def __str__(self) -> str:
        if self.failure is not None:
            f = self.failure
            place, bound = ", ".join(map(str, f.index)), f" +- {f.bound:.2g}" if f.bound else ""
            return (
                f"FAIL: step {f.step}, layer {f.layer}, {f.equation}[{place}]: "
                f"expected {f.expected:.9g}{bound}, got {f.got:.9g}"
            )
        spikes = f"{self.decided} spikes decided, {100 * self.undecided:.2g} % undecided"
        return f"{self.status.upper()}: {spikes}; weights known to {self.width:.2g} of their changes"


class Driven(NamedTuple):
    """What was found in one layer."""

    slots: list[Slot]
    decided: int
    spikes: int
    width: float


def check(case: Case, shown: Mapping[str, Array], profile: Profile) -> DrivenVerdict:
    """Drive the reference of `case` by the spikes shown, at the profile's level, L0 or L1.

    Raises InputError, in one line, for arrays that are missing, of another shape, not finite, or spikes other than 0
    and 1, and for a case whose constants are not decays.
    """
    validate_choice("profile level", profile.level, ("L0", "L1"))
    arrays, arithmetic = validate(case, shown, profile.level), Carrying(profile)
    found = [follow(k, o, arithmetic) for k, o in enumerate(layers(case, arrays), start=1)]
    decided, spikes = sum(each.decided for each in found), sum(each.spikes for each in found)
    failure = first_failure([slot for each in found for slot in each.slots])
    return DrivenVerdict(profile, decided, 1 - decided / spikes, max(each.width for each in found), failure)


def validate(case: Case, shown: Mapping[str, Array], level: str) -> dict[str, Array]:
    """The spikes and weights that the level shows, in float64.  Raises InputError as `check` does."""
    if case.about["constants"] != "decay":
        raise InputError(f"constants: expected 'decay' for the oracle, got {case.about['constants']!r}")
    found: dict[str, Array] = {}
    for name, shape in shapes(case, level).items():
        if name not in shown:
            raise InputError(f"trace: expected an array {name} at level {level}, got none")
        found[name] = numbers(name, shown[name], shape)
        if name.endswith("_S") and not np.isin(found[name], (0, 1)).all():
            wrong = found[name][~np.isin(found[name], (0, 1))][0]
            raise InputError(f"trace {name}: expected spikes 0 or 1, got {wrong:g}")
    return found


def shapes(case: Case, level: str) -> dict[str, tuple[int, ...]]:
    """The arrays that the check reads."""
    about, given = case.about, cases.shapes(case.about)
    found: dict[str, tuple[int, ...]] = {}
    for k, layer in enumerate(about["layers"], start=1):
        found[f"layer{k}_S"] = about["steps"], about["batch"], width(layer)
        for name in (f"layer{k}_W", f"layer{k}_b") if about["learn"] else ():
            if level == "L1":
                found[name] = about["steps"], *given[name]
            found[f"{name}_final"] = given[name]
    return found


class State(NamedTuple):
    """The traces of one layer."""

    P: Approx
    Q: Approx
    R: Approx


def follow(k: int, o: Operands, arithmetic: Carrying) -> Driven:
    """One layer through all steps."""
    state, weights, memory, updates, S = _start(o), _weights(o.case), remembered(o), o.updates, o.shown["S"]
    decided, expected, rows = 0, np.copy(S), [weights]
    for n in range(len(S)):
        weights = _weights(o.shown, n) if "W" in o.shown else weights
        traces, read = _traces(o, arithmetic, state, o.spikes_in[n])
        U, silent = _potential(o, arithmetic, weights, read, state.R)
        u, wins = transmitted(o, arithmetic, U, silent)
        spike = rising(o.layer.surrogate.spike, u)
        decided += int((spike.err == 0).sum())
        expected[n] = np.where(spike.err == 0, spike.value, S[n])
        if o.learns[n]:
            updates += 1
            g = gradients(o, arithmetic, n, u, wins, read)
            moved, memory = change(o, arithmetic, g, memory, updates)
            weights = arithmetic.subtract(weights[0], moved[0]), arithmetic.subtract(weights[1], moved[1])
        rows.append(weights)
        kept = arithmetic.multiply(exact(o.case["gamma"]), state.R)
        state = State(*traces, arithmetic.add(kept, own(o, U, S[n])))
    compared = [_compared(k, o, "Wb"[i], [row[i] for row in rows]) for i in range(2) if "W_final" in o.shown]
    widths = [_width(slot, o) for slot in compared]
    return Driven([Slot(k, "S", S, expected, np.zeros_like(S)), *compared], decided, S.size, max(widths, default=0.0))


def _weights(of: Mapping[str, Array], n: int | tuple[()] = ()) -> Two:
    """W and b, exactly."""
    return exact(of["W"][n]), exact(of["b"][n])


def _start(o: Operands) -> State:
    """P, Q, R as the case starts; rest by default."""
    lead = o.spikes_in.shape[1:2]
    sizes = {"P": o.layer.synapse.n_in, "Q": o.layer.synapse.n_in, "R": o.layer.synapse.n}
    return State(*(exact(o.case.get(f"{x}0", np.zeros((*lead, size)))) for x, size in sizes.items()))


def _traces(o: Operands, arithmetic: Carrying, old: State, spikes_in: Array) -> tuple[tuple[Approx, Approx], Approx]:
    """((P[n+1], Q[n+1]), the P that U reads).  [K20 Eq. 1]"""
    multiply, neuron = arithmetic.multiply, o.layer.neuron
    kept = multiply(exact(o.case["beta"]), old.Q)
    Q = arithmetic.add(kept, multiply(gain(o, arithmetic, "beta"), exact(spikes_in)))
    kept = multiply(exact(o.case["alpha"]), old.P)
    P = arithmetic.add(kept, multiply(gain(o, arithmetic, "alpha"), Q if neuron.P_reads else old.Q))
    return (P, Q), P if neuron.U_reads else old.P


def _potential(o: Operands, arithmetic: Carrying, weights: Two, P: Approx, R: Approx) -> tuple[Approx, Array]:
    """U = W P + b - delta R, one sum in whatever order [K20 Eq. 1], and where it is b alone, which neurons share."""
    (W, b), drive = weights, o.layer.synapse.drive
    nothing, back = np.zeros_like(b.value), arithmetic.multiply(strength(o, arithmetic), R)
    bias = Approx(*(drive(Weights(np.zeros_like(W.value), x), np.zeros_like(P.value)) for x in b))
    terms = int(np.prod(W.value.shape[1:]))

    def driven(w: Array, p: Array) -> Array:
        return drive(Weights(w, nothing), p)

    U = arithmetic.product(driven, W, P, terms, bias, Approx(-back.value, back.err))
    most = driven(np.abs(W.value) + W.err, np.abs(P.value) + P.err)
    return U, (most == 0) & is_exactly(back, 0)


def transmitted(o: Operands, arithmetic: Carrying, U: Approx, silent: Array) -> tuple[Approx, Array | None]:
    """(the U transmitted and read, which neurons may be the winners of their windows).

    Neuron i may win where, in what ranks them, no other's lowest is above its highest; of equals the first wins.  Those
    whose U is their bias alone are equal, however well it is known: they share it.
    """
    pool = o.layer.pool
    if pool is None:
        return U, None
    in_windows = pool.windows()
    by_sigma = o.dialect.pooling == "pool_S"
    value, err = (x[..., in_windows] for x in (arithmetic.sigma(o.layer.surrogate, U) if by_sigma else U))
    low, high = value - err, value + err
    first = np.tri(in_windows.shape[1], k=-1, dtype=bool)  # [i, j]: j stands before i
    beaten = (high[..., :, None] < low[..., None, :]) | (first & (high[..., :, None] <= low[..., None, :]))
    alike = silent[..., in_windows]
    beaten |= first & alike[..., :, None] & alike[..., None, :]
    may = ~beaten.any(axis=-1)
    low, high = ((U.value + sign * U.err)[..., in_windows] for sign in (-1, 1))
    least = np.where(may, low, np.inf).min(axis=-1) if by_sigma else low.max(axis=-1)
    wins = np.zeros(U.value.shape, bool)
    wins[..., in_windows] = may
    return hull(least, np.where(may, high, -np.inf).max(axis=-1)), wins


def own(o: Operands, U: Approx, S: Array) -> Approx:
    """The neurons' own spikes, which drive R: S, or below a pool Theta(U), 1/2 +- 1/2 where undecided.

    Where a window's largest U made no spike, no neuron of the window did.
    """
    pool, spike = o.layer.pool, rising(o.layer.surrogate.spike, U)
    if pool is None:
        return exact(S)
    if o.dialect.pooling == "pool_S":
        return spike
    silent = np.zeros(U.value.shape, bool)
    silent[..., pool.windows()] = (S == 0)[..., None]
    return chosen(silent, exact(np.zeros(())), spike)


def _compared(k: int, o: Operands, name: str, rows: list[Approx]) -> Slot:
    """W or b as each step reads them and, last, as they end up; those that are not shown are not compared."""
    expected, bound = np.stack([x.value for x in rows]), np.stack([x.err for x in rows])
    if name in o.shown:
        return Slot(k, name, np.concatenate([o.shown[name], o.shown[f"{name}_final"][None]]), expected, bound)
    got = np.copy(expected)
    got[-1] = o.shown[f"{name}_final"]
    bound[:-1] = 0
    return Slot(k, name, got, expected, bound)


def _width(slot: Slot, o: Operands) -> float:
    """The largest over all comparisons of max |err| / max |change|; what is known exactly asks for no change."""
    start = slot.got[:-1] if slot.equation in o.shown else o.case[slot.equation]
    axes = tuple(range(1, slot.got.ndim))
    change, err = np.abs(slot.expected[1:] - start).max(axis=axes), slot.bound[1:].max(axis=axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(err == 0, 0, err / change).max())
