"""Dialects of DECOLLE.  The paper and its authors' two code bases differ, so each variant is a *dialect*, kept as data.

All of them are one dynamical system.  With P[n+1] and Q[n+1] called new, P[n] and Q[n] old,

    Q[n+1] = beta  Q[n] + g_Q S^in[n]
    P[n+1] = alpha P[n] + g_P (old or new Q)
    U[n]   = W (old or new P) + b - delta R[n]
    S[n]   = (U[n] >= 0 or U[n] > 0)
    R[n+1] = gamma R[n] + S[n]

A dialect chooses one option on each of twelve axes: which Q and P are read, the gains, how the refractory strength w of
that code becomes delta, the comparison at threshold, the decay formula, the surrogate, what the readout reads, the
places of dropout and pooling, and what the regularisers read and where they act.  A step reads the options as
values; there is no `if dialect` anywhere.

>>> from decolle_ref import dialects
>>> dialects.differences(dialects.decolle_base, dialects.decolle_nonorm)[1]
('threshold', 'S = 1 if U > 0', 'S = 1 if U >= 0')
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.decolle.surrogate import (
    Surrogate,
    above_threshold,
    at_threshold,
    boxcar,
    fast_sigmoid,
    logistic,
    sharpened,
)


class Option(NamedTuple):
    """One choice on an axis.

    Attributes
    ----------
    equation : str
        The choice as an equation or in words.
    value : any
        What the code reads: an index, a function or a name.
    """

    equation: str
    value: Any = None


def _exact_decay(tau: Array, dt: float) -> Array:
    return np.exp(-dt / tau)


def _euler_decay(tau: Array, dt: float) -> Array:
    decay: Array = 1 - dt / tau
    if (decay <= 0).any():
        raise InputError(f"tau: expected more than dt = {dt} s, where decays are 1 - dt/tau, got {tau.min()}")
    return decay


_gain_leak: Callable[[Array], Array] = lambda decay: 1 - decay  # noqa: E731


AXES: dict[str, dict[str, Option]] = {
    "P_reads": {
        "old_Q": Option("P[n+1] = alpha P[n] + g_P Q[n]", 0),
        "new_Q": Option("P[n+1] = alpha P[n] + g_P Q[n+1]", 1),
    },
    "U_reads": {
        "old_P": Option("U[n] = W P[n] + b - delta R[n]", 0),
        "new_P": Option("U[n] = W P[n+1] + b - delta R[n]", 1),
    },
    "gains": {
        "one": Option("g_Q = 1, g_P = 1", np.ones_like),
        "leak": Option("g_Q = 1 - beta, g_P = 1 - alpha", _gain_leak),
        "inverse": Option("g_Q = 1/(1-beta), g_P = 1/(1-alpha)", lambda decay: 1 / (1 - decay)),
    },
    "refractory": {
        "w": Option("delta = w", np.ones_like),
        "gamma_w": Option("delta = gamma w", lambda gamma: gamma),
        "leak_w": Option("delta = (1-gamma) w", _gain_leak),
    },
    "threshold": {
        "at_or_above": Option("S = 1 if U >= 0", at_threshold),
        "above": Option("S = 1 if U > 0", above_threshold),
    },
    "decay": {
        "exp": Option("alpha = exp(-dt/tau_mem), beta, gamma likewise", _exact_decay),
        "euler": Option("alpha = 1 - dt/tau_mem, beta, gamma likewise", _euler_decay),
        "given": Option("alpha, beta, gamma given (from time constants: exp(-dt/tau))", _exact_decay),
    },
    "surrogate": {
        "logistic": Option("sigma'(U) = sigma(U) sigma(-U)", logistic),
        "fast_sigmoid_10": Option("sigma'(U) = 1/(10 |U| + 1)^2", sharpened(fast_sigmoid, 10.0)),
        "boxcar": Option("sigma'(U) = 1 if -1/2 < U <= 1/2 else 0", boxcar),
    },
    "readout": {
        "sigma": Option("Y = G sigma(U) + c", "primitive"),
        "spikes": Option("Y = G S + c, its gradient by sigma'", "spike"),
    },
    "dropout": {
        "before_G": Option("on the activity read out, before G", "activity"),
        "after_G": Option("on Y, after G", "Y"),
    },
    "pooling": {
        "pool_U": Option("max over U, then Theta", lambda surrogate: np.asarray),
        "pool_S": Option("max over S and over sigma(U)", lambda surrogate: surrogate.primitive),
    },
    "regulariser_reads": {
        "primitive": Option("lambda2 relu(0.1 - mean a), a = sigma(U)", lambda surrogate: surrogate),
        "logistic": Option("lambda2 relu(0.1 - mean a), a = 1/(1 + exp(-U))", lambda surrogate: logistic),
    },
    "regulariser_place": {
        "pooled": Option("lambda1 mean relu(U + 0.01), of the pooled U", "u"),
        "unpooled": Option("lambda1 mean relu(U + 0.01), of U before the pool", "U"),
    },
}


@dataclass(frozen=True)
class Dialect:
    """One option per axis, by name; `AXES` lists the axes and their options.

    Attributes
    ----------
    name : str
    P_reads, U_reads, gains, refractory, threshold, decay, surrogate, readout, dropout, pooling : str
    regulariser_reads, regulariser_place : str
        A key of `AXES[axis]` each.

    Raises
    ------
    InputError
        For an option that its axis does not have.
    """

    name: str
    P_reads: str = "old_Q"
    U_reads: str = "old_P"
    gains: str = "one"
    refractory: str = "w"
    threshold: str = "at_or_above"
    decay: str = "exp"
    surrogate: str = "logistic"
    readout: str = "sigma"
    dropout: str = "before_G"
    pooling: str = "pool_U"
    regulariser_reads: str = "primitive"
    regulariser_place: str = "pooled"

    def __post_init__(self) -> None:
        for axis, options in AXES.items():
            validate_choice(axis, getattr(self, axis), options)

    def option(self, axis: str) -> Option:
        """The option that this dialect chooses on `axis`, a key of `AXES`."""
        return AXES[axis][getattr(self, axis)]

    def value(self, axis: str) -> Any:
        """The value of that option."""
        return self.option(axis).value

    @property
    def delay(self) -> int:
        """Steps from an input spike to the first U that it moves."""
        return 2 - int(self.value("P_reads")) - int(self.value("U_reads"))

    def triple(self) -> Surrogate:
        """The dialect's surrogate with the dialect's comparison at threshold."""
        surrogate: Surrogate = self.value("surrogate")
        return replace(surrogate, spike=self.value("threshold"))


paper = Dialect("paper")
"""[K20 Eq. 1] as this project reads it; the default everywhere."""

dcll = Dialect(
    "dcll",
    P_reads="new_Q",
    U_reads="new_P",
    gains="inverse",
    refractory="gamma_w",
    threshold="above",
    decay="euler",
    dropout="after_G",
    pooling="pool_S",
    regulariser_place="unpooled",
)
"""The authors' 2018 code, which made the paper's figures."""

decolle = Dialect(
    "decolle",
    U_reads="new_P",
    gains="leak",
    refractory="leak_w",
    threshold="above",
    decay="given",
    surrogate="fast_sigmoid_10",
    readout="spikes",
    regulariser_reads="logistic",
)
"""The authors' 2020 code, class LIFLayer."""

