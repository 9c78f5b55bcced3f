"""Dropped terms: two methods on one network, and the terms that account for their difference.  [N19 Sec. III-V]

Every method follows some of the paths of `spiking.Paths` and leaves the others out.  It is the exact gradient of
another network, in which the paths left out carry their recorded values, whatever the weights (`frozen_forward`).
Restored one at a time, each path contributes a term:

    method + past + reset + recurrent + downstream = exact

The terms come from backward passes (`bptt`), the methods from their own modules: that the sum closes is a check, not a
definition.  A term includes its interplay with the paths restored before it.  Random feedback is no path of the
network: what it adds to hidden layers comes off first, as a term of its own.

>>> from decolle_ref.credit.cost import Target, global_cost
>>> synapses = spiking.init_weights(np.random.default_rng(0), (4, 3, 2), W_scale=2.0, V_scale=1.0)
>>> cost = global_cost(2, Target(np.ones((9, 1, 2))))
>>> comparison = compare(spiking.neuron(), synapses, np.ones((9, 1, 4)), cost, "superspike", reference="bptt")
>>> [term.name for term in comparison.terms], remainder(comparison) < 1e-10
(['feedback', 'reset', 'recurrent', 'downstream'], True)
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, floats, validate_choice
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.methods import bptt, eprop, feedback, instant, local, online, rtrl, superspike
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.methods.online import Method
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Paths, State, Synapses, Tape

Gradient = tuple[Synapses, ...]
_GradientOf = Callable[[Neuron, Sequence[Synapses], Array, Cost, Route], Gradient]


class Rule(NamedTuple):
    """A method, and the paths that it follows."""

    follows: Paths
    gradient: _GradientOf


def _backward(keep: Paths) -> Rule:
    return Rule(keep, lambda cell, synapses, x, cost, route: bptt.gradient(cell, synapses, x, cost, keep))


def _forward(keep: Paths, method: Method) -> Rule:
    def gradient(cell: Neuron, synapses: Sequence[Synapses], x: Array, cost: Cost, route: Route) -> Gradient:
        route = feedback.local_errors if keep.downstream else route  # with W the error comes down by itself
        return online.gradient(method, cell, synapses, x, cost, route)

    return Rule(keep, gradient)


PAST_ONLY = Paths(past=True, reset=False, recurrent=False, downstream=False)

RULES = {
    "bptt": _backward(Paths()),
    "bptt-detached": _backward(Paths(reset=False)),
    "rtrl": _forward(Paths(), rtrl.method),
    "eprop": _forward(PAST_ONLY._replace(reset=True), eprop.method),
    "superspike": _forward(PAST_ONLY, superspike.method),
    "instant": _forward(PAST_ONLY._replace(past=False), instant.method),
    "local": _forward(PAST_ONLY, local.method),  # superspike where the cost has no filter
}


class Term(NamedTuple):
    """A part of one gradient that the other lacks."""

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
    route: Route = feedback.local_errors,
) -> Comparison:
    """Both gradients, and the terms that lead from the first to the second.

    Parameters
    ----------
    cell, synapses, cost : the network and its loss
    x : (T, batch, n_in), input spikes
    method, reference : names in `RULES`
    route : how errors reach hidden layers in the method, if it does not follow W

    Returns
    -------
    Comparison

    Raises
    ------
    InputError : for an unknown method, and for what the methods themselves refuse
    """
    validate_choice("method", method, RULES)
    validate_choice("reference", reference, RULES)
    ours, theirs = RULES[method], RULES[reference]
    g = ours.gradient(cell, synapses, x, cost, route)
    without_feedback = ours.gradient(cell, synapses, x, cost, feedback.local_errors)
    terms = [Term("feedback", _minus(without_feedback, g))]
    masked = {keep: bptt.gradient(cell, synapses, x, cost, keep) for keep in _walk(ours.follows, theirs.follows)}
    for before, after in pairwise(masked):
        (name,) = (path for path in Paths._fields if getattr(before, path) != getattr(after, path))
        terms.append(Term(name, _minus(masked[after], masked[before])))
    return Comparison(g, tuple(terms), theirs.gradient(cell, synapses, x, cost, feedback.local_errors))


def _walk(start: Paths, end: Paths) -> Iterator[Paths]:
    """From one set of paths to the other, one path at a time."""
    yield start
    for path in Paths._fields:
        if getattr(start, path) != getattr(end, path):
            start = start._replace(**{path: getattr(end, path)})
            yield start


def remainder(comparison: Comparison) -> float:
    """|method + terms - reference| / |reference|: only rounding, if the account is right.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    float
    """
    total = flat(comparison.method) + sum(flat(term.gradient) for term in comparison.terms)
    return relative_error(total, flat(comparison.reference))


def flat(gradient: Sequence[Synapses], layer: int | None = None) -> Array:
    """All entries in one vector, or those of one layer.

    Parameters
    ----------
    gradient : dL/dW and dL/dV of every layer
    layer : its index, or None for all

    Returns
    -------
    vector
    """
    layers = gradient if layer is None else [gradient[layer]]
    return np.concatenate([floats("gradient", array).ravel() for synapses in layers for array in synapses])


def relative_error(a: Array, b: Array) -> float:
    """|a - b| / |b|, or |a| where b is 0.

    Parameters
    ----------
    a, b : arrays of one shape, with at least one axis

    Returns
    -------
    float
    """
    a = floats("a", a)
    b = floats("b", b, *(a.shape or (a.size,)))
    return float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1))


def cosine(a: Array, b: Array) -> float:
    """The cosine of the angle between a and b; 1 if both are 0, 0 if one of them is.

    Parameters
    ----------
    a, b : vectors of one length

    Returns
    -------
    float
    """
    a = floats("a", a, np.size(a))
    b = floats("b", b, a.size)
    if not (a.any() or b.any()):
        return 1.0
    return float(np.clip(a @ b / ((np.linalg.norm(a) * np.linalg.norm(b)) or 1), -1, 1))


def _size(gradient: Gradient, reference: Gradient, layer: int | None = None) -> float:
    """|gradient| / |reference|, over all layers or in one of them."""
    return float(np.linalg.norm(flat(gradient, layer)) / (np.linalg.norm(flat(reference, layer)) or 1))


def _minus(a: Gradient, b: Gradient) -> Gradient:
    return tuple(Synapses(p.W - q.W, p.V - q.V) for p, q in zip(a, b, strict=True))


def frozen_forward(cell: Neuron, synapses: Sequence[Synapses], tape: Tape, keep: Paths) -> tuple[Array, ...]:
    """S^(l) of the network in which the paths not kept carry their values on the tape, whatever the weights.

    A method that follows `keep` computes the exact derivatives of this function of the weights.

    Parameters
    ----------
    cell, synapses : the network
    tape : a forward pass, possibly with other weights
    keep : the paths that depend on the weights

    Returns
    -------
    spikes of every layer, (T, batch, n)
    """
    state, spikes_by_step = spiking.rest(synapses, tape.x.shape[1]), []
    for n, x in enumerate(tape.x):
        S = [spiking.spikes(cell, U) for _, U in state]
        recorded = [layer[n] for layer in tape.S]
        below = spiking.presynaptic(x, S if keep.downstream else recorded)
        same = S if keep.recurrent else recorded
        reset = S if keep.reset else recorded
        leak = state if keep.past else [State(I[n], U[n]) for I, U in zip(tape.I, tape.U, strict=True)]
        state = tuple(
            State(
                I=cell.alpha * leak[l].I + below[l] @ W.T + same[l] @ V.T,
                U=cell.beta * leak[l].U + state[l].I - (0 if cell.reset == "ignore" else reset[l]),
            )
            for l, (W, V) in enumerate(synapses)
        )
        spikes_by_step.append(S)
    return tuple(np.stack([S[l] for S in spikes_by_step]) for l in range(len(synapses)))


def account(comparison: Comparison, method: str, reference: str) -> str:
    """One comparison in detail: each term's size by layer, and how near the sum so far has come.

    Parameters
    ----------
    comparison : of the two methods
    method, reference : their names

    Returns
    -------
    lines of text
    """
    layers = range(len(comparison.reference))
    rows: list[Sequence[str]] = [
        ("", "size", *(f"layer {l + 1}" for l in layers), "cosine so far", "rel. error so far")
    ]
    so_far, exact = np.zeros_like(flat(comparison.reference)), flat(comparison.reference)
    for name, gradient in [(method, comparison.method), *((f"+ {t.name}", t.gradient) for t in comparison.terms)]:
        so_far = so_far + flat(gradient)
        size = _size(gradient, comparison.reference)
        if size > 0:
            by_layer = (f"{_size(gradient, comparison.reference, l):.4f}" for l in layers)
            near = (f"{cosine(so_far, exact):.6f}", f"{relative_error(so_far, exact):.1e}")
            rows.append((name, f"{size:.4f}", *by_layer, *near))
    rows.append((f"= {reference}", "1", *("1" for _ in layers), "", ""))
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of text: the first column to the left, the others to the right."""
    first, *others = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]) for row in rows)
