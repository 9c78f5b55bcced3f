"""What the network is asked to do: a loss on filtered spikes, at every step.  [N19 Eq. 9, 14]

    L = sum_n sum_l loss(G^(l) (epsilon * S^(l))[n], target^(l)[n])

With targets epsilon * S* and half the square this is the van Rossum distance.  A cost on the output layer alone is the
usual global loss; one on every layer, each read through fixed random weights G of its own, are the local losses of
[N19 Eq. 14] and of DECOLLE.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, fraction, positive, validate_shape
from decolle_ref.decolle.objective import Loss, squared_error


class Kernel(NamedTuple):
    """epsilon, as a dynamical system: two leaky averages in a row, of unit area.  Both 0: no filter at all."""

    rise: float = 0.0
    decay: float = 0.0


NO_FILTER = Kernel()


class Filtered(NamedTuple):
    """The state of epsilon * S, for S of any shape."""

    A: Array
    B: Array  # epsilon * S


class Target(NamedTuple):
    """What one layer is asked to do."""

    goal: Array  # (T, batch, n_out)
    G: Array | None = None  # (n_out, n), or None where the neurons themselves are the outputs
    loss: Loss = squared_error


class Cost(NamedTuple):
    """One target per layer, or None for a layer without one."""

    targets: tuple[Target | None, ...]
    kernel: Kernel = NO_FILTER


def double_exponential(tau_rise: float, tau_decay: float, dt: float = 0.001) -> Kernel:
    """The kernel with decays exp(-dt/tau_rise) and exp(-dt/tau_decay); times in seconds.  [N19 Eq. 9]

    Raises InputError for a time that is not finite and > 0.
    """
    rise, decay = positive("tau_rise", tau_rise, "seconds"), positive("tau_decay", tau_decay, "seconds")
    return Kernel(*(float(np.exp(-positive("dt", dt, "seconds") / tau)) for tau in (rise, decay)))


def quiet(shape: tuple[int, ...]) -> Filtered:
    """The filter before anything came."""
    return Filtered(np.zeros(shape), np.zeros(shape))


def smooth(kernel: Kernel, before: Filtered, S: Array) -> Filtered:
    """One step of epsilon * S: A = rise A + (1 - rise) S, B = decay B + (1 - decay) A.  [N19 Eq. 9]"""
    A = kernel.rise * before.A + (1 - kernel.rise) * S
    return Filtered(A, kernel.decay * before.B + (1 - kernel.decay) * A)


def filtered(kernel: Kernel, S: Array) -> Array:
    """epsilon * S for a whole record (T, ...).  [N19 Eq. 9]"""
    state, out = Filtered(0 * S[0], 0 * S[0]), []
    for now in S:
        state = smooth(kernel, state, now)
        out.append(state.B)
    return np.stack(out)


def van_rossum(kernel: Kernel, target_spikes: Array) -> Target:
    """The target of L = 1/2 sum_n (epsilon * (S - S*))^2: follow epsilon * S*.  [N19 Eq. 9]"""
    return Target(filtered(kernel, target_spikes))


def on_top(layers: int, target: Target, kernel: Kernel = NO_FILTER) -> Cost:
    """The global loss: a target for the last of `layers` layers alone."""
    return Cost((None,) * (layers - 1) + (target,), kernel)


def error(target: Target | None, y: Array, n: int) -> Array:
    """e = G^T dloss/dY at step n, of the shape of y = (epsilon * S)[n].  [N19 Eq. 13, 14]"""
    if target is None:
        return np.zeros_like(y)
    if target.G is None:
        return target.loss.slope(y, target.goal[n])
    return target.loss.slope(y @ target.G.T, target.goal[n]) @ target.G


def value(cost: Cost, S: Sequence[Array]) -> Array:
    """L of a whole record, summed over layers, steps, batch and outputs.  S: (T, batch, n) per layer."""
    total = np.zeros(())
    for target, spikes in zip(cost.targets, S, strict=True):
        if target is not None:
            y = filtered(cost.kernel, spikes)
            Y = y if target.G is None else y @ target.G.T
            total = total + target.loss.terms(Y, target.goal).sum()
    return total


def errors(cost: Cost, S: Sequence[Array]) -> tuple[Array, ...]:
    """e of every layer at every step: dL / d(epsilon * S)[n], (T, batch, n) per layer."""
    smoothed = [filtered(cost.kernel, spikes) for spikes in S]
    return tuple(
        np.stack([error(target, y[n], n) for n in range(len(y))])
        for target, y in zip(cost.targets, smoothed, strict=True)
    )


def slopes(kernel: Kernel, e: Sequence[Array]) -> tuple[Array, ...]:
    """dL/dS[m] = sum_{n >= m} epsilon[n - m] e[n]: the kernel run backwards in time over the errors."""
    return tuple(filtered(kernel, layer[::-1])[::-1] for layer in e)


def validate(cost: Cost, sizes: Sequence[int], steps: int, batch: int) -> None:
    """Raise InputError unless every layer has a target or None, of its shape and finite, and epsilon fades."""
    fraction("kernel rise", cost.kernel.rise)
    fraction("kernel decay", cost.kernel.decay)
    if len(cost.targets) != len(sizes):
        raise InputError(f"cost: expected one target per layer ({len(sizes)}), got {len(cost.targets)}")
    for k, (target, n) in enumerate(zip(cost.targets, sizes, strict=True), start=1):
        if target is not None:
            n_out = n if target.G is None else len(target.G)
            validate_shape(f"layer {k} goal", finite(f"layer {k} goal", target.goal), (steps, batch, n_out))
            if target.G is not None:
                validate_shape(f"layer {k} G", finite(f"layer {k} G", target.G), (n_out, n))
