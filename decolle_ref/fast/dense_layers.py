"""Dense layers that go through a step together, side by side in one array.

Where an input spike reaches U at the next step or later, all layers of one step read old spikes, so that one call of
NumPy serves all of them.  The bias is the weight of one more input, whose P is always 1.  Tested against
`network.step`.
"""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.objective import cross_entropy
from decolle_ref.fast.dense_parameters import spans
from decolle_ref.fast.in_place import spike_writer, surrogate_writer, write_error
from decolle_ref.fast.regularisers import PenaltyBuffers

__all__ = ["LayerGroup", "groups_of"]


def groups_of(network: Sequence[Layer]) -> list[list[Layer]]:
    """The network cut into the fewest groups of neighbouring layers that can go through a step together.

    Parameters
    ----------
    network
        Its layers.

    Returns
    -------
    list of list of Layer
    """
    groups: list[list[Layer]] = []
    for layer in network:
        delays = layer.neuron.P_reads + layer.neuron.U_reads < 2
        if groups and delays and _kind(layer) == _kind(groups[-1][0]):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


def _kind(layer: Layer) -> tuple[object, ...]:
    """What the layers of a group have in common."""
    neuron, objective = layer.neuron, layer.objective
    regulariser = None if objective.regulariser is None else objective.regulariser.activity
    rate = layer.rate_of(layer.surrogate)
    functions = layer.surrogate, rate.derivative, rate.primitive, layer.activity
    return neuron.P_reads, neuron.U_reads, *functions, objective.loss, objective.reduction, regulariser


