"""Layers in a stack, and the one loop over time.

    spikes in -> Q -> P -> (W) -> U -> S -> next layer
                      |          |
                      |          +-> sigma(U) -> (G) -> Y -> loss -> dY -> (G^T) ->+
                      |          +-> sigma'(U) ------------------------------------x -> dU
                      +---------------------------------------------------------- x -> dW

One direction, once per time step, no look back: a run is a sequence of `Carry`s.  No function here changes its
arguments, with one exception that the caller chooses: a `Learner` with `fast.update_layer` overwrites the weights and
the optimiser state of the carry before, so that only the newest carry is valid.

>>> import numpy as np
>>> from decolle_ref import Carry, Dense, Layer, Weights, lif, network, readout
>>> layers = [Layer(Dense(2, 1), lif.neuron(), readout.sample_readout(np.random.default_rng(0), n=1, n_out=3))]
>>> start = Carry((Weights(np.ones((1, 2)), np.zeros(1)),), network.rest(layers))
>>> for carry, (snapshot,) in network.run(layers, start, inputs=np.ones((10, 2))):
...     pass  # streams and keeps no history
>>> carry.n, snapshot.P.shape, snapshot.Y.shape
(10, (2,), (3,))
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import (
    Array,
    InputError,
    count,
    finite,
    floats,
    validate_dtype,
    validate_one_per_layer,
)
from decolle_ref.decolle import dialects, lif, readout
from decolle_ref.decolle.layer import (
    Layer,
    Snapshot,
    forward,
    frozen_error_loss,
    local_gradients,
    local_loss,
    pooled,
    width,
    with_dialect,
)
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.optim import OptState
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.surrogate import identity
from decolle_ref.decolle.synapse import Weights

# ruff: noqa: RUF022  (the names of `layer` first, then the loop)
__all__ = ["Layer", "Snapshot", "with_dialect", "width", "forward", "pooled", "local_gradients", "local_loss"]
__all__ += ["frozen_error_loss", "with_readout_of_U", "Network", "Carry", "validate", "validate_state", "rest"]
__all__ += ["step", "run"]

Network = tuple[Layer, ...]


class Carry(NamedTuple):
    """All that goes from one step to the next.

    Attributes
    ----------
    weights, state : tuples, one entry per layer
    opt_state : tuple, one entry per layer, from `Learner.init`; () without a learner
    n : int, steps since rest
    updates : int, updates so far
    """

    weights: tuple[Weights, ...]
    state: tuple[State, ...]
    opt_state: OptState = ()
    n: int = 0
    updates: int = 0


def with_readout_of_U(layer: Layer) -> Layer:
    """The layer with Y = G U + c and sigma' = 1: the output layer (`with_output_layer`) of the authors' 2020 code.

    There G is the identity, so Y = U.  The neuron, its spikes and the pool stay as they are.  A regulariser that reads
    the layer's own primitive reads U too.

    Parameters
    ----------
    layer : Layer
        In its dialect already.

    Returns
    -------
    Layer
    """
    return layer._replace(surrogate=replace(identity, spike=layer.surrogate.spike), activity="primitive")


def validate(network: Sequence[Layer], weights: Sequence[Weights]) -> None:
    """Raise InputError unless the layers fit each other, and `weights` fits them, is finite and of their dtype.

    A layer must have the dialect of its neuron.

    Parameters
    ----------
    network : sequence of Layer
    weights : sequence of Weights, one per layer
    """
    validate_one_per_layer("weights", weights, len(network))
    for k, (layer, w) in enumerate(zip(network, weights, strict=True), start=1):
        n_in, n, dtype = layer.synapse.n_in, layer.synapse.n, layer.neuron.alpha.dtype
        dialects.validate_same(layer.neuron.dialect, layer.dialect, f"layer {k}")
        layer.synapse.validate(w, dtype, f"layer {k}")
        lif.validate(layer.neuron, n_in, n, f"layer {k}")
        if layer.pool is not None and layer.pool.n_in != n:
            raise InputError(f"layer {k} pool: expected {n} neurons, got {layer.pool.n_in}")
        readout.validate(layer.readout, width(layer), dtype, f"layer {k}")
        if k > 1 and width(network[k - 2]) != n_in:
            raise InputError(f"layer {k} n_in: expected {width(network[k - 2])}, got {n_in}")


def validate_state(network: Sequence[Layer], state: Sequence[State]) -> None:
    """Raise InputError unless every layer has a finite state of its size and dtype, and all share a batch shape.

    Parameters
    ----------
    network : sequence of Layer
    state : sequence of State, one per layer
    """
    validate_one_per_layer("state", state, len(network))
    for k, (layer, s) in enumerate(zip(network, state, strict=True), start=1):
        lif.validate_state(s, layer.synapse.n_in, layer.synapse.n, np.shape(state[0].P)[:-1], f"layer {k}")
        for letter, array in zip(State._fields, s, strict=True):
            validate_dtype(f"layer {k} {letter}", array, layer.neuron.alpha.dtype)


def rest(network: Sequence[Layer], batch: tuple[int, ...] = ()) -> tuple[State, ...]:
    """Every layer at P = Q = R = 0.

    Parameters
    ----------
    network : sequence of Layer
    batch : tuple of int

    Returns
    -------
    tuple of State, one per layer
    """
    return tuple(lif.rest(layer.neuron, layer.synapse.n_in, layer.synapse.n, batch) for layer in network)


def step(
    network: Sequence[Layer],
    weights: Sequence[Weights],
    state: Sequence[State],
    spikes: Array,
    targets: Sequence[Array] | None = None,
    masks: Sequence[Mask] | None = None,
) -> tuple[tuple[State, ...], tuple[Snapshot, ...]]:
    """One step of the whole stack, from the state at n and its input spikes.

    Parameters
    ----------
    network, weights, state : sequences, one entry per layer
    spikes : array of shape (..., n_in)
    targets : sequence of arrays of shape (..., n_out), one per layer, or None
    masks : sequence of Mask, one per layer, or None
        Dropout.

    Returns
    -------
    after : tuple of State at step n+1
    snapshots : tuple of Snapshot at step n
        With loss, dY and dU if there are targets.

    Raises
    ------
    InputError
        For numbers of layers, shapes and float types that do not fit.  NaN is not refused: it reaches Y and the loss.
    """
    validate_one_per_layer("weights", weights, len(network))
    validate_one_per_layer("state", state, len(network))
    dtype = network[0].neuron.alpha.dtype
    x = floats("spikes", spikes, ..., network[0].synapse.n_in, dtype=dtype)
    for k, (layer, w, s) in enumerate(zip(network, weights, state, strict=True), start=1):
        n_in, n, dtype = layer.synapse.n_in, layer.synapse.n, layer.neuron.alpha.dtype
        shapes = *layer.synapse.shapes, *((*x.shape[:-1], size) for size in (n_in, n_in, n))
        for letter, array, shape in zip(("W", "b", *State._fields), (*w, *s), shapes, strict=True):
            validate_dtype(f"layer {k} {letter}", floats(f"layer {k} {letter}", array, *shape), dtype)
    goals = None if targets is None else [floats("target", target, dtype=dtype) for target in targets]
    parsed = None if masks is None else _parse_masks(network, masks, x.shape[:-1], 0)
    return _step(network, weights, state, x, goals, parsed)


def _step(
    network: Sequence[Layer],
    weights: Sequence[Weights],
    state: Sequence[State],
    spikes: Array,
    targets: Sequence[Array] | None,
    masks: Sequence[Mask] | None,
) -> tuple[tuple[State, ...], tuple[Snapshot, ...]]:
    """`step` without its checks, for the loop of `run`."""
    after: list[State] = []
    snapshots: list[Snapshot] = []
    for k, layer in enumerate(network):
        mask = KEEP if masks is None else masks[k]
        new, snapshot = forward(layer, weights[k], state[k], spikes, mask)
        after.append(new)
        snapshots.append(snapshot if targets is None else local_gradients(layer, snapshot, targets[k], mask))
        spikes = snapshot.S
    return tuple(after), tuple(snapshots)


def run(
    network: Sequence[Layer],
    start: Carry,
    inputs: Iterable[npt.ArrayLike],
    targets: Iterable[Sequence[npt.ArrayLike]] | None = None,
    learner: Learner | None = None,
    masks: Iterable[Sequence[Mask]] | None = None,
) -> Iterator[tuple[Carry, tuple[Snapshot, ...]]]:
    """The loop over time.  With a learner, every step from its burn-in on updates the weights before the next step.

    Parameters
    ----------
    network : sequence of Layer
    start : Carry
    inputs : iterable of arrays of shape (..., n_in), the spikes of each step, counts or booleans
    targets : iterable of sequences of arrays of shape (..., n_out), or None
        One sequence per step with one array per layer.
    learner : Learner or None
    masks : iterable of sequences of Mask, or None
        Likewise; dropout.

    Yields
    ------
    carry : Carry, after each step; nothing else is kept
    snapshots : tuple of Snapshot

    Raises
    ------
    InputError
        For shapes that do not fit, numbers that are not finite, no targets to learn from, targets or masks that end.
    """
    validate(network, start.weights)
    validate_state(network, start.state)
    count("n", start.n, 0)
    count("updates", start.updates, 0)
    if learner is not None and targets is None:
        raise InputError("targets: expected one per layer and step to learn from, got none")
    if learner is not None:
        learner.validate(start.weights, start.opt_state)
    carry, goals = start, None if targets is None else iter(targets)
    dropped = None if masks is None else iter(masks)
    for spikes in inputs:
        x = finite(f"spikes at step {carry.n}", spikes, network[0].neuron.alpha.dtype, carry.state[0].P.shape)
        goal = None if goals is None else _parse_targets(network, next(goals, ()), x.shape[:-1], carry.n)
        mask = None if dropped is None else _parse_masks(network, next(dropped, ()), x.shape[:-1], carry.n)
        state, snapshots = _step(network, carry.weights, carry.state, x, goal, mask)
        if learner is not None and carry.n >= learner.burn_in:
            carry = _learn(network, learner, carry, snapshots)
        carry = carry._replace(state=state, n=carry.n + 1)
        yield carry, snapshots


def _learn(network: Sequence[Layer], learner: Learner, carry: Carry, snapshots: Sequence[Snapshot]) -> Carry:
    """The carry with its weights updated by the dU and P of all layers."""
    synapses = [layer.synapse for layer in network]
    dUs = [snapshot.dU for snapshot in snapshots if snapshot.dU is not None]
    traces = [snapshot.P for snapshot in snapshots]
    weights, opt_state = learner.update(synapses, carry.weights, carry.opt_state, dUs, traces, carry.updates)
    return carry._replace(weights=weights, opt_state=opt_state, updates=carry.updates + 1)


def _parse_targets(
    network: Sequence[Layer], targets: Sequence[npt.ArrayLike], batch: tuple[int, ...], n: int
) -> list[Array]:
    """The targets of step n in the network's dtype."""
    validate_one_per_layer(f"targets at step {n}", targets, len(network))
    return [
        finite(f"layer {k} target at step {n}", target, layer.neuron.alpha.dtype, (*batch, len(layer.readout.c)))
        for k, (layer, target) in enumerate(zip(network, targets, strict=True), start=1)
    ]


def _parse_masks(network: Sequence[Layer], masks: Sequence[Mask], batch: tuple[int, ...], n: int) -> list[Mask]:
    """The dropout of step n in the network's dtype."""
    validate_one_per_layer(f"masks at step {n}", masks, len(network))
    return [
        readout.parse_mask(mask, layer.readout, (*batch, width(layer)), f"layer {k} mask", n)
        for k, (layer, mask) in enumerate(zip(network, masks, strict=True), start=1)
    ]
