"""Layers in a stack, and the one loop over time.

    spikes in -> Q -> P -> (W) -> U -> S -> next layer
                      |          |
                      |          +-> sigma(U) -> (G) -> Y -> loss -> dY -> (G^T) ->+
                      |          +-> sigma'(U) ------------------------------------x -> dU
                      +---------------------------------------------------------- x -> dW

One direction, once per time step, no look back.  Nothing here is mutated: a run is a sequence of `Carry`s.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, finite, validate_shape
from decolle_ref.decolle import lif, readout, rule
from decolle_ref.decolle.dialects import Dialect
from decolle_ref.decolle.learner import Learner, OptState
from decolle_ref.decolle.lif import LIF, State
from decolle_ref.decolle.objective import Objective
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import KEEP, Mask, Readout
from decolle_ref.decolle.surrogate import Function, Surrogate, logistic
from decolle_ref.decolle.synapse import Synapse, Weights


class Layer(NamedTuple):
    """Everything fixed about one layer."""

    synapse: Synapse
    neuron: LIF
    readout: Readout
    surrogate: Surrogate = logistic
    objective: Objective = Objective()
    activity: str = "primitive"  # what the readout reads of the surrogate: "primitive", sigma(U), or "spike", S
    pool: MaxPool | None = None  # between U and what is transmitted and read
    pool_key: Function = np.asarray  # of U, a function that never falls: decides who wins a pool
    dropout: str = "activity"  # where dropout acts: "activity", before G, or "Y", after it


def with_dialect(dialect: Dialect, layer: Layer, surrogate: Surrogate | None = None) -> Layer:
    """The layer with all that a dialect says of it but its neuron, which comes from lif.neuron(dialect=...).

    surrogate: another one than the dialect's, with the dialect's threshold.
    """
    own = dialect.triple()
    surrogate = own if surrogate is None else replace(surrogate, spike=own.spike)
    return layer._replace(
        surrogate=surrogate,
        activity=dialect.value("readout"),
        pool_key=dialect.value("pooling")(surrogate),
        dropout=dialect.value("dropout"),
    )


def width(layer: Layer) -> int:
    """How many spikes the layer transmits, and its readout reads."""
    return layer.synapse.n if layer.pool is None else layer.pool.n


Network = tuple[Layer, ...]


class Snapshot(NamedTuple):
    """What one layer shows at one step: P, Q, R as U read them.  The last three are None where there is no target."""

    P: Array  # (..., n_in)
    Q: Array  # (..., n_in)
    R: Array  # (..., n)
    U: Array  # (..., n)
    S: Array  # (..., n), or (..., pool.n): what is transmitted
    Y: Array  # (..., n_out)
    loss: Array | None = None  # ()
    dY: Array | None = None  # (..., n_out), dL/dY
    dU: Array | None = None  # (..., n), dL/dU


class Carry(NamedTuple):
    """All that goes from one step to the next."""

    weights: tuple[Weights, ...]
    state: tuple[State, ...]
    opt_state: OptState = ()  # the optimiser's own state, one entry per layer
    n: int = 0  # steps since rest
    updates: int = 0  # updates made so far


def validate(network: Sequence[Layer], weights: Sequence[Weights]) -> None:
    """Raise InputError unless the layers fit each other, and `weights` fits them, is finite and of their dtype."""
    if not network or len(weights) != len(network):
        raise InputError(f"weights: expected one per layer ({len(network)}), got {len(weights)}")
    for k, (layer, w) in enumerate(zip(network, weights, strict=True), start=1):
        n_in, n, dtype = layer.synapse.n_in, layer.synapse.n, layer.neuron.alpha.dtype
        layer.synapse.validate(w, dtype, f"layer {k}")
        lif.validate(layer.neuron, n_in, n, f"layer {k}")
        if layer.pool is not None and layer.pool.n_in != n:
            raise InputError(f"layer {k} pool: expected {n} neurons, got {layer.pool.n_in}")
        readout.validate(layer.readout, width(layer), dtype, f"layer {k}")
        if k > 1 and width(network[k - 2]) != n_in:
            raise InputError(f"layer {k} n_in: expected {width(network[k - 2])}, got {n_in}")


def validate_state(network: Sequence[Layer], state: Sequence[State]) -> None:
    """Raise InputError unless every layer has a finite state of its size and all share a batch shape."""
    if len(state) != len(network):
        raise InputError(f"state: expected one per layer ({len(network)}), got {len(state)}")
    for k, (layer, s) in enumerate(zip(network, state, strict=True), start=1):
        lif.validate_state(s, layer.synapse.n_in, layer.synapse.n, state[0].P.shape[:-1], f"layer {k}")


def rest(network: Sequence[Layer], batch: tuple[int, ...] = ()) -> tuple[State, ...]:
    """Every layer at P = Q = R = 0."""
    return tuple(lif.rest(layer.neuron, layer.synapse.n_in, layer.synapse.n, batch) for layer in network)


def forward(
    layer: Layer, weights: Weights, state: State, spikes_in: Array, mask: Mask = KEEP
) -> tuple[State, Snapshot]:
    """One layer, one step: [K20 Eq. 1] and Y = G sigma(U) + c, or Y = G S + c where the dialect reads spikes.

    With a pool, S and Y come of the largest U of every window; R keeps the neurons' own spikes.
    """
    drive = partial(layer.synapse.drive, weights)
    after, read, U, S = lif.step(layer.neuron, drive, layer.surrogate.spike, state, spikes_in)
    u = pooled(layer, U)
    if layer.pool is not None:
        S = layer.surrogate.spike(u)
    Y = readout.output(layer.readout, getattr(layer.surrogate, layer.activity)(u), mask)
    return after, Snapshot(*read, U, S, Y)


def pooled(layer: Layer, U: Array) -> Array:
    """The potentials that are transmitted and read: U, or the largest of every window."""
    return U if layer.pool is None else layer.pool.pick(U, layer.pool.winners(layer.pool_key(U)))


def local_gradients(layer: Layer, seen: Snapshot, target: Array, mask: Mask = KEEP) -> Snapshot:
    """Add the layer's loss, the gradients dY = dL/dY and dU = dL/dU.  [K20 Eq. 3, 4]"""
    u = pooled(layer, seen.U)
    dY = layer.objective.error(seen.Y, target)
    dU = rule.error_signal(layer.readout, layer.surrogate, layer.objective, dY, u, mask)
    if layer.pool is not None:
        dU = layer.pool.route(dU, layer.pool.winners(layer.pool_key(seen.U)))
    return seen._replace(loss=layer.objective.value(u, seen.Y, target, layer.surrogate), dY=dY, dU=dU)


