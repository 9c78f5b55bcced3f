"""The check of what a trace may show besides: the loss of every step, and the state after the last one.

A trace need not have these arrays.  Those that it has must be right: the next case may start from the final state.  It
is checked where a trace has all of P, Q and R, because each follows from the others.
"""

from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import regularisers
from decolle_ref.decolle.objective import cross_entropy, smooth_l1
from decolle_ref.oracle.check import equations, learning
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.check.recording import rounded, shown
from decolle_ref.oracle.check.residual import Slot, Verdict, first_failure
from decolle_ref.oracle.trace import LOSS, MEMORY, STATE, Operands, Trace


def check(trace: Trace, verdict: Verdict) -> Verdict:
    """The verdict on a trace of level L2, with the loss and the final state, if the trace shows them.

    Parameters
    ----------
    trace : the trace
    verdict : on its equations; where one of them fails, nothing is added

    Returns
    -------
    Verdict
    """
    if verdict.failure is not None:
        return verdict
    arithmetic = Arithmetic(trace.profile)
    with np.errstate(all="ignore"):  # numbers near the end of the range may overflow; these never hold
        slots = [slot for k, layer in enumerate(trace.layers, start=1) for slot in _slots(k, layer, arithmetic)]
    return Verdict(verdict.profile, (*verdict.slots, *slots), first_failure(slots))


def _slots(k: int, operands: Operands, arithmetic: Arithmetic) -> list[Slot]:
    slots, steps = [], len(operands.spikes_in)
    if LOSS in operands.trace:
        slots.append(Slot(k, LOSS, operands.trace[LOSS], *loss(operands, arithmetic)))
    if all(name in operands.trace for name in STATE):
        after = final_state(operands, arithmetic)
        slots += [_last(k, name, operands.trace[name], after[name], steps) for name in STATE]
    if all(name in operands.trace for name in MEMORY):
        memory = final_memory(operands, arithmetic)
        slots += [_last(k, name, operands.trace[name], memory[name], steps) for name in MEMORY]
    return slots


def _last(k: int, name: str, got: Array, expected: Bounded, steps: int) -> Slot:
    """A slot in which only the row after the last step counts."""
    rows = (np.zeros((steps + 1, *got.shape)) for _ in range(3))
    slot = Slot(k, name, *rows)
    for row, x in zip((slot.got, slot.expected, slot.bound), (got, *expected), strict=True):
        row[-1] = x
    return slot


def final_state(operands: Operands, arithmetic: Arithmetic) -> dict[str, Bounded]:
    """P, Q and R after the last step.  [K20 Eq. 1]

    Where U reads the new P and Q, they are those of the last step.  Else they are one more row of the trace, which
    follows from the rows before it.
    """
    trace = operands.trace
    longer = {x: np.concatenate([trace[x], trace[f"{x}_final"][None]]) for x in "PQR"}
    longer["U"], spikes_in = (np.concatenate([x, 0 * x[:1]]) for x in (trace["U"], operands.spikes_in))
    more = replace(operands, trace=trace | longer, spikes_in=spikes_in)
    rows = {"R_final": equations.R(more, arithmetic)}
    if operands.layer.neuron.U_reads:
        rows |= {f"{x}_final": exact(trace[x]) for x in "PQ"}
    else:
        rows |= {"P_final": equations.P(more, arithmetic), "Q_final": equations.Q(more, arithmetic)}
    return {name: Bounded(row.value[-1], row.err[-1]) for name, row in rows.items()}


def final_memory(operands: Operands, arithmetic: Arithmetic) -> dict[str, Bounded]:
    """Adamax's m and u of W and b after the last update."""
    memory: dict[str, Bounded] = {}
    for name in "Wb":
        *_, (_, m, u) = learning.moments(operands, arithmetic, name, shown(operands, arithmetic, f"d{name}"))
        memory |= {
            f"{x}_{name}_final": Bounded(a.value, a.err + rounded(arithmetic, a.value))
            for x, a in zip("mu", (m, u), strict=True)
        }
    return memory


def loss(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """L of every step: the loss of Y, and the regularisers.  [K20 Sec. 3.2, Eq. 4]"""
    objective, Y, target = operands.layer.objective, shown(operands, arithmetic, "Y"), operands.case["target"]
    terms = (_cross_entropy if objective.loss is cross_entropy else _half_square)(Y, target, arithmetic)
    if objective.loss is smooth_l1:
        d, half = abs(Y.value - target), terms
        far = Bounded(d - 0.5, Y.err + 2 * arithmetic.unit * (d + 1))
        terms = Bounded(*(np.where(d < 1, near, beyond) for near, beyond in zip(half, far, strict=True)))
    size, n = np.abs(terms.value) + terms.err, terms.value[0].size
    L = arithmetic.total(*(x.sum(axis=(1, 2)) for x in (terms.value, size, terms.err)), n)
    if objective.reduction == "mean":
        n = n // (Y.value.shape[-1] if objective.loss is cross_entropy else 1)
        L = arithmetic.multiply(L, arithmetic.derived(np.asarray(1 / n)))
    penalties = _penalties(operands, arithmetic)
    L = arithmetic.gathered(L, *penalties) if penalties else L
    return Bounded(L.value, L.err + rounded(arithmetic, L.value))


def _half_square(Y: Bounded, target: Array, arithmetic: Arithmetic) -> Bounded:
    """(Y - target)^2 / 2, without the rounding of the square."""
    d = Y.value - target
    off = Y.err + arithmetic.unit * (np.abs(d) + Y.err)
    return Bounded(d**2 / 2, np.abs(d) * off + off**2 / 2)


def _cross_entropy(Y: Bounded, target: Array, arithmetic: Arithmetic) -> Bounded:
    """- target log softmax(Y)."""
    shifted = Y.value - Y.value.max(axis=-1, keepdims=True)
    whole = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    K, profile = shifted.shape[-1], arithmetic.profile
    ulp = profile.quantum if profile.fixed else 2 * arithmetic.unit
    rounding = (2 * profile.sigma_ulps * (1 + K) + K + 4) * ulp * (1 + np.abs(shifted) + whole)
    err = 2 * Y.err.max(axis=-1, keepdims=True) + rounding
    return Bounded(-target * (shifted - whole), np.abs(target) * err)


def _penalties(operands: Operands, arithmetic: Arithmetic) -> list[Bounded]:
    """lambda1 <relu(U + 0.01)> and lambda2 <relu(0.1 - <activity>)>."""
    (of_u, of_U), u = regularisers(operands.layer), equations.read(operands, arithmetic)[0]
    if of_u is None:
        return []
    lambda1 = of_u.lambda1 if of_U is None else of_U.lambda1
    U = u if of_U is None else shown(operands, arithmetic, "U")
    edge, goal = (arithmetic.derived(np.asarray(x)) for x in (0.01, 0.1))
    loud = learning.mean(arithmetic, _relu(arithmetic.add(U, edge)), (1, 2))
    silent = _relu(arithmetic.subtract(goal, learning.activity(u, operands.layer, of_u, arithmetic)))
    silent = learning.mean(arithmetic, silent, (1, 2))
    weights = (arithmetic.derived(np.asarray(x)) for x in (lambda1, of_u.lambda2))
    both = (arithmetic.multiply(w, x) for w, x in zip(weights, (loud, silent), strict=True))
    return [Bounded(x.value.reshape(-1), x.err.reshape(-1)) for x in both]


def _relu(x: Bounded) -> Bounded:
    return Bounded(np.maximum(x.value, 0), x.err)
