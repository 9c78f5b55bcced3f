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

from decolle_ref._util.check import Array
from decolle_ref.credit.methods import bptt
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Paths, State, Synapses, Tape

Gradients = dict[str, Array]  # "W1", "V1", "W2", ...
EVERYTHING = Paths()


@dataclass(frozen=True)
class Material:
    """What the backward pass is given, and what is done to its result."""

    cell: Neuron
    synapses: tuple[Synapses, ...]
    tape: Tape
    sigma_prime: tuple[Array, ...]  # sigma'(U - theta), (T, 1, n) by layer
    errors: tuple[Array | None, ...]  # dL/dY, (T, 1, n_out), by layer; None: no readout
    G: tuple[Array | None, ...]
    keep: Paths = EVERYTHING
    lag: int = 0  # gI[n + 1 + lag] meets S[n]
    factor: float = 1.0
    transposed: bool = False


class Slip(NamedTuple):
    """One thing that may have gone wrong."""

    name: str
    change: Callable[[Material], Material]
    last: bool = False  # it acts on the result alone


def gradients(m: Material) -> Gradients:
    """dL/dW and dL/dV of every layer, from the material as it is."""
    shapes = [S.shape for S in m.tape.S]
    slopes = [np.zeros(s) if e is None or g is None else e @ g for s, e, g in zip(shapes, m.errors, m.G, strict=True)]
    adjoints = bptt.adjoints(m.cell, m.synapses, m.sigma_prime, slopes, m.keep)
    layers = bptt.products([_met(m, layer) for layer in adjoints], m.tape)
    return {f"{x}{k}": array for k, layer in enumerate(layers, 1) for x, array in zip("WV", layer, strict=True)}


def finished(m: Material, found: Gradients) -> Gradients:
    """What is done to the result."""
    return {name: (array.T if m.transposed else array) * m.factor for name, array in found.items()}


def _met(m: Material, g: State) -> Array:
    """gI[n + 1 + lag] for n = 0..T-1.  Before the first step no loss comes in: gI[-1] = gU[0] + alpha gI[0]."""
    T = len(m.tape.x)
    before = g.U[0] + float(m.keep.past) * m.cell.alpha * g.I[0]
    known = np.concatenate([before[None], g.I, np.zeros_like(g.I[:1])])  # gI[-1], gI[0], ..., gI[T + 1]
    return known[2 + m.lag : 2 + m.lag + T]


def _late(x: Array) -> Array:
    """x[n-1] in the place of x[n]."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _early(x: Array) -> Array:
    """x[n+1] in the place of x[n]."""
    return np.concatenate([x[1:], np.zeros_like(x[:1])])


def _scaled(name: str, factor: Callable[[Material], float]) -> Slip:
    return Slip(name, lambda m: replace(m, factor=m.factor * factor(m)), last=True)


def _senders(shift: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, tape=m.tape._replace(x=shift(m.tape.x), S=tuple(map(shift, m.tape.S))))


def _slope(function: Callable[[Neuron, Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, sigma_prime=tuple(function(m.cell, U) for U in m.tape.U))


def _slope_early(m: Material) -> Material:
    """sigma'(U[n+1] - theta), with the U that would have come after the last step."""
    after = [m.cell.beta * U[-1:] + I[-1:] - S[-1:] for I, U, S in zip(*m.tape[1:], strict=True)]
    U = [np.concatenate([now[1:], then]) for now, then in zip(m.tape.U, after, strict=True)]
    return replace(m, sigma_prime=tuple(spiking.slope(m.cell, u) for u in U))


def _errors(shift: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, errors=tuple(None if e is None else shift(e) for e in m.errors))


def _readout(change: Callable[[Array], Array]) -> Callable[[Material], Material]:
    return lambda m: replace(m, G=tuple(None if g is None else change(g) for g in m.G))


def _weights(change: Callable[[Synapses], Synapses]) -> Callable[[Material], Material]:
    return lambda m: replace(m, synapses=tuple(map(change, m.synapses)))


def _reset(factor: Callable[[Material], float]) -> Callable[[Material], Material]:
    return lambda m: replace(m, keep=m.keep._replace(reset=m.keep.reset * factor(m)))


