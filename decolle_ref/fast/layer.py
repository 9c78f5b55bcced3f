"""One convolutional layer on some samples of a batch, with all the memory that it needs, in place."""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.network import Layer, width
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.conv import Patches


class LayerBuffers:
    """`network.forward` and `network.local_gradients` of one layer, for `samples` samples and `steps` steps at a time.

    Arrays of neurons are (n, steps * samples), with n as in the definition.  With fixed weights many steps share one
    product: only traces and R go step by step.  Neurons that no pooling window covers are left out, as nothing depends
    on them, and R is kept only where delta is not 0.  Raises InputError for another synapse than Conv2d, and for a
    regulariser.
    """

    def __init__(self, layer: Layer, samples: int, steps: int = 1) -> None:
        synapse, dtype = layer.synapse, layer.neuron.alpha.dtype
        if not isinstance(synapse, Conv2d):
            raise InputError(f"fast: expected a Conv2d synapse, got {type(synapse).__name__}")
        if layer.objective.regulariser is not None:
            raise InputError("fast: expected no regulariser, got one")
        self.layer, self.steps, self.samples = layer, steps, samples
        self.size = 1 if layer.pool is None else layer.pool.size
        channels, *sides = synapse.shape
        rows, columns = (side // self.size for side in sides)
        self.used = channels, rows * self.size, columns * self.size
        self.windows = channels, rows, self.size, columns, self.size, steps * samples
        self.neuron = columns_of(layer.neuron, synapse, self.used)
        self.patches = Patches(synapse, self.used[1:], steps * samples, dtype)
        zeros: Callable[..., Array] = lambda *shape: np.zeros(shape, dtype)  # noqa: E731
        self.P, self.Q = zeros(synapse.n_in, samples), zeros(synapse.n_in, samples)
        self.seen = zeros(synapse.n_in, steps, samples)  # P as U reads it
        self.U = zeros(int(np.prod(self.used)), steps * samples)
        self.R = zeros(len(self.U), samples) if layer.neuron.delta.any() else None
        self.u = self.U if self.size == 1 else zeros(width(layer), steps * samples)
        self.S, self.activity, self.slope, self.back = (zeros(*self.u.shape) for _ in range(4))
        self.read = self.S if layer.activity == "spike" else self.activity
        self.dU = self.back if self.size == 1 else zeros(*self.U.shape)
        self.Y = zeros(steps * samples, len(layer.readout.c))
        self.gradient = Weights(zeros(*synapse.shape_W), zeros(channels))

    def rest(self) -> None:
        """P = Q = R = 0."""
        self.P[...], self.Q[...] = 0, 0
        if self.R is not None:
            self.R[...] = 0

    def forward(self, weights: Weights, spikes_in: Array, mask: Mask = KEEP) -> Array:
        """S, and what else shows, of [K20 Eq. 1]; spikes_in (n_in, steps * samples), mask (steps * samples, ...)."""
        self._trace(spikes_in.reshape(self.seen.shape))
        self.patches.load(self.seen.reshape(*self._image(), -1))
        self.patches.drive(weights, self.U.reshape(self.used[0], -1))
        if self.R is not None:
            self._refract(self.R, self.U.reshape(len(self.U), self.steps, self.samples))
        if self.size > 1:
            largest(views(self.U, self.windows), self.u)
        self.S[...] = self.layer.surrogate.spike(self.u)
        self._read(mask)
        return self.S

    def _image(self) -> tuple[int, int, int]:
        synapse = self.layer.synapse
        assert isinstance(synapse, Conv2d)
        return synapse.shape_in

    def _trace(self, spikes_in: Array) -> None:
        """P and Q through all steps, and P as U reads it."""
        neuron, P, Q = self.neuron, self.P, self.Q
        for n in range(self.steps):
            if not neuron.U_reads:
                self.seen[:, n] = P
            P *= neuron.alpha
            if not neuron.P_reads:
                P += neuron.gain_P * Q
            Q *= neuron.beta
            Q += neuron.gain_Q * spikes_in[:, n]
            if neuron.P_reads:
                P += neuron.gain_P * Q
            if neuron.U_reads:
                self.seen[:, n] = P

    def _refract(self, R: Array, U: Array) -> None:
        """- delta R, and R itself, through all steps."""
        for n in range(self.steps):
            U[:, n] -= self.neuron.delta * R
            R *= self.neuron.gamma
            R += self.layer.surrogate.spike(U[:, n])

    def _read(self, mask: Mask) -> None:
        """The activity, its slope, and Y."""
        layer, read = self.layer, self.read
        if layer.surrogate.primitive is logistic.primitive:
            logistic_and_slope(self.u, self.activity, self.slope)
        else:
            self.activity[...] = layer.surrogate.primitive(self.u)
            self.slope[...] = layer.surrogate.derivative(self.u)
        if isinstance(mask.activity, np.ndarray):
            read = np.multiply(read, mask.activity.T, out=self.back)
        np.matmul(layer.readout.G, read, out=self.Y.T)
        self.Y += layer.readout.c
        self.Y *= mask.Y

    def learn(self, target: Array, share: float, mask: Mask = KEEP) -> None:
        """The gradient of [K20 Eq. 3] for target (samples, n_out); share: of these samples in the whole batch."""
        objective = self.layer.objective
        e = mask.Y * objective.error(self.Y, target)
        if objective.reduction == "mean":
            e = e * share
        np.matmul(self.layer.readout.G.T, e.T, out=self.back)
        if isinstance(mask.activity, np.ndarray):
            self.back *= mask.activity.T
        self.back *= self.slope
        if self.size > 1:
            route(views(self.U, self.windows), self.u, self.back, views(self.dU, self.windows))
        self.patches.gradient(self.dU.reshape(self.used[0], -1), self.gradient)


def columns_of(neuron: LIF, synapse: Conv2d, used: tuple[int, int, int]) -> LIF:
    """The constants as columns, beside arrays whose last axis is the batch; those of neurons for the used ones only."""
    _, rows, columns = used

    def of_neurons(constant: Array) -> Array:
        whole = np.broadcast_to(constant, (synapse.n,)).reshape(synapse.shape)
        return constant if constant.size == 1 else whole[:, :rows, :columns].reshape(-1, 1)

    inputs = {x: getattr(neuron, x).reshape(-1, 1) for x in ("alpha", "beta", "gain_Q", "gain_P")}
    return neuron._replace(**inputs, gamma=of_neurons(neuron.gamma), delta=of_neurons(neuron.delta))


def views(x: Array, windows: tuple[int, ...]) -> list[Array]:
    """x as one array for each place of the pooling window, in reading order.

    windows: (channels, rows, size, columns, size, batch).
    """
    tiles = x.reshape(windows)
    return [tiles[:, :, r, :, s] for r, s in np.ndindex(windows[2], windows[4])]


def largest(views: list[Array], u: Array) -> None:
    """The entry of every window that `MaxPool.winners` picks, into u."""
    first, second, *others = views
    u = u.reshape(first.shape)
    np.maximum(first, second, out=u)
    for other in others:
        np.maximum(u, other, out=u)


def route(views: list[Array], u: Array, back: Array, dUs: list[Array]) -> None:
    """`MaxPool.route`: the error of each window to its largest entry, of several the first; 0 to the others."""
    u, back = u.reshape(views[0].shape), back.reshape(views[0].shape)
    free: Array = np.ones(u.shape, bool)
    for view, dU in zip(views, dUs, strict=True):
        wins = view == u
        wins &= free
        free ^= wins
        np.multiply(back, wins, out=dU)


def logistic_and_slope(u: Array, sigma: Array, slope: Array) -> None:
    """sigma(u) = (1 + tanh(u/2))/2 and sigma'(u) = sigma (1 - sigma): one transcendental function, no overflow.

    Off by a few units in the last place of 1, not of the result: for u < -10 in float32 sigma' has few digits left.
    """
    np.multiply(u, 0.5, out=sigma)
    np.tanh(sigma, out=sigma)
    sigma *= 0.5
    sigma += 0.5
    np.subtract(1, sigma, out=slope)
    slope *= sigma
