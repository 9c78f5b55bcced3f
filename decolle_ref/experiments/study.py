"""Studies: experiments that train every variant for every seed, one after the other."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.harness import Monitor, Run


class Unit(NamedTuple):
    """One of the trainings of a study, which do not depend on each other."""

    variant: str
    seed: int


class Study(Run[tuple[Any, ...]]):
    """A run over independent units: every variant for every seed, in turn.

    A subclass gives `result`, a NamedTuple of arrays, and `learn`, which makes one of a unit.
    """

    step_name = "unit"
    result: type[Any]

    def __init__(self, variants: Iterable[str], seeds: Sequence[int]) -> None:
        self.units = [Unit(variant, seed) for variant, seed in product(variants, seeds)]
        self.seeds, self.steps = seeds, len(self.units)

    @abstractmethod
    def learn(self, unit: Unit, monitor: Monitor) -> Any:
        """The result of one unit."""

    def begin(self) -> tuple[Any, ...]:
        """No unit is done."""
        return ()

    def done(self, state: tuple[Any, ...]) -> int:
        """Units done."""
        return len(state)

    def step(self, state: tuple[Any, ...], monitor: Monitor) -> tuple[Any, ...]:
        """One unit more."""
        result = self.learn(self.units[len(state)], monitor)
        return (*state, self.result(*(np.asarray(value) for value in result)))

    def pack(self, state: tuple[Any, ...]) -> dict[str, Array]:
        """The fields of all results, numbered."""
        fields = {f"{k}_{name}": x for k, result in enumerate(state) for name, x in result._asdict().items()}
        return {"units": np.asarray(len(state)), **fields}

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> tuple[Any, ...]:
        """The results, from their numbered fields."""
        with checkpoint.complete(path):
            return tuple(
                self.result(*(arrays[f"{k}_{name}"] for name in self.result._fields))
                for k in range(int(arrays["units"]))
            )

    def by_variant(self, state: tuple[Any, ...]) -> dict[str, list[Any]]:
        """The results of every variant, by seed."""
        results: dict[str, list[Any]] = {}
        for unit, result in zip(self.units, state, strict=True):
            results.setdefault(unit.variant, []).append(result)
        return results