decolle_base = replace(decolle, name="decolle-base", gains="inverse", refractory="w")
"""The authors' 2020 code, class BaseLIFLayer."""

decolle_nonorm = replace(
    decolle, name="decolle-nonorm", gains="one", refractory="w", threshold="at_or_above", surrogate="boxcar"
)
"""The authors' 2020 code, class LIFLayerNonorm."""

DIALECTS = {d.name: d for d in (paper, dcll, decolle, decolle_base, decolle_nonorm)}


def named(name: str) -> Dialect:
    """Look up a dialect.

    Parameters
    ----------
    name : str
        "paper", "dcll", "decolle", "decolle-base" or "decolle-nonorm".

    Returns
    -------
    Dialect

    Raises
    ------
    InputError
        For an unknown name.
    """
    validate_choice("dialect", name, DIALECTS)
    return DIALECTS[name]


def differences(a: Dialect, b: Dialect) -> list[tuple[str, str, str]]:
    """List the axes on which two dialects differ.

    Parameters
    ----------
    a, b : Dialect

    Returns
    -------
    list of (axis, equation of a, equation of b)
    """
    return [
        (axis, a.option(axis).equation, b.option(axis).equation)
        for axis in AXES
        if getattr(a, axis) != getattr(b, axis)
    ]


def validate_same(neuron: Dialect | None, layer: Dialect, name: str) -> None:
    """Raise InputError unless a neuron was made in the dialect of its layer.

    Parameters
    ----------
    neuron : Dialect or None
        None passes: constants that were chosen by hand.
    layer : Dialect
    name : str
        Begins the message.
    """
    if neuron is not None and (differing := differences(neuron, layer)):
        raise InputError(
            f"{name}: expected lif.neuron and network.with_dialect in one dialect, "
            f"got {neuron.name} and {layer.name}, which differ in {', '.join(axis for axis, _, _ in differing)}"
        )


def table() -> str:
    """All dialects, axis by axis, as a Markdown table."""
    head = ["", *(f"`{name}`" for name in DIALECTS)]
    rows = [
        [axis.replace("_", " "), *(d.option(axis).equation.replace("|", "\\|") for d in DIALECTS.values())]
        for axis in AXES
    ]
    delay = ["steps from spike to U", *(str(d.delay) for d in DIALECTS.values())]
    lines = [head, ["---"] * len(head), *rows[:2], delay, *rows[2:]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
