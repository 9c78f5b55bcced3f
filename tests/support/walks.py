"""An experiment small enough to be stopped anywhere."""

import signal
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment
from decolle_ref.experiments.options import option
from decolle_ref.experiments.study import Study, StudySettings


class Walk(NamedTuple):
    """Where a random walk went."""

    path: Array
    end: float


@dataclass(frozen=True)
class Settings(StudySettings):
    """Random walks of some length."""

    length: int = option(50, "steps of a walk", quick=5)


class Walks(Study):
    """A study small enough to be stopped anywhere."""

    variants, result = ("left", "right"), Walk
    stop_at = diverge_at = None

    def learn(self, unit, monitor):
        if Walks.stop_at == unit:
            signal.raise_signal(signal.SIGINT)
            while not monitor.stopped():  # in a sweep, the main thread sees it later
                time.sleep(0.01)
        monitor.tick("walking")
        rng = np.random.default_rng((unit.seed, unit.variant == "left"))
        path = rng.normal(size=self.settings.length).cumsum()
        if Walks.diverge_at == unit:
            path[1] = np.inf
        return Walk(path, float(path[-1]))

    def fields(self, unit):
        return {"path": Field((self.settings.length,)), "end": Field()}

    def report(self, state):
        ends = {variant: [float(w.end) for w in walks] for variant, walks in self.by_variant(state).items()}
        return {"ends": ends}, {"paths": np.array([w.path for w in state])}


WALKS = Experiment("walks", "random walks", Settings, Walks, lambda results: f"walks: {results['ends']['left'][0]:.2f}")
