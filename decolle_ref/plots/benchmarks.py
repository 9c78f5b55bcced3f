"""How fast the package is beside its own definitions, PyTorch and JAX, and its memory against the number of steps."""

from typing import Any

import numpy as np

from decolle_ref.plots.style import CYCLE, GREY, INK, figure_style

__all__ = ["plot"]

LOOK = {
    "definition": (CYCLE[2], "D"),
    "PyTorch": (CYCLE[1], "o"),
    "torch.compile": (CYCLE[4], "s"),
    "JAX": (CYCLE[0], "^"),
}


def plot(results: dict[str, Any]) -> Any:
    """Draw the ratios of time on the left, and peak memory on the right.

    Parameters
    ----------
    results : dict
        What `python -m benchmarks` stored.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = [row for row in results["rows"] if "skipped" not in row]
    names = list(dict.fromkeys(row["workload"] for row in results["rows"]))
    lines = sorted(
        {(row["workload"], row["threads"]) for row in rows}, key=lambda line: (names.index(line[0]), line[1])
    )
    with figure_style() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 1.6 + 0.22 * len(lines)), width_ratios=(2, 1))
        _draw_ratios(left, rows, lines)
        _draw_memory(right, results["memory"])
        trial = "trial run, not comparable: " if results["quick"] else ""
        figure.suptitle(f"{trial}{results['machine']['processor']}, {results['machine']['cores']} cores", fontsize=9)
    return figure


def _draw_ratios(axis: Any, rows: list[dict[str, Any]], lines: list[tuple[str, int]]) -> None:
    """One line per workload and number of threads, one mark per peer."""
    for peer, (colour, marker) in LOOK.items():
        shown = [row for row in rows if row["peer"] == peer]
        if shown:
            y = [lines.index((row["workload"], row["threads"])) for row in shown]
            low, median, high = np.transpose([row["ratio"] for row in shown])
            axis.errorbar(
                median, y, xerr=(median - low, high - median), color=colour, marker=marker, ls="none", ms=4, label=peer
            )
    axis.axvline(1, color=INK, lw=0.6)
    axis.set_yticks(range(len(lines)), [f"{name}, {n} thread{'s' * (n > 1)}" for name, n in lines])
    axis.set(xscale="log", xlabel="time of the other over ours (right of 1: ours is faster)")
    _label(axis.xaxis, [x for row in rows for x in row["ratio"]])
    axis.invert_yaxis()
    axis.grid(axis="y", color=GREY, lw=0.3)
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)


def _draw_memory(axis: Any, rows: list[dict[str, Any]]) -> None:
    """Peak memory of each method against the number of steps."""
    for method, colour, marker in (("DECOLLE", CYCLE[0], "o"), ("BPTT", CYCLE[1], "x")):
        points = [(row["steps"], row["MiB"]) for row in rows if row["method"] == method]
        if points:
            axis.plot(*zip(*points, strict=True), color=colour, marker=marker, ms=4, label=method)
    axis.set(xscale="log", yscale="log", xlabel="steps T", ylabel="peak memory of the process (MiB)")
    if rows:
        axis.legend()
        axis.set_xticks([row["steps"] for row in rows], [f"{row['steps']:,}" for row in rows])
        axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        _label(axis.yaxis, [row["MiB"] for row in rows])


def _label(axis: Any, values: list[float]) -> None:
    """Label 1, 2, 5, 10, 20, ... between the smallest and the largest value, and one beyond both."""
    steps = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]
    inside = [step for step in steps if min(values) / 2.5 < step < max(values) * 2.5]
    axis.set_ticks(inside, [f"{step:g}" for step in inside])
    axis.set_ticks([], minor=True)
