"""What is said of results: one line for one run, and mean and spread over the seeds of several.

    numbers({"error": 0.1, "epochs": {"loss": [3.0, 2.0]}})    {"error": 0.1, "epochs.loss": [3, 2]}
    statistics([[3.0, 2.0], [1.0, 2.0]])                       {"mean": [2, 2], "spread": [1.414, 0]}

Which numbers a result has is read from the result itself: every number, and every table of numbers, has the path of its
keys as its name.  The spread is the standard deviation over the seeds, sqrt(sum (x - mean)^2 / (n - 1)).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments.harness import Experiment, Headline, Results

NOT_COMPARABLE = " (quick: not comparable)"
ABOUT = ("experiment", "comparable", "settings", "versions")  # what results say about the run
FIRST = 3  # numbers that are shown first where an experiment does not say which


def one_line(experiment: Experiment, results: Results) -> str:
    """The result in one line, marked if the run was a quick one.

    Parameters
    ----------
    experiment, results
        The experiment, and what `run` returned.

    Returns
    -------
    str
        One line.
    """
    return experiment.one_line(results) + ("" if results["comparable"] else NOT_COMPARABLE)


def numbers(results: Results) -> dict[str, Array]:
    """Every number and every rectangular list of numbers in the results, by the path of its keys."""
    return dict(_leaves("", {key: value for key, value in results.items() if key not in ABOUT}))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Array]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, item)
    elif (table := _table(value)) is not None:
        yield path, table
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from _leaves(f"{path}[{k}]", item)


def _table(value: Any) -> Array | None:
    """A number or a rectangular list of numbers as an array; None for anything else."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        return None
    return array if array.dtype.kind in "iuf" and array.size else None


def statistics(values: Sequence[Any]) -> dict[str, Any]:
    """Mean and spread of numbers, or of lists of one shape, entry by entry; one value alone has no spread: None."""
    stacked = np.asarray(values, np.float64)
    spread = stacked.std(axis=0, ddof=1).tolist() if len(stacked) > 1 else None
    return {"mean": stacked.mean(axis=0).tolist(), "spread": spread}


def headline(experiment: Experiment, results: Results) -> Headline:
    """The numbers of one result that come first: those that the experiment names, or the first ones."""
    if experiment.headline is not None:
        return experiment.headline(results)
    every = numbers(results).items()
    single = {path: float(x) for path, x in every if x.ndim == 0}
    entries = {f"{path}[{k}]": float(value) for path, x in every if x.ndim == 1 for k, value in enumerate(x)}
    return Headline("", "", dict([*(single or entries).items()][:FIRST]))


def point(experiment: Experiment, all_results: Sequence[Results]) -> dict[str, Any]:
    """The summary of results that differ only by their seeds.

    `headline` has the values seed by seed; `numbers` has mean and spread of whatever all results have in one shape.
    """
    headlines = [headline(experiment, results).numbers for results in all_results]
    names = [name for name in headlines[0] if all(name in other for other in headlines)]
    tables = [numbers(results) for results in all_results]
    shared = [p for p, x in tables[0].items() if all(p in other and other[p].shape == x.shape for other in tables)]
    values = {name: [other[name] for other in headlines] for name in names}
    return {
        "seeds": [results["settings"]["seed"] for results in all_results],
        "headline": {name: {"values": x, **statistics(x)} for name, x in values.items()},
        "numbers": {path: statistics([other[path] for other in tables]) for path in shared},
    }


def with_spread(mean: float, spread: float | None) -> str:
    """`9.1 +- 1.2`: two digits of the spread, and the mean as finely; without a spread, four digits of the mean."""
    if spread is None:
        return f"{mean:.4g}"
    if spread == 0:
        return f"{mean:.4g} +- 0"
    decimals = 1 - math.floor(math.log10(spread))
    if not -4 < decimals < 6:
        return f"{mean:.3g} +- {spread:.1e}"
    return f"{mean:.{max(0, decimals)}f} +- {spread:.{max(0, decimals)}f}"


def label(results: Results) -> str:
    """What the headline of a sweep measures, with the unit."""
    return " ".join(filter(None, (results["what"], results["unit"] and f"({results['unit']})")))


def table(results: Results) -> str:
    """The headline of every point of a sweep as a Markdown table with a title, one row per point."""
    names = list(dict.fromkeys(name for row in results["points"] for name in row["headline"]))
    varied = [name for name in results["varied"] if name != "seed"]
    rows = [[*varied, "seeds", *(name or label(results) for name in names)]]
    for row in results["points"]:
        numbers = [row["headline"].get(name) for name in names]
        cells = [with_spread(x["mean"], x["spread"]) if x else "" for x in numbers]
        rows.append([*(text(row["settings"][name]) for name in varied), str(len(row["seeds"])), *cells])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    mark = "" if results["comparable"] else NOT_COMPARABLE
    title = f"{results['experiment']}, {label(results) or 'numbers'}: mean +- standard deviation over the seeds{mark}"
    return "\n".join([title, "", lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


def text(value: Any) -> str:
    """A setting's value as it is written on the command line and in the name of a folder."""
    if isinstance(value, list | tuple):
        return ",".join(map(text, value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value).replace("e+", "e") if isinstance(value, float) else str(value)


def sweep_line(results: Results) -> str:
    """The result of a sweep in one line: mean and spread, or the lowest and the highest mean and where they are."""
    points = results["points"]
    words = [f"{name} {_extremes(results, name)}".strip() for name in points[0]["headline"]]
    seeds = len(results["varied"]["seed"])
    count = f"{seeds} seed{'s' if seeds > 1 else ''}"
    count = count if len(points) == 1 else f"{len(points)} points of {count}"
    mark = "" if results["comparable"] else NOT_COMPARABLE
    what = f"{results['what']} " if results["what"] else ""
    return f"{results['experiment']}: {count}, {what}{', '.join(words)}{mark}"


def _extremes(results: Results, name: str) -> str:
    rows = [(row["headline"][name], row["settings"]) for row in results["points"] if name in row["headline"]]
    low, high = (choose(rows, key=lambda row: row[0]["mean"]) for choose in (min, max))
    unit = f" {results['unit']}" if results["unit"] else ""
    if low[0]["mean"] == high[0]["mean"]:
        return with_spread(low[0]["mean"], low[0]["spread"]) + unit
    return " to ".join(f"{with_spread(x['mean'], x['spread'])}{unit} ({_where(at)})" for x, at in (low, high))


def _where(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text(value)}" for name, value in settings.items())
