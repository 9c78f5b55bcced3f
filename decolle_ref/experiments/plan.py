"""The runs of a sweep: every combination of the values of the settings that vary, each with a folder of its own.

>>> from decolle_ref.experiments.regression import Settings
>>> values = parse_values(Settings(), {"epochs": (5, 10), "seed": (0, 1)})
>>> list(combinations(Settings(), values))
['epochs-5/seed-0', 'epochs-5/seed-1', 'epochs-10/seed-0', 'epochs-10/seed-1']
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise, product
from typing import Any

from decolle_ref._util.check import InputError, count, file_name, validate_choice
from decolle_ref.experiments import summary

Values = dict[str, tuple[Any, ...]]  # of the settings that vary, by name


def parse_values(settings: Any, varied: Mapping[str, Sequence[Any]]) -> Values:
    """The values of every setting that varies, the seed last.

    Raises InputError for settings that do not exist, and for values that stand twice or cannot name a folder.
    """
    values: Values = {name: tuple(several) for name, several in varied.items() if name != "seed"}
    values["seed"] = tuple(varied.get("seed", (settings.seed,)))
    for name, several in values.items():
        validate_choice("sweep", name, [f.name for f in fields(settings) if f.name != "quick"])
        count(f"number of values of {name}", len(several))
        if len({folder_name(name, value) for value in several}) < len(several):
            raise InputError(f"{name}: expected values that differ, got {' '.join(map(summary.text, several))}")
    return values


def folder_name(name: str, value: Any) -> str:
    """The name of the folder for one value of a setting, such as alpha-10."""
    return file_name(f"value of {name}", f"{name}-{summary.text(value).replace(',', '_')}")


def combinations(settings: Any, values: Values) -> dict[str, Any]:
    """The settings of every run, by its folder.  Raises InputError where they make no sense, or share seeds."""
    runs = {}
    for combination in product(*values.values()):
        point = dict(zip(values, combination, strict=True))
        runs["/".join(folder_name(name, value) for name, value in point.items())] = replace(settings, **point)
    _validate_seeds(list(runs.values()), values["seed"])
    return runs


def _validate_seeds(runs: Sequence[Any], seeds: Sequence[int]) -> None:
    """Raise InputError where two runs would count the same network twice, which makes the spread too small."""
    length = max(len(one.seeds) for one in runs)
    for low, high in pairwise(sorted(seeds)):
        if high - low < length:
            raise InputError(f"seeds: expected steps of at least {length}, the seeds of one run, got {low} and {high}")
