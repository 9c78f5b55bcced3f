"""A convolutional network, step by step, in place, with the batch cut into chunks for several threads.

Every chunk is a few samples through all layers.  How the batch is cut changes the last bits of the results; the number
of threads does not.  Tested against `network.step`, `network.run` and `Learner.update`.

>>> from decolle_ref.decolle import lif, network, readout
>>> from decolle_ref.decolle.synapse import Conv2d
>>> rng, synapse = np.random.default_rng(0), Conv2d((1, 4, 4), 2, 3)
>>> layer = network.Layer(synapse, lif.neuron(), readout.sample_readout(rng, synapse.n, 5))
>>> weights = [synapse.init_weights(rng, layer.neuron)]
>>> with ThreadPoolExecutor(1) as workers:
...     stepper = NetworkStepper((layer,), batch=3, workers=workers)
...     stepper.step(weights, np.ones((1, 3, 16)))
>>> stepper.outputs(0).shape
(1, 3, 5)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from decolle_ref._util.check import Array, InputError, count, floats, validate_one_per_layer
from decolle_ref.decolle import dialects
from decolle_ref.decolle import network as definition
from decolle_ref.decolle.learner import Learner, OptState
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.network import Network
from decolle_ref.decolle.optim import validate_arrays
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.layer_buffers import LayerBuffers
from decolle_ref.fast.update import adamax, parse_adamax
from decolle_ref.fast.workers import CHUNK, split

__all__ = ["NetworkStepper"]


class NetworkStepper:
    """`network.step` for a batch of a fixed size, `steps` steps at a time.

    Parameters
    ----------
    network
        Layers with Conv2d synapses and no regulariser.
    batch
        Number of samples.
    workers
        The threads that share the batch, from `worker_pool`.
    steps
        How many steps each call of `step` makes.
    chunk
        Largest number of samples in a chunk.

    Raises
    ------
    InputError
        For another synapse, a regulariser, or a layer whose neuron has another dialect.
    """

    def __init__(
        self, network: Network, batch: int, workers: ThreadPoolExecutor, steps: int = 1, chunk: int = CHUNK
    ) -> None:
        for k, layer in enumerate(network, start=1):
            dialects.validate_same(layer.neuron.dialect, layer.dialect, f"layer {k}")
        self.batch, self.steps, self.workers = count("batch", batch), count("steps", steps), workers
        self.n_in = network[0].synapse.n_in
        self.chunks = split(batch, count("chunk", chunk))
        self.buffers = [[LayerBuffers(layer, s.stop - s.start, steps) for layer in network] for s in self.chunks]

    def rest(self) -> None:
        """Set every layer to P = Q = R = 0."""
        for layers in self.buffers:
            for layer in layers:
                layer.rest()

    def load(self, states: Sequence[State]) -> None:
        """Set every layer to a state (batch, ...).  Assumes that it fits, as `network.validate_state` checks."""
        for chunk, layers in zip(self.chunks, self.buffers, strict=True):
            for layer, state in zip(layers, states, strict=True):
                layer.P[...], layer.Q[...] = state.P[chunk].T, state.Q[chunk].T
                if layer.R is not None:
                    layer.R[...] = _covered(layer, state.R[chunk]).reshape(-1, len(layer.R)).T

    def states(self) -> tuple[State, ...]:
        """The state of every layer, (batch, ...); R is 0 where nothing depends on it, as where delta = 0."""
        states = definition.rest([layers.layer for layers in self.buffers[0]], (self.batch,))
        for chunk, layers in zip(self.chunks, self.buffers, strict=True):
            for layer, state in zip(layers, states, strict=True):
                state.P[chunk], state.Q[chunk] = layer.P.T, layer.Q.T
                if layer.R is not None:
                    covered = _covered(layer, state.R[chunk])
                    covered[...] = layer.R.T.reshape(covered.shape)
        return states

    def step(
        self,
        weights: Sequence[Weights],
        spikes: Array,
        target: Array | Sequence[Array] | None = None,
        masks: Sequence[Mask] | None = None,
    ) -> None:
        """All layers through the next steps, and their gradients if there is a target.

        Parameters
        ----------
        weights
            One per layer.
        spikes
            (steps, batch, n_in).
        target
            (batch, n_out) for all layers alike, or a sequence with one per layer; only with steps = 1, because
            weights change after every step.
        masks
            Dropout, one per layer, of shape (batch, ...) for all steps alike, or (steps, batch, ...), as assumed.

        Raises
        ------
        InputError
            For a target while steps > 1, and for weights, spikes or a target of another shape.
        """
        if target is not None and self.steps > 1:
            raise InputError(f"target: expected none while steps = {self.steps}, because they share weights, got one")
        spikes = floats("spikes", spikes, self.steps, self.batch, self.n_in)
        goals = None if target is None else self._parse_targets(target)
        validate_one_per_layer("weights", weights, len(self.buffers[0]))
        parsed = [b.layer.synapse.parse(w) for b, w in zip(self.buffers[0], weights, strict=True)]

        def work(chunk: slice, layers: list[LayerBuffers]) -> None:
            x = spikes[:, chunk].transpose(2, 0, 1)
            for k, layer in enumerate(layers):
                mask = KEEP if masks is None else _cut_mask(masks[k], chunk)
                x = layer.forward(parsed[k], x, mask)
                if goals is not None:
                    goal = goals[k][chunk]
                    layer.local_gradients(goal, len(goal) / self.batch, mask)

        list(self.workers.map(work, self.chunks, self.buffers))

    def update(self, learner: Learner, weights: Sequence[Weights], opt_state: OptState, updates: int) -> OptState:
        """`Learner.update` with the gradients of the last step.

        Parameters
        ----------
        learner
            With Adamax, beta1 = 0.
        weights
            One per layer; they are overwritten.
        opt_state
            State of the optimiser; its arrays are overwritten.
        updates
            Number of updates made so far, for the schedule.

        Returns
        -------
        opt_state
            After the update.

        Raises
        ------
        InputError
            For any other optimiser, while steps > 1, and for an optimiser state that does not fit.
        """
        if self.steps > 1:
            raise InputError(f"NetworkStepper.update: expected steps = 1, got steps = {self.steps}")
        optimiser, factor = parse_adamax(learner.optimiser), float(learner.schedule(updates))
        entries = ("weights", weights), ("opt_state", opt_state), ("learning_rates", learner.learning_rates)
        for name, per_layer in entries:
            validate_one_per_layer(name, per_layer, len(self.buffers[0]))
        new = []
        for k, (w, moments, rate) in enumerate(zip(weights, opt_state, learner.learning_rates, strict=True)):
            gradients = [layers[k].gradient for layers in self.buffers]
            for array, moment, chunks in zip(w, moments, zip(*gradients, strict=True), strict=True):
                validate_arrays(array, moment.m)
                np.copyto(moment.m, sum(chunks))
            triples = zip(w, moments, rate, strict=True)
            new.append(tuple(adamax(optimiser, array, moment, factor * lr) for array, moment, lr in triples))
        return tuple(new)

    def _parse_targets(self, target: Array | Sequence[Array]) -> list[Array]:
        """One target per layer."""
        layers = [buffers.layer for buffers in self.buffers[0]]
        targets = [target] * len(layers) if isinstance(target, np.ndarray) else target
        validate_one_per_layer("target", targets, len(layers))
        sizes = [len(layer.readout.c) for layer in layers]
        return [floats("target", goal, self.batch, size) for goal, size in zip(targets, sizes, strict=True)]

    def spike_rate(self, k: int) -> float:
        """Spikes of layer k per step, sample and neuron or window."""
        return float(sum(layers[k].S.sum(dtype=float) for layers in self.buffers)) / sum(
            layers[k].S.size for layers in self.buffers
        )

    def outputs(self, k: int) -> Array:
        """Y of layer k, (steps, batch, n_out)."""
        return np.concatenate([self._by_step(layers[k].Y.T) for layers in self.buffers], axis=1)

    def read(self, k: int) -> Array:
        """The input of the readout of layer k, before dropout, (steps, batch, width)."""
        return np.concatenate([self._by_step(layers[k].read) for layers in self.buffers], axis=1)

    def _by_step(self, x: Array) -> Array:
        """(n, steps x samples) -> (steps, samples, n)."""
        return x.reshape(len(x), self.steps, -1).transpose(1, 2, 0)


def _covered(layer: LayerBuffers, R: Array) -> Array:
    """The part of R, (samples, n), that some pooling window covers: a view (samples, channels, rows, columns)."""
    shape = layer.used if layer.layer.pool is None else layer.layer.pool.shape
    return R.reshape(len(R), *shape)[:, :, : layer.used[1], : layer.used[2]]


def _cut_mask(mask: Mask, chunk: slice) -> Mask:
    """The rows of a mask that belong to the samples of a chunk, in the order (steps x samples)."""
    return Mask(*(f[..., chunk, :].reshape(-1, f.shape[-1]) if isinstance(f, np.ndarray) else f for f in mask))
