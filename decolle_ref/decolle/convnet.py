"""The conventional network that DECOLLE is compared with: no spikes, no time, backpropagation through all layers.

    a^0 = x,   u^l = pool(W^l a^(l-1) + b^l),   a^l = relu(u^l),   Y = W^L a^(L-1) + b^L        [K20 Sec. 4.2]

    dU^L = dY,   dU^l = pool^T (1[u^l > 0] W^(l+1)T dU^(l+1)),
    dL/dW^l = dU^l (x) a^(l-1),   dL/db^l = dU^l

Convolutions and pools as in the spiking network, then one linear layer that is trained with the others.  relu never
falls, so relu before the pool gives the same numbers; after it there are fewer to rectify.  The rule of DECOLLE is what
is left when every layer has its own dY, and W^(l+1)T dU^(l+1) is replaced by G^T dY.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, float_dtype
from decolle_ref.decolle.objective import Objective, smooth_l1
from decolle_ref.decolle.optim import Optimiser, OptState, update_each
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights

OBJECTIVE = Objective(smooth_l1, "mean")


class Stage(NamedTuple):
    """One convolution and its pool."""

    synapse: Conv2d
    pool: MaxPool


class Net(NamedTuple):
    """The stages from the image up, and the linear layer on top."""

    stages: tuple[Stage, ...]
    top: Dense


class Seen(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    a: tuple[Array, ...]  # the image, then what every stage shows: (..., n) each
    winners: tuple[Array, ...]  # of the pool of every stage
    Y: Array  # (..., n_out)


def build(
    shape: tuple[int, int, int], stages: Iterable[tuple[int, int]], kernel: int, padding: int = 0, n_out: int = 10
) -> Net:
    """The network for images of `shape` (channels, height, width); stages: (channels, size of the pool) of each.

    Raises InputError for no stage at all, and where a kernel or a pool does not fit into its image.
    """
    made: list[Stage] = []
    for channels, size in stages:
        synapse = Conv2d(shape, channels, kernel, padding=padding)
        made.append(Stage(synapse, MaxPool(synapse.shape, size)))
        shape = made[-1].pool.shape_out
    if not made:
        raise InputError("stages: expected at least one, got none")
    return Net(tuple(made), Dense(int(np.prod(shape)), n_out))


def init_weights(rng: np.random.Generator, net: Net, dtype: npt.DTypeLike = np.float64) -> tuple[Weights, ...]:
    """W, b ~ U(-1, 1) / sqrt(weights per neuron), as PyTorch begins; one `Weights` per layer, the top last."""
    kind, weights = float_dtype(dtype), []
    for shape in [*(stage.synapse.shape_W for stage in net.stages), (net.top.n, net.top.n_in)]:
        bound = 1 / np.sqrt(np.prod(shape[1:]))
        W, b = rng.uniform(-bound, bound, shape), rng.uniform(-bound, bound, shape[0])
        weights.append(Weights(W.astype(kind), b.astype(kind)))
    return tuple(weights)


def relu(u: Array) -> Array:
    """max(u, 0)."""
    return np.where(u.real > 0, u, 0)


def forward(net: Net, weights: Sequence[Weights], x: Array) -> Seen:
    """Y and all that leads to it, for images x (..., n_in)."""
    a, winners = [x], []
    for stage, w in zip(net.stages, weights, strict=False):
        U = stage.synapse.drive(w, a[-1])
        winners.append(stage.pool.winners(U))
        a.append(relu(stage.pool.pick(U, winners[-1])))
    return Seen(tuple(a), tuple(winners), net.top.drive(weights[-1], a[-1]))


def backward(net: Net, weights: Sequence[Weights], seen: Seen, dY: Array) -> tuple[Weights, ...]:
    """dL/dW and dL/db of all layers from dY = dL/dY (..., n_out), summed over the batch axes.  [K20 Sec. 4.2]"""
    gradients = [net.top.gradient(dY, seen.a[-1])]
    back = net.top.adjoint(weights[-1], dY)
    for l, stage in reversed(list(enumerate(net.stages))):
        dU = stage.pool.route(back * (seen.a[l + 1] > 0), seen.winners[l])
        gradients.insert(0, stage.synapse.gradient(dU, seen.a[l]))
        if l > 0:  # nobody asks for the error of the image
            back = stage.synapse.adjoint(weights[l], dU)
    return tuple(gradients)


def loss(net: Net, weights: Sequence[Weights], x: Array, target: Array) -> Array:
    """L: smooth L1, averaged over batch and outputs, a scalar.  target (..., n_out): 1 for the class, 0 elsewhere."""
    Y = forward(net, weights, x).Y
    return np.asarray(OBJECTIVE.loss.terms(Y, target).mean())


def gradient(net: Net, weights: Sequence[Weights], x: Array, target: Array) -> tuple[Weights, ...]:
    """dL/dW and dL/db of all layers: forward, dY = dL/dY, backward."""
    seen = forward(net, weights, x)
    return backward(net, weights, seen, OBJECTIVE.error(seen.Y, target))


def init(optimiser: Optimiser, weights: Sequence[Weights]) -> tuple[OptState, ...]:
    """The optimiser's state before the first update."""
    return tuple(optimiser.init(array) for w in weights for array in w)


def update(
    optimiser: Optimiser,
    weights: Sequence[Weights],
    gradients: Sequence[Weights],
    opt_state: Sequence[OptState],
    learning_rate: float,
) -> tuple[tuple[Weights, ...], tuple[OptState, ...]]:
    """One update of all layers, at one learning rate: (weights, opt_state)."""
    arrays = [array for w in weights for array in w]
    slopes = [array for g in gradients for array in g]
    rate = np.asarray(learning_rate, arrays[0].dtype)
    moved, opt_state = update_each(optimiser, arrays, slopes, opt_state, [rate] * len(arrays))
    return tuple(map(Weights, moved[::2], moved[1::2])), opt_state
