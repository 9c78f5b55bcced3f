"""How inputs reach neurons: the drive W P + b, and its adjoint dU (x) P.  [K20 Eq. 1, 2]

Arrays of neurons and inputs are flat in both synapses.  `Conv2d` reads them as images, channel by channel, row by row:
input j is (channel, row, column) in C order.  All methods refuse arrays of other shapes, except `Dense.drive`, which
runs at every step.

>>> import numpy as np
>>> from decolle_ref import Conv2d, Dense, Weights
>>> Dense(2, 1).drive(Weights(W=np.array([[0.5, -1.0]]), b=np.array([0.25])), np.array([2.0, 0.5]))
array([0.75])
>>> Conv2d(shape_in=(1, 28, 28), channels=16, kernel=7, padding=2).shape
(16, 26, 26)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, finite, floats, validate_dtype, validate_shape
from decolle_ref.decolle.lif import LIF, trace_gain


class Weights(NamedTuple):
    """The parameters W and b of one layer, or anything of the same shapes: a gradient, learning rates, optimiser state.

    Attributes
    ----------
    W : array of shape (n, n_in) for `Dense`, (channels, channels_in, kernel, kernel) for `Conv2d`
    b : array of shape (n,) for `Dense`, (channels,) for `Conv2d`
    """

    W: Array
    b: Array


@dataclass(frozen=True)
class Dense:
    """Every input reaches every neuron.

    Parameters
    ----------
    n_in, n : int
        Numbers of inputs and neurons.

    Raises
    ------
    InputError
        Unless both are at least 1.
    """

    n_in: int
    n: int

    def __post_init__(self) -> None:
        count("n_in", self.n_in)
        count("n", self.n)

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of W and b."""
        return (self.n, self.n_in), (self.n,)

    def drive(self, weights: Weights, P: Array) -> Array:
        """sum_j W_ij P_j + b_i.  [K20 Eq. 1]  (..., n_in) -> (..., n).  Assumes weights and P of these shapes."""
        return P @ weights.W.T + weights.b

    def gradient(self, dU: Array, P: Array) -> Weights:
        """dL/dW_ij = dU_i P_j and dL/db_i = dU_i, summed over the batch axes.  [K20 Eq. 3]

        dU (..., n) is dL/dU, P is (..., n_in).
        """
        dU, P = _parse_pair(self, dU, P)
        return Weights(W=dU.T @ P, b=dU.sum(axis=0))

    def adjoint(self, weights: Weights, dU: Array) -> Array:
        """dL/dP_j = sum_i W_ij dU_i, where dU = dL/dU.  (..., n) -> (..., n_in)."""
        return np.asarray(floats("dU", dU, ..., self.n) @ self.parse(weights).W)

    def parse(self, weights: Weights) -> Weights:
        """`weights` as floats; raise InputError unless they have this synapse's shapes."""
        return _parse(weights, self.shapes)

    def validate(self, weights: Weights, dtype: np.dtype[Any], name: str) -> None:
        """Raise InputError unless `weights` has this synapse's shapes, only finite numbers, and `dtype`."""
        _validate(weights, self.shapes, dtype, name)

    def init_weights(self, rng: np.random.Generator, lif: LIF, scale: float = 1.0, bias: float = 0.0) -> Weights:
        """W_ij ~ U(-1, 1) scale / (sqrt(n_in) trace_gain_j), b_i = bias + U(-0.1, 0.1).

        The division by `lif.trace_gain` makes the spread of U independent of the time constants.
        """
        return _init_weights(rng, self.shapes[0], trace_gain(lif), scale, bias, lif.alpha.dtype)


