"""Layers in a stack, as the papers write them: 28x28-15C5-P2-40C5-P2-300-10.  [T19 Sec. 4]

>>> net = parse("28x28-15C5-P2-300-10")
>>> [layer.synapse.n for layer in net]
[8640, 2160, 300, 10]
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import (
    InputError,
    count,
    finite,
    float_dtype,
    positive,
    validate_choice,
    validate_dtype,
    validate_shape,
)
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.spikegrad.layers import AveragePool, Connections, IFLayer, IFNetwork

__all__ = ["TOPOLOGIES", "init_weights", "named", "parse", "scaled", "validate"]

TOPOLOGIES = {
    "mnist": ("28x28-15C5-P2-40C5-P2-300-10", 0),
    "cifar10": ("32x32x3-128C3-256C3-P2-512C3-P2-1024C3-512C3-1024-512-10", 1),
}
"""name: (topology, zeros around the images of each convolution)."""


def named(name: str, theta_ff: float = 1.0, theta_bp: float = 1.0, width: float = 1.0) -> tuple[IFLayer, ...]:
    """The network of [T19 Sec. 4] for one data set.

    Parameters
    ----------
    name
        "mnist" or "cifar10".
    theta_ff, theta_bp
        Thresholds > 0 of all layers, forward and backward.
    width
        A factor on the channels and sizes of all hidden layers.

    Returns
    -------
    tuple of IFLayer
        The layers, bottom up.

    Raises
    ------
    InputError
        For another name, or a width that leaves a layer without a channel.
    """
    validate_choice("topology", name, TOPOLOGIES)
    text, pad = TOPOLOGIES[name]
    return parse(scaled(text, width), theta_ff, theta_bp, pad)


def scaled(text: str, width: float) -> str:
    """A topology with other numbers of channels and hidden neurons, rounded to integers.

    >>> scaled("32x32x3-128C3-P2-512-10", 0.25)
    '32x32x3-32C3-P2-128-10'

    Parameters
    ----------
    text
        The topology, as `parse` reads it.
    width
        The factor, above 0.

    Returns
    -------
    str
        The topology; image, kernels, pools and the top layer are unchanged.

    Raises
    ------
    InputError
        For a factor that is not above 0.
    """
    positive("width", width)
    image, *hidden, top = text.split("-")
    parts = [re.sub(r"^\d+", lambda size: str(round(int(size[0]) * width)), part) for part in hidden]
    return "-".join([image, *parts, top])


def parse(text: str, theta_ff: float = 1.0, theta_bp: float = 1.0, pad: int = 0) -> tuple[IFLayer, ...]:
    """Read a topology.  Hidden neurons are ReLU neurons; pooling layers and the top layer are linear.

    Parameters
    ----------
    text
        The image, HxW or HxWxC, then 15C5 (convolution: 15 channels of 5 x 5 kernels), P2 (mean of 2 x 2) or 300
        (dense), joined by "-".
    theta_ff, theta_bp
        Thresholds > 0 of all layers, forward and backward.
    pad
        Zeros around the images of each convolution, in pixels.

    Returns
    -------
    tuple of IFLayer
        The layers, bottom up.

    Raises
    ------
    InputError
        For any other text, and for a window that does not fit into its image.
    """
    image, *parts = text.split("-")
    if not re.fullmatch(r"\d+x\d+(x\d+)?", image) or not parts:
        raise InputError(f"topology: expected one like 28x28-15C5-P2-300-10, got {text}")
    height, width, *channels = map(int, image.split("x"))
    shape: tuple[int, ...] = (*(channels or [1]), height, width)
    layers: list[IFLayer] = []
    for part in parts:
        synapse = _connections(part, shape, pad, text)
        relu = not isinstance(synapse, AveragePool) and len(layers) < len(parts) - 1
        layers.append(IFLayer(synapse, relu, theta_ff, theta_bp))
        shape = (synapse.n,) if isinstance(synapse, Dense) else synapse.shape
    return tuple(layers)


def _connections(part: str, shape: tuple[int, ...], pad: int, text: str) -> Connections:
    match = re.fullmatch(r"(?:(\d+)C|(P)|())(\d+)", part)
    if not match or (len(shape) != 3 and match[3] is None):
        raise InputError(f"topology: expected parts like 15C5, P2 or 300, dense ones last, got {part} in {text}")
    size = count("size of a layer", int(match[4]))
    if len(shape) != 3 or match[3] is not None:
        return Dense(int(np.prod(shape)), size)
    channels, height, width = shape
    if match[2]:
        return AveragePool((channels, height, width), size)
    if size > min(height, width) + 2 * pad:
        raise InputError(f"topology: expected a window that fits into {height}x{width}, got {part} in {text}")
    return Conv2d((channels, height, width), int(match[1]), size, padding=pad)


def init_weights(rng: np.random.Generator, net: IFNetwork, dtype: npt.DTypeLike = np.float64) -> tuple[Weights, ...]:
    """W ~ N(0, 2 / fan-in) in units of the threshold, b = 0; pooling layers get their fixed weight 1 / size^2.

    Parameters
    ----------
    rng
        Source of the random numbers.
    net
        The layers, bottom up.
    dtype
        float32 or float64.

    Returns
    -------
    tuple of Weights
        One per layer, with the shapes that `layer.synapse.shapes` states.
    """
    below = [None, *(layer.synapse for layer in net[:-1])]
    kind = float_dtype(dtype)
    return tuple(_init_layer(rng, *layers, kind) for layers in zip(net, below, strict=True))


def _init_layer(
    rng: np.random.Generator, layer: IFLayer, below: Connections | None, dtype: np.dtype[np.floating]
) -> Weights:
    """Each random number belongs to a fixed connection: numbers are sampled with the channel as the last input axis."""
    synapse = layer.synapse
    if isinstance(synapse, AveragePool):
        return synapse.weights(dtype)
    (n, *inputs), shape_b = synapse.shapes
    spread = layer.theta_ff * np.sqrt(2 / np.prod(inputs))
    if isinstance(synapse, Conv2d):
        W = rng.normal(0, spread, (synapse.kernel**2, inputs[0], n)).T
    else:
        channels = 1 if below is None or isinstance(below, Dense) else below.shape[0]
        W = rng.normal(0, spread, (n, synapse.n_in // channels, channels)).swapaxes(1, 2)
    return Weights(W.reshape(n, *inputs).astype(dtype, order="C"), np.zeros(shape_b, dtype))


def validate(net: IFNetwork, weights: Sequence[Weights]) -> None:
    """Check a network and its weights.

    Parameters
    ----------
    net
        The layers, bottom up.
    weights
        One per layer.

    Raises
    ------
    InputError
        Unless the layers fit onto each other, and the weights fit the layers, share one dtype and are finite.
    """
    for below, above in pairwise(net):
        if below.synapse.n != above.synapse.n_in:
            raise InputError(f"network: expected inputs of shape ({below.synapse.n},), got ({above.synapse.n_in},)")
    if len(net) != len(weights) or not net:
        raise InputError(f"network: expected weights for {len(net)} layers, got {len(weights)}")
    for k, (layer, w) in enumerate(zip(net, weights, strict=True), 1):
        for letter, array, shape in zip("Wb", w, layer.synapse.shapes, strict=True):
            validate_shape(f"layer {k} {letter}", finite(f"layer {k} {letter}", array), shape)
            validate_dtype(f"layer {k} {letter}", array, weights[0].W.dtype)
