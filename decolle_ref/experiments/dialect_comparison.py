"""One network and one input in all five dialects, with the same numbers and with matched ones."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from decolle_ref.experiments.harness import Experiment, Monitor, Report, Results, SingleStep
from decolle_ref.experiments.options import CommonSettings, option

SIZES = (40, 20, 10)


class TopLayer(NamedTuple):
    """U and S of the top layer, (steps, neurons)."""

    U: Array
    S: Array


def compare(seed: int = 0, steps: int = 200) -> tuple[dict[str, TopLayer], dict[str, TopLayer]]:
    """The top layer of a network in every dialect: with the same W, w and tau, and with those that `rescale` returns.

    The second is shifted to the paper's time: entry n is the dialect's step n - l (delay of paper - delay of dialect).
    """
    spikes = poisson(np.random.default_rng(seed), 60.0, steps, SIZES[0])
    same = {name: _run(_same(dialect, seed), spikes) for name, dialect in DIALECTS.items()}
    matched = {}
    for name, dialect in DIALECTS.items():
        top, late = _run(_matched(dialect, seed), spikes), shift(len(SIZES) - 1, paper, dialect)
        matched[name] = TopLayer(*(_delayed(x, late) for x in top))
    return same, matched


def _same(dialect: Dialect, seed: int) -> list[tuple[Layer, Weights]]:
    """Every layer in a dialect, built from the same numbers."""
    rng = np.random.default_rng(seed)
    stack = []
    for n_in, n in pairwise(SIZES):
        taus = lif.sample_time_constants(rng, n_in)
        neuron = lif.neuron(*taus)
        W, b = Dense(n_in, n).init_weights(rng, neuron, scale=25.0, bias=-0.5)
        layer = Layer(Dense(n_in, n), lif.neuron(*taus, dialect=dialect), readout.sample_readout(rng, n, 1))
        stack.append((network.with_dialect(dialect, layer), Weights(W, b)))
    return stack


def _matched(dialect: Dialect, seed: int) -> list[tuple[Layer, Weights]]:
    """Every layer of the paper's network, converted to a dialect."""
    stack = []
    for layer, weights in _same(paper, seed):
        twin = rescale(layer.neuron, weights, paper, dialect)
        stack.append((network.with_dialect(dialect, layer._replace(neuron=twin.neuron)), twin.weights))
    return stack


def _run(stack: list[tuple[Layer, Weights]], spikes: Array) -> TopLayer:
    layers, weights = zip(*stack, strict=True)
    top = [snapshots[-1] for _, snapshots in network.run(layers, Carry(weights, network.rest(layers)), spikes)]
    return TopLayer(np.stack([s.U for s in top]), np.stack([s.S for s in top]))


def _delayed(x: Array, steps: int) -> Array:
    return np.concatenate([np.full_like(x[:steps], np.nan), x[: len(x) - steps]])


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The settings of a run."""

    steps: int = option(200, "time steps of 1 ms", quick=50, least=len(SIZES) * paper.delay)


class DialectComparison(SingleStep):
    """The run: one network in all dialects."""

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings = settings

    def compute(self, monitor: Monitor) -> Report:
        """The largest |dU| between each dialect and the paper's, with same and matched numbers, and all traces."""
        by_kind = dict(zip(("same", "matched"), compare(self.settings.seed, self.settings.steps), strict=True))
        monitor.tick()
        gaps = {kind: {name: _gap(top, tops["paper"]) for name, top in tops.items()} for kind, tops in by_kind.items()}
        arrays = {
            f"{kind}_{name}_{letter}": getattr(top, letter)
            for kind, tops in by_kind.items()
            for name, top in tops.items()
            for letter in "US"
        }
        return {"max_dU": gaps}, arrays


def _gap(a: TopLayer, b: TopLayer) -> float:
    return float(np.nanmax(np.abs(a.U - b.U)))


def one_line(results: Results) -> str:
    """The result in one line."""
    same, matched = (max(results["max_dU"][kind].values()) for kind in ("same", "matched"))
    return (
        f"dialect-comparison: largest |dU| to the paper's dialect {same:.2g} with the same numbers, "
        f"{matched:.0e} with matched ones"
    )


EXPERIMENT = Experiment(
    name="dialect-comparison",
    summary="one network in all dialects of DECOLLE",
    group="experiments",
    settings=Settings,
    make=DialectComparison,
    one_line=one_line,
)