@dataclass(frozen=True)
class Conv2d:
    """The same kernel at every place: neuron (o, y, x) reads a window of all input channels with the weights of o.

    Parameters
    ----------
    shape_in : (channels_in, height, width)
    channels : int
        Number of output channels.
    kernel : int
        Side of the window.
    stride : int
        Distance between neighbouring windows.
    padding : int
        Rows and columns of zeros around the image.

    Raises
    ------
    InputError
        For a number that makes no sense, or a window larger than the padded image.
    """

    shape_in: tuple[int, int, int]
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        validate_image("shape_in", self.shape_in)
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
        height, width = ((side + 2 * self.padding - self.kernel) // self.stride + 1 for side in self.shape_in[1:])
        return self.channels, height, width

    @property
    def shape_W(self) -> tuple[int, int, int, int]:
        """(channels, channels_in, kernel, kernel)."""
        return self.channels, self.shape_in[0], self.kernel, self.kernel

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of W and b."""
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

        (..., n_in) -> (..., n): one matrix product for each place (r, s) of the kernel.
        """
        (W, b), P = self.parse(weights), floats("P", P, ..., self.n_in)
        U = sum(W[:, :, r, s] @ inputs for r, s, inputs in self._kernel_places(P))
        return (U + b[:, None]).reshape(*P.shape[:-1], self.n)

    def gradient(self, dU: Array, P: Array) -> Weights:
        """dL/dW_oc(r, s) = sum_{y,x} dU_o(y, x) P_c(stride y + r - padding, ...), dL/db_o = sum_{y,x} dU_o(y, x).

        Summed over the batch axes too; dU (..., n) is dL/dU, P is (..., n_in).  [K20 Eq. 3]
        """
        dU, P = _parse_pair(self, dU, P)
        dU = dU.reshape(-1, self.channels, self.n // self.channels)
        dW = np.empty(self.shape_W, np.result_type(dU, P))
        for r, s, inputs in self._kernel_places(P):
            dW[:, :, r, s] = (dU @ inputs.swapaxes(-1, -2)).sum(axis=0)
        return Weights(W=dW, b=dU.sum(axis=(0, 2)))

    def adjoint(self, weights: Weights, dU: Array) -> Array:
        """dL/dP_c(i, j) = sum_{o,r,s} W_oc(r, s) dU_o(y, x) over all (y, x) that read (i, j) through (r, s).

        i = stride y + r - padding, j = stride x + s - padding; dU = dL/dU.  (..., n) -> (..., n_in).
        """
        W, dU = self.parse(weights).W, floats("dU", dU, ..., self.n)
        batch = dU.shape[:-1]
        dU = dU.reshape(*batch, self.channels, self.n // self.channels)
        dP = np.zeros((*batch, 1 + self.n_in), np.result_type(dU, W))  # [0] collects all of the padding
        for r, s, index in self._kernel_places(np.arange(1, 1 + self.n_in)):  # 0 where a neuron reads padding
            dP[..., index] += W[:, :, r, s].T @ dU
        return dP[..., 1:]

    def _kernel_places(self, P: Array) -> Iterator[tuple[int, int, Array]]:
        """(r, s, the inputs that all neurons read through place (r, s) of the kernel: (..., channels_in, places))."""
        _, height, width = self.shape
        image = P.reshape(*P.shape[:-1], *self.shape_in)
        image = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(self.padding, self.padding)] * 2)
        for r, s in np.ndindex(self.kernel, self.kernel):
            inputs = image[..., r :: self.stride, s :: self.stride][..., :height, :width]
            yield r, s, inputs.reshape(*inputs.shape[:-2], height * width)

    def parse(self, weights: Weights) -> Weights:
        """`weights` as floats; raise InputError unless they have this synapse's shapes."""
        return _parse(weights, self.shapes)

    def validate(self, weights: Weights, dtype: np.dtype[Any], name: str) -> None:
        """Raise InputError unless `weights` has this synapse's shapes, only finite numbers, and `dtype`."""
        _validate(weights, self.shapes, dtype, name)

    def init_weights(self, rng: np.random.Generator, lif: LIF, scale: float = 1.0, bias: float = 0.0) -> Weights:
        """W ~ U(-1, 1) scale / (sqrt(weights per neuron) trace_gain of the channel), b_o = bias + U(-0.1, 0.1)."""
        gain = np.broadcast_to(trace_gain(lif), (self.n_in,)).reshape(self.shape_in[0], -1).mean(axis=1)
        return _init_weights(rng, self.shape_W, gain[:, None, None], scale, bias, lif.alpha.dtype)


Synapse = Dense | Conv2d


def validate_image(name: str, shape: tuple[int, ...]) -> None:
    """Raise InputError unless `shape` is (channels, height, width), each at least 1.

    Parameters
    ----------
    name : str
        Begins the message.
    shape : tuple of int
    """
    if len(shape) != 3:
        raise InputError(f"{name}: expected (channels, height, width), got {shape}")
    for side, value in zip(("channels", "height", "width"), shape, strict=True):
        count(f"{name} {side}", value)


def _parse_pair(synapse: "Synapse", dU: Array, P: Array) -> tuple[Array, Array]:
    """dU and P of one batch shape, with one row per sample."""
    P = floats("P", P, ..., synapse.n_in)
    dU = floats("dU", dU, *P.shape[:-1], synapse.n)
    return dU.reshape(-1, synapse.n), P.reshape(-1, synapse.n_in)


def _parse(weights: Weights, shapes: Sequence[tuple[int, ...]]) -> Weights:
    return Weights(*(floats(letter, array, *shape) for letter, array, shape in zip("Wb", weights, shapes, strict=True)))


def _validate(weights: Weights, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any], name: str) -> None:
    for letter, array, shape in zip("Wb", weights, shapes, strict=True):
        validate_shape(f"{name} {letter}", finite(f"{name} {letter}", array), shape)
        validate_dtype(f"{name} {letter}", array, dtype)


def _init_weights(
    rng: np.random.Generator, shape: tuple[int, ...], gain: Array, scale: float, bias: float, dtype: np.dtype[Any]
) -> Weights:
    """W ~ U(-1, 1) scale / (sqrt(weights per neuron) gain), b = bias + U(-0.1, 0.1), one b per row of W."""
    W = rng.uniform(-1, 1, shape) * (scale / np.sqrt(np.prod(shape[1:]))) / gain
    b = bias + rng.uniform(-0.1, 0.1, shape[0])
    return Weights(finite("W", W, dtype), finite("b", b, dtype))
