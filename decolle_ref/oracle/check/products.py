"""The sums of products, for a bound: W P over the inputs of a neuron, and dU P over the batch.

    |computed - exact| <= propagated + gamma_n size

`size` is the sum of the magnitudes and n the number of products, for sums in any order.  A convolution by fast Fourier
transforms mixes all places of an image, so its error at one place follows from the whole image [Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., Thm 24.2]: there `size` is ||image||_2 ||kernel||_1, summed over the input
channels, and n is about 20 log2 of the number of places.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.trace import Operands

PER_LEVEL = 20.0  # roundings per level of a transform: 1 + 4 sqrt(2) for each of three
BETWEEN = 8  # roundings of the products of two transforms


class Products(NamedTuple):
    """Sums of products: their values, the error that the operands' errors cause, the magnitudes, and the terms."""

    value: Array
    size: Array
    err: Array
    terms: int


def driven(operands: Operands, W: Bounded, P: Bounded, fft: bool) -> Products:
    """W P without b, of all steps: (T, B, n)."""
    drive, synapse, zero = operands.layer.synapse.drive, operands.layer.synapse, np.zeros_like(operands.case["b"])

    def product(W: Array, P: Array) -> Array:
        return np.stack([drive(Weights(w, zero), p) for w, p in zip(W, P, strict=True)])

    value, size, err = bilinear(product, W, P)
    if not (fft and isinstance(synapse, Conv2d)):
        return Products(value, size, err, int(np.prod(W.value.shape[2:])))
    kernels = np.abs(W.value + W.err).sum(axis=(-1, -2))
    images = _norm(np.abs(P.value) + P.err, synapse.shape_in[0])
    size = np.repeat(np.einsum("toc,tbc->tbo", kernels, images), synapse.n // synapse.channels, axis=-1)
    return Products(value, size, err, _roundings(synapse))


def gradient(operands: Operands, delta: Bounded, P: Bounded, part: int, fft: bool) -> Products:
    """dW (part 0) or db (part 1): the sum of dU P, or of dU, over the batch and the places of a convolution."""
    synapse = operands.layer.synapse

    def product(d: Array, p: Array) -> Array:
        return np.stack([synapse.gradient(*pair)[part] for pair in zip(d, p, strict=True)])

    value, size, err = bilinear(product, delta, P) if part == 0 else linear(product, delta, P)
    terms = delta.value[0].size // len(operands.case["b"])
    if not (part == 0 and fft and isinstance(synapse, Conv2d)):
        return Products(value, size, err, terms)
    images = _norm(np.abs(P.value) + P.err, synapse.shape_in[0])
    errors = (np.abs(delta.value) + delta.err).reshape(*delta.value.shape[:2], synapse.channels, -1).sum(axis=-1)
    size = np.einsum("tbo,tbc->toc", errors, images)[..., None, None] + np.zeros_like(value)
    return Products(value, size, err, _roundings(synapse) + delta.value.shape[1])


def bilinear(product: Callable[[Array, Array], Array], a: Bounded, b: Bounded) -> tuple[Array, Array, Array]:
    """The products of a and b, their magnitudes, and the error that those of a and b cause.

    |(a + da)(b + db) - a b| <= (|a| + |da|) |db| + |da| |b|
    """
    most = np.abs(a.value) + a.err
    value, size = product(a.value, b.value), product(most, np.abs(b.value) + b.err)
    if not (a.err.any() or b.err.any()):
        return value, size, np.zeros_like(size)
    return value, size, product(most, b.err) + product(a.err, np.abs(b.value))


def linear(product: Callable[[Array, Array], Array], a: Bounded, b: Bounded) -> tuple[Array, Array, Array]:
    """As `bilinear`, where the product is a sum of a alone."""
    return product(a.value, b.value), product(np.abs(a.value) + a.err, b.value), product(a.err, b.value)


def _norm(P: Array, channels: int) -> Array:
    """||P_c||_2 of every channel: (T, B, channels)."""
    return np.asarray(np.sqrt((P.reshape(*P.shape[:2], channels, -1) ** 2).sum(axis=-1)))


def _roundings(synapse: Conv2d) -> int:
    """Transforms of images that are padded to powers of two, at most twice as long as needed."""
    sides = [2 * (side + 2 * synapse.padding + synapse.kernel) for side in synapse.shape_in[1:]]
    return int(np.ceil(PER_LEVEL * np.log2(np.prod(sides)))) + BETWEEN + synapse.shape_in[0]
