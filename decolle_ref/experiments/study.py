"""Studies: experiments that train every variant with every seed, one after the other."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Monitor, Run
from decolle_ref.experiments.options import CommonSettings, option


@dataclass(frozen=True)
class StudySettings(CommonSettings):
    """The settings that all studies have."""

    repeats: int = option(5, "number of seeds, counted from --seed", quick=2)

    @property
    def seeds(self) -> range:
        """The seeds of all trainings."""
        return range(self.seed, self.seed + self.repeats)


class Unit(NamedTuple):
    """One training of a study: one variant with one seed.  It does not depend on the other trainings."""

    variant: str
    seed: int


class Study(Run[tuple[Any, ...]]):
    """A run over independent units: every variant with every seed, one after the other.

    A subclass defines `variants`, `result` (the type of the results, a NamedTuple of arrays) and `learn`.
    """

    step_name = "unit"
    variants: Iterable[str]
    result: type[Any]

    def __init__(self, settings: Any, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings, self.seeds = settings, settings.seeds
        self.units = [Unit(variant, seed) for variant, seed in product(self.variants, self.seeds)]
        self.steps = len(self.units)

    @abstractmethod
    def learn(self, unit: Unit, monitor: Monitor) -> Any:
        """Train one unit; returns its result."""

    @abstractmethod
    def fields(self, unit: Unit) -> dict[str, Field]:
        """Shape and limits of every field of a unit's result."""

    def begin(self) -> tuple[Any, ...]:
        """The state before the first unit: no results."""
        return ()

    def done(self, state: tuple[Any, ...]) -> int:
        """The number of units so far."""
        return len(state)

    def step(self, state: tuple[Any, ...], monitor: Monitor) -> tuple[Any, ...]:
        """Train the next unit."""
        result = self.learn(self.units[len(state)], monitor)
        return (*state, self.result(*(np.asarray(value) for value in result)))

    def pack(self, state: tuple[Any, ...]) -> dict[str, Array]:
        """The fields of all results, numbered."""
        fields = {f"{k}_{name}": x for k, result in enumerate(state) for name, x in result._asdict().items()}
        return {"units": np.asarray(len(state)), **fields}

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> tuple[Any, ...]:
        """The results, from their numbered fields."""
        units = int(checkpoint.parse(path, arrays, "units", Field(low=0, high=self.steps, whole=True)))
        return tuple(
            self.result(
                **{
                    name: checkpoint.parse(path, arrays, f"{k}_{name}", field)
                    for name, field in self.fields(unit).items()
                }
            )
            for k, unit in enumerate(self.units[:units])
        )

    def by_variant(self, state: tuple[Any, ...]) -> dict[str, list[Any]]:
        """The results of every variant, by seed."""
        results: dict[str, list[Any]] = {}
        for unit, result in zip(self.units, state, strict=True):
            results.setdefault(unit.variant, []).append(result)
        return results
