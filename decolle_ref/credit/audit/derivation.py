"""Check my derivation: is it exact, and if not, which term or which slip explains the numbers?

A user's function gets a `Problem` and returns dL/dW and dL/dV (see `template.py`).  It is called on random smooth
twins of the network of [N19 Eq. 4, 5].  If its numbers are not those of `bptt`, every hypothesis of `slips` is tried,
from the simplest on, until one gives the same numbers on every network.
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, first_line, positive, validate_choice
from decolle_ref.credit.audit import hypotheses
from decolle_ref.credit.audit.hypotheses import Gradients, Hypothesis, Material
from decolle_ref.credit.neuron import spiking
from decolle_ref.decolle.surrogate import Function, logistic

TOLERANCE = 1e-7  # relative to the largest entry; loose enough for central differences
LOSSES = ("top", "local")
SQUARE, OBLONG = (5, 5, 5, 5), (3, 5, 4, 2)  # n_in, n1, n2, n_out: equal sizes let transposed matrices multiply
STEPS = 9
NEARLY = 1e-3  # below this, and above the tolerance: float32, or finite differences


@dataclass(frozen=True)
class Problem:
    """What a derivation is given; arrays have time first, layers are numbered from 0 here."""

    W: list[Array]
    V: list[Array]
    G: list[Array | None]
    x: Array
    target: Array
    I: list[Array]
    U: list[Array]
    S: list[Array]
    alpha: float
    beta: float
    theta: float
    sigma: Function
    dsigma: Function


Derivation = Callable[[Problem], Mapping[str, Array]]


class Entry(NamedTuple):
    """One number of the answer."""

    matrix: str
    place: tuple[int, ...]
    got: float
    exact: float
    error: float  # |got - exact|, relative to the largest entry of the matrix


class Explained(NamedTuple):
    """Some matrices, and the simplest hypotheses that give their numbers; none: unexplained."""

    matrices: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    like: str = ""  # where there are none: how near the numbers are


@dataclass(frozen=True)
class Verdict:
    """What was found.  `bool(verdict)` is True when the derivation is exact."""

    exact: bool
    checked: tuple[str, ...]
    worst: Entry
    explained: tuple[Explained, ...]
    note: str = ""

    def __bool__(self) -> bool:
        return self.exact

    def __str__(self) -> str:
        if self.exact:
            return f"exact: {', '.join(self.checked)}, worst relative error {self.worst.error:.1e}"
        lines = [self.note] if self.note else []
        for names, found, like in self.explained:
            for k, hypothesis in enumerate(found):
                lines.append(f"{'or  ' if k else ''}{', '.join(names)}: {str(hypothesis) or 'exact'}")
            if not found:
                lines.append(f"{', '.join(names)}: unexplained, {like}")
        place = f"{self.worst.matrix}{list(self.worst.place)}"
        return "\n".join([*lines, f"worst entry: {place}, got {self.worst.got:.9g}, exact {self.worst.exact:.9g}"])


def draw(rng: np.random.Generator, sizes: Sequence[int], loss: str = "top") -> tuple[Problem, Material]:
    """A random network in which every term matters, as the user sees it and as `slips` does."""
    validate_choice("loss", loss, LOSSES)
    n_in, n1, n2, n_out = sizes
    tau_mem, tau_syn, theta = rng.uniform(0.005, 0.008), rng.uniform(0.002, 0.004), rng.uniform(0.4, 0.8)
    cell = spiking.neuron(tau_mem, tau_syn, theta=theta, surrogate=logistic, activity="primitive")
    synapses = spiking.init_weights(rng, (n_in, n1, n2), 3.0, 2.0)
    x = (rng.random((STEPS, 1, n_in)) < 0.5).astype(float)
    target = rng.normal(0, 1, (STEPS, 1, n_out))
    tape = spiking.forward(cell, synapses, x)
    G = tuple(rng.normal(0, 1, (n_out, n)) if loss == "local" or k == 1 else None for k, n in enumerate((n1, n2)))
    errors = tuple(None if g is None else S @ g.T - target for g, S in zip(G, tape.S, strict=True))
    sigma_prime = tuple(spiking.slope(cell, U) for U in tape.U)
    return _shown(Material(cell, synapses, tape, sigma_prime, errors, G), target)


def _shown(m: Material, target: Array) -> tuple[Problem, Material]:
    """The problem as the user sees it: copies, without the batch axis."""
    W, V = ([array.copy() for array in letter] for letter in zip(*m.synapses, strict=True))
    I, U, S = ([array[:, 0].copy() for array in layers] for layers in m.tape[1:])
    G = [None if g is None else g.copy() for g in m.G]
    cell = m.cell
    constants = (cell.alpha, cell.beta, cell.theta, cell.surrogate.primitive, cell.surrogate.derivative)
    return Problem(W, V, G, m.tape.x[:, 0].copy(), target[:, 0].copy(), I, U, S, *constants), m


def check(
    derivation: Derivation,
    rng: np.random.Generator,
    loss: str = "top",
    name: str = "gradient",
    tolerance: float = TOLERANCE,
) -> Verdict:
    """Call `derivation` on random networks and say what it computes.

    Raises InputError if it raises or exits, returns no known matrix, a wrong shape, or numbers that are not finite.
    """
    positive("tolerance", tolerance)
    drawn = [draw(rng, sizes, loss) for sizes in (SQUARE, SQUARE, OBLONG)]
    materials = [m for _, m in drawn]
    exact = [hypotheses.gradients(m) for m in materials]
    answers = [_answer(derivation, problem, name) for problem, _ in drawn[:2]]
    worst = max((_worst(*pair) for pair in zip(answers, exact, strict=False)), key=lambda entry: entry.error)
    if worst.error <= tolerance:  # right for square matrices: for others too?
        sizes = _sizes(drawn[2][0])
        oblong = _worst(_answer(derivation, drawn[2][0], name), exact[2])
        worst = max(worst, oblong, key=lambda entry: entry.error)
        note = "" if worst.error <= tolerance else f"right where all layers have the same size, wrong {sizes}"
        return Verdict(not note, tuple(answers[0]), worst, (), note)
    if worst.error <= NEARLY:
        digits = int(-np.log10(worst.error))
        note = f"right to {digits} digits: float32, or finite differences? (--tolerance accepts less precision)"
        return Verdict(False, tuple(answers[0]), worst, (), note)
    return Verdict(False, tuple(answers[0]), worst, _explain(answers, materials[:2], exact[:2], tolerance))


def _sizes(problem: Problem) -> str:
    return f"with W1 {problem.W[0].shape} and W2 {problem.W[1].shape}"


def _answer(derivation: Derivation, problem: Problem, name: str) -> Gradients:
    """What the derivation returns, checked."""
    shapes = {f"{x}{k + 1}": array.shape for x in "WV" for k, array in enumerate(getattr(problem, x))}
    sizes = _sizes(problem)
    try:
        returned = derivation(problem)
    except (Exception, SystemExit) as raised:  # whatever a user's function may raise
        kind = f"{type(raised).__name__} in line {_line(raised, derivation)} {sizes}"
        raise InputError(f"{name}: raised {kind}: {first_line(raised)}") from None
    if not isinstance(returned, Mapping) or not returned or not set(returned) <= set(shapes):
        got = sorted(map(str, returned)) if isinstance(returned, Mapping) else type(returned).__name__
        raise InputError(f"{name}: expected a dictionary with some of {', '.join(shapes)}, got {got}")
    for key, array in returned.items():
        found = finite(f"{name} {key}", array)
        if found.shape != shapes[key]:
            raise InputError(f"{name} {key}: expected shape {shapes[key]}, got {found.shape}")
    return {key: np.asarray(returned[key], dtype=float) for key in returned}


def _line(raised: BaseException, derivation: Derivation) -> int | None:
    """The line of the user's own file, not of a library that it called."""
    frames = traceback.extract_tb(raised.__traceback__)
    file = getattr(getattr(derivation, "__code__", None), "co_filename", "")
    return ([f for f in frames if f.filename == file] or frames)[-1].lineno


