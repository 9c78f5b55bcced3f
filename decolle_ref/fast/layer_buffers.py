"""One convolutional layer for some samples of a batch, in place, with preallocated buffers.

Tested against `network.forward` and `network.local_gradients`; `logistic_and_slope` against `surrogate.logistic`.

>>> u = np.zeros(1)
>>> sigma, slope = np.empty(1), np.empty(1)
>>> logistic_and_slope(u, sigma, slope)
>>> sigma, slope
(array([0.5]), array([0.25]))
"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.network import Layer, width
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.karatsuba import fastest
from decolle_ref.fast.memory import blocks
from decolle_ref.fast.pool import route, window_maxima, window_views

__all__ = ["LayerBuffers", "logistic_and_slope"]


class LayerBuffers:
    """`network.forward` and `network.local_gradients` of one layer, for several steps at a time.

    Arrays of neurons are (n, steps x samples), with n as in the definition.  While the weights are fixed, many steps
    share one product; only traces and R go step by step.  Neurons that no pooling window covers are left out, because
    nothing depends on them, and R is kept only where delta is not 0.

    Parameters
    ----------
    layer
        A layer with a Conv2d synapse and no regulariser.
    samples, steps
        How many samples and how many steps each call works on.

    Raises
    ------
    InputError
        For another synapse, or a regulariser.
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
        self.neuron = _column_constants(layer.neuron, synapse, self.used)
        self.patches = fastest(synapse, self.used[1:], steps * samples, dtype)
        self.image = *synapse.shape_in, steps * samples
        zeros: Callable[..., Array] = lambda *shape: np.zeros(shape, dtype)  # noqa: E731
        self.P, self.Q, self.more = (zeros(synapse.n_in, samples) for _ in range(3))
        self.P_read = zeros(synapse.n_in, steps, samples)  # P as U reads it
        self.U = zeros(int(np.prod(self.used)), steps * samples)
        self.R = zeros(len(self.U), samples) if layer.neuron.delta.any() else None
        self.delta_R = None if self.R is None else zeros(*self.R.shape)
        self.u = self.U if self.size == 1 else zeros(width(layer), steps * samples)
        self.S, self.activity, self.slope, self.du = (zeros(*self.u.shape) for _ in range(4))
        self.read = self.S if layer.activity == "spike" else self.activity
        self.free, self.wins = np.empty(self.u.shape, bool), np.empty(self.u.shape, bool)
        self.dU = self.du if self.size == 1 else zeros(*self.U.shape)
        self.Y = zeros(steps * samples, len(layer.readout.c))
        self.gradient = Weights(zeros(*synapse.shape_W), zeros(channels))

    def rest(self) -> None:
        """P = Q = R = 0."""
        self.P[...], self.Q[...] = 0, 0
        if self.R is not None:
            self.R[...] = 0

    def forward(self, weights: Weights, spikes_in: Array, mask: Mask = KEEP) -> Array:
        """Traces, U, S and Y of [K20 Eq. 1] for all steps.

        Parameters
        ----------
        weights
            Of the layer.
        spikes_in
            (n_in, steps x samples).
        mask
            Dropout, (steps x samples, ...).

        Returns
        -------
        array
            S, (n, steps x samples); the next call overwrites it.
        """
        self._trace(spikes_in.reshape(self.P_read.shape))
        self.patches.load(self.P_read.reshape(self.image))
        self.patches.drive(weights, self.U.reshape(self.used[0], -1))
        if self.R is not None:
            self._refract(self.R, self.U.reshape(len(self.U), self.steps, self.samples))
        if self.size > 1:
            window_maxima(window_views(self.U, self.windows), self.u)
        self._fire()
        self._read(mask)
        return self.S

    def _trace(self, spikes_in: Array) -> None:
        """P and Q through all steps, and P as U reads it."""
        neuron, P, Q, more = self.neuron, self.P, self.Q, self.more
        for n in range(self.steps):
            if not neuron.U_reads:
                self.P_read[:, n] = P
            P *= neuron.alpha
            if not neuron.P_reads:
                P += np.multiply(neuron.gain_P, Q, out=more)
            Q *= neuron.beta
            Q += np.multiply(neuron.gain_Q, spikes_in[:, n], out=more)
            if neuron.P_reads:
                P += np.multiply(neuron.gain_P, Q, out=more)
            if neuron.U_reads:
                self.P_read[:, n] = P

    def _refract(self, R: Array, U: Array) -> None:
        """U <- U - delta R and R <- gamma R + S, through all steps."""
        for n in range(self.steps):
            U[:, n] -= np.multiply(self.neuron.delta, R, out=self.delta_R)
            R *= self.neuron.gamma
            for r, u in zip(blocks(R), blocks(U[:, n]), strict=True):
                r += self.layer.surrogate.spike(u)

    def _fire(self) -> None:
        """S, the activity and its slope."""
        surrogate = self.layer.surrogate
        for u, S, activity, slope in zip(*map(blocks, (self.u, self.S, self.activity, self.slope)), strict=True):
            S[...] = surrogate.spike(u)
            if surrogate.primitive is logistic.primitive:
                logistic_and_slope(u, activity, slope)
            else:
                activity[...], slope[...] = surrogate.primitive(u), surrogate.derivative(u)

    def _read(self, mask: Mask) -> None:
        """Y; dropout of the activity acts on its slope, too."""
        layer, read = self.layer, self.read
        if isinstance(mask.activity, np.ndarray):
            self.du[...] = mask.activity.T
            self.slope *= self.du
            self.du *= read
            read = self.du
        np.matmul(layer.readout.G, read, out=self.Y.T)
        self.Y += layer.readout.c
        self.Y *= mask.Y

    def local_gradients(self, target: Array, share: float, mask: Mask = KEEP) -> None:
        """dU and the gradient of [K20 Eq. 3], after `forward` with the same mask and steps = 1.

        Parameters
        ----------
        target
            (samples, n_out).
        share
            These samples as a fraction of the whole batch.
        mask
            Dropout, (samples, ...).
        """
        objective = self.layer.objective
        dY = mask.Y * objective.error(self.Y, target)
        if objective.reduction == "mean":
            dY = dY * share
        np.matmul(self.layer.readout.G.T, dY.T, out=self.du)
        self.du *= self.slope
        if self.size > 1:
            views, gradients = (window_views(x, self.windows) for x in (self.U, self.dU))
            route(views, self.u, self.du, gradients, self.free, self.wins)
        self.patches.gradient(self.dU.reshape(self.used[0], -1), self.gradient)


