"""Poisson MNIST: test error against samples seen, ours beside the authors'.  [K20 Fig. 3]"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.data import authors
from decolle_ref.plots.style import BLUE, GREY, INK, ORANGE, house, save

Run = dict[str, Any]  # the results of experiments.mnist
LOOKS = {
    "layer 1": {"color": BLUE, "marker": "o"},
    "layer 2": {"color": ORANGE, "marker": "s"},
    "layer 3": {"color": INK, "marker": "^"},
    "output": {"color": "#C85200", "marker": "D"},
    "analog": {"color": GREY, "marker": "x"},
}
AUTHORS = {  # columns of their curves after the samples; the third is read by a trained output layer in the short one
    "mnist_short": ("layer 1", "layer 2", "output", "analog"),
    "mnist_long": ("layer 1", "layer 2", "layer 3", "analog"),
}


def figure3(runs: Sequence[Run], theirs: Mapping[str, Array] | None = None) -> Any:
    """Left: the whole of the longest run.  Right: the first samples, of all runs as long as the shortest.

    theirs: `data.authors.curves()`.
    """
    longest, shortest = (of(run["samples"][-1] for run in runs) for of in (max, min))
    long = next(run for run in runs if run["samples"][-1] == longest)
    early = [run for run in runs if run["samples"][-1] == shortest]
    mark = "" if all(run["comparable"] for run in runs) else " (quick run: not comparable)"
    with house() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4), width_ratios=(1, 1.25))
        _authors(left, theirs, "mnist_long")
        _ours(left, [long])
        left.set(xscale="log", title=f"the longest run: {longest:,} samples")
        _authors(right, theirs, "mnist_short")
        _ours(right, early)
        count = max(sum(name in run["error"] for run in early) for name in LOOKS)
        seeds = "one seed" if count == 1 else f"mean and range of {count} seeds"
        right.set(xlim=(0, 1.6 * shortest), title=f"the first samples: {seeds}")
        for axis in (left, right):
            axis.set(xlabel="training samples seen", ylabel="test error (%)", yscale="log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "25" else "")
            axis.grid(axis="y", lw=0.3, color="#D0D0D0")
        lines = dict(
            pair[::-1] for axis in (left, right) for pair in zip(*axis.get_legend_handles_labels(), strict=True)
        )
        figure.legend(lines.values(), lines.keys(), fontsize=7, ncols=5, loc="outside lower center")
        figure.suptitle(f"Poisson MNIST with convolutional DECOLLE [K20 Fig. 3]{mark}", fontsize=9)
    return figure


def common(runs: Sequence[Run], name: str) -> tuple[Array, Array]:
    """The samples at which all runs were tested, and the errors there of one readout, (runs, tests)."""
    samples = sorted(set.intersection(*(set(run["samples"]) for run in runs)))
    errors = [[run["error"][name][run["samples"].index(n)] for n in samples] for run in runs]
    return np.array(samples), np.array(errors)


def _ours(axis: Any, runs: Sequence[Run]) -> None:
    for name, look in LOOKS.items():
        those = [run for run in runs if name in run["error"]]
        if not those:
            continue
        samples, errors = common(those, name)
        axis.plot(samples, 100 * errors.mean(axis=0), label=name, ms=3, markevery=max(1, len(samples) // 12), **look)
        if len(those) > 1:
            low, high = 100 * errors.min(axis=0), 100 * errors.max(axis=0)
            axis.fill_between(samples, low, high, color=look["color"], alpha=0.15, lw=0)


def _authors(axis: Any, theirs: Mapping[str, Array] | None, which: str) -> None:
    """Their curves, at most 60 points of each: means of as many evaluations as make one."""
    if theirs is not None:
        table = np.asarray(theirs[which])
        per = max(1, len(table) // 60)
        samples, *columns = table[: len(table) // per * per].reshape(-1, per, table.shape[1]).mean(axis=1).T
        for name, errors in zip(AUTHORS[which], columns, strict=True):
            axis.plot(samples, 100 * errors, ls=":", color=LOOKS[name]["color"], label=f"{name}, authors'")


def save_figures(out: Path, results: Run) -> Path:
    """Write mnist.png into the folder of the run, with the authors' curves where they are at hand."""
    try:
        theirs = authors.curves()
    except InputError:  # not in the data folder
        theirs = None
    save(figure3([results], theirs), out / "poisson_mnist.png")
    return out / "poisson_mnist.png"
