"""The regularisers of dense layers side by side, in place.  Tested against `Regulariser.derivative`."""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.objective import Regulariser
from decolle_ref.fast.in_place import Potentials, surrogate_writer

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
        self.row, self.below = np.zeros((1, N), dtype), np.zeros(self.silent.shape, bool)
        surrogate = layers[0].surrogate
        rate = layers[0].rate_of(surrogate)
        shares = rate.primitive is surrogate.primitive and layers[0].activity == "primitive"
        self.write_rate = None if shares or not self.by_rate else surrogate_writer(rate, reads_primitive=True)
        own = (samples if self.write_rate else 0, N)
        self.sigma, self.slope = np.zeros(own, dtype), np.zeros(own, dtype)

    def add(self, arrays: Potentials, dU: Array) -> None:
        """dU += lambda1 1[U > -0.01] / N - lambda2 1[<activity> < 0.1] activity'(U) / N.

        Parameters
        ----------
        arrays
            Of all layers, (samples, N), with sigma and slope of the surrogate.
        dU
            (samples, N).
        """
        U, scratch = arrays.U, arrays.scratch
        if self.push_down is not None:
            np.greater(U, -0.01, out=arrays.flag)
            np.copyto(scratch, arrays.flag)
            scratch *= self.push_down
            dU += scratch
        if self.push_up is not None:
            self._write_push_up(arrays, self.push_up)
            dU += scratch

    def _write_push_up(self, arrays: Potentials, push_up: Array) -> None:
        """The second term, into scratch."""
        if not self.by_rate:
            self._find_silent(arrays.U, push_up)
            np.matmul(self.silent, self.of_layer, out=arrays.scratch)
            return
        if self.write_rate is not None:
            arrays = arrays._replace(sigma=self.sigma, slope=self.slope)
            self.write_rate(arrays)
        self._find_silent(arrays.sigma, push_up)
        np.matmul(self.silent, self.of_layer, out=self.row)
        np.multiply(arrays.slope, self.row, out=arrays.scratch)

    def _find_silent(self, activity: Array, push_up: Array) -> None:
        """-lambda2 / N where the mean activity of a layer is below 0.1: per sample, or over all for a rate."""
        np.matmul(activity, self.mean, out=self.activity)
        mean = np.mean(self.activity, axis=0, keepdims=True, out=self.silent) if self.by_rate else self.activity
        np.less(mean, 0.1, out=self.below)
        np.copyto(self.silent, self.below)
        self.silent *= push_up
