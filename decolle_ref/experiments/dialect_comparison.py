"""Which DECOLLE?  One network and one input in all five dialects: with the same numbers, and with matched ones."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data.encode import poisson
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.dialects import DIALECTS, Dialect, paper
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.rescale import rescale, shift
from decolle_ref.decolle.synapse import Dense, Weights

SIZES = (40, 20, 10)


class Shown(NamedTuple):
    """U and S of the top layer, (steps, neurons)."""

    U: Array
    S: Array


def compare(seed: int = 0, steps: int = 200) -> tuple[dict[str, Shown], dict[str, Shown]]:
    """The top of two layers by dialect: given the same W, w and tau; and given what `rescale` makes of them.

    The second is written in the paper's time: entry n is step n - l (delay of paper - delay of the dialect) there.
    """
    spikes = poisson(np.random.default_rng(seed), 60.0, steps, SIZES[0])
    same = {name: _run(_same(dialect, seed), spikes) for name, dialect in DIALECTS.items()}
    matched = {}
    for name, dialect in DIALECTS.items():
        shown, late = _run(_matched(dialect, seed), spikes), shift(len(SIZES) - 1, paper, dialect)
        matched[name] = Shown(*(_delayed(x, late) for x in shown))
    return same, matched


def _same(dialect: Dialect, seed: int) -> list[tuple[Layer, Weights]]:
    """Every layer built from the same numbers in the given dialect."""
    rng = np.random.default_rng(seed)
    stack = []
    for n_in, n in pairwise(SIZES):
        taus = lif.sample_time_constants(rng, n_in)
        plain = lif.neuron(*taus)
        W, b = Dense(n_in, n).init_weights(rng, plain, scale=25.0, bias=-0.5)
        layer = Layer(Dense(n_in, n), lif.neuron(*taus, dialect=dialect), readout.sample_readout(rng, n, 1))
        stack.append((network.with_dialect(dialect, layer), Weights(W, b)))
    return stack


def _matched(dialect: Dialect, seed: int) -> list[tuple[Layer, Weights]]:
    """Every layer of the paper's network, mapped into the given dialect."""
    stack = []
    for layer, weights in _same(paper, seed):
        twin = rescale(layer.neuron, weights, paper, dialect)
        stack.append((network.with_dialect(dialect, layer._replace(neuron=twin.neuron)), twin.weights))
    return stack


def _run(stack: list[tuple[Layer, Weights]], spikes: Array) -> Shown:
    layers, weights = zip(*stack, strict=True)
    top = [shown[-1] for _, shown in network.run(layers, Carry(weights, network.rest(layers)), spikes)]
    return Shown(np.stack([s.U for s in top]), np.stack([s.S for s in top]))


def _delayed(x: Array, steps: int) -> Array:
    return np.concatenate([np.full_like(x[:steps], np.nan), x[: len(x) - steps]])
