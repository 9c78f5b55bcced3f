"""Where an equation does not hold, in words: at which steps, in which samples and entries.

>>> along(np.array([False, False, True, True]), "step")
'from step 2 on'
>>> along(np.array([True, False, False]), "sample")
'in sample 0 alone'
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check.residual import Slot
from decolle_ref.oracle.trace import LOSS, MEMORY

WEIGHTS = ("W", "b", "dW", "db", *MEMORY)
FEATURES = {"Q": "input", "P": "input", "Q_final": "input", "P_final": "input", "Y": "output", "e": "output"}
FEW = 3


def places(slot: Slot) -> str:
    """The places of all failures of an equation.

    Parameters
    ----------
    slot : the numbers of one equation of one layer

    Returns
    -------
    str
        Such as "from step 5 on, in sample 1 alone"; empty if it fails in every step, sample and entry.
    """
    wrong = ~slot.holds
    every = range(wrong.ndim)
    failing = [np.asarray(wrong.any(axis=tuple(k for k in every if k != axis))) for axis in every]
    names = "step", *axes(slot.equation, wrong.ndim - 1)
    parts = [along(*pair) for pair in zip(failing, names, strict=True)]
    return ", ".join(part for part in parts if part)


def axes(equation: str, number: int) -> tuple[str, ...]:
    """What the axes of an array count at one step.

    Parameters
    ----------
    equation : the name of the array
    number : of its axes, without that of time

    Returns
    -------
    tuple of str
    """
    if equation == LOSS:
        return ()
    if equation not in WEIGHTS:
        return "sample", FEATURES.get(equation, "neuron")
    if number > 2:
        return "output channel", "input channel", "row of the kernel", "column of the kernel"
    return ("neuron", "input")[:number]


def along(wrong: Array, name: str) -> str:
    """The failing indices of one axis in words; empty if all fail, or all but the first few steps.

    Parameters
    ----------
    wrong : array of bool, one per index
    name : of one index

    Returns
    -------
    str
    """
    index, n = np.flatnonzero(wrong), len(wrong)
    if not len(index) or len(index) == n:
        return ""
    first, last, at = int(index[0]), int(index[-1]), "at" if name == "step" else "in"
    if len(index) == 1:
        return f"{at} {name} {first} alone" + (" (the last)" if last == n - 1 and n > 1 else "")
    if len(index) == last - first + 1:
        if last == n - 1:
            return f"from {name} {first} on"
        return f"up to {name} {last}" if first == 0 else f"{at} {name}s {first} to {last}"
    if len(index) <= FEW:
        return f"{at} {name}s " + ", ".join(map(str, index))
    rest = np.flatnonzero(~wrong)
    if len(rest) <= FEW and name != "step":
        return f"not {at} {name} " + ", ".join(map(str, rest))
    return ""