def _steps(m: Material) -> int:
    return len(m.tape.x)


def _outputs(m: Material) -> int:
    return next(len(g) for g in m.G if g is not None)


SLIPS = (
    _scaled("the sign is wrong", lambda m: -1.0),
    _scaled("a factor 2 (the loss has 1/2)", lambda m: 2.0),
    _scaled("a factor 1/2", lambda m: 0.5),
    _scaled("mean over steps instead of sum", lambda m: 1 / _steps(m)),
    _scaled("mean over outputs instead of sum", lambda m: 1 / _outputs(m)),
    _scaled("mean over steps and outputs instead of sum", lambda m: 1 / _steps(m) / _outputs(m)),
    _scaled("mean over steps and outputs, and no 1/2 in the loss", lambda m: 2 / _steps(m) / _outputs(m)),
    Slip("sigma' is missing", _slope(lambda cell, U: np.ones_like(U))),
    Slip(
        "sigma' is missing in the top layer",
        lambda m: replace(m, sigma_prime=(*m.sigma_prime[:-1], np.ones_like(m.sigma_prime[-1]))),
    ),
    Slip("sigma in place of sigma'", _slope(lambda cell, U: cell.surrogate.primitive(U - cell.theta))),
    Slip("sigma' without theta: sigma'(U)", _slope(lambda cell, U: cell.surrogate.derivative(U))),
    Slip("sigma' one step late: U[n-1] for U[n]", _slope(lambda cell, U: spiking.slope(cell, _late(U)))),
    Slip("sigma' one step early: U[n+1] for U[n]", _slope_early),
    Slip("G is missing: e in place of G^T e", _readout(lambda g: np.eye(*g.shape))),
    Slip("G transposed: G e in place of G^T e", _readout(np.transpose)),
    Slip("error one step late: e[n-1] for e[n]", _errors(_late)),
    Slip("error one step early: e[n+1] for e[n]", _errors(_early)),
    Slip("presynaptic spike one step late: S[n-1] for S[n]", _senders(_late)),
    Slip("presynaptic spike one step early: S[n+1] for S[n]", _senders(_early)),
    Slip(
        "off by one step: trace P[n+1] for P[n], or dL/dI[n] for dL/dI[n+1] (a new value where an old one belongs)",
        lambda m: replace(m, lag=-1),
    ),
    Slip("off by two steps: trace P[n+2] for P[n] (new values of both Q and P)", lambda m: replace(m, lag=-2)),
    Slip("the reset path has the wrong sign", _reset(lambda m: -1.0)),
    Slip("the reset path is multiplied by theta", _reset(lambda m: m.cell.theta)),
    Slip("W in place of W^T on the way down", _weights(lambda s: s._replace(W=s.W.T))),
    Slip("V in place of V^T on the way back", _weights(lambda s: s._replace(V=s.V.T))),
    Slip("the result is transposed", lambda m: replace(m, transposed=not m.transposed), last=True),
    Slip("alpha and beta exchanged", lambda m: replace(m, cell=m.cell._replace(alpha=m.cell.beta, beta=m.cell.alpha))),
)

DROPPED = {
    "past": "the leaks alpha and beta (past)",
    "reset": "the reset path",
    "recurrent": "the recurrent path V",
    "downstream": "the layers downstream",
}


Known = dict[tuple[Paths, tuple[str, ...]], Gradients]


class Hypothesis(NamedTuple):
    """Paths left out, and up to two slips."""

    keep: Paths
    slips: tuple[Slip, ...] = ()

    @property
    def order(self) -> int:
        """How much it supposes: simpler explanations come first."""
        return len(self.slips) + sum(not kept for kept in self.keep)

    def apply(self, m: Material, known: Known) -> Gradients:
        """The numbers that whoever made these slips would have got; `known` keeps backward passes for the next one."""
        m = replace(m, keep=self.keep)
        for slip in self.slips:
            m = slip.change(m)
        key = (self.keep, tuple(slip.name for slip in self.slips if not slip.last))
        if key not in known:
            known[key] = gradients(m)
        return finished(m, known[key])

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