def local_loss(layer: Layer, weights: Weights, P: Array, R: Array, target: Array, mask: Mask = KEEP) -> Array:
    """L as a function of the layer's weights with P and R held: what the rule descends.  [K20 Eq. 2]"""
    u = pooled(layer, layer.synapse.drive(weights, P) - layer.neuron.delta * R)
    Y = readout.output(layer.readout, layer.surrogate.primitive(u), mask)
    return layer.objective.value(u, Y, target, layer.surrogate)


def frozen_error_loss(layer: Layer, weights: Weights, P: Array, R: Array, dY: Array, mask: Mask = KEEP) -> Array:
    """<dY, G primitive(U)> + regularisers, with dY held besides P and R.  [K20 Eq. 3]

    Its exact gradient is the update of every dialect.  Where the readout reads sigma(U) that is also the gradient of
    `local_loss`; where it reads spikes, the loss itself is flat almost everywhere and this is the function descended.
    """
    u = pooled(layer, layer.synapse.drive(weights, P) - layer.neuron.delta * R)
    linear = (dY * readout.output(layer.readout, layer.surrogate.primitive(u), mask)).sum()
    regulariser = layer.objective.regulariser
    return np.asarray(linear if regulariser is None else linear + regulariser.value(u, layer.surrogate))


def step(
    network: Sequence[Layer],
    weights: Sequence[Weights],
    state: Sequence[State],
    spikes: Array,
    targets: Sequence[Array] | None = None,
    masks: Sequence[Mask] | None = None,
) -> tuple[tuple[State, ...], tuple[Snapshot, ...]]:
    """One step of the whole stack: (state at n, input spikes, one target per layer) -> (state at n+1, snapshots).

    masks: dropout, one per layer; none: everything is read.
    """
    after: list[State] = []
    shown: list[Snapshot] = []
    for k, layer in enumerate(network):
        mask = KEEP if masks is None else masks[k]
        new, seen = forward(layer, weights[k], state[k], spikes, mask)
        after.append(new)
        shown.append(seen if targets is None else local_gradients(layer, seen, targets[k], mask))
        spikes = seen.S
    return tuple(after), tuple(shown)


