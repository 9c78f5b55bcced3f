"""Hypotheses about a wrong gradient: each is a right backward pass over changed inputs.

`bptt.backward` is a pure function of the network, the tape, the errors and the paths that it follows.  A derivation
that forgets sigma' gives the numbers of sigma' = 1; one that is off by one step, those of a shifted tape; one that
drops a term, those of a backward pass without a path.  So every common mistake (`MISTAKES`) is a change of
`BackwardInputs`, and an `Explanation` is a set of dropped paths and at most two mistakes.

>>> simplest, *others = explanations(Paths())
>>> str(simplest), simplest.order  # the gradient is exact
('', 0)
>>> str(others[0])
'the sign is wrong'
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, floats
from decolle_ref.credit.methods import bptt
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Paths, State, Synapses, Tape

Gradients = dict[str, Array]  # "W1", "V1", "W2", ...
BackwardCache = dict[tuple[Paths, tuple[str, ...]], Gradients]  # paths, names of mistakes -> backward pass
_ALL_PATHS = Paths()


@dataclass(frozen=True)
class BackwardInputs:
    """The inputs of the backward pass, and two changes of its result."""

    cell: Neuron
    synapses: tuple[Synapses, ...]
    tape: Tape
    sigma_prime: tuple[Array, ...]  # sigma'(U - theta), (T, 1, n) by layer
    errors: tuple[Array | None, ...]  # dL/dY, (T, 1, n_out), by layer; None: no readout
    G: tuple[Array | None, ...]
    keep: Paths = _ALL_PATHS
    lag: int = 0  # gI[n + 1 + lag] is multiplied by S[n]
    factor: float = 1.0
    transposed: bool = False


_Change = Callable[[BackwardInputs], BackwardInputs]


class Mistake(NamedTuple):
    """One thing that may have gone wrong."""

    name: str
    change: _Change
    last: bool = False  # True if it changes the result alone, and not the backward pass


def gradients(m: BackwardInputs) -> Gradients:
    """dL/dW and dL/dV of every layer, before the factor and the transposition.

    Parameters
    ----------
    m : BackwardInputs

    Returns
    -------
    matrices by name, "W1", "V1", "W2", ...
    """
    shapes = [S.shape for S in m.tape.S]
    dS = [np.zeros(s) if e is None or g is None else e @ g for s, e, g in zip(shapes, m.errors, m.G, strict=True)]
    adjoints = bptt.adjoints(m.cell, m.synapses, m.sigma_prime, dS, m.keep)
    layers = bptt.products([_shifted_gI(m, layer) for layer in adjoints], m.tape)
    return {f"{x}{k}": array for k, layer in enumerate(layers, 1) for x, array in zip("WV", layer, strict=True)}


def scaled(m: BackwardInputs, gradients: Gradients) -> Gradients:
    """The gradients times the factor, and transposed where `m` says so.

    Parameters
    ----------
    m : BackwardInputs
    gradients : from `gradients`

    Returns
    -------
    matrices by the same names
    """
    arrays = {name: floats(name, array) for name, array in gradients.items()}
    return {name: (array.T if m.transposed else array) * m.factor for name, array in arrays.items()}


def _shifted_gI(m: BackwardInputs, g: State) -> Array:
    """gI[n + 1 + lag] for n = 0..T-1.  Before the first step no loss comes in: gI[-1] = gU[0] + alpha gI[0]."""
    T = len(m.tape.x)
    before = g.U[0] + float(m.keep.past) * m.cell.alpha * g.I[0]
    gI = np.concatenate([before[None], g.I, np.zeros_like(g.I[:1])])  # gI[-1], gI[0], ..., gI[T + 1]
    return gI[2 + m.lag : 2 + m.lag + T]


def _late(x: Array) -> Array:
    """x[n-1] in the place of x[n]."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _early(x: Array) -> Array:
    """x[n+1] in the place of x[n]."""
    return np.concatenate([x[1:], np.zeros_like(x[:1])])


def _factor(name: str, factor: Callable[[BackwardInputs], float]) -> Mistake:
    return Mistake(name, lambda m: replace(m, factor=m.factor * factor(m)), last=True)


def _presynaptic(shift: Callable[[Array], Array]) -> _Change:
    return lambda m: replace(m, tape=m.tape._replace(x=shift(m.tape.x), S=tuple(map(shift, m.tape.S))))


def _sigma_prime(function: Callable[[Neuron, Array], Array]) -> _Change:
    return lambda m: replace(m, sigma_prime=tuple(function(m.cell, U) for U in m.tape.U))


def _sigma_prime_early(m: BackwardInputs) -> BackwardInputs:
    """sigma'(U[n+1] - theta), with the U that would have come after the last step."""
    after = [m.cell.beta * U[-1:] + I[-1:] - S[-1:] for I, U, S in zip(*m.tape[1:], strict=True)]
    U = [np.concatenate([now[1:], then]) for now, then in zip(m.tape.U, after, strict=True)]
    return replace(m, sigma_prime=tuple(spiking.sigma_prime(m.cell, u) for u in U))


def _layers(field: str, change: Callable[[Any], Any]) -> _Change:
    """Change this field in every layer that has it."""
    return lambda m: replace(
        m, **dict[str, Any]({field: tuple(None if x is None else change(x) for x in getattr(m, field))})
    )


