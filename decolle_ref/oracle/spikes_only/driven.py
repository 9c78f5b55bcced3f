"""The check below level L2: the implementation's own spikes drive the reference, for it shows only these and weights.

    U in value +- err:   spike = Theta(U) where Theta(value - err) = Theta(value + err), else undecided

The spikes that reached a layer, and those that the layer emitted, come from the implementation's trace.  So the
threshold amplifies no error.  But U is not in the trace, and its error grows from step to step.  A spike that the error
leaves open is undecided: neither right nor wrong.  At level L1 the trace has the weights of every step, and each update
is checked.  At level L0 the weights, too, follow from the reference, and only the final ones are checked.

>>> SpikesOnlyVerdict(Profile(level="L0"), decided=5, undecided=0.0, width=0.2, failure=None).status
'pass'
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, validate_choice
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.check.error_bounds import Bounded, chosen, exact
from decolle_ref.oracle.check.pooling import transmitted
from decolle_ref.oracle.check.recording import converted, gain, rounded, strength
from decolle_ref.oracle.check.residual import Failure, Slot, first_failure
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.spikes_only.bounded_learning import Reached, Two, changes, gradients, start_moments
from decolle_ref.oracle.spikes_only.intervals import Intervals, is_exactly, rising
from decolle_ref.oracle.trace import Operands, Trace


@dataclass(frozen=True)
class SpikesOnlyVerdict:
    """The result of the check below level L2; true if it passed.

    Parameters
    ----------
    profile : the implementation's arithmetic and level
    decided : the number of spikes that the bounds decide
    undecided : the fraction of all spikes that they leave open
    width : the largest error of a compared array of weights, divided by the largest change that the rule makes to it.
        From 1 on, weights that never change would pass, too.  0 where no weights are compared.
    failure : the first place where the trace is wrong, or None
    """

    profile: Profile
    decided: int
    undecided: float
    width: float
    failure: Failure | None

    @property
    def status(self) -> str:
        """The result in a word: fail; pass, only if nothing is left open; else inconclusive."""
        if self.failure is not None:
            return "fail"
        return "pass" if self.undecided == 0 and 0 <= self.width < 1 else "inconclusive"

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


class LayerResult(NamedTuple):
    """The result for one layer."""

    slots: list[Slot]
    decided: int
    spikes: int
    width: float


def check(trace: Trace) -> SpikesOnlyVerdict:
    """Drive the reference by the spikes of the trace.

    Parameters
    ----------
    trace : a trace of level L0 or L1, from `parse_trace`

    Returns
    -------
    SpikesOnlyVerdict

    Raises
    ------
    InputError
        For a trace of level L2.
    """
    validate_choice("profile level", trace.profile.level, ("L0", "L1"))
    arithmetic = Intervals(trace.profile)
    with np.errstate(all="ignore"):  # numbers near the end of the range may overflow; these decide nothing
        results = [follow(k, operands, arithmetic) for k, operands in enumerate(trace.layers, start=1)]
    decided, spikes = sum(result.decided for result in results), sum(result.spikes for result in results)
    failure = first_failure([slot for result in results for slot in result.slots])
    width = float(np.max([result.width for result in results]))
    return SpikesOnlyVerdict(trace.profile, decided, 1 - decided / spikes, width, failure)


class State(NamedTuple):
    """The traces of one layer, each with a bound."""

    P: Bounded
    Q: Bounded
    R: Bounded


def follow(k: int, operands: Operands, arithmetic: Intervals) -> LayerResult:
    """Run layer k through all steps, driven by the spikes of the trace."""
    state, weights, moments = _start(operands), _weights(operands, arithmetic), start_moments(operands)
    S, updates = operands.trace["S"], operands.updates
    decided, expected, rows = 0, np.copy(S), [weights]
    for n in range(len(S)):
        weights = _weights(operands, arithmetic, n) if "W" in operands.trace else weights
        filtered, P = _filtered(operands, arithmetic, state, operands.spikes_in[n])
        U, silent = _potential(operands, arithmetic, weights, P, state.R)
        u, wins = transmitted(operands, arithmetic, U, np.where(silent, 0, np.nan))
        spike = rising(operands.layer.surrogate.spike, u)
        decided += int((spike.err == 0).sum())
        expected[n] = np.where(spike.err == 0, spike.value, S[n])
        if operands.learns[n]:
            updates += 1
            gradient = gradients(operands, arithmetic, n, Reached(U, u, wins, P))
            (dW, db), moments = changes(operands, arithmetic, gradient, moments, updates, n)
            weights = arithmetic.subtract(weights[0], dW), arithmetic.subtract(weights[1], db)
            weights = _converted(operands, arithmetic, "W", weights[0]), weights[1]
            rows.append(weights)
        else:
            rows.append(rows[-1] if "W" not in operands.trace else (exact(weights[0].value), exact(weights[1].value)))
        decayed = arithmetic.multiply(exact(operands.case["gamma"]), state.R)
        new_R = arithmetic.add(decayed, neuron_spikes(operands, U, S[n]))
        state = _kept(operands, arithmetic, State(*filtered, new_R))
    names = "Wb" if "W_final" in operands.trace else ""
    slots = [_compared(k, operands, arithmetic, name, [row[i] for row in rows]) for i, name in enumerate(names)]
    width = float(np.max([_width(slot, operands) for slot in slots], initial=0.0))
    slots = [Slot(k, "S", S, expected, np.zeros_like(S)), *map(_known, slots)]
    return LayerResult(slots, decided, S.size, width)


def _weights(operands: Operands, arithmetic: Intervals, n: int | None = None) -> Two:
    """W and b as the case has them, or at step n of a trace, which may have rounded them."""
    W, b = (exact(operands.case[x] if n is None else operands.trace[x][n]) for x in "Wb")
    if n is not None:
        W, b = (Bounded(x.value, rounded(arithmetic, x.value)) for x in (W, b))
    return _converted(operands, arithmetic, "W", W), b


def _converted(operands: Operands, arithmetic: Intervals, name: str, x: Bounded) -> Bounded:
    """x, with the errors of a number that is kept in another form; 0 has none."""
    err = x.err + converted(operands, arithmetic, name, np.abs(x.value) + x.err)
    return chosen(is_exactly(x, 0), x, Bounded(x.value, err))


def _kept(operands: Operands, arithmetic: Intervals, state: State) -> State:
    """The state, with the errors of what is kept in another form."""
    return State(*(_converted(operands, arithmetic, name, x) for name, x in zip(State._fields, state, strict=True)))


def _start(operands: Operands) -> State:
    """P, Q and R of the case's initial state; 0 by default."""
    lead = operands.spikes_in.shape[1:2]
    sizes = {"P": operands.layer.synapse.n_in, "Q": operands.layer.synapse.n_in, "R": operands.layer.synapse.n}
    return State(*(exact(operands.case.get(f"{x}0", np.zeros((*lead, size)))) for x, size in sizes.items()))


