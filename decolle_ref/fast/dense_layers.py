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
from decolle_ref.fast.dense_constants import constants_of
from decolle_ref.fast.dense_parameters import spans
from decolle_ref.fast.in_place import Potentials, spike_writer, surrogate_writer, write_error
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
        reads_old_spikes = layer.neuron.P_reads + layer.neuron.U_reads < 2
        if groups and reads_old_spikes and _kind(layer) == _kind(groups[-1][0]):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


def _kind(layer: Layer) -> tuple[object, ...]:
    """What the layers of a group have in common."""
    neuron, objective, rate = layer.neuron, layer.objective, layer.rate_of(layer.surrogate)
    regulariser = None if objective.regulariser is None else objective.regulariser.activity
    functions = layer.surrogate, rate.derivative, rate.primitive, layer.activity, objective.loss
    return neuron.P_reads, neuron.U_reads, regulariser, *functions


class LayerGroup:
    """`network.step` for a group of layers, in place.

    Arrays of neurons are (samples, N), with the neurons of all layers in a row; arrays of inputs are (samples, M),
    where each layer has its n_in inputs and then the one of the bias.

    Parameters
    ----------
    layers
        From `groups_of`.
    matrices
        Weights and biases of each layer, (n, n_in + 1): arrays whose numbers change.
    P, dU
        The arrays for the traces, (samples, M), and for dL/dU, (samples, N).
    """

    def __init__(self, layers: Sequence[Layer], matrices: Sequence[Array], P: Array, dU: Array) -> None:
        first, self.layers, self.P, self.dU = layers[0], layers, P, dU
        self.constants = constants_of(layers, len(P))
        self.refractory = bool(self.constants.delta.any())
        self.inputs = spans(layer.synapse.n_in + 1 for layer in layers)
        self.neurons = spans(layer.synapse.n for layer in layers)
        self.outputs = spans(len(layer.readout.c) for layer in layers)
        self.Q, self.X, self.scratch_in = (np.zeros_like(P) for _ in range(3))
        self.R, self.arrays = np.zeros_like(dU), Potentials.zeros(dU.shape, dU.dtype)
        samples, outputs, dtype = len(P), self.outputs[-1].stop, P.dtype
        self.Y, self.dY, self.column = (np.zeros((samples, width), dtype) for width in (outputs, outputs, 1))
        self.row = np.zeros(dU.shape[1], dtype)
        self.write_spikes = spike_writer(first.surrogate.spike)
        self.write_surrogate = surrogate_writer(first.surrogate, first.activity == "primitive")
        regularised = first.objective.regulariser is not None
        self.penalty = PenaltyBuffers(layers, self.constants.of_layer, samples) if regularised else None
        self._view(matrices)

    def _view(self, matrices: Sequence[Array]) -> None:
        """Views of the parts that belong to one layer, made once."""
        first, by_layer = self.layers[0], list(zip(self.neurons, self.outputs, strict=True))
        U, S, sigma, *_ = self.arrays
        read = sigma if first.activity == "primitive" else S
        G = [layer.readout.G for layer in self.layers]
        self.drives = [
            (self.P[:, j], matrix.T, U[:, i]) for matrix, j, i in zip(matrices, self.inputs, self.neurons, strict=True)
        ]
        self.readouts = [(read[:, i], g.T, self.Y[:, k]) for g, (i, k) in zip(G, by_layer, strict=True)]
        self.feedback = [(self.dY[:, k], g, self.dU[:, i]) for g, (i, k) in zip(G, by_layer, strict=True)]
        parts = self.outputs if first.objective.loss is cross_entropy else [slice(None)]
        self.errors = [(self.Y[:, k], self.dY[:, k], k) for k in parts]
        self.transmitted = [
            (S[:, i], self.X[:, j.start : j.stop - 1]) for i, j in zip(self.neurons, self.inputs[1:], strict=False)
        ]
        self.input, self.output = self.X[:, : self.inputs[0].stop - 1], S[:, self.neurons[-1]]

    def load(self, states: Sequence[State]) -> None:
        """Start from these states, one per layer, of any batch shape."""
        for state, j, i in zip(states, self.inputs, self.neurons, strict=True):
            P, Q, R = (x.reshape(len(self.P), -1) for x in state)
            self.P[:, j][:, :-1], self.P[:, j][:, -1] = P, 1
            self.Q[:, j][:, :-1], self.R[:, i] = Q, R

    def states(self, batch: tuple[int, ...]) -> list[State]:
        """Copies of the states, one per layer."""
        return [
            State(*(x.copy().reshape(*batch, -1) for x in (self.P[:, j][:, :-1], self.Q[:, j][:, :-1], self.R[:, i])))
            for j, i in zip(self.inputs, self.neurons, strict=True)
        ]

    def forward(self, spikes: Array) -> Array:
        """U, S and Y of [K20 Eq. 1] for input spikes (samples, n_in); returns S of the top layer, (samples, n)."""
        neuron = self.layers[0].neuron
        self.input[...] = spikes
        if neuron.U_reads:
            if neuron.P_reads:
                self._advance_Q()
            self._advance_P()
        for P, W, U in self.drives:
            np.matmul(P, W, out=U)
        U, S, scratch = self.arrays.U, self.arrays.S, self.arrays.scratch
        if self.refractory:
            np.multiply(self.R, self.constants.delta, out=scratch)
            U -= scratch
        self.write_spikes(self.arrays)
        self.R *= self.constants.gamma
        self.R += S
        self.write_surrogate(self.arrays)
        for read, G, Y in self.readouts:
            np.matmul(read, G, out=Y)
        self.Y += self.constants.c
        return self.output

    def advance(self) -> None:
        """P and Q of the next step, unless U has read them already."""
        neuron = self.layers[0].neuron
        for S, X in self.transmitted:
            X[...] = S
        if neuron.U_reads:
            if not neuron.P_reads:
                self._advance_Q()
        elif neuron.P_reads:
            self._advance_Q()
            self._advance_P()
        else:
            self._advance_P()
            self._advance_Q()

    def _advance_P(self) -> None:
        """P <- alpha P + g_P Q."""
        gain = self.constants.gain_P
        self.P *= self.constants.alpha
        self.P += self.Q if gain is None else np.multiply(self.Q, gain, out=self.scratch_in)

    def _advance_Q(self) -> None:
        """Q <- beta Q + g_Q S^in."""
        gain = self.constants.gain_Q
        self.Q *= self.constants.beta
        self.Q += self.X if gain is None else np.multiply(self.X, gain, out=self.scratch_in)

    def local_gradients(self, target: Array) -> None:
        """dY and dU of [K20 Eq. 3, 4], for the targets of all layers side by side, (samples, outputs)."""
        for Y, dY, k in self.errors:
            write_error(self.layers[0].objective.loss, Y, target[:, k], dY, self.column)
        self.dY *= self.constants.share
        for dY, G, dU in self.feedback:
            np.matmul(dY, G, out=dU)
        self.dU *= self.arrays.slope
        if self.penalty is not None:
            self.penalty.add(self.arrays, self.dU)

    def count_spikes(self, out: Array) -> None:
        """The number of spikes of each layer, summed over the samples, into an array (layers,)."""
        np.add.reduce(self.arrays.S, axis=0, out=self.row)
        np.matmul(self.row, self.constants.of_layer, out=out)