def run(
    network: Sequence[Layer],
    start: Carry,
    inputs: Iterable[npt.ArrayLike],
    targets: Iterable[Sequence[npt.ArrayLike]] | None = None,
    learner: Learner | None = None,
    masks: Iterable[Sequence[Mask]] | None = None,
) -> Iterator[tuple[Carry, tuple[Snapshot, ...]]]:
    """The loop over time: yields (carry, snapshots) after each step, and keeps nothing else.

    inputs yields spikes (..., n_in), counts or booleans, one array per step; targets yields one array (..., n_out) per
    layer and step; masks yields the dropout of each layer and step.  With a learner, every step from its burn-in on
    updates the weights before the next step.
    Raises InputError for shapes that do not fit, non-finite spikes, targets or weights, and a learner without targets.
    """
    validate(network, start.weights)
    validate_state(network, start.state)
    if learner is not None:
        learner.validate(start.weights, start.opt_state)
        if targets is None:
            raise InputError("targets: expected one per layer and step to learn from, got none")
    carry, synapses = start, [layer.synapse for layer in network]
    goals = iter(targets) if targets is not None else None
    dropped = iter(masks) if masks is not None else None
    for spikes in inputs:
        x = _spikes(network[0], spikes, carry)
        goal = None if goals is None else _targets(network, next(goals, ()), x.shape[:-1], carry)
        state, shown = step(network, carry.weights, carry.state, x, goal, None if dropped is None else next(dropped))
        weights, opt_state, updates = carry.weights, carry.opt_state, carry.updates
        if learner is not None and carry.n >= learner.burn_in:
            dU = [s.dU for s in shown if s.dU is not None]
            weights, opt_state = learner.update(synapses, weights, opt_state, dU, [s.P for s in shown], updates)
            updates += 1
        carry = Carry(weights, state, opt_state, carry.n + 1, updates)
        yield carry, shown


def _spikes(layer: Layer, spikes: npt.ArrayLike, carry: Carry) -> Array:
    """The input of one step in the network's dtype, checked."""
    x = finite(f"spikes at step {carry.n}", spikes)
    validate_shape(f"spikes at step {carry.n}", x, carry.state[0].P.shape)
    return x.astype(layer.neuron.alpha.dtype, copy=False)


def _targets(
    network: Sequence[Layer], targets: Sequence[npt.ArrayLike], batch: tuple[int, ...], carry: Carry
) -> list[Array]:
    """The targets of one step in the network's dtype, checked."""
    if len(targets) != len(network):
        raise InputError(f"targets at step {carry.n}: expected one per layer ({len(network)}), got {len(targets)}")
    checked = []
    for k, (layer, target) in enumerate(zip(network, targets, strict=True)):
        name = f"layer {k + 1} target at step {carry.n}"
        goal = finite(name, target)
        validate_shape(name, goal, (*batch, len(layer.readout.c)))
        checked.append(goal.astype(layer.neuron.alpha.dtype, copy=False))
    return checked
