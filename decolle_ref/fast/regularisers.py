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
        All with a regulariser of one activity, and with one surrogate.
    of_layer
        1 where a neuron belongs to a layer, (N, layers).
    samples
        The size of the batch.
    """

    def __init__(self, layers: Sequence[Layer], of_layer: Array, samples: int) -> None:
        terms = [layer.objective.regulariser or Regulariser() for layer in layers]
        (N, n_layers), sizes, dtype = of_layer.shape, of_layer.sum(axis=0), of_layer.dtype
        self.of_layer, self.mean = np.ascontiguousarray(of_layer.T), of_layer / sizes
        first, second = np.array([(term.lambda1, term.lambda2) for term in terms], dtype).T / (samples * sizes)
        self.push_down = of_layer @ first if first.any() else None
        self.push_up = -second if second.any() else None
        self.by_rate = terms[0].activity == "rate"
        self.activity = np.zeros((samples, n_layers), dtype)
        self.silent = np.zeros((1 if self.by_rate else samples, n_layers), dtype)
        self.row = np.zeros((1, N), dtype)
        surrogate = layers[0].surrogate
        rate = layers[0].rate_of(surrogate)
        shares = rate.primitive is surrogate.primitive and layers[0].activity == "primitive"
        self.write_rate = None if shares or not self.by_rate else surrogate_writer(rate, reads_primitive=True)
        self.sigma, self.slope = (np.zeros((samples if self.write_rate else 0, N), dtype) for _ in range(2))

    def add(self, U: Array, dU: Array, sigma: Array, slope: Array, scratch: Array) -> None:
        """dU += lambda1 1[U > -0.01] / N - lambda2 1[<activity> < 0.1] activity'(U) / N.

        Parameters
        ----------
        U, dU, sigma, slope
            Of all layers, (samples, N); the last two are those of the surrogate.
        scratch
            Of the same shape, overwritten.
        """
        if self.push_down is not None:
            np.greater(U, -0.01, out=scratch)
            scratch *= self.push_down
            dU += scratch
        if self.push_up is None:
            return
        if self.by_rate:
            if self.write_rate is not None:
                sigma, slope = self.sigma, self.slope
                self.write_rate(U, sigma, slope, scratch)
            self._find_silent(sigma, self.push_up)
            np.matmul(self.silent, self.of_layer, out=self.row)
            np.multiply(slope, self.row, out=scratch)
        else:
            self._find_silent(U, self.push_up)
            np.matmul(self.silent, self.of_layer, out=scratch)
        dU += scratch

    def _find_silent(self, activity: Array, push_up: Array) -> None:
        """-lambda2 / N where the mean activity of a layer is below 0.1: per sample, or over all for a rate."""
        np.matmul(activity, self.mean, out=self.activity)
        mean = np.mean(self.activity, axis=0, keepdims=True, out=self.silent) if self.by_rate else self.activity
        np.less(mean, 0.1, out=self.silent)
        self.silent *= push_up
