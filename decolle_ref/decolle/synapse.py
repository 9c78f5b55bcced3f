"""How inputs reach neurons: the drive W P + b, and its adjoint dU (x) P.  [K20 Eq. 1, 2]

Arrays of neurons and inputs are flat in both synapses.  `Conv2d` reads them as images, channel by channel, row by row:
input j is (channel, row, column) in C order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, finite, validate_dtype, validate_shape
from decolle_ref.decolle.lif import LIF, trace_gain


class Weights(NamedTuple):
    """What is learned in one layer, or anything of the same shape: a gradient, learning rates, optimiser state."""

    W: Array  # Dense: (n, n_in); Conv2d: (channels, channels_in, kernel, kernel)
    b: Array  # Dense: (n,); Conv2d: (channels,)


@dataclass(frozen=True)
class Dense:
    """Every input reaches every neuron."""

    n_in: int
    n: int

    def __post_init__(self) -> None:
        count("n_in", self.n_in)
        count("n", self.n)

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of W and b."""
        return (self.n, self.n_in), (self.n,)

    def drive(self, weights: Weights, P: Array) -> Array:
        """sum_j W_ij P_j + b_i.  [K20 Eq. 1]  (..., n_in) -> (..., n)."""
        return P @ weights.W.T + weights.b

    def gradient(self, dU: Array, P: Array) -> Weights:
        """dL/dW_ij = dU_i P_j and dL/db_i = dU_i, summed over the batch axes.  [K20 Eq. 3]"""
        dU, P = dU.reshape(-1, self.n), P.reshape(-1, self.n_in)
        return Weights(W=dU.T @ P, b=dU.sum(axis=0))

    def adjoint(self, weights: Weights, dU: Array) -> Array:
        """dL/dP_j = sum_i W_ij dU_i, where dU = dL/dU.  (..., n) -> (..., n_in)."""
        return np.asarray(dU @ weights.W)

    def validate(self, weights: Weights, dtype: np.dtype[Any], name: str) -> None:
        """Raise InputError unless `weights` has this synapse's shapes, only finite numbers, and `dtype`."""
        _validate(weights, self.shapes, dtype, name)

    def init_weights(self, rng: np.random.Generator, lif: LIF, scale: float = 1.0, bias: float = 0.0) -> Weights:
        """W_ij ~ U(-1, 1) scale / (sqrt(n_in) trace_gain_j), b_i = bias + U(-0.1, 0.1).

        Per unit of normalised trace, so that the spread of U does not depend on the time constants drawn.
        """
        W = rng.uniform(-1, 1, (self.n, self.n_in)) * (scale / np.sqrt(self.n_in)) / trace_gain(lif)
        b = bias + rng.uniform(-0.1, 0.1, self.n)
        return Weights(W.astype(lif.alpha.dtype), b.astype(lif.alpha.dtype))