def _reset(factor: Callable[[BackwardInputs], float]) -> _Change:
    return lambda m: replace(m, keep=m.keep._replace(reset=m.keep.reset * factor(m)))


def _steps(m: BackwardInputs) -> int:
    return len(m.tape.x)


def _outputs(m: BackwardInputs) -> int:
    return next(len(g) for g in m.G if g is not None)


MISTAKES = (
    _factor("the sign is wrong", lambda m: -1.0),
    _factor("a factor 2 (the loss has 1/2)", lambda m: 2.0),
    _factor("a factor 1/2", lambda m: 0.5),
    _factor("mean over steps instead of sum", lambda m: 1 / _steps(m)),
    _factor("mean over outputs instead of sum", lambda m: 1 / _outputs(m)),
    _factor("mean over steps and outputs instead of sum", lambda m: 1 / _steps(m) / _outputs(m)),
    _factor("mean over steps and outputs, and no 1/2 in the loss", lambda m: 2 / _steps(m) / _outputs(m)),
    Mistake("sigma' is missing", _sigma_prime(lambda cell, U: np.ones_like(U))),
    Mistake(
        "sigma' is missing in the top layer",
        lambda m: replace(m, sigma_prime=(*m.sigma_prime[:-1], np.ones_like(m.sigma_prime[-1]))),
    ),
    Mistake("sigma in place of sigma'", _sigma_prime(lambda cell, U: cell.surrogate.primitive(U - cell.theta))),
    Mistake("sigma' without theta: sigma'(U)", _sigma_prime(lambda cell, U: cell.surrogate.derivative(U))),
    Mistake("sigma' one step late: U[n-1] for U[n]", _sigma_prime(lambda cell, U: spiking.sigma_prime(cell, _late(U)))),
    Mistake("sigma' one step early: U[n+1] for U[n]", _sigma_prime_early),
    Mistake("G is missing: e in place of G^T e", _layers("G", lambda g: np.eye(*g.shape))),
    Mistake("G transposed: G e in place of G^T e", _layers("G", np.transpose)),
    Mistake("error one step late: e[n-1] for e[n]", _layers("errors", _late)),
    Mistake("error one step early: e[n+1] for e[n]", _layers("errors", _early)),
    Mistake("presynaptic spike one step late: S[n-1] for S[n]", _presynaptic(_late)),
    Mistake("presynaptic spike one step early: S[n+1] for S[n]", _presynaptic(_early)),
    Mistake(
        "off by one step: trace P[n+1] for P[n], or dL/dI[n] for dL/dI[n+1] (a new value where an old one belongs)",
        lambda m: replace(m, lag=-1),
    ),
    Mistake("off by two steps: trace P[n+2] for P[n] (new values of both Q and P)", lambda m: replace(m, lag=-2)),
    Mistake("the reset path has the wrong sign", _reset(lambda m: -1.0)),
    Mistake("the reset path is multiplied by theta", _reset(lambda m: m.cell.theta)),
    Mistake("W in place of W^T on the way down", _layers("synapses", lambda s: s._replace(W=s.W.T))),
    Mistake("V in place of V^T on the way back", _layers("synapses", lambda s: s._replace(V=s.V.T))),
    Mistake("the result is transposed", lambda m: replace(m, transposed=not m.transposed), last=True),
    Mistake(
        "alpha and beta exchanged", lambda m: replace(m, cell=m.cell._replace(alpha=m.cell.beta, beta=m.cell.alpha))
    ),
)

DROPPED = {
    "past": "the leaks alpha and beta (past)",
    "reset": "the reset path",
    "recurrent": "the recurrent path V",
    "downstream": "the layers downstream",
}


class Explanation(NamedTuple):
    """Paths left out, and up to two mistakes."""

    keep: Paths
    mistakes: tuple[Mistake, ...] = ()

    @property
    def order(self) -> int:
        """How many things it supposes: simpler explanations come first."""
        return len(self.mistakes) + sum(not kept for kept in self.keep)

    def apply(self, m: BackwardInputs, cache: BackwardCache) -> Gradients:
        """The numbers of a derivation with these mistakes.

        Parameters
        ----------
        m : the inputs without mistakes
        cache : keeps backward passes for the next explanation

        Returns
        -------
        matrices by name
        """
        m = replace(m, keep=self.keep)
        for mistake in self.mistakes:
            m = mistake.change(m)
        key = (self.keep, tuple(mistake.name for mistake in self.mistakes if not mistake.last))
        if key not in cache:
            cache[key] = gradients(m)
        return scaled(m, cache[key])

    def __str__(self) -> str:
        left_out = [f"without {DROPPED[name]}" for name, kept in zip(Paths._fields, self.keep, strict=True) if not kept]
        return "; ".join(left_out + [mistake.name for mistake in self.mistakes])


def explanations(there: Paths) -> Iterator[Explanation]:
    """All explanations, the simplest first; the very first supposes nothing.

    Parameters
    ----------
    there : the paths that the network has

    Yields
    ------
    Explanation
    """
    subsets = [
        Paths(**{path: path not in out for path in Paths._fields})
        for size in range(5)
        for out in combinations([path for path in Paths._fields if getattr(there, path)], size)
    ]
    pairs = [pair for size in range(3) for pair in combinations(MISTAKES, size)]
    yield from sorted((Explanation(keep, pair) for keep in subsets for pair in pairs), key=lambda e: e.order)
