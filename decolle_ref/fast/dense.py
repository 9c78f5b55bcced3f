"""A network of dense layers, many steps per call, in place; `learn` calls it.  Tested against `network.run`."""

from collections.abc import Sequence

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.synapse import Dense
from decolle_ref.fast.dense_layers import LayerGroup, groups_of
from decolle_ref.fast.dense_parameters import Parameters, spans
from decolle_ref.fast.dense_update import update_of

__all__ = ["DenseStepper"]


class DenseStepper:
    """`network.run` with a learner, for a batch of a fixed size.

    Assumes a start and a learner that fit, as `learn` checks.

    Parameters
    ----------
    network
        Dense layers without pools, all of one dtype.
    start
        Where to start; it stays as it is.
    learner
        With any optimiser.

    Raises
    ------
    InputError
        For another synapse, a pool, or several dtypes.
    """

    def __init__(self, network: Sequence[Layer], start: Carry, learner: Learner) -> None:
        _validate(network)
        self.network, self.learner, self.batch = network, learner, start.state[0].P.shape[:-1]
        self.samples, self.n, self.updates = int(np.prod(self.batch)), start.n, start.updates
        self.dtype = start.weights[0].W.dtype
        self.parameters = Parameters(start.weights)
        inputs = sum(layer.synapse.n_in + 1 for layer in network)
        self.P = np.zeros((self.samples, inputs), self.dtype)
        self.dU = np.zeros((self.samples, sum(layer.synapse.n for layer in network)), self.dtype)
        self.groups = self._groups()
        self.spans = spans(len(group.layers) for group in self.groups)
        states = iter(start.state)
        for group in self.groups:
            group.load([next(states) for _ in group.layers])
        self.update = update_of(learner, self.parameters, start.opt_state, self.dU, self.P)

    def _groups(self) -> list[LayerGroup]:
        """Layers that go through a step together."""
        groups, matrices = groups_of(self.network), iter(self.parameters.matrices)
        inputs = spans(sum(layer.synapse.n_in + 1 for layer in group) for group in groups)
        neurons = spans(sum(layer.synapse.n for layer in group) for group in groups)
        return [
            LayerGroup(group, [next(matrices) for _ in group], self.P[:, j], self.dU[:, i])
            for group, j, i in zip(groups, inputs, neurons, strict=True)
        ]

    def run(self, spikes: Array, targets: Sequence[Array]) -> tuple[list[Array], Array]:
        """All steps of the input.  Assumes arrays of these shapes in the dtype of the network, which `learn` checks.

        Parameters
        ----------
        spikes
            (steps, samples, n_in).
        targets
            (steps, samples, n_out), one per layer.

        Returns
        -------
        Y
            (steps, samples, n_out), one per layer.
        counts
            Number of spikes of each step and layer, (steps, layers).
        """
        goals = self._by_group(targets)
        shown = [np.empty_like(goal) for goal in goals]
        counts = np.empty((len(spikes), len(self.network)), self.dtype)
        for n, x in enumerate(spikes):
            self._step(x, goals, shown, counts, n, n == len(spikes) - 1)
        Y = [y[..., k] for y, group in zip(shown, self.groups, strict=True) for k in group.outputs]
        return Y, counts

    def _step(self, x: Array, goals: list[Array], shown: list[Array], counts: Array, n: int, last: bool) -> None:
        """One step of [K20 Eq. 1] and, from burn-in on, of [K20 Eq. 3]."""
        for group, layers, Y in zip(self.groups, self.spans, shown, strict=True):
            x = group.forward(x)
            Y[n] = group.Y
            group.count_spikes(counts[n, layers])
        if self.n >= self.learner.burn_in:
            for group, goal in zip(self.groups, goals, strict=True):
                group.local_gradients(goal[n])
            self.update.step(self.updates, last)
            self.updates += 1
        for group in self.groups:
            group.advance()
        self.n += 1

    def _by_group(self, targets: Sequence[Array]) -> list[Array]:
        """The targets of each group's layers side by side, (steps, samples, outputs of the group)."""
        layers = iter(targets)
        return [np.concatenate([next(layers) for _ in group.layers], axis=-1) for group in self.groups]

    @property
    def carry(self) -> Carry:
        """Copies of weights, states and optimiser state after the latest step."""
        states = tuple(state for group in self.groups for state in group.states(self.batch))
        return Carry(self.parameters.split(), states, self.update.state(), self.n, self.updates)


def _validate(network: Sequence[Layer]) -> None:
    """Raise InputError for what the fast path does not have."""
    for k, layer in enumerate(network, start=1):
        if not isinstance(layer.synapse, Dense):
            raise InputError(f"layer {k}: expected a Dense synapse, got {type(layer.synapse).__name__}")
        if layer.pool is not None:
            raise InputError(f"layer {k}: expected no pool, got one")
        if layer.neuron.alpha.dtype != network[0].neuron.alpha.dtype:
            raise InputError(f"layer {k}: expected {network[0].neuron.alpha.dtype}, got {layer.neuron.alpha.dtype}")
