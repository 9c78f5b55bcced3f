"""The loss of a network: a function of filtered spikes at every step.  [N19 Eq. 9, 14]

    L = sum_n sum_l loss(G^(l) (epsilon * S^(l))[n], target^(l)[n])

With targets epsilon * S* and half the square this is the van Rossum distance.  A loss on the output layer alone is the
usual global loss.  One loss on every layer, each read through fixed random weights G of its own, gives the local losses
of [N19 Eq. 14] and of DECOLLE.

>>> kernel = double_exponential(tau_rise=0.005, tau_decay=0.010)
>>> target_spikes = np.zeros((50, 1, 2))
>>> target_spikes[20] = 1
>>> cost = global_cost(1, van_rossum(kernel, target_spikes), kernel)
>>> float(value(cost, [target_spikes])), bool(value(cost, [0 * target_spikes]) > 0)
(0.0, True)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, floats, fraction, positive, validate_shape
from decolle_ref.decolle.objective import Loss, squared_error


class Kernel(NamedTuple):
    """epsilon, as two leaky averages in a row, of unit area.  With both decays 0 there is no filter at all."""

    rise: float = 0.0
    decay: float = 0.0


NO_FILTER = Kernel()


class FilterState(NamedTuple):
    """The state of the filter epsilon, for spikes of any shape."""

    A: Array
    B: Array  # epsilon * S


class Target(NamedTuple):
    """The desired output of one layer, and how the output is read."""

    goal: Array  # (T, batch, n_out)
    G: Array | None = None  # (n_out, n), or None where the neurons themselves are the outputs
    loss: Loss = squared_error


class Cost(NamedTuple):
    """One target per layer, or None for a layer without one."""

    targets: tuple[Target | None, ...]
    kernel: Kernel = NO_FILTER


def double_exponential(tau_rise: float, tau_decay: float, dt: float = 0.001) -> Kernel:
    """The kernel with decays exp(-dt/tau_rise) and exp(-dt/tau_decay).  [N19 Eq. 9]

    Parameters
    ----------
    tau_rise, tau_decay, dt : float, in seconds

    Returns
    -------
    Kernel

    Raises
    ------
    InputError : for a time that is not finite and > 0
    """
    rise, decay = positive("tau_rise", tau_rise, "seconds"), positive("tau_decay", tau_decay, "seconds")
    return Kernel(*(float(np.exp(-positive("dt", dt, "seconds") / tau)) for tau in (rise, decay)))


def rest(shape: tuple[int, ...]) -> FilterState:
    """The state of the filter before the first spike: A = B = 0.

    Parameters
    ----------
    shape : of the spikes at one step

    Returns
    -------
    FilterState
    """
    return FilterState(np.zeros(shape), np.zeros(shape))


def filter_step(kernel: Kernel, before: FilterState, S: Array) -> FilterState:
    """One step of epsilon * S: A = rise A + (1 - rise) S, B = decay B + (1 - decay) A.  [N19 Eq. 9]

    Assumes floats of one shape.

    Parameters
    ----------
    kernel : Kernel
    before : the state after step n-1
    S : spikes (or their derivatives) at step n, shaped like A and B

    Returns
    -------
    FilterState after step n
    """
    A = kernel.rise * before.A + (1 - kernel.rise) * S
    return FilterState(A, kernel.decay * before.B + (1 - kernel.decay) * A)


def filtered(kernel: Kernel, S: Array) -> Array:
    """epsilon * S for a whole record.  [N19 Eq. 9]

    Parameters
    ----------
    kernel : Kernel
    S : (T, ...)

    Returns
    -------
    array shaped like S

    Raises
    ------
    InputError : for a record without steps
    """
    S = _parse_record("S", S)
    state, steps = FilterState(0 * S[0], 0 * S[0]), []
    for S_n in S:
        state = filter_step(kernel, state, S_n)
        steps.append(state.B)
    return np.stack(steps)


def _parse_record(name: str, x: Array) -> Array:
    """x of at least one step."""
    x = floats(name, x)
    if not x.shape or not len(x):
        raise InputError(f"{name}: expected shape (steps, ...) with steps >= 1, got {x.shape}")
    return x


def van_rossum(kernel: Kernel, target_spikes: Array) -> Target:
    """The target epsilon * S* of L = 1/2 sum_n (epsilon * (S - S*))^2.  [N19 Eq. 9]

    Parameters
    ----------
    kernel : epsilon
    target_spikes : (T, batch, n), S*

    Returns
    -------
    Target
    """
    return Target(filtered(kernel, target_spikes))


def global_cost(layers: int, target: Target, kernel: Kernel = NO_FILTER) -> Cost:
    """The global loss: a target for the last layer, and none for the others.

    Parameters
    ----------
    layers : int, number of layers
    target : of the last layer
    kernel : epsilon

    Returns
    -------
    Cost
    """
    return Cost((None,) * (layers - 1) + (target,), kernel)


def error(target: Target | None, y: Array, n: int) -> Array:
    """e = G^T dloss/dY at step n.  [N19 Eq. 13, 14]

    Parameters
    ----------
    target : of the layer, or None
    y : (batch, n_neurons), (epsilon * S)[n]
    n : step

    Returns
    -------
    array shaped like y: dL / d(epsilon * S)[n]
    """
    if target is None:
        return np.zeros_like(y)
    Y, goal = _read(target, y), floats("goal", target.goal)
    if n not in range(len(goal) if goal.shape else 0):
        raise InputError(f"n: expected a step of the goal, of shape {goal.shape}, got {n}")
    slope = target.loss.slope(Y, goal[n])
    return slope if target.G is None else slope @ target.G


def _read(target: Target, y: Array) -> Array:
    """Y = G y, (..., n_out)."""
    if target.G is None:
        return floats("y", y)
    G = floats("G", target.G, len(target.G) if np.ndim(target.G) else 0, np.shape(y)[-1] if np.ndim(y) else 0)
    return np.asarray(floats("y", y) @ G.T)


def value(cost: Cost, S: Sequence[Array]) -> Array:
    """L of a whole record, summed over layers, steps, batch and outputs.

    Parameters
    ----------
    cost : Cost
    S : spikes of every layer, (T, batch, n)

    Returns
    -------
    array of shape (); complex where S is
    """
    total = np.zeros(())
    for target, spikes in zip(cost.targets, S, strict=True):
        if target is not None:
            Y = _read(target, filtered(cost.kernel, spikes))
            total = total + target.loss.terms(Y, target.goal).sum()
    return total


def errors(cost: Cost, S: Sequence[Array]) -> tuple[Array, ...]:
    """e of every layer at every step: dL / d(epsilon * S)[n].

    Parameters
    ----------
    cost : Cost
    S : spikes of every layer, (T, batch, n)

    Returns
    -------
    arrays shaped like those of S
    """
    y = [filtered(cost.kernel, spikes) for spikes in S]
    for target, layer in zip(cost.targets, y, strict=True):
        if target is not None:
            floats("goal", target.goal, *_read(target, layer).shape)
    return tuple(
        np.stack([error(target, layer[n], n) for n in range(len(layer))])
        for target, layer in zip(cost.targets, y, strict=True)
    )


def dS(kernel: Kernel, errors: Sequence[Array]) -> tuple[Array, ...]:
    """dL/dS[m] = sum_{n >= m} epsilon[n - m] e[n]: the kernel applied to the errors, backwards in time.

    Parameters
    ----------
    kernel : Kernel
    errors : e of every layer, (T, batch, n)

    Returns
    -------
    dL/dS of every layer, (T, batch, n), without the effect of S on later steps
    """
    return tuple(filtered(kernel, _parse_record("errors", e)[::-1])[::-1] for e in errors)


def validate(cost: Cost, sizes: Sequence[int], steps: int, batch: int) -> None:
    """Raise InputError unless each layer has a target or None, of its shape and finite, and epsilon decays.

    Parameters
    ----------
    cost : Cost
    sizes : neurons of every layer
    steps, batch : int, the shape of the record
    """
    fraction("kernel rise", cost.kernel.rise)
    fraction("kernel decay", cost.kernel.decay)
    if len(cost.targets) != len(sizes):
        raise InputError(f"cost: expected one target per layer ({len(sizes)}), got {len(cost.targets)}")
    for k, (target, n) in enumerate(zip(cost.targets, sizes, strict=True), start=1):
        if target is not None:
            n_out = n if target.G is None else np.size(target.G) // n
            validate_shape(f"layer {k} goal", finite(f"layer {k} goal", target.goal), (steps, batch, n_out))
            if target.G is not None:
                validate_shape(f"layer {k} G", finite(f"layer {k} G", target.G), (n_out, n))
