"""The conventional network that DECOLLE is compared with: no spikes, no time, backpropagation through all layers.

    a^0 = x,   u^l = pool(W^l a^(l-1) + b^l),   a^l = relu(u^l),   Y = W^L a^(L-1) + b^L        [K20 Sec. 4.2]

    dU^L = dY,   dU^l = pool^T (1[u^l > 0] W^(l+1)T dU^(l+1)),
    dL/dW^l = dU^l (x) a^(l-1),   dL/db^l = dU^l

It has convolutions and pools like the spiking network, then one linear layer that is trained with the others.  relu
comes after the pool, where there are fewer numbers; before the pool it gives the same result, because it never falls.
The rule of DECOLLE results when every layer has its own dY, and G^T dY replaces W^(l+1)T dU^(l+1).

>>> import numpy as np
>>> from decolle_ref import convnet
>>> net = convnet.build(shape=(1, 28, 28), stages=[(16, 2), (24, 1), (32, 2)], kernel=7, padding=2)
>>> net.stages[-1].pool.shape_out, net.top
((32, 4, 4), Dense(n_in=512, n=10))
>>> weights = convnet.init_weights(np.random.default_rng(0), net)
>>> convnet.forward(net, weights, x=np.zeros((5, 784))).Y.shape
(5, 10)
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, finite, float_dtype, floats, validate_one_per_layer
from decolle_ref.decolle.objective import Objective, smooth_l1
from decolle_ref.decolle.optim import Optimiser, OptState, update_each
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Conv2d, Dense, Synapse, Weights

OBJECTIVE = Objective(smooth_l1, "mean")


class Stage(NamedTuple):
    """One convolution and its pool.

    Attributes
    ----------
    synapse : Conv2d
    pool : MaxPool
    """

    synapse: Conv2d
    pool: MaxPool


class Net(NamedTuple):
    """The stages from the image up, and the linear layer on top.

    Attributes
    ----------
    stages : tuple of Stage
    top : Dense
    """

    stages: tuple[Stage, ...]
    top: Dense


class Cache(NamedTuple):
    """The results of a forward pass that the backward pass needs.

    Attributes
    ----------
    a : tuple of arrays of shape (..., n)
        The image, then the activity of every stage.
    winners : tuple of arrays
        Of the pool of every stage.
    Y : array of shape (..., n_out)
    """

    a: tuple[Array, ...]
    winners: tuple[Array, ...]
    Y: Array


def build(
    shape: tuple[int, int, int], stages: Iterable[tuple[int, int]], kernel: int, padding: int = 0, n_out: int = 10
) -> Net:
    """The network for images of one shape.

    Parameters
    ----------
    shape : (channels, height, width)
        Of the images.
    stages : iterable of (channels, size of the pool)
    kernel, padding : int
        Of every convolution.
    n_out : int
        Number of classes.

    Returns
    -------
    Net

    Raises
    ------
    InputError
        Without a stage, or if a kernel or a pool does not fit into its image.
    """
    built: list[Stage] = []
    for channels, size in stages:
        synapse = Conv2d(shape, channels, kernel, padding=padding)
        built.append(Stage(synapse, MaxPool(synapse.shape, size)))
        shape = built[-1].pool.shape_out
    if not built:
        raise InputError("stages: expected at least one, got none")
    return Net(tuple(built), Dense(int(np.prod(shape)), n_out))


def init_weights(rng: np.random.Generator, net: Net, dtype: npt.DTypeLike = np.float64) -> tuple[Weights, ...]:
    """W, b ~ U(-1, 1) / sqrt(weights per neuron), PyTorch's default.

    Parameters
    ----------
    rng : numpy Generator
    net : Net
    dtype : float64 or float32

    Returns
    -------
    tuple of Weights, one per layer, the top last
    """
    kind, weights = float_dtype(dtype), []
    for shape_W, shape_b in [*(stage.synapse.shapes for stage in net.stages), net.top.shapes]:
        bound = 1 / np.sqrt(np.prod(shape_W[1:]))
        W, b = rng.uniform(-bound, bound, shape_W), rng.uniform(-bound, bound, shape_b)
        weights.append(Weights(W.astype(kind), b.astype(kind)))
    return tuple(weights)


def relu(u: Array) -> Array:
    """max(u, 0).

    Parameters
    ----------
    u : real or complex array of any shape

    Returns
    -------
    array of u's shape
    """
    u = floats("u", u)
    return np.where(u.real <= 0, 0, u)


def parse(net: Net, weights: Sequence[Weights]) -> list[Weights]:
    """The weights as floats that fit their layers; raise InputError for others.

    Parameters
    ----------
    net : Net
    weights : sequence of Weights, one per layer

    Returns
    -------
    list of Weights, one per layer
    """
    synapses: list[Synapse] = [*(stage.synapse for stage in net.stages), net.top]
    validate_one_per_layer("weights", weights, len(synapses))
    return [synapse.parse(w) for synapse, w in zip(synapses, weights, strict=True)]


def forward(net: Net, weights: Sequence[Weights], x: Array) -> Cache:
    """Y, and all that the backward pass needs.  [K20 Sec. 4.2]

    Parameters
    ----------
    net : Net
    weights : sequence of Weights, one per layer
    x : array of shape (..., n_in)
        Images, flattened.

    Returns
    -------
    Cache

    Raises
    ------
    InputError
        For weights or images that do not fit.
    """
    weights = parse(net, weights)
    a, winners = [floats("x", x, ..., (net.stages[0].synapse if net.stages else net.top).n_in)], []
    for stage, w in zip(net.stages, weights, strict=False):
        U = stage.synapse.drive(w, a[-1])
        winners.append(stage.pool.winners(U))
        a.append(relu(stage.pool.pick(U, winners[-1])))
    return Cache(tuple(a), tuple(winners), net.top.drive(weights[-1], a[-1]))


def backward(net: Net, weights: Sequence[Weights], cache: Cache, dY: Array) -> tuple[Weights, ...]:
    """dL/dW and dL/db of all layers from dY = dL/dY, summed over the batch axes.  [K20 Sec. 4.2]

    Parameters
    ----------
    net : Net
    weights : sequence of Weights, one per layer
    cache : Cache
        From `forward`.
    dY : array of shape (..., n_out)

    Returns
    -------
    tuple of Weights, one per layer
    """
    weights = parse(net, weights)
    gradients = [net.top.gradient(dY, cache.a[-1])]
    da = net.top.adjoint(weights[-1], dY)
    for l, stage in reversed(list(enumerate(net.stages))):
        dU = stage.pool.route(da * (cache.a[l + 1] > 0), cache.winners[l])
        gradients.insert(0, stage.synapse.gradient(dU, cache.a[l]))
        if l > 0:  # the gradient of the image is not needed
            da = stage.synapse.adjoint(weights[l], dU)
    return tuple(gradients)


def loss(net: Net, weights: Sequence[Weights], x: Array, target: Array) -> Array:
    """L: smooth L1, averaged over batch and outputs.

    Parameters
    ----------
    net, weights, x
        As in `forward`.
    target : array of shape (..., n_out)
        1 for the class, 0 elsewhere.

    Returns
    -------
    array of shape ()
    """
    return OBJECTIVE.loss_of(forward(net, weights, x).Y, target)


def gradient(net: Net, weights: Sequence[Weights], x: Array, target: Array) -> tuple[Weights, ...]:
    """dL/dW and dL/db of all layers: forward, dY = dL/dY, backward.

    Parameters
    ----------
    net, weights, x, target
        As in `loss`.

    Returns
    -------
    tuple of Weights, one per layer
    """
    cache = forward(net, weights, x)
    return backward(net, weights, cache, OBJECTIVE.error(cache.Y, target))


def init(optimiser: Optimiser, weights: Sequence[Weights]) -> tuple[OptState, ...]:
    """The optimiser's state before the first update.

    Parameters
    ----------
    optimiser : SGD or Adamax
    weights : sequence of Weights, one per layer

    Returns
    -------
    tuple
        The states of W and b of every layer, in one row.
    """
    return tuple(optimiser.init(array) for w in weights for array in w)


def update(
    optimiser: Optimiser,
    weights: Sequence[Weights],
    gradients: Sequence[Weights],
    opt_state: Sequence[OptState],
    learning_rate: float,
) -> tuple[tuple[Weights, ...], tuple[OptState, ...]]:
    """One update of all layers, at one learning rate.

    Parameters
    ----------
    optimiser : SGD or Adamax
    weights, gradients : sequences of Weights, one per layer
    opt_state : sequence
        From `init`.
    learning_rate : float

    Returns
    -------
    weights, opt_state : tuples
    """
    arrays = [array for w in weights for array in w]
    slopes = [array for g in gradients for array in g]
    rate = finite("learning_rate", learning_rate, arrays[0].dtype)
    new, opt_state = update_each(optimiser, arrays, slopes, opt_state, [rate] * len(arrays))
    return tuple(map(Weights, new[::2], new[1::2])), opt_state
