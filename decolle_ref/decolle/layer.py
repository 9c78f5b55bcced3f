"""One layer at one step: from input spikes to S and Y, and from a target back to dU.

    spikes in -> Q -> P -> (W) -> U -> S
                                  |
                                  +-> sigma(U) -> (G) -> Y -> loss -> dY -> (G^T) ->+
                                  +-> sigma'(U) ------------------------------------x -> dU

`forward` goes to the right, `local_gradients` comes back.  `local_loss` and `frozen_error_loss` are the functions of W
and b whose exact gradients the rule computes.

>>> import numpy as np
>>> from decolle_ref import Dense, Layer, Weights, layer, lif, readout
>>> one = Layer(Dense(2, 3), lif.neuron(), readout.sample_readout(np.random.default_rng(0), n=3, n_out=1))
>>> weights, rest = Weights(np.ones((3, 2)), np.full(3, -0.5)), lif.rest(one.neuron, n_in=2, n=3)
>>> state, snapshot = layer.forward(one, weights, rest, spikes_in=np.array([1.0, 0.0]))
>>> snapshot.U, state.Q
(array([-0.5, -0.5, -0.5]), array([1., 0.]))
>>> layer.local_gradients(one, snapshot, target=np.array([0.5])).dU.shape
(3,)
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, floats
from decolle_ref.decolle import lif, readout, rule
from decolle_ref.decolle.dialects import Dialect, paper
from decolle_ref.decolle.lif import LIF, State
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import KEEP, Mask, Readout
from decolle_ref.decolle.surrogate import Function, Surrogate, logistic
from decolle_ref.decolle.synapse import Synapse, Weights


class Layer(NamedTuple):
    """Everything that stays fixed in one layer.

    Attributes
    ----------
    synapse, neuron, readout, surrogate, objective
        Connections, constants, readout, triple and loss.
    activity : "primitive" or "spike"
        What the readout reads: sigma(U) or S.
    pool : MaxPool or None
        Between U and what is transmitted and read.
    pool_key : non-decreasing function of U
        Each window of the pool passes on the potential with the largest key.
    dropout : "activity" or "Y"
        Where dropout acts: before G or after it.
    dialect : Dialect
        The dialect that chose these fields, from `with_dialect`; that of the neuron must be the same.
    rate_of : function
        The layer's surrogate -> the surrogate whose primitive the regularisers read as a rate.
    lambda1_on : "u" or "U"
        What the first regulariser acts on: the potentials after the pool or before it.
    """

    synapse: Synapse
    neuron: LIF
    readout: Readout
    surrogate: Surrogate = logistic
    objective: Objective = Objective()
    activity: str = "primitive"
    pool: MaxPool | None = None
    pool_key: Function = np.asarray
    dropout: str = "activity"
    dialect: Dialect = paper
    rate_of: Callable[[Surrogate], Surrogate] = lambda surrogate: surrogate
    lambda1_on: str = "u"


class Snapshot(NamedTuple):
    """One layer at one step; P, Q and R are those that U read.  Without a target the last three are None.

    Attributes
    ----------
    P, Q : arrays of shape (..., n_in)
    R, U : arrays of shape (..., n)
    S : array of shape (..., n), or (..., pool.n)
        The spikes that are transmitted.
    Y : array of shape (..., n_out)
    loss : array of shape ()
    dY : array of shape (..., n_out), dL/dY
    dU : array of shape (..., n), dL/dU
    """

    P: Array
    Q: Array
    R: Array
    U: Array
    S: Array
    Y: Array
    loss: Array | None = None
    dY: Array | None = None
    dU: Array | None = None


def with_dialect(dialect: Dialect, layer: Layer, surrogate: Surrogate | None = None) -> Layer:
    """The layer with all that a dialect fixes, except its neuron, which `lif.neuron(dialect=...)` makes.

    Both must name the same dialect; `network.validate` refuses a mixture.

    Parameters
    ----------
    dialect : Dialect
    layer : Layer
    surrogate : Surrogate or None
        Replaces the dialect's surrogate; the comparison at threshold stays the dialect's.

    Returns
    -------
    Layer
    """
    triple = dialect.triple()
    return layer._replace(
        surrogate=triple if surrogate is None else replace(surrogate, spike=triple.spike),
        activity=dialect.value("readout"),
        pool_key=dialect.value("pooling")(triple if surrogate is None else surrogate),
        dropout=dialect.value("dropout"),
        dialect=dialect,
        rate_of=dialect.value("regulariser_reads"),
        lambda1_on=dialect.value("regulariser_place"),
    )


def width(layer: Layer) -> int:
    """The number of spikes that a layer transmits and its readout reads.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    int
    """
    return layer.synapse.n if layer.pool is None else layer.pool.n


def forward(
    layer: Layer, weights: Weights, state: State, spikes_in: Array, mask: Mask = KEEP
) -> tuple[State, Snapshot]:
    """One layer, one step: [K20 Eq. 1] and Y = G sigma(U) + c, or Y = G S + c where the dialect reads spikes.

    With a pool, S and Y come from the largest U of every window; R keeps the neurons' own spikes.  Assumes what
    `network.run` and `network.step` check.

    Parameters
    ----------
    layer : Layer
    weights : Weights
    state : State
        At step n.
    spikes_in : array of shape (..., n_in)
    mask : Mask
        Dropout.

    Returns
    -------
    after : State at step n+1
    snapshot : Snapshot at step n
    """
    drive = partial(layer.synapse.drive, weights)
    after, read, U, S = lif.step(layer.neuron, drive, layer.surrogate.spike, state, spikes_in)
    u = pooled(layer, U)
    if layer.pool is not None:
        S = layer.surrogate.spike(u)
    Y = readout.output(layer.readout, getattr(layer.surrogate, layer.activity)(u), mask)
    return after, Snapshot(*read, U, S, Y)


def pooled(layer: Layer, U: Array) -> Array:
    """The potentials that are transmitted and read: U, or the largest of every window.  Assumes a U of this shape.

    Parameters
    ----------
    layer : Layer
    U : array of shape (..., n)

    Returns
    -------
    array of shape (..., n), or (..., pool.n)
    """
    return U if layer.pool is None else layer.pool.pick(U, layer.pool.winners(layer.pool_key(U)))


def regularisers(layer: Layer) -> tuple[Regulariser | None, Regulariser | None]:
    """The terms of [K20 Eq. 4] that act on u, after the pool, and those that act on U, before it.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    of_u, of_U : Regulariser or None
    """
    both = layer.objective.regulariser
    if both is None or layer.pool is None or layer.lambda1_on == "u":
        return both, None
    return replace(both, lambda1=0.0), replace(both, lambda2=0.0)


def local_gradients(layer: Layer, snapshot: Snapshot, target: Array, mask: Mask = KEEP) -> Snapshot:
    """Add the layer's loss and the gradients dY = dL/dY and dU = dL/dU.  [K20 Eq. 3, 4]

    Assumes a snapshot that `forward` made; the target is checked.

    Parameters
    ----------
    layer : Layer
    snapshot : Snapshot
    target : array of shape (..., n_out)
    mask : Mask
        Dropout, as in `forward`.

    Returns
    -------
    Snapshot
    """
    U, Y, rate = snapshot.U, snapshot.Y, layer.rate_of(layer.surrogate)
    u, (of_u, of_U) = pooled(layer, U), regularisers(layer)
    objective = layer.objective if of_U is None else replace(layer.objective, regulariser=of_u)
    dY = objective.error(Y, target)
    dU = rule.error_signal(layer.readout, layer.surrogate, objective, dY, u, mask, rate)
    if layer.pool is not None:
        dU = layer.pool.route(dU, layer.pool.winners(layer.pool_key(U)))
    if of_U is not None:
        dU = dU + of_U.derivative(U, rate)
    return snapshot._replace(loss=_loss(layer, U, Y, target), dY=dY, dU=dU)


def _loss(layer: Layer, U: Array, Y: Array, target: Array) -> Array:
    """L: the loss of Y, and each regulariser where the layer has it."""
    total, penalty = layer.objective.loss_of(Y, target), _penalty(layer, U)
    return total if penalty is None else total + penalty


def _penalty(layer: Layer, U: Array) -> Array | None:
    """The regularisers' part of L, or None where there are none."""
    rate, (of_u, of_U) = layer.rate_of(layer.surrogate), regularisers(layer)
    if of_u is None:
        return None
    penalty = of_u.value(pooled(layer, U), rate)
    return penalty if of_U is None else penalty + of_U.value(U, rate)