def _filtered(operands: Operands, arithmetic: Intervals, old: State, spikes_in: Array) -> tuple[Two, Bounded]:
    """(P[n+1], Q[n+1]), and the P that U reads.  [K20 Eq. 1]"""
    multiply, neuron = arithmetic.multiply, operands.layer.neuron
    kept = multiply(exact(operands.case["beta"]), old.Q)
    Q = arithmetic.add(kept, multiply(gain(operands, arithmetic, "beta"), exact(spikes_in)))
    kept = multiply(exact(operands.case["alpha"]), old.P)
    P = arithmetic.add(kept, multiply(gain(operands, arithmetic, "alpha"), Q if neuron.P_reads else old.Q))
    return (P, Q), P if neuron.U_reads else old.P


def _potential(
    operands: Operands, arithmetic: Intervals, weights: Two, P: Bounded, R: Bounded
) -> tuple[Bounded, Array]:
    """U = W P + b - delta R [K20 Eq. 1], for every order of the sum, and where U is exactly b."""
    (W, b), drive = weights, operands.layer.synapse.drive
    zero, back = np.zeros_like(b.value), arithmetic.multiply(strength(operands, arithmetic), R)
    bias = Bounded(*(drive(Weights(np.zeros_like(W.value), x), np.zeros_like(P.value)) for x in b))
    terms = int(np.prod(W.value.shape[1:]))

    def driven(w: Array, p: Array) -> Array:
        return drive(Weights(w, zero), p)

    U = arithmetic.product(driven, W, P, terms, bias, Bounded(-back.value, back.err))
    most = driven(np.abs(W.value) + W.err, np.abs(P.value) + P.err)
    return U, (most == 0) & is_exactly(back, 0)


def neuron_spikes(operands: Operands, U: Bounded, S: Array) -> Bounded:
    """The spikes that drive R: S; with a pool Theta(U) of every neuron, which is 1/2 +- 1/2 where undecided.

    If the largest U of a window made no spike, no neuron of the window spiked.
    """
    pool, spike = operands.layer.pool, rising(operands.layer.surrogate.spike, U)
    if pool is None:
        return exact(S)
    if operands.dialect.pooling == "pool_S":
        return spike
    silent = np.zeros(U.value.shape, bool)
    silent[..., pool.windows()] = (S == 0)[..., None]
    return chosen(silent, exact(np.zeros(())), spike)


def _compared(k: int, operands: Operands, arithmetic: Intervals, name: str, rows: list[Bounded]) -> Slot:
    """W or b at every step and after the last; those that the trace does not have are not compared."""
    expected, bound = np.stack([x.value for x in rows]), np.stack([x.err for x in rows])
    held = (bound == 0) & (arithmetic.profile.quantise(expected) == expected)
    bound = bound + np.where(held, 0, rounded(arithmetic, np.abs(expected) + bound))
    if name in operands.trace:
        got = np.concatenate([operands.trace[name], operands.trace[f"{name}_final"][None]])
        return Slot(k, name, got, expected, bound)
    got = np.copy(expected)
    got[-1] = operands.trace[f"{name}_final"]
    bound[:-1] = 0
    return Slot(k, name, got, expected, bound)


def _width(slot: Slot, operands: Operands) -> float:
    """The largest ratio max |err| / max |change| of all steps; it is 0 where there is no error.

    It is infinite where an expected number or its error is not finite.
    """
    if not (np.isfinite(slot.expected).all() and np.isfinite(slot.bound).all()):
        return np.inf
    start = slot.got[:-1] if slot.equation in operands.trace else operands.case[slot.equation]
    axes = tuple(range(1, slot.got.ndim))
    change, err = np.abs(slot.expected[1:] - start).max(axis=axes), slot.bound[1:].max(axis=axes)
    return float(np.where(err == 0, 0, err / change).max())


def _known(slot: Slot) -> Slot:
    """The slot without the numbers for which there is no finite bound: they are neither right nor wrong."""
    known = np.isfinite(slot.expected) & np.isfinite(slot.bound)
    return slot._replace(expected=np.where(known, slot.expected, slot.got), bound=np.where(known, slot.bound, 0))
