"""Leaky integrate-and-fire neurons as a recurrent network in discrete time.  [N19 Eq. 4, 5]

    I[n+1] = alpha I[n] + W S^(l-1)[n] + V S^(l)[n]        synaptic current
    U[n+1] = beta  U[n] + I[n] - S[n]                      membrane, with its reset
    S[n]   = Theta(U[n] - theta)                           spike

Four kinds of path lead from one step to the next.  A learning rule of the review is defined by which of them its
gradient follows (`Paths`).  The *smooth twin* of a network has sigma, the primitive of the surrogate derivative, in
place of Theta: there the gradient exists, and a rule can be compared with it.

>>> synapses = init_weights(np.random.default_rng(0), (4, 3, 2), W_scale=2.0, V_scale=1.0)
>>> tape = forward(neuron(), synapses, x=np.ones((9, 1, 4)))
>>> [S.shape for S in tape.S]
[(9, 1, 3), (9, 1, 2)]
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, finite, floats, fraction, positive, validate_choice
from decolle_ref.decolle.surrogate import Surrogate, fast_sigmoid

RESETS = ("through", "detach", "ignore")
ACTIVITIES = ("spike", "primitive")


class Neuron(NamedTuple):
    """The constants of all neurons.  (K20 exchanges the letters alpha and beta.)"""

    alpha: float  # exp(-dt/tau_syn): synapse
    beta: float  # exp(-dt/tau_mem): membrane
    theta: float = 1.0
    surrogate: Surrogate = fast_sigmoid
    activity: str = "spike"  # "spike": Theta, "primitive": sigma, the smooth twin
    reset: str = "through"  # gradients pass "through" it; "detach": it is a constant to them; "ignore": no reset


class Synapses(NamedTuple):
    """The weights of one layer, or their gradient."""

    W: Array  # (n, n_below): from the layer below
    V: Array  # (n, n): from the layer itself


class State(NamedTuple):
    """The state of one layer, which goes from step to step."""

    I: Array  # (batch, n)
    U: Array  # (batch, n)


class Tape(NamedTuple):
    """A forward pass, which backpropagation through time must remember; one array per layer, but for x."""

    x: Array  # (T, batch, n_in), input spikes S^(0)
    I: tuple[Array, ...]  # (T, batch, n)
    U: tuple[Array, ...]
    S: tuple[Array, ...]


class Paths(NamedTuple):
    """The paths from one step to the next: True if a gradient follows it.  The reset may also have a strength."""

    past: bool = True  # the leaks: I[n] to I[n+1] by alpha, U[n] to U[n+1] by beta
    reset: float = True  # a neuron's spike to its own membrane
    recurrent: bool = True  # V: spikes to the layer itself
    downstream: bool = True  # W^(l+1): spikes to the layer above


def neuron(
    tau_mem: float = 0.010,
    tau_syn: float = 0.005,
    dt: float = 0.001,
    theta: float = 1.0,
    surrogate: Surrogate = fast_sigmoid,
    activity: str = "spike",
    reset: str = "through",
) -> Neuron:
    """alpha = exp(-dt/tau_syn), beta = exp(-dt/tau_mem).  [N19 Eq. 4, 5]

    Parameters
    ----------
    tau_mem, tau_syn, dt : float, in seconds
    theta, surrogate, activity, reset : see `Neuron`

    Returns
    -------
    Neuron

    Raises
    ------
    InputError : for a time that is not finite and > 0, a theta that is no number, an unknown activity or reset
    """
    dt, tau_syn = float(positive("dt", dt, "seconds")), float(positive("tau_syn", tau_syn, "seconds"))
    tau_mem = float(positive("tau_mem", tau_mem, "seconds"))
    cell = Neuron(float(np.exp(-dt / tau_syn)), float(np.exp(-dt / tau_mem)), theta, surrogate, activity, reset)
    _validate_neuron(cell)
    return cell


def _validate_neuron(cell: Neuron) -> None:
    """Raise InputError for a decay outside [0, 1), under which U grows without bound, and for unknown choices."""
    fraction("alpha", cell.alpha)
    fraction("beta", cell.beta)
    if not cell.theta > -np.inf:  # inf: no spikes
        raise InputError(f"theta: expected a number, or inf for no spikes, got {cell.theta}")
    validate_choice("activity", cell.activity, ACTIVITIES)
    validate_choice("reset", cell.reset, RESETS)


def validate(cell: Neuron, synapses: Sequence[Synapses], x: npt.ArrayLike) -> None:
    """Raise InputError unless the network can run and learn: stable decays, finite float64 weights, fitting shapes.

    Parameters
    ----------
    cell : Neuron
    synapses : W and V of every layer
    x : (T, batch, n_in), input spikes
    """
    _validate_shapes(cell, synapses, finite("x", x))
    for k, layer in enumerate(synapses, start=1):
        for letter, array in zip("WV", layer, strict=True):
            if finite(f"layer {k} {letter}", array).dtype != np.float64:
                raise InputError(f"layer {k} {letter}: expected float64, got {np.asarray(array).dtype}")


def _validate_shapes(cell: Neuron, synapses: Sequence[Synapses], x: Array) -> None:
    """Raise InputError unless decays are stable and layers fit each other and the input."""
    _validate_neuron(cell)
    if x.ndim != 3 or not len(x):
        raise InputError(f"x: expected shape (steps, batch, n_in) with steps >= 1, got {x.shape}")
    if not synapses:
        raise InputError("synapses: expected at least one layer, got none")
    n_below = x.shape[2]
    for k, (W, V) in enumerate(synapses, start=1):
        n = max(1, len(W) if np.ndim(W) else 0)
        floats(f"layer {k} W", W, n, n_below)
        floats(f"layer {k} V", V, n, n)
        n_below = n


def paths(cell: Neuron, keep: Paths | None = None) -> Paths:
    """The paths to follow: those in `keep`, or all.  The reset is one of them only if cell.reset is "through"."""
    keep = Paths() if keep is None else keep
    return keep._replace(reset=keep.reset if cell.reset == "through" else False)


def rest(synapses: Sequence[Synapses], batch: int) -> tuple[State, ...]:
    """I = U = 0: one State of (batch, n) arrays per layer."""
    return tuple(State(np.zeros((batch, len(W))), np.zeros((batch, len(W)))) for W, _ in synapses)


def spikes(cell: Neuron, U: Array) -> Array:
    """S = Theta(U - theta), or sigma(U - theta) in the smooth twin.  [N19 Eq. 5]

    Parameters
    ----------
    cell : Neuron
    U : array of any shape

    Returns
    -------
    array shaped like U
    """
    return np.asarray(getattr(cell.surrogate, cell.activity)(U - cell.theta))


def sigma_prime(cell: Neuron, U: Array) -> Array:
    """sigma'(U - theta), which stands for dS/dU; shaped like U."""
    return cell.surrogate.derivative(U - cell.theta)