class LayerGroup:
    """`network.step` for a group of layers, in place.

    Arrays of neurons are (batch, N), with the neurons of all layers in a row; arrays of inputs are (batch, M), where
    each layer has its n_in inputs and then the one of the bias.

    Parameters
    ----------
    layers
        From `groups_of`.
    P, dU
        The arrays for the traces, (batch, M), and for dL/dU, (batch, N).
    """

    def __init__(self, layers: Sequence[Layer], P: Array, dU: Array) -> None:
        first, batch = layers[0], len(P)
        self.layers, self.P, self.dU, self.batch = layers, P, dU, batch
        self.inputs = spans(layer.synapse.n_in + 1 for layer in layers)
        self.neurons = spans(layer.synapse.n for layer in layers)
        self.outputs = spans(len(layer.readout.c) for layer in layers)
        self.Q, self.X, self.scratch_in = (np.zeros_like(P) for _ in range(3))
        self.R, self.U, self.S, self.sigma, self.slope, self.scratch = (np.zeros_like(dU) for _ in range(6))
        n_out, dtype = self.outputs[-1].stop, P.dtype
        self.Y, self.dY, self.column = (np.zeros((batch, width), dtype) for width in (n_out, n_out, 1))
        self.alpha, self.beta = _row(layers, "alpha", 1.0), _row(layers, "beta", 0.0)
        self.gain_P, self.gain_Q = (_unless_one(_row(layers, letter, 0.0)) for letter in ("gain_P", "gain_Q"))
        self.gamma, self.delta = _row(layers, "gamma"), _row(layers, "delta")
        self.c, self.share = _row(layers, "c"), _shares(layers, batch)
        self.write_spikes = spike_writer(first.surrogate.spike)
        self.write_surrogate = surrogate_writer(first.surrogate, first.activity == "primitive")
        self.read = self.sigma if first.activity == "primitive" else self.S
        self.penalty = PenaltyBuffers(layers, self.neurons, batch) if first.objective.regulariser else None
        by_layer = self.outputs if first.objective.loss is cross_entropy else [slice(0, n_out)]
        self.errors = [(self.Y[:, k], self.dY[:, k], k) for k in by_layer]
        views = zip(self.layers, self.neurons, self.outputs, strict=True)
        self.readouts = [(l.readout.G, self.read[:, i], self.Y[:, k], self.dU[:, i], self.dY[:, k]) for l, i, k in views]
        self.of_layer, self.counts = np.zeros((len(dU.T), len(layers)), dtype), np.zeros((batch, len(layers)), dtype)
        for k, columns in enumerate(self.neurons):
            self.of_layer[columns, k] = 1
        self.refractory = bool(self.delta.any())
        self.early = first.neuron.U_reads + first.neuron.P_reads if first.neuron.U_reads else 0

    def load(self, states: Sequence[State]) -> None:
        """Start from these states, one per layer, of any batch shape."""
        for state, j, i in zip(states, self.inputs, self.neurons, strict=True):
            P, Q, R = (x.reshape(self.batch, -1) for x in state)
            self.P[:, j][:, :-1], self.P[:, j][:, -1] = P, 1
            self.Q[:, j][:, :-1], self.R[:, i] = Q, R

    def states(self, batch: tuple[int, ...]) -> list[State]:
        """Copies of the states, one per layer."""
        return [
            State(*(x.copy().reshape(*batch, -1) for x in (self.P[:, j][:, :-1], self.Q[:, j][:, :-1], self.R[:, i])))
            for j, i in zip(self.inputs, self.neurons, strict=True)
        ]

    def forward(self, matrices: Sequence[Array], spikes: Array) -> Array:
        """U, S and Y of [K20 Eq. 1]; returns the spikes of the top layer, (batch, n).

        `matrices` are (n, n_in + 1), weights and bias; `spikes` are (batch, n_in).
        """
        self.X[:, : spikes.shape[1]] = spikes
        if self.early == 2:  # P reads the new Q and U the new P
            self._advance_Q()
        if self.early:
            self._advance_P()
        for matrix, j, i in zip(matrices, self.inputs, self.neurons, strict=True):
            np.matmul(self.P[:, j], matrix.T, out=self.U[:, i])
        if self.refractory:
            np.multiply(self.R, self.delta, out=self.scratch)
            self.U -= self.scratch
        self.write_spikes(self.U, self.S)
        self.R *= self.gamma
        self.R += self.S
        self.write_surrogate(self.U, self.sigma, self.slope, self.scratch)
        for G, read, Y, _, _ in self.readouts:
            np.matmul(read, G.T, out=Y)
        self.Y += self.c
        return self.S[:, self.neurons[-1]]

    def count_spikes(self, out: Array) -> None:
        """The number of spikes of each layer, summed over the batch, into an array (layers,)."""
        np.matmul(self.S, self.of_layer, out=self.counts)
        np.add.reduce(self.counts, axis=0, out=out)

    def local_gradients(self, target: Array) -> None:
        """dY and dU of [K20 Eq. 3, 4], for the targets of all layers side by side, (batch, outputs)."""
        for Y, dY, k in self.errors:
            write_error(self.layers[0].objective.loss, Y, target[:, k], dY, self.column)
        self.dY *= self.share
        for G, _, _, dU, dY in self.readouts:
            np.matmul(dY, G, out=dU)
        self.dU *= self.slope
        if self.penalty is not None:
            self.penalty.add(self.U, self.dU, self.sigma, self.slope, self.scratch)

    def advance(self) -> None:
        """P and Q of the next step, as far as U did not read them already."""
        for below, j in zip(self.neurons, self.inputs[1:], strict=False):
            self.X[:, j.start : j.stop - 1] = self.S[:, below]
        P_reads, U_reads = self.layers[0].neuron.P_reads, self.layers[0].neuron.U_reads
        if not U_reads and not P_reads:
            self._advance_P()
        if self.early < 2:
            self._advance_Q()
        if not U_reads and P_reads:
            self._advance_P()

    def _advance_P(self) -> None:
        """P <- alpha P + g_P Q."""
        self.P *= self.alpha
        self.P += self.Q if self.gain_P is None else np.multiply(self.Q, self.gain_P, out=self.scratch_in)

    def _advance_Q(self) -> None:
        """Q <- beta Q + g_Q S^in."""
        self.Q *= self.beta
        self.Q += self.X if self.gain_Q is None else np.multiply(self.X, self.gain_Q, out=self.scratch_in)


def _row(layers: Sequence[Layer], letter: str, of_bias: float | None = None) -> Array:
    """One constant of all layers side by side: of neurons, of outputs, or of inputs and the bias."""
    parts = []
    for layer in layers:
        if letter == "c":
            parts.append(layer.readout.c)
            continue
        size = layer.synapse.n if of_bias is None else layer.synapse.n_in
        constant = getattr(layer.neuron, letter)
        parts.append(np.broadcast_to(constant, (size,)))
        if of_bias is not None:
            parts.append(np.full(1, of_bias, constant.dtype))
    return np.concatenate(parts)


def _unless_one(gain: Array) -> Array | None:
    """None where the gain of every input is 1, because the Q of the bias is 0."""
    return None if ((gain == 1) | (gain == 0)).all() else gain


def _shares(layers: Sequence[Layer], batch: int) -> Array:
    """What `Objective.error` multiplies the slope of the loss by, for each output."""
    shares = []
    for layer in layers:
        n_out, objective = len(layer.readout.c), layer.objective
        terms = batch if objective.loss is cross_entropy else batch * n_out
        shares.append(np.full(n_out, 1 / terms if objective.reduction == "mean" else 1.0, layer.neuron.alpha.dtype))
    return np.concatenate(shares)
