"""The regularisers of dense layers side by side, in place.  Tested against `Regulariser.derivative`."""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.objective import Regulariser
from decolle_ref.fast.in_place import surrogate_writer

__all__ = ["PenaltyBuffers"]


class PenaltyBuffers:
    """dL/dU of [K20 Eq. 4] for several layers, whose neurons are in a row.

    Parameters
    ----------
    layers
        Each with a regulariser, all of one activity and one surrogate.
    neurons
        The columns of each layer.
    batch
        Number of samples.
    """

    def __init__(self, layers: Sequence[Layer], neurons: Sequence[slice], batch: int) -> None:
        dtype, N = layers[0].neuron.alpha.dtype, neurons[-1].stop
        terms = [layer.objective.regulariser or Regulariser() for layer in layers]
        self.of_layer = np.zeros((len(layers), N), dtype)  # 1 where a neuron belongs to a layer
        for k, columns in enumerate(neurons):
            self.of_layer[k, columns] = 1
        n = self.of_layer.sum(axis=1)
        self.mean = np.ascontiguousarray((self.of_layer / n[:, None]).T)
        self.first = np.array([term.lambda1 for term in terms], dtype) / (batch * n) @ self.of_layer
        self.second = -np.array([term.lambda2 for term in terms], dtype) / (batch * n)
        self.above, self.second_any = bool(self.first.any()), bool(self.second.any())
        self.by_rate, surrogate = terms[0].activity == "rate", layers[0].surrogate
        rate = layers[0].rate_of(surrogate)
        own = rate.primitive is surrogate.primitive and layers[0].activity == "primitive"
        self.write_rate = None if own or not self.by_rate else surrogate_writer(rate, True)
        self.sigma, self.slope = (np.zeros((batch, N), dtype) if self.write_rate else None for _ in range(2))
        samples = 1 if self.by_rate else batch  # the mean of a rate is over the batch, too
        self.activity, self.silent = (np.zeros((rows, len(layers)), dtype) for rows in (batch, samples))
        self.push = np.zeros((1, N), dtype)

    def add(self, U: Array, dU: Array, sigma: Array, slope: Array, scratch: Array) -> None:
        """dU += lambda1 1[U > -0.01] / N - lambda2 1[<activity> < 0.1] activity'(U) / N.

        Parameters
        ----------
        U, dU, sigma, slope
            Of the group, (batch, N).
        scratch
            Likewise, overwritten.
        """
        if self.above:
            np.greater(U, -0.01, out=scratch)
            scratch *= self.first
            dU += scratch
        if not self.second_any:
            return
        if self.by_rate:
            self._add_rate(U, dU, sigma, slope, scratch)
        else:
            self._silent(U)
            np.matmul(self.silent, self.of_layer, out=scratch)
            dU += scratch

    def _add_rate(self, U: Array, dU: Array, sigma: Array, slope: Array, scratch: Array) -> None:
        """The second term where it reads sigma(U), whose mean is over the batch, too."""
        if self.write_rate is not None and self.sigma is not None and self.slope is not None:
            sigma, slope = self.sigma, self.slope
            self.write_rate(U, sigma, slope, scratch)
        self._silent(sigma)
        np.matmul(self.silent, self.of_layer, out=self.push)
        np.multiply(slope, self.push, out=scratch)
        dU += scratch

    def _silent(self, activity: Array) -> None:
        """-lambda2 / N where the mean activity of a layer is below 0.1, for each sample, or for all alike."""
        np.matmul(activity, self.mean, out=self.activity)
        if self.by_rate:
            np.mean(self.activity, axis=0, keepdims=True, out=self.silent)
        np.less(self.silent if self.by_rate else self.activity, 0.1, out=self.silent)
        self.silent *= self.second
