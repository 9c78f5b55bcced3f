"""One layer of a convolutional network on some samples of the batch, with all the memory that it needs."""

import numpy as np

from decolle_ref.check import Array, InputError
from decolle_ref.fast.conv import Patches
from decolle_ref.network import Layer, width
from decolle_ref.readout import KEEP, Mask
from decolle_ref.surrogate import logistic
from decolle_ref.synapse import Conv2d, Weights


class Part:
    """`network.forward` and `network.assess` of one layer, in place; arrays are (n, samples), n as in the definition.

    Neurons that no pooling window covers are left out: nothing depends on them.  R is kept only where delta is not 0.
    Raises InputError for another synapse than Conv2d, and for a regulariser.
    """

    def __init__(self, layer: Layer, samples: int) -> None:
        synapse, neuron, dtype = layer.synapse, layer.neuron, layer.neuron.alpha.dtype
        if not isinstance(synapse, Conv2d):
            raise InputError(f"fast: expected a Conv2d synapse, got {type(synapse).__name__}")
        if layer.objective.regulariser is not None:
            raise InputError("fast: expected no regulariser, got one")
        self.layer, self.size = layer, 1 if layer.pool is None else layer.pool.size
        channels, *sides = synapse.shape
        rows, columns = (side // self.size for side in sides)
        self.used = channels, rows * self.size, columns * self.size
        self.windows = channels, rows, self.size, columns, self.size, samples
        self.image_in = *synapse.shape_in, samples
        self.patches = Patches(synapse, self.used[1:], samples, dtype)
        self.alpha, self.beta, self.gain_P, self.gain_Q = (
            constant.reshape(-1, 1) for constant in (neuron.alpha, neuron.beta, neuron.gain_P, neuron.gain_Q)
        )
        self.gamma, self.strength = self._of_used(neuron.gamma), self._of_used(neuron.delta)
        self.P: Array = np.zeros((synapse.n_in, samples), dtype)
        self.Q: Array = np.zeros_like(self.P)
        self.U: Array = np.zeros((int(np.prod(self.used)), samples), dtype)
        self.R: Array | None = np.zeros_like(self.U) if neuron.delta.any() else None
        self.u: Array = self.U if self.size == 1 else np.zeros((width(layer), samples), dtype)
        self.a, self.slope, self.back = (np.zeros_like(self.u) for _ in range(3))
        self.delta: Array = self.back if self.size == 1 else np.zeros_like(self.U)
        self.S: Array = np.zeros_like(self.u)
        self.Y: Array = np.zeros((samples, len(layer.readout.c)), dtype)
        self.dW: Array = np.zeros(synapse.shape_W, dtype)
        self.db: Array = np.zeros(channels, dtype)

    def _of_used(self, constant: Array) -> Array:
        """A neuron's constant for the neurons that are not left out, as a column."""
        if constant.size == 1:
            return constant.reshape(1, 1)
        channels, rows, columns = self.used
        return constant.reshape(self.layer.synapse.shape)[:, :rows, :columns].reshape(-1, 1)

    def rest(self) -> None:
        """P = Q = R = 0."""
        for state in (self.P, self.Q, self.R):
            if state is not None:
                state[...] = 0

    def forward(self, weights: Weights, spikes_in: Array, mask: Mask = KEEP) -> Array:
        """One step of [K20 Eq. 1] with pooling and readout; returns S, (width, samples)."""
        if not self.layer.neuron.U_reads:
            self.patches.load(self.P.reshape(self.image_in))
        self._trace(spikes_in)
        if self.layer.neuron.U_reads:
            self.patches.load(self.P.reshape(self.image_in))
        self.patches.drive(weights.W, weights.b, self.U.reshape(self.used[0], -1))
        if self.R is not None:
            self.U -= self.strength * self.R
            self.R *= self.gamma
            self.R += self.layer.surrogate.spike(self.U)
        self._pool()
        self.S[...] = self.layer.surrogate.spike(self.u)
        self._read(mask)
        return self.S

    def _trace(self, spikes_in: Array) -> None:
        """P and Q one step on."""
        self.P *= self.alpha
        if not self.layer.neuron.P_reads:
            self.P += self.gain_P * self.Q
        self.Q *= self.beta
        self.Q += self.gain_Q * spikes_in
        if self.layer.neuron.P_reads:
            self.P += self.gain_P * self.Q

    def _views(self, x: Array) -> list[Array]:
        """x as one array for each place of the pooling window, in reading order."""
        tiles = x.reshape(self.windows)
        return [tiles[:, :, r, :, s] for r, s in np.ndindex(self.size, self.size)]

    def _pool(self) -> None:
        if self.size > 1:
            first, *others = self._views(self.U)
            u = self.u.reshape(first.shape)
            np.maximum(first, others[0], out=u)
            for other in others[1:]:
                np.maximum(u, other, out=u)

    def _read(self, mask: Mask) -> None:
        """Y, (samples, n_out), from the activity."""
        layer = self.layer
        if layer.surrogate.primitive is logistic.primitive:
            _logistic(self.u, self.a, self.slope)
        else:
            self.a[...], self.slope[...] = layer.surrogate.primitive(self.u), layer.surrogate.derivative(self.u)
        if layer.activity == "spike":
            self.a[...] = self.S
        read = np.multiply(self.a, mask.activity.T, out=self.back) if isinstance(mask.activity, np.ndarray) else self.a
        np.matmul(layer.readout.G, read, out=self.Y.T)
        self.Y += layer.readout.c
        self.Y *= mask.Y

    def backward(self, target: Array, share: float, mask: Mask = KEEP) -> None:
        """e, delta and the gradient [K20 Eq. 3] into dW and db; share: of these samples in the batch."""
        objective = self.layer.objective
        e = objective.error(self.Y, target)
        if objective.reduction == "mean":
            e = e * share
        np.matmul(self.layer.readout.G.T, (mask.Y * e).T, out=self.back)
        if isinstance(mask.activity, np.ndarray):
            self.back *= mask.activity.T
        self.back *= self.slope
        self._route()
        self.patches.gradient(self.delta.reshape(self.used[0], -1), self.dW, self.db)

    def _route(self) -> None:
        """The error of each window to its winner, of several the first."""
        if self.size == 1:
            return
        potentials, deltas = self._views(self.U), self._views(self.delta)
        u, back = (x.reshape(potentials[0].shape) for x in (self.u, self.back))
        open_: Array = np.ones(u.shape, bool)
        for potential, delta in zip(potentials, deltas, strict=True):
            wins = potential == u
            wins &= open_
            open_ ^= wins
            np.multiply(back, wins, out=delta)


def _logistic(u: Array, sigma: Array, slope: Array) -> None:
    """sigma(u) = (1 + tanh(u/2))/2 and sigma'(u) = sigma (1 - sigma)."""
    np.multiply(u, 0.5, out=sigma)
    np.tanh(sigma, out=sigma)
    sigma *= 0.5
    sigma += 0.5
    np.subtract(1, sigma, out=slope)
    slope *= sigma