def local_loss(layer: Layer, weights: Weights, P: Array, R: Array, target: Array, mask: Mask = KEEP) -> Array:
    """L as a function of the layer's weights with P and R held constant: the rule follows its gradient.  [K20 Eq. 2]

    Parameters
    ----------
    layer : Layer
    weights : Weights
    P : array of shape (..., n_in)
    R : array of shape (..., n)
    target : array of shape (..., n_out)
    mask : Mask
        Dropout.

    Returns
    -------
    array of shape ()
    """
    return _loss(layer, *_smooth_output(layer, weights, P, R, mask), target)


def frozen_error_loss(layer: Layer, weights: Weights, P: Array, R: Array, dY: Array, mask: Mask = KEEP) -> Array:
    """<dY, G primitive(U)> + regularisers, with dY held constant like P and R.  [K20 Eq. 3]

    Its exact gradient is the update of every dialect.  Where the readout reads sigma(U) that is also the gradient of
    `local_loss`.  Where it reads spikes, that loss is flat almost everywhere, and the update descends this function.

    Parameters
    ----------
    layer, weights, P, R, mask
        As in `local_loss`.
    dY : array of shape (..., n_out)
        dL/dY.

    Returns
    -------
    array of shape ()
    """
    U, Y = _smooth_output(layer, weights, P, R, mask)
    linear, penalty = (floats("dY", dY, *Y.shape) * Y).sum(), _penalty(layer, U)
    return np.asarray(linear if penalty is None else linear + penalty)


def _smooth_output(layer: Layer, weights: Weights, P: Array, R: Array, mask: Mask) -> tuple[Array, Array]:
    """U before the pool, and Y = G primitive(u) + c."""
    P = floats("P", P, ..., layer.synapse.n_in)
    R = floats("R", R, *P.shape[:-1], layer.synapse.n)
    U = layer.synapse.drive(layer.synapse.parse(weights), P) - layer.neuron.delta * R
    return U, readout.output(layer.readout, layer.surrogate.primitive(pooled(layer, U)), mask)
