"""Mutants of the dynamics and the readout: Q, P, R, U, S, Y and e."""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import softmax
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.diagnose.mutants.candidate import Layer
from decolle_ref.oracle.diagnose.mutants.mutant import Operation
from decolle_ref.oracle.diagnose.mutants.planting import CONV, POOL, constants, of_case, past, plant, then


def _late(layer: Layer, right: Operation, x: Array) -> Array:
    return layer.inputs[-2] if len(layer.inputs) > 1 else 0 * x


def _window_spikes(layer: Layer, S: Array) -> Array:
    """The spikes after the pool, in their whole window."""
    pool = layer.layer.pool
    if pool is None:
        return S
    spread = np.zeros_like(S)
    spread[..., pool.windows()] = S[..., pool.windows()].max(axis=-1, keepdims=True)
    return spread


def _from_below(layer: Layer, right: Operation, R: Array, S: Array) -> Array:
    return np.asarray(right(R, layer.inputs[-1] if layer.inputs[-1].shape == S.shape else S))


STATE = (
    plant("Q decays with alpha", constants(beta=lambda layer: layer.alpha)),
    plant("Q decays by another number than beta", constants(beta=lambda layer: 0.99 * layer.beta)),
    plant("Q hears its input one step late", _late, at="hear"),
    plant("Q takes every count of spikes for one", then(lambda x: np.minimum(x, 1)), "frames", "hear"),
    plant("Q without its gain", lambda layer, right, Q, x: layer.beta * Q + x, "dense-dcll"),
    plant("P decays with beta", constants(alpha=lambda layer: layer.beta)),
    plant("P decays by another number than alpha", constants(alpha=lambda layer: 0.99 * layer.alpha)),
    plant(
        "P reads old for new Q, or new for old",
        lambda layer, right, old, new: old if layer.neuron.P_reads else new,
        at="reads",
    ),
    plant("P with its gain twice", lambda layer, right, P, Q: layer.alpha * P + layer.gain_P**2 * Q, "dense-dcll"),
    plant("R does not decay", constants(gamma=lambda layer: np.ones_like(layer.gamma))),
    plant("R decays with alpha", constants(gamma=lambda layer: layer.alpha)),
    plant("R counts spikes downwards", lambda layer, right, R, S: right(R, -S)),
    plant("R takes up the spike before it decays", lambda layer, right, R, S: layer.gamma * (R + S)),
    plant("R takes up the spikes of the layer below", _from_below),
    plant(
        "R takes up the spikes after the pool in their whole window",
        lambda layer, right, R, S: right(R, _window_spikes(layer, S)),
        POOL,
    ),
)


def _flipped(layer: Layer, right: Operation, W: Array, *args: Array) -> Array:
    return np.asarray(right(W[..., ::-1, ::-1] if W.ndim == 4 else W, *args))


def _own_strength(layer: Layer, right: Operation, W: Array, b: Array, P: Array, R: Array) -> Array:
    return np.asarray(layer.layer.synapse.drive(Weights(W, b), P) - layer.case["w"] * R)


def _mean_of_window(layer: Layer, right: Operation, u: Array) -> Array:
    pool = layer.layer.pool
    if pool is None or u.shape[-1] != pool.n:
        return np.asarray(right(u))
    return np.asarray(right(layer.row["U"][..., pool.windows()].mean(axis=-1)))


MEMBRANE = (
    plant("U without b", lambda layer, right, W, b, P, R: right(W, 0 * b, P, R)),
    plant("U without R", lambda layer, right, W, b, P, R: right(W, b, P, 0 * R)),
    plant("U adds R", lambda layer, right, W, b, P, R: right(W, b, P, -R)),
    plant("U with delta = w", _own_strength, "refractory-dcll"),
    plant("U reads P one step late", lambda layer, right, W, b, P, R: right(W, b, past(layer, "P", P), R)),
    plant("U reads R one step late", lambda layer, right, W, b, P, R: right(W, b, P, past(layer, "R", R))),
    plant("U with W transposed", lambda layer, right, W, b, P, R: right(W.T, b, P, R)),
    plant("U with every kernel turned by 180 degrees", _flipped, CONV),
    plant(
        "U reads the weights of the start, without the updates",
        lambda layer, right, W, b, P, R: right(layer.case["W"], layer.case["b"], P, R),
    ),
    plant(
        "U without the last input",
        lambda layer, right, W, b, P, R: right(W, b, P * (np.arange(P.shape[-1]) < P.shape[-1] - 1), R),
    ),
    plant("S = 1 only above the threshold", lambda layer, right, u: (u > 0).astype(np.float64), "tie-paper"),
    plant("S = 1 at the threshold too", lambda layer, right, u: (u >= 0).astype(np.float64), "tie-dcll"),
    plant(
        "S = Theta(U - threshold) with a threshold that is not 0",
        lambda layer, right, u: (u > 0.25).astype(np.float64),
    ),
    plant("S is Theta of the window's mean U, not of its largest", _mean_of_window, POOL),
)


def _not_mean(layer: Layer, right: Operation, Y: Array, target: Array) -> Array:
    return np.asarray(right(Y, target) * Y.size)


READOUT = (
    plant("Y without c", of_case("c", np.zeros_like)),
    plant("Y reads S", lambda layer, right, u, S: layer.call("read", S)),
    plant("Y reads the logistic function of U", lambda layer, right, u, S: layer.call("read", logistic.primitive(u))),
    plant("Y without the last neuron", of_case("G", lambda G: G * (np.arange(G.shape[1]) < G.shape[1] - 1)), at="read"),
    plant("e without the factor of the mean", _not_mean),
    plant("e averaged over the batch alone", lambda layer, right, Y, target: (Y - target) / len(Y)),
    plant("e with the wrong sign", then(np.negative)),
    plant("e twice too large, as of (Y - target)^2", then(lambda x: 2 * x)),
    plant("e clipped, as of the smooth L1 loss", lambda layer, right, Y, target: np.clip(Y - target, -1, 1) / Y.size),
    plant(
        "e without the sum of the target: softmax(Y) - target",
        lambda layer, right, Y, target: softmax(Y) - target,
        "loss-cross-entropy-sum",
    ),
    plant("e reads the target one step late", lambda layer, right, n: right(max(n - 1, 0)), at="goal"),
)
