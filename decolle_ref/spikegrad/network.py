"""Layers in a stack, as the papers write them: 28x28-15C5-P2-40C5-P2-300-10.  [T19 Sec. 4]"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import (
    InputError,
    finite,
    float_dtype,
    positive,
    validate_choice,
    validate_dtype,
    validate_shape,
)
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad.layers import AveragePool, Conv, Dense, Map, Shape

TOPOLOGIES = {
    "mnist": ("28x28-15C5-P2-40C5-P2-300-10", 0),
    "cifar10": ("32x32x3-128C3-256C3-P2-512C3-P2-1024C3-512C3-1024-512-10", 1),
}  # name: (topology, zeros around the images of each convolution)


@dataclass(frozen=True)
class Layer:
    """Connections and the neurons they lead to.  The top layer of a network integrates without spiking."""

    map: Map
    relu: bool = True  # ReLU neurons [T19 Eq. 4], or linear ones [T19 Eq. 3]
    theta_ff: float = 1.0
    theta_bp: float = 1.0

    def __post_init__(self) -> None:
        positive("theta_ff", self.theta_ff)
        positive("theta_bp", self.theta_bp)


Network = Sequence[Layer]


def named(name: str, theta_ff: float = 1.0, theta_bp: float = 1.0) -> tuple[Layer, ...]:
    """The network of [T19] for "mnist" or "cifar10"."""
    validate_choice("topology", name, TOPOLOGIES)
    text, pad = TOPOLOGIES[name]
    return parse(text, theta_ff, theta_bp, pad)


def parse(text: str, theta_ff: float = 1.0, theta_bp: float = 1.0, pad: int = 0) -> tuple[Layer, ...]:
    """Read a topology: image HxW or HxWxC, then 15C5 (15 maps of 5 x 5), P2 (mean of 2 x 2) or 300 (dense).

    Hidden neurons are ReLU neurons, pooling and the top layer linear.  Raises InputError for anything else.
    """
    image, *parts = text.split("-")
    if not re.fullmatch(r"\d+x\d+(x\d+)?", image) or not parts:
        raise InputError(f"topology: expected one like 28x28-15C5-P2-300-10, got {text}")
    numbers = tuple(int(number) for number in image.split("x"))
    shape: Shape = numbers if len(numbers) == 3 else (*numbers, 1)
    layers: list[Layer] = []
    for part in parts:
        connections = _connections(part, shape, pad, text)
        relu = not isinstance(connections, AveragePool) and len(layers) < len(parts) - 1
        layers.append(Layer(connections, relu, theta_ff, theta_bp))
        shape = connections.shape
    return tuple(layers)


def _connections(part: str, shape: Shape, pad: int, text: str) -> Map:
    found = re.fullmatch(r"(?:(\d+)C|(P)|())(\d+)", part)
    if not found or (len(shape) != 3 and found[3] is None):
        raise InputError(f"topology: expected parts like 15C5, P2 or 300, dense ones last, got {part} in {text}")
    size = int(found[4])
    if found[1]:
        return Conv(shape, int(found[1]), size, pad)
    return AveragePool(shape, size) if found[2] else Dense(shape, size)


def init_weights(rng: np.random.Generator, net: Network, dtype: npt.DTypeLike = np.float64) -> tuple[Weights, ...]:
    """W ~ N(0, 2 / fan-in) in units of the threshold, b = 0; pooling layers get their fixed weight 1 / size^2."""
    return tuple(_init_layer(rng, layer, float_dtype(dtype)) for layer in net)


def _init_layer(rng: np.random.Generator, layer: Layer, dtype: npt.DTypeLike) -> Weights:
    connections = layer.map
    if isinstance(connections, AveragePool):
        return Weights(np.array(1 / connections.size**2, dtype), np.array(0, dtype))
    n = connections.shape[-1]
    fan_in = int(np.prod(connections.shape_W)) // n
    W = rng.normal(0, layer.theta_ff * np.sqrt(2 / fan_in), connections.shape_W)
    return Weights(W.astype(dtype), np.zeros(n, dtype))


def validate(net: Network, weights: Sequence[Weights]) -> None:
    """Raise InputError unless layers fit onto each other, and weights onto layers, in one dtype and finite."""
    for below, above in pairwise(net):
        if below.map.shape != above.map.shape_in:
            raise InputError(f"network: expected inputs of shape {below.map.shape}, got {above.map.shape_in}")
    if len(net) != len(weights) or not net:
        raise InputError(f"network: expected weights for {len(net)} layers, got {len(weights)}")
    for k, (layer, (W, b)) in enumerate(zip(net, weights, strict=True), 1):
        shape_b = (layer.map.shape[-1],) if layer.map.learns else ()
        for letter, array, shape in (("W", W, layer.map.shape_W), ("b", b, shape_b)):
            validate_shape(f"layer {k} {letter}", finite(f"layer {k} {letter}", array), shape)
            validate_dtype(f"layer {k} {letter}", array, weights[0].W.dtype)
