"""Integrate-and-fire layers: connections, and the neurons that they lead to.  [T19 Eq. 1, 3, 4, 6]

`Dense` and `Conv2d` are those of DECOLLE: `drive` carries spikes up, `adjoint` carries errors down, and `gradient`
gives the weight increment [T19 Eq. 8, 14].  `AveragePool` adds the connections that do not learn.

>>> pool = AveragePool((1, 2, 4), 2)
>>> pool.drive(pool.weights(), np.array([[1.0, 3, 0, 2, 5, 7, 0, 2]]))
array([[4., 1.]])
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, count, floats, positive
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights

__all__ = ["AveragePool", "Connections", "IFLayer", "IFNetwork"]


@dataclass(frozen=True)
class AveragePool:
    """y = W times the sum over a window, for size x size windows side by side; W = 1 / size^2 is a fixed scalar.

    Parameters
    ----------
    shape_in
        (channels, height, width) of the input images.
    size
        Side of a window, in pixels.

    Raises
    ------
    InputError
        If height or width is not a multiple of `size`.
    """

    shape_in: tuple[int, int, int]
    size: int = 2

    def __post_init__(self) -> None:
        for number in (*self.shape_in, self.size):
            count("size of a pooling layer", number)
        if self.shape_in[1] % self.size or self.shape_in[2] % self.size:
            raise InputError(f"pooling: expected sides in multiples of {self.size}, got {self.shape_in[1:]}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height / size, width / size)."""
        channels, rows, columns = self.shape_in
        return channels, rows // self.size, columns // self.size

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(np.prod(self.shape_in))

    @property
    def n(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of W and b: both are scalars."""
        return (), ()

    def weights(self, dtype: npt.DTypeLike = np.float64) -> Weights:
        """W = 1 / size^2 and b = 0."""
        return Weights(np.array(1 / self.size**2, dtype), np.array(0, dtype))

    def parse(self, weights: Weights) -> Weights:
        """`weights` as floats; raise InputError unless they are scalars."""
        for letter, array in zip("Wb", weights, strict=True):
            if np.shape(array):
                raise InputError(f"{letter}: expected a scalar, got shape {np.shape(array)}")
        return Weights(*(floats(letter, array) for letter, array in zip("Wb", weights, strict=True)))

    def drive(self, weights: Weights, x: Array) -> Array:
        """W times the sum over each window, + b.  (batch, n_in) -> (batch, n)."""
        channels, rows, columns = self.shape
        x, weights = floats("x", x, np.shape(x)[0] if np.ndim(x) else 0, self.n_in), self.parse(weights)
        windows = x.reshape(len(x), channels, rows, self.size, columns, self.size)
        return np.asarray(weights.W * windows.sum(axis=(3, 5)) + weights.b).reshape(len(x), self.n)

    def adjoint(self, weights: Weights, E: Array) -> Array:
        """W times the error of the window that each input belongs to.  (batch, n) -> (batch, n_in)."""
        E, weights = floats("E", E, np.shape(E)[0] if np.ndim(E) else 0, self.n), self.parse(weights)
        errors = E.reshape(len(E), *self.shape).repeat(self.size, axis=2).repeat(self.size, axis=3)
        return np.asarray(weights.W * errors).reshape(len(E), self.n_in)

    def gradient(self, E: Array, x: Array) -> Weights:
        """Zeros, because nothing is learned."""
        x = floats("x", x, ..., self.n_in)
        zero = np.zeros((), np.result_type(floats("E", E, *x.shape[:-1], self.n), x))
        return Weights(zero, zero)


Connections = Dense | Conv2d | AveragePool


@dataclass(frozen=True)
class IFLayer:
    """Connections and the integrate-and-fire neurons that they lead to.  [T19 Eq. 1-7]

    The top layer of a network integrates without spiking.

    Parameters
    ----------
    synapse
        Dense, Conv2d or AveragePool.
    relu
        True for ReLU neurons [T19 Eq. 4], False for linear ones [T19 Eq. 3].
    theta_ff, theta_bp
        Thresholds > 0 of the forward and the backward phase.  InputError is raised for others.
    """

    synapse: Connections
    relu: bool = True
    theta_ff: float = 1.0
    theta_bp: float = 1.0

    def __post_init__(self) -> None:
        positive("theta_ff", self.theta_ff)
        positive("theta_bp", self.theta_bp)

    @property
    def learns(self) -> bool:
        """Whether W and b are learned."""
        return not isinstance(self.synapse, AveragePool)


IFNetwork = Sequence[IFLayer]
