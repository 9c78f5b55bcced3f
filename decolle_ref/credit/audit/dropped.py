"""What was dropped: two methods on one network, and the terms that account for their difference.  [N19 Sec. III-V]

Every method follows some of the paths of `spiking.Paths` and leaves the others out.  It is the exact gradient of
another network: the one in which the paths left out carry what was recorded, whatever the weights (`held`).  Restored
one at a time, each path contributes a term:

    method + past + reset + recurrent + downstream = exact

The terms come from backward passes (`bptt`), the methods from their own modules: that the sum closes is a check, not a
definition.  A term includes its interplay with the paths restored before it.  Random feedback is no path of the
network: what it lends to hidden layers comes off first, as a term of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, validate_choice
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.methods import bptt, eprop, feedback, instant, local, online, rtrl, superspike
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.methods.online import Method
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Paths, State, Synapses, Tape

Gradient = tuple[Synapses, ...]
Own = Callable[[Neuron, Sequence[Synapses], Array, Cost, Route], Gradient]


class Rule(NamedTuple):
    """A method, and the paths it is said to follow."""

    follows: Paths
    gradient: Own


def _backward(keep: Paths) -> Rule:
    return Rule(keep, lambda cell, synapses, x, cost, route: bptt.gradient(cell, synapses, x, cost, keep))


def _forward(keep: Paths, method: Method) -> Rule:
    if keep.downstream:  # the error comes down by itself: nothing to lend
        return Rule(keep, lambda cell, synapses, x, cost, route: online.gradient(method, cell, synapses, x, cost))
    return Rule(keep, lambda cell, synapses, x, cost, route: online.gradient(method, cell, synapses, x, cost, route))


OWN_PAST = Paths(past=True, reset=False, recurrent=False, downstream=False)

RULES = {
    "bptt": _backward(Paths()),
    "bptt-detached": _backward(Paths(reset=False)),
    "rtrl": _forward(Paths(), rtrl.method),
    "eprop": _forward(OWN_PAST._replace(reset=True), eprop.method),
    "superspike": _forward(OWN_PAST, superspike.method),
    "instant": _forward(OWN_PAST._replace(past=False), instant.method),
    "local": _forward(OWN_PAST, local.method),  # superspike where the cost has no filter
}


class Term(NamedTuple):
    """Something that one gradient has and the other has not."""

    name: str
    gradient: Gradient


class Comparison(NamedTuple):
    """method + sum of terms = reference."""

    method: Gradient
    terms: tuple[Term, ...]
    reference: Gradient


def compare(
    cell: Neuron,
    synapses: Sequence[Synapses],
    x: Array,
    cost: Cost,
    method: str,
    reference: str = "rtrl",
    route: Route = feedback.own,
) -> Comparison:
    """Both gradients, and the terms that lead from the first to the second; `route` lends errors to hidden layers.

    x (T, batch, n_in).  Raises InputError for an unknown method, or what the methods themselves refuse.
    """
    validate_choice("method", method, RULES)
    validate_choice("reference", reference, RULES)
    ours, theirs = RULES[method], RULES[reference]
    g = ours.gradient(cell, synapses, x, cost, route)
    alone = ours.gradient(cell, synapses, x, cost, feedback.own)
    terms = [Term("feedback", _minus(alone, g))]
    masked = {keep: bptt.gradient(cell, synapses, x, cost, keep) for keep in _walk(ours.follows, theirs.follows)}
    order = list(masked)
    for before, after in pairwise(order):
        (name,) = (path for path in Paths._fields if getattr(before, path) != getattr(after, path))
        terms.append(Term(name, _minus(masked[after], masked[before])))
    return Comparison(g, tuple(terms), theirs.gradient(cell, synapses, x, cost, feedback.own))


def _walk(start: Paths, end: Paths) -> Iterator[Paths]:
    """From one set of paths to the other, one path at a time."""
    yield start
    for path in Paths._fields:
        if getattr(start, path) != getattr(end, path):
            start = start._replace(**{path: getattr(end, path)})
            yield start


def remainder(found: Comparison) -> float:
    """|method + terms - reference| / |reference|: rounding, if the account is right."""
    total = flat(found.method) + sum(flat(term.gradient) for term in found.terms)
    return relative_error(total, flat(found.reference))


def flat(gradient: Sequence[Synapses], layer: int | None = None) -> Array:
    """All entries in one vector, or those of one layer."""
    chosen = gradient if layer is None else [gradient[layer]]
    return np.concatenate([array.ravel() for one in chosen for array in one])


def relative_error(a: Array, b: Array) -> float:
    """|a - b| / |b|, or |a| where b is 0."""
    return float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1))


def cosine(a: Array, b: Array) -> float:
    """The cosine of the angle between a and b; 1 if both are 0, 0 if one of them is."""
    if not (a.any() or b.any()):
        return 1.0
    return float(np.clip(a @ b / ((np.linalg.norm(a) * np.linalg.norm(b)) or 1), -1, 1))


def _minus(a: Gradient, b: Gradient) -> Gradient:
    return tuple(Synapses(p.W - q.W, p.V - q.V) for p, q in zip(a, b, strict=True))


def held(cell: Neuron, synapses: Sequence[Synapses], tape: Tape, keep: Paths) -> tuple[Array, ...]:
    """S^(l) of the network in which the paths not kept carry what `tape` recorded, whatever the weights.

    The exact derivatives of this function of the weights are what a method that follows `keep` computes.
    """
    state, shown = spiking.rest(synapses, tape.x.shape[1]), []
    for n, x in enumerate(tape.x):
        S = [spiking.spikes(cell, U) for _, U in state]
        recorded = [layer[n] for layer in tape.S]
        below = spiking.heard(x, S if keep.downstream else recorded)
        own = S if keep.recurrent else recorded
        reset = S if keep.reset else recorded
        leak = state if keep.past else [State(I[n], U[n]) for I, U in zip(tape.I, tape.U, strict=True)]
        state = tuple(
            State(
                I=cell.alpha * leak[l].I + below[l] @ W.T + own[l] @ V.T,
                U=cell.beta * leak[l].U + state[l].I - (0 if cell.reset == "ignore" else reset[l]),
            )
            for l, (W, V) in enumerate(synapses)
        )
        shown.append(S)
    return tuple(np.stack([S[l] for S in shown]) for l in range(len(synapses)))


def table(found: dict[str, Comparison]) -> str:
    """One row per method: how near it is to the reference, and the size of each term, relative to the reference."""
    names = ("feedback", *Paths._fields)
    rows: list[tuple[str, ...]] = [("method", "cosine", "rel. error", *names, "remainder")]
    for method, one in found.items():
        g, exact = flat(one.method), flat(one.reference)
        sizes = {t.name: np.linalg.norm(flat(t.gradient)) / (np.linalg.norm(exact) or 1) for t in one.terms}
        row = [f"{sizes[name]:.3f}" if sizes.get(name, 0) > 0 else "-" for name in names]
        near = (f"{cosine(g, exact):.4f}", f"{relative_error(g, exact):.3f}")
        rows.append((method, *near, *row, f"{remainder(one):.0e}"))
    return _aligned(rows)


def account(found: Comparison, method: str, reference: str) -> str:
    """One comparison in detail: each term's size by layer, and how near the sum so far has come."""
    layers = range(len(found.reference))
    rows = [("", "size", *(f"layer {l + 1}" for l in layers), "cosine so far", "rel. error so far")]
    so_far, exact = np.zeros_like(flat(found.reference)), flat(found.reference)
    for name, gradient in [(method, found.method), *((f"+ {t.name}", t.gradient) for t in found.terms)]:
        so_far = so_far + flat(gradient)
        size = np.linalg.norm(flat(gradient)) / (np.linalg.norm(exact) or 1)
        if size > 0:
            by_layer = (
                np.linalg.norm(flat(gradient, l)) / (np.linalg.norm(flat(found.reference, l)) or 1) for l in layers
            )
            near = (f"{cosine(so_far, exact):.6f}", f"{relative_error(so_far, exact):.1e}")
            rows.append((name, f"{size:.4f}", *(f"{s:.4f}" for s in by_layer), *near))
    rows.append((f"= {reference}", "1", *("1" for _ in layers), "", ""))
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