def presynaptic(x: Array, S: Sequence[Array]) -> tuple[Array, ...]:
    """S^(l-1), the spikes that reach layer l from below, for every layer l; S^(0) = x, (..., n_in), as they are."""
    return (x, *S[:-1])


def step(
    cell: Neuron, synapses: Sequence[Synapses], state: Sequence[State], x: Array
) -> tuple[tuple[State, ...], tuple[Array, ...]]:
    """(I[n], U[n], S^(0)[n]) -> (I[n+1], U[n+1]), S[n] of every layer.  [N19 Eq. 4, 5]

    The review prints S^(l) in the feed-forward term of Eq. 4; S^(l-1) is meant.  Assumes what `forward` checks.

    Parameters
    ----------
    cell, synapses : the network
    state : I[n] and U[n] of every layer
    x : (batch, n_in), input spikes at step n

    Returns
    -------
    the state at n+1, and S[n] of every layer, (batch, n)
    """
    S = tuple(spikes(cell, U) for _, U in state)
    new_state = []
    for (W, V), (I, U), below, same in zip(synapses, state, presynaptic(x, S), S, strict=True):
        reset = 0 if cell.reset == "ignore" else same
        new_state.append(State(I=cell.alpha * I + below @ W.T + same @ V.T, U=cell.beta * U + I - reset))
    return tuple(new_state), S


def forward(cell: Neuron, synapses: Sequence[Synapses], x: Array) -> Tape:
    """Run from rest over all steps, and record everything.

    Parameters
    ----------
    cell, synapses : the network; weights may be complex, for the complex step
    x : (T, batch, n_in), input spikes

    Returns
    -------
    Tape

    Raises
    ------
    InputError : for unstable decays and shapes that do not fit
    """
    x = floats("x", x)
    _validate_shapes(cell, synapses, x)
    state = rest(synapses, x.shape[1])
    states, spikes_by_step = [], []
    for x_n in x:
        states.append(state)
        state, S = step(cell, synapses, state, x_n)
        spikes_by_step.append(S)
    layers = range(len(synapses))
    return Tape(
        x,
        I=tuple(np.stack([s[k].I for s in states]) for k in layers),
        U=tuple(np.stack([s[k].U for s in states]) for k in layers),
        S=tuple(np.stack([S[k] for S in spikes_by_step]) for k in layers),
    )


def trace_gain(cell: Neuron) -> float:
    """1 / ((1 - alpha)(1 - beta)): the steady U, per unit of weight, of an input that spikes at every step."""
    return 1 / ((1 - cell.alpha) * (1 - cell.beta))


def init_weights(
    rng: np.random.Generator,
    sizes: Sequence[int],
    W_scale: float,
    V_scale: float = 0.0,
    W_mean: float = 0.0,
    gain: float = 1.0,
) -> tuple[Synapses, ...]:
    """W_ij ~ N(W_mean / n_below, W_scale^2 / n_below) / gain, V_ij ~ N(0, V_scale^2 / n) / gain.

    With gain = `trace_gain(cell)`, inputs that spike in a share p of the steps raise U to p W_mean on average.

    Parameters
    ----------
    rng, sizes : source of all numbers; n_in, n_1, ..., n_L
    W_scale, V_scale, W_mean, gain : float

    Returns
    -------
    W and V of every layer

    Raises
    ------
    InputError : for a scale that is not finite
    """
    for name, value in {"W_scale": W_scale, "V_scale": V_scale, "W_mean": W_mean, "gain": gain}.items():
        finite(name, value)
    return tuple(
        Synapses(
            rng.normal(W_mean / m, W_scale / np.sqrt(m), (n, m)) / gain,
            rng.normal(0, 1, (n, n)) * (V_scale / np.sqrt(n)) / gain,
        )
        for m, n in pairwise(sizes)
    )


def parse_gradient(gradient: Sequence[Synapses], method: str) -> tuple[Synapses, ...]:
    """Return `gradient` if all its entries are finite.

    Parameters
    ----------
    gradient : dL/dW and dL/dV of every layer
    method : str, for the message

    Returns
    -------
    gradient

    Raises
    ------
    InputError : names the first entry that is not finite
    """
    for k, layer in enumerate(gradient, start=1):
        for letter, array in zip("WV", layer, strict=True):
            finite(f"{method}: dL/d{letter} of layer {k} (are the recurrent weights too large?)", array)
    return tuple(gradient)
