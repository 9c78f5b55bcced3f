"""Check my derivation: is it exact, and if not, which dropped terms or which mistakes explain the numbers?

A function of the user gets a `Problem` and returns dL/dW and dL/dV (see `template.py`).  `check` calls it on random
smooth twins of the network of [N19 Eq. 4, 5].  If its numbers differ from those of `bptt`, every explanation of
`hypotheses` is tried, the simplest first, until one gives the same numbers on every network.

>>> def gradient(p):
...     dL_dS = (p.S[1] @ p.G[1].T - p.target) @ p.G[1]
...     dU = p.dsigma(p.U[1] - p.theta) * dL_dS  # only the path through U[n] = I[n-1] + ..., without the leaks
...     return {"W2": dU[2:].T @ p.S[0][:-2]}
>>> report = check(gradient, np.random.default_rng(0))
>>> bool(report), str(report).splitlines()[0]
(False, 'W2: without the leaks alpha and beta (past); without the reset path; without the recurrent path V')
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, first_line, positive, validate_choice
from decolle_ref._util.user_code import guarded
from decolle_ref.credit.audit import hypotheses
from decolle_ref.credit.audit.hypotheses import BackwardInputs, Gradients
from decolle_ref.credit.audit.report import DerivationReport, explain, worst_entry
from decolle_ref.credit.neuron import spiking
from decolle_ref.decolle.surrogate import Function, logistic

TOLERANCE = 1e-7  # relative to the largest entry; loose enough for central differences
LOSSES = ("top", "local")
SQUARE, OBLONG = (5, 5, 5, 5), (3, 5, 4, 2)  # n_in, n1, n2, n_out: equal sizes let transposed matrices multiply
STEPS = 9
NEARLY = 1e-3  # below this, and above the tolerance: float32, or finite differences


@dataclass(frozen=True)
class Problem:
    """The arguments of a derivation; arrays have time first, lists have one entry per layer, [0] is layer 1."""

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


def sample_network(rng: np.random.Generator, sizes: Sequence[int], loss: str = "top") -> tuple[Problem, BackwardInputs]:
    """A random network in which every term matters, as the user sees it and as `hypotheses` does.

    Parameters
    ----------
    rng : source of all numbers
    sizes : n_in, n1, n2, n_out
    loss : "top" or "local", a loss on layer 2 or on both

    Returns
    -------
    Problem, and the inputs of the backward pass

    Raises
    ------
    InputError : for an unknown loss
    """
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
    sigma_prime = tuple(spiking.sigma_prime(cell, U) for U in tape.U)
    inputs = BackwardInputs(cell, synapses, tape, sigma_prime, errors, G)
    return _problem(inputs, target), inputs


def _problem(m: BackwardInputs, target: Array) -> Problem:
    """The problem as the user sees it: copies, without the batch axis."""
    W, V = ([array.copy() for array in letter] for letter in zip(*m.synapses, strict=True))
    I, U, S = ([array[:, 0].copy() for array in layers] for layers in m.tape[1:])
    G = [None if g is None else g.copy() for g in m.G]
    cell = m.cell
    constants = (cell.alpha, cell.beta, cell.theta, cell.surrogate.primitive, cell.surrogate.derivative)
    return Problem(W, V, G, m.tape.x[:, 0].copy(), target[:, 0].copy(), I, U, S, *constants)


def check(
    derivation: Derivation,
    rng: np.random.Generator,
    loss: str = "top",
    name: str = "gradient",
    tolerance: float = TOLERANCE,
) -> DerivationReport:
    """Call `derivation` on random networks and say what it computes.

    Parameters
    ----------
    derivation : Problem -> dictionary with any of "W1", "V1", "W2", "V2"
    rng : source of the networks
    loss : "top" or "local", a loss on layer 2 or on both
    name : of the derivation, for messages
    tolerance : relative to the largest entry of a matrix

    Returns
    -------
    DerivationReport

    Raises
    ------
    InputError : if it raises or exits, or returns no known matrix, a wrong shape, or numbers that are not finite
    """
    positive("tolerance", tolerance)
    problems, inputs = zip(*(sample_network(rng, sizes, loss) for sizes in (SQUARE, SQUARE, OBLONG)), strict=True)
    exact = [hypotheses.gradients(m) for m in inputs]
    answers = [_answer(derivation, problem, name) for problem in problems[:2]]
    worst = max((worst_entry(*pair) for pair in zip(answers, exact, strict=False)), key=lambda entry: entry.error)
    if worst.error <= tolerance:  # right for square matrices: for others too?
        sizes = _sizes(problems[2])
        oblong = worst_entry(_answer(derivation, problems[2], name), exact[2])
        worst = max(worst, oblong, key=lambda entry: entry.error)
        note = "" if worst.error <= tolerance else f"right where all layers have the same size, wrong {sizes}"
        return DerivationReport(not note, tuple(answers[0]), worst, (), note)
    if worst.error <= NEARLY:
        digits = int(-np.log10(worst.error))
        note = f"right to {digits} digits: float32, or finite differences? (--tolerance accepts less precision)"
        return DerivationReport(False, tuple(answers[0]), worst, (), note)
    return DerivationReport(False, tuple(answers[0]), worst, explain(answers, inputs[:2], exact[:2], tolerance))


def _sizes(problem: Problem) -> str:
    return f"with W1 {problem.W[0].shape} and W2 {problem.W[1].shape}"


def _answer(derivation: Derivation, problem: Problem, name: str) -> Gradients:
    """The checked result of the derivation."""
    shapes = {f"{x}{k + 1}": array.shape for x in "WV" for k, array in enumerate(getattr(problem, x))}
    with guarded(lambda raised: _raised(name, raised, derivation, problem)):
        returned: Any = derivation(problem)  # whatever the user returns
    with guarded(lambda raised: f"{name}: expected a dictionary of arrays, got {first_line(raised)}", InputError):
        if not isinstance(returned, Mapping) or not returned or not set(returned) <= set(shapes):
            got = sorted(map(str, returned)) if isinstance(returned, Mapping) else type(returned).__name__
            raise InputError(f"{name}: expected a dictionary with some of {', '.join(shapes)}, got {got}")
        arrays = {key: finite(f"{name} {key}", array).astype(float) for key, array in returned.items()}
    for key, array in arrays.items():
        if array.shape != shapes[key]:
            raise InputError(f"{name} {key}: expected shape {shapes[key]}, got {array.shape}")
    return arrays


def _raised(name: str, raised: BaseException, derivation: Derivation, problem: Problem) -> str:
    kind = f"{type(raised).__name__} in line {_line(raised, derivation)} {_sizes(problem)}"
    return f"{name}: raised {kind}: {first_line(raised)}"


def _line(raised: BaseException, derivation: Derivation) -> int | None:
    """The line of the user's own file, not of a library that it called."""
    frames = traceback.extract_tb(raised.__traceback__)
    file = getattr(getattr(derivation, "__code__", None), "co_filename", "")
    return ([f for f in frames if f.filename == file] or frames)[-1].lineno


def load(reference: str) -> tuple[Derivation, str]:
    """Import the user's function.

    Parameters
    ----------
    reference : "FILE:FUNCTION"

    Returns
    -------
    the function, and `reference`

    Raises
    ------
    InputError : if the file is missing or does not run, or has no such function
    """
    file, _, name = reference.rpartition(":")
    if not file or not name:
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
    with guarded(lambda raised: f"{file}: raised {type(raised).__name__}: {first_line(raised)}"):
        spec.loader.exec_module(module)
        function: Any = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"derivation: expected a function {name} in {file}, got none")
    return function, reference


def template() -> str:
    """The text of a file to fill in, with the network and the names of its arrays.

    Returns
    -------
    Python source
    """
    return Path(__file__).with_name("template.py").read_text()
