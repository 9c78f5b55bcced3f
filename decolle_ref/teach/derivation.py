"""Derivations of dL/dW on the network of the review: random problems, and the terms that a wrong one leaves out.

For tasks whose function gets a `Problem` of `credit.audit.derivation` and returns matrices by name:

    Task("backward_pass", solution, draw, slips, forms, tolerance=1e-8, explain=explain)
"""

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.credit.audit import derivation
from decolle_ref.credit.audit.derivation import Problem
from decolle_ref.teach.task import Function


def draw(rng: np.random.Generator) -> tuple[Problem]:
    """A random network of which all layers differ in size.

    Parameters
    ----------
    rng : source of all numbers

    Returns
    -------
    the one argument of a derivation
    """
    return (derivation.sample_network(rng, derivation.OBLONG)[0],)


def explain(function: Function) -> str:
    """The dropped terms or the mistakes that explain the numbers of a derivation.

    Parameters
    ----------
    function : Problem -> matrices by name

    Returns
    -------
    str
        One sentence, or "" where there is no explanation.
    """
    try:
        report = derivation.check(function, np.random.default_rng(0), name=function.__name__)
    except InputError:
        return ""
    reasons = [f"{', '.join(f.matrices)} {f.explanations[0]}" for f in report.findings if f.explanations]
    return f"Your numbers are those of the gradient of {'; of '.join(reasons)}." if reasons else report.note