def _worst(got: Gradients, exact: Gradients) -> Entry:
    """The worst entry of all matrices in `got`."""
    entries = []
    for name, array in got.items():
        difference = np.abs(array - exact[name])
        index = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), array.shape))
        relative = float(difference[index] / (np.abs(exact[name]).max() or 1))
        entries.append(Entry(name, index, float(array[index]), float(exact[name][index]), relative))
    return max(entries, key=lambda entry: entry.error)


def _same(got: Gradients, other: Gradients, names: Sequence[str], tolerance: float) -> bool:
    """Do the named matrices agree?"""
    return all(
        np.abs(got[name] - other[name]).max() <= tolerance * max(np.abs(other[name]).max(), np.abs(got[name]).max())
        for name in names
    )


def _explain(
    answers: Sequence[Gradients], materials: Sequence[Material], exact: Sequence[Gradients], tolerance: float
) -> tuple[Explained, ...]:
    """One account of all matrices if there is one, else one for each."""
    names = tuple(answers[0])
    groups = [names] if len(names) == 1 else [names, *((name,) for name in names)]
    together, *single = _simplest(answers, materials, groups, tolerance)
    found = [together] if together.hypotheses or not single else single
    return tuple(e if e.hypotheses else e._replace(like=_likeness(answers[0], exact[0], e.matrices)) for e in found)