@dataclass(frozen=True)
class Conv2d:
    """The same kernel at every place: neuron (o, y, x) sees a window of all input channels, with the weights of o.

    shape_in is (channels_in, height, width); windows start every `stride` places in the image with `padding` zeros
    around it.  Raises InputError for a window that does not fit in.
    """

    shape_in: tuple[int, int, int]
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        image("shape_in", self.shape_in)
        count("channels", self.channels)
        count("kernel", self.kernel)
        count("stride", self.stride)
        count("padding", self.padding, 0)
        if min(self.shape[1:]) < 1:
            raise InputError(
                f"kernel: expected at most {min(self.shape_in[1:]) + 2 * self.padding}, "
                f"the side of the padded image, got {self.kernel}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the neurons."""
        _, *sides = self.shape_in
        height, width = ((side + 2 * self.padding - self.kernel) // self.stride + 1 for side in sides)
        return self.channels, height, width

    @property
    def shape_W(self) -> tuple[int, int, int, int]:
        """(channels, channels_in, kernel, kernel)."""
        return self.channels, self.shape_in[0], self.kernel, self.kernel

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of W and b."""
        return self.shape_W, (self.channels,)

    @property
    def n_in(self) -> int:
        """The number of inputs."""
        return int(np.prod(self.shape_in))

    @property
    def n(self) -> int:
        """The number of neurons."""
        return int(np.prod(self.shape))

    def drive(self, weights: Weights, P: Array) -> Array:
        """U_o(y, x) = sum_{c,r,s} W_oc(r, s) P_c(stride y + r - padding, stride x + s - padding) + b_o.  [K20 Eq. 1]

        (..., n_in) -> (..., n): one product for each place (r, s) of the kernel.
        """
        U = sum(weights.W[:, :, r, s] @ seen for r, s, seen in self._seen(P))
        return (U + weights.b[:, None]).reshape(*P.shape[:-1], self.n)

    def gradient(self, dU: Array, P: Array) -> Weights:
        """dL/dW_oc(r, s) = sum_{y,x} dU_o(y, x) P_c(stride y + r - padding, ...), dL/db_o = sum_{y,x} dU_o(y, x).

        Summed over the batch axes too.  [K20 Eq. 3]
        """
        back = dU.reshape(-1, self.channels, self.n // self.channels)
        dW = np.empty(self.shape_W, np.result_type(dU, P))
        for r, s, seen in self._seen(P.reshape(-1, self.n_in)):
            dW[:, :, r, s] = (back @ seen.swapaxes(-1, -2)).sum(axis=0)
        return Weights(W=dW, b=back.sum(axis=(0, 2)))

    def adjoint(self, weights: Weights, dU: Array) -> Array:
        """dL/dP_c(i, j) = sum_{o,r,s} W_oc(r, s) dU_o(y, x) over all (y, x) that see (i, j) through (r, s).

        i = stride y + r - padding, j = stride x + s - padding; dU = dL/dU.  (..., n) -> (..., n_in).
        """
        error = dU.reshape(*dU.shape[:-1], self.channels, self.n // self.channels)
        back = np.zeros((*dU.shape[:-1], 1 + self.n_in), np.result_type(dU, weights.W))  # [0]: all the padding
        for r, s, seen in self._seen(np.arange(1, 1 + self.n_in)):  # which input each neuron sees, 0 for padding
            back[..., seen] += weights.W[:, :, r, s].T @ error
        return back[..., 1:]

    def _seen(self, P: Array) -> Iterator[tuple[int, int, Array]]:
        """(r, s, what place (r, s) of the kernel sees of P as (..., channels_in, places))."""
        _, height, width = self.shape
        image = P.reshape(*P.shape[:-1], *self.shape_in)
        image = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(self.padding, self.padding)] * 2)
        for r, s in np.ndindex(self.kernel, self.kernel):
            seen = image[..., r :: self.stride, s :: self.stride][..., :height, :width]
            yield r, s, seen.reshape(*seen.shape[:-2], height * width)

    def validate(self, weights: Weights, dtype: np.dtype[Any], name: str) -> None:
        """Raise InputError unless `weights` has this synapse's shapes, only finite numbers, and `dtype`."""
        _validate(weights, self.shapes, dtype, name)

    def init_weights(self, rng: np.random.Generator, lif: LIF, scale: float = 1.0, bias: float = 0.0) -> Weights:
        """W ~ U(-1, 1) scale / (sqrt(weights per neuron) trace_gain of the channel), b_o = bias + U(-0.1, 0.1)."""
        shape = self.shape_W
        gain = np.broadcast_to(trace_gain(lif), (self.n_in,)).reshape(self.shape_in[0], -1).mean(axis=1)
        W = rng.uniform(-1, 1, shape) * (scale / np.sqrt(np.prod(shape[1:]))) / gain[:, None, None]
        b = bias + rng.uniform(-0.1, 0.1, self.channels)
        return Weights(W.astype(lif.alpha.dtype), b.astype(lif.alpha.dtype))


Synapse = Dense | Conv2d


def image(name: str, shape: tuple[int, ...]) -> None:
    """Raise InputError unless `shape` is (channels, height, width), each at least 1."""
    if len(shape) != 3:
        raise InputError(f"{name}: expected (channels, height, width), got {shape}")
    for side, value in zip(("channels", "height", "width"), shape, strict=True):
        count(f"{name} {side}", value)


def _validate(weights: Weights, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any], name: str) -> None:
    for letter, array, shape in zip("Wb", weights, shapes, strict=True):
        validate_shape(f"{name} {letter}", finite(f"{name} {letter}", array), shape)
        validate_dtype(f"{name} {letter}", array, dtype)
