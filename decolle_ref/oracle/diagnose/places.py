"""Where an equation does not hold, in words: at which steps, in which samples and entries.

>>> along(np.array([False, False, True, True]), "step")
'from step 2 on'
>>> along(np.array([True, False, False]), "sample")
'in sample 0 alone'
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check.residual import Slot

NAMES = {"Q": "input", "P": "input", "Y": "output", "e": "output"}
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
    names = ["step"]
    if slot.equation not in ("W", "b", "dW", "db"):
        names += ["sample", NAMES.get(slot.equation, "neuron")]
    elif wrong.ndim <= 3:
        names += ["neuron", "input"][: wrong.ndim - 1]
    else:
        names += ["output channel", "input channel", "row of the kernel", "column of the kernel"]
    if wrong.ndim != len(names):  # the loss, and what a run hands on after its last step
        wrong, names = np.asarray(wrong.reshape(len(wrong), -1).any(axis=1)), names[:1]
    axes = range(wrong.ndim)
    failing = [np.asarray(wrong.any(axis=tuple(k for k in axes if k != axis))) for axis in axes]
    parts = [along(*pair) for pair in zip(failing, names, strict=True)]
    return ", ".join(part for part in parts if part)


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