def _likeness(got: Gradients, exact: Gradients, names: Sequence[str]) -> str:
    """How near unexplained numbers are to the exact ones."""
    a, b = (np.concatenate([numbers[name].ravel() for name in names]) for numbers in (got, exact))
    size = float(np.linalg.norm(a) * np.linalg.norm(b)) or 1.0
    return f"cosine to the exact gradient {a @ b / size:.3f}, best factor {a @ b / (b @ b or 1):.4g}"


def _simplest(
    answers: Sequence[Gradients],
    materials: Sequence[Material],
    groups: Sequence[tuple[str, ...]],
    tolerance: float,
) -> list[Explained]:
    """For each group of matrices, all hypotheses of the lowest order that give its numbers on every network.

    The first group has all matrices: once it is explained, the others need not be.
    """
    found = [Explained(group, ()) for group in groups]
    known: list[hypotheses.Known] = [{} for _ in materials]
    for hypothesis in hypotheses.hypotheses(spiking.paths(materials[0].cell)):
        wanted = [not e.hypotheses or e.hypotheses[0].order == hypothesis.order for e in found]
        if not wanted[0] and found[0].hypotheses:
            break
        if not any(wanted):
            break
        numbers = [hypothesis.apply(materials[0], known[0])]
        for k, (group, done, _) in enumerate(found):
            if wanted[k] and _same(answers[0], numbers[0], group, tolerance):
                numbers += [hypothesis.apply(materials[i], known[i]) for i in range(len(numbers), len(materials))]
                if all(_same(a, b, group, tolerance) for a, b in zip(answers, numbers, strict=True)):
                    found[k] = Explained(group, (*done, hypothesis))
    return found


def load(reference: str) -> tuple[Derivation, str]:
    """The function named by FILE:FUNCTION, and that name.

    Raises InputError if the file is missing or does not run, or has no such function.
    """
    file, _, function = reference.rpartition(":")
    if not file or not function:
        raise InputError(f"derivation: expected FILE:FUNCTION, got {reference}")
    path = Path(file)
    if not path.is_file():
        raise InputError(f"derivation: expected a Python file, got {file}, which is not there")
    spec = importlib.util.spec_from_file_location("derivation_under_test", path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"derivation: expected a Python file, got {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as import does: dataclasses look there
    sys.path.insert(0, str(path.resolve().parent))  # as running the file does: it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as raised:  # whatever a user's file may raise
        raise InputError(f"{file}: raised {type(raised).__name__}: {first_line(raised)}") from None
    found: Any = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"derivation: expected a function {function} in {file}, got none")
    return found, reference


def template() -> str:
    """The text of a file to fill in."""
    return Path(__file__).with_name("template.py").read_text()
