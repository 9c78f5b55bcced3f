"""The slips people make when they derive a gradient, each as a change of what the backward pass is given.

`bptt.backward` is a pure function of the network, the tape, the errors and the paths it follows.  Whoever forgets
sigma' has computed the same with sigma' = 1; whoever is off by one step, the same with a shifted tape; whoever drops a
term, the same with a path left out.  So a hypothesis about a wrong gradient is a right backward pass over changed
material.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from decolle_ref.check import Array
from decolle_ref.credit import bptt
from decolle_ref.credit.spiking import Neuron, Paths, Synapses, Tape

Gradients = dict[str, Array]  # "W1", "V1", "W2", ...
EVERYTHING = Paths()


@dataclass(frozen=True)
class Material:
    """What the backward pass is given, and what is done to its result."""

    cell: Neuron
    synapses: tuple[Synapses, ...]
    tape: Tape
    errors: tuple[Array | None, ...]  # dL/dY, (T, 1, n_out), by layer; None: no readout
    G: tuple[Array | None, ...]
    keep: Paths = EVERYTHING
    factor: float = 1.0
    transposed: bool = False


class Slip(NamedTuple):
    """One thing that may have gone wrong."""

    name: str
    change: Callable[[Material], Material]


def gradients(m: Material) -> Gradients:
    """dL/dW and dL/dV of every layer, from the material as it is."""
    shapes = [S.shape for S in m.tape.S]
    slopes = [np.zeros(s) if e is None or g is None else e @ g for s, e, g in zip(shapes, m.errors, m.G, strict=True)]
    layers = bptt.backward(m.cell, m.synapses, m.tape, slopes, m.keep)
    named = {
        f"{x}{k}": array * m.factor for k, layer in enumerate(layers, 1) for x, array in zip("WV", layer, strict=True)
    }
    return {name: array.T for name, array in named.items()} if m.transposed else named


def _late(x: Array) -> Array:
    """x[n-1] in the place of x[n]."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _early(x: Array) -> Array:
    """x[n+1] in the place of x[n]."""
    return np.concatenate([x[1:], np.zeros_like(x[:1])])


def _scaled(factor: Callable[[Material], float]) -> Callable[[Material], Material]:
    return lambda m: replace(m, factor=m.factor * factor(m))


def _derivative(function: str) -> Callable[[Material], Material]:
    def change(m: Material) -> Material:
        wrong = np.ones_like if function == "1" else m.cell.surrogate.primitive
        return replace(m, cell=m.cell._replace(surrogate=replace(m.cell.surrogate, derivative=wrong)))

    return change


def _senders(shift: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, tape=m.tape._replace(x=shift(m.tape.x), S=tuple(map(shift, m.tape.S))))


def _membranes(shift: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, tape=m.tape._replace(U=tuple(map(shift, m.tape.U))))


def _errors(shift: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, errors=tuple(None if e is None else shift(e) for e in m.errors))


def _readout(change: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, G=tuple(None if g is None else change(g) for g in m.G))


def _weights(change: Callable[[Synapses], Synapses]) -> Callable[[Material], Material]:
    return lambda m: replace(m, synapses=tuple(map(change, m.synapses)))


def _n_out(m: Material) -> int:
    return next(len(g) for g in m.G if g is not None)


SLIPS = (
    Slip("the sign is wrong", _scaled(lambda m: -1.0)),
    Slip("a factor 2 (the loss has 1/2)", _scaled(lambda m: 2.0)),
    Slip("mean over steps instead of sum", _scaled(lambda m: 1 / len(m.tape.x))),
    Slip("mean over outputs instead of sum", _scaled(lambda m: 1 / _n_out(m))),
    Slip("sigma' is missing", _derivative("1")),
    Slip("sigma in place of sigma'", _derivative("sigma")),
    Slip("sigma' without theta: sigma'(U)", lambda m: replace(m, cell=m.cell._replace(theta=0.0))),
    Slip("sigma' one step late: U[n-1] for U[n]", _membranes(_late)),
    Slip("sigma' one step early: U[n+1] for U[n]", _membranes(_early)),
    Slip("G is missing: e in place of G^T e", _readout(lambda g: np.eye(*g.shape))),
    Slip("G transposed: G e in place of G^T e", _readout(np.transpose)),
    Slip("error one step late: e[n-1] for e[n]", _errors(_late)),
    Slip("error one step early: e[n+1] for e[n]", _errors(_early)),
    Slip("presynaptic spike one step late: S[n-1] for S[n]", _senders(_late)),
    Slip("presynaptic spike one step early: S[n+1] for S[n]", _senders(_early)),
    Slip("W in place of W^T on the way down", _weights(lambda s: s._replace(W=s.W.T))),
    Slip("V in place of V^T on the way back", _weights(lambda s: s._replace(V=s.V.T))),
    Slip("the result is transposed", lambda m: replace(m, transposed=not m.transposed)),
    Slip("alpha and beta exchanged", lambda m: replace(m, cell=m.cell._replace(alpha=m.cell.beta, beta=m.cell.alpha))),
)

DROPPED = {
    "past": "the leaks alpha and beta (past)",
    "reset": "the reset path",
    "recurrent": "the recurrent path V",
    "downstream": "the layers downstream",
}


class Hypothesis(NamedTuple):
    """Paths left out, and up to two slips."""

    keep: Paths
    slips: tuple[Slip, ...] = ()

    @property
    def order(self) -> int:
        """How much it supposes: simpler explanations come first."""
        return len(self.slips) + sum(not kept for kept in self.keep)

    def apply(self, m: Material) -> Gradients:
        """The numbers that whoever made these slips would have got."""
        m = replace(m, keep=self.keep)
        for slip in self.slips:
            m = slip.change(m)
        return gradients(m)

    def __str__(self) -> str:
        left_out = [f"without {DROPPED[name]}" for name, kept in zip(Paths._fields, self.keep, strict=True) if not kept]
        return "; ".join(left_out + [slip.name for slip in self.slips])


def hypotheses(there: Paths) -> Iterator[Hypothesis]:
    """All of them over the paths that are there, from the simplest on; the first supposes nothing."""
    subsets = [
        Paths(**{path: path not in out for path in Paths._fields})
        for size in range(5)
        for out in combinations([path for path in Paths._fields if getattr(there, path)], size)
    ]
    found = [Hypothesis(keep, pair) for keep in subsets for size in range(3) for pair in combinations(SLIPS, size)]
    yield from sorted(found, key=lambda h: h.order)
