"""Several runs of one experiment: every run as a dot, with mean and spread over the seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decolle_ref.experiments import summary
from decolle_ref.plots.style import CYCLE, LINE_STYLES, figure_style, save

__all__ = ["plot", "save_figures"]

MARKERS = "osD^v"
APART = 0.08  # between the lines of one panel, in steps of the axis
PANELS = 4  # in a row


def plot(results: dict[str, Any]) -> Any:
    """Draw one panel for each headline number: the first setting that varies along the axis, a line for all others.

    Parameters
    ----------
    results : dict
        The results of `experiments.sweep.run`, which are also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    varied = [name for name in results["varied"] if name != "seed"]
    first, others = varied[:1], varied[1:]
    names = list(dict.fromkeys(name for row in results["points"] for name in row["headline"]))
    rows = -(-len(names) // PANELS) or 1
    with figure_style() as plt:
        columns = min(PANELS, len(names)) or 1
        figure, axes = plt.subplots(
            rows,
            columns,
            squeeze=False,
            sharex=True,
            sharey=bool(results["what"]),
            figsize=(1.6 + 2.4 * columns, 0.6 + 2.6 * rows),
        )
        for axis in axes.flat[len(names) :]:
            axis.set_axis_off()
        for axis, name in zip(axes.flat, names, strict=False):
            _panel(axis, results, name, first, others)
        for axis in axes[:, 0]:
            axis.set_ylabel(summary.label(results))
        if others:
            axes[0, -1].legend(title=", ".join(others), loc="upper left", bbox_to_anchor=(1, 1))
        figure.suptitle(_title(results), fontsize=9)
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw sweep.png in the folder of a sweep."""
    return [save(plot(results), out / "sweep.png")]


def _panel(axis: Any, results: dict[str, Any], name: str, first: Sequence[str], others: Sequence[str]) -> None:
    ticks = [summary.text(value) for value in results["varied"][first[0]]] if first else [""]
    lines: dict[str, dict[int, dict[str, Any]]] = {}
    for row in results["points"]:
        if name in row["headline"]:
            line = ", ".join(summary.text(row["settings"][other]) for other in others)
            at = ticks.index(summary.text(row["settings"][first[0]])) if first else 0
            lines.setdefault(line, {})[at] = row["headline"][name]
    for k, (line, numbers) in enumerate(lines.items()):
        x = {at: at + APART * (k - (len(lines) - 1) / 2) for at in numbers}
        color, marker = CYCLE[k % len(CYCLE)], MARKERS[k % len(MARKERS)]
        for at, number in numbers.items():
            values = number["values"]
            axis.plot(
                [x[at] + APART / 2] * len(values), values, ls="", marker=marker, ms=4, mew=0, color=color, alpha=0.6
            )
        means, spreads = zip(*((n["mean"], n["spread"] or 0) for n in numbers.values()), strict=True)
        style = LINE_STYLES[k % len(LINE_STYLES)]
        axis.errorbar(x.values(), means, spreads, color=color, ls=style, marker="_", ms=9, capsize=3, label=line)
    axis.set_xticks(range(len(ticks)), ticks)
    axis.set(xlim=(-0.5, len(ticks) - 0.5), xlabel=first[0] if first else "all runs")
    axis.set_title(name, loc="left")


def _title(results: dict[str, Any]) -> str:
    quick = "" if results["comparable"] else "quick runs: "
    seeds = len(results["varied"]["seed"])
    return f"{quick}{results['experiment']}, {seeds} seeds: every run, mean, and standard deviation over the seeds"