def _column_constants(neuron: LIF, synapse: Conv2d, used: tuple[int, int, int]) -> LIF:
    """The constants as columns, for arrays whose last axis is the batch; those of neurons for the used ones only."""
    _, rows, columns = used

    def per_neuron(constant: Array) -> Array:
        whole = np.broadcast_to(constant, (synapse.n,)).reshape(synapse.shape)
        return constant if constant.size == 1 else whole[:, :rows, :columns].reshape(-1, 1)

    inputs = {x: getattr(neuron, x).reshape(-1, 1) for x in ("alpha", "beta", "gain_Q", "gain_P")}
    return neuron._replace(**inputs, gamma=per_neuron(neuron.gamma), delta=per_neuron(neuron.delta))


def logistic_and_slope(u: Array, sigma: Array, slope: Array) -> None:
    """sigma(u) = (1 + tanh(u/2))/2 and sigma'(u) = sigma (1 - sigma): one transcendental function, no overflow.

    The error is a few units in the last place of 1, not of the result: for u < -10 in float32 sigma' has few correct
    digits.

    Parameters
    ----------
    u
        Potentials, any shape.
    sigma, slope
        Outputs, of the shape of u.
    """
    np.multiply(u, 0.5, out=sigma)
    np.tanh(sigma, out=sigma)
    sigma *= 0.5
    sigma += 0.5
    np.subtract(1, sigma, out=slope)
    slope *= sigma
