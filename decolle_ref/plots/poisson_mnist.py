"""Poisson MNIST: test error against training samples, ours beside the authors'.  [K20 Fig. 3]

>>> runs = [{"samples": [64, 128], "error": {"layer 1": [0.75, 0.5]}}, {"samples": [128], "error": {"layer 1": [0.25]}}]
>>> samples, errors = common(runs, "layer 1")
>>> samples.tolist(), errors.tolist()
([128], [[0.5], [0.25]])
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.data import authors
from decolle_ref.plots import _event_curves, _run
from decolle_ref.plots.style import BROWN, GREY, GRID, figure_style, save

__all__ = ["common", "plot", "save_figures"]

Run = dict[str, Any]  # the results of experiments.poisson_mnist
LOOKS = _event_curves.LOOKS | {
    "output": {"color": BROWN, "marker": "D"},
    "convnet": {"color": GREY, "marker": "x"},
}
AUTHORS = {  # columns after the samples; in the short run a trained output layer takes the place of layer 3
    "mnist_short": ("layer 1", "layer 2", "output", "convnet"),
    "mnist_long": ("layer 1", "layer 2", "layer 3", "convnet"),
}


def plot(runs: Sequence[Run], recorded: Mapping[str, Array] | None = None) -> Any:
    """Draw test errors of all readouts against training samples.  [K20 Fig. 3]

    Left: the whole of the longest run, with the errors on all test images at its end as large hollow symbols.  Right:
    the first samples, of all runs as long as the shortest one.

    Parameters
    ----------
    runs : sequence of dict
        What `experiments.poisson_mnist` returned, for one run or several.
    recorded : mapping of str to Array, optional
        The authors' curves, `data.authors.curves()`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    longest, shortest = (pick(run["samples"][-1] for run in runs) for pick in (max, min))
    long = next(run for run in runs if run["samples"][-1] == longest)
    early = [run for run in runs if run["samples"][-1] == shortest]
    with figure_style() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4), width_ratios=(1, 1.25))
        _authors(left, recorded, "mnist_long")
        _ours(left, [long])
        _final(left, long)
        left.set(xscale="log", title=f"the longest run: {longest:,} samples")
        _authors(right, recorded, "mnist_short")
        _ours(right, early)
        count = max(sum(name in run["error"] for run in early) for name in LOOKS)
        seeds = "one seed" if count == 1 else f"mean and range of {count} seeds"
        right.set(xlim=(0, 1.6 * shortest), title=f"the first samples: {seeds}")
        for axis in (left, right):
            axis.set(xlabel="training samples", ylabel="test error (%)", yscale="log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "25" else "")
            axis.grid(**GRID)
        lines = dict(
            pair[::-1] for axis in (left, right) for pair in zip(*axis.get_legend_handles_labels(), strict=True)
        )
        figure.legend(lines.values(), lines.keys(), fontsize=7, ncols=5, loc="outside lower center")
        figure.suptitle(f"Poisson MNIST with convolutional DECOLLE [K20 Fig. 3]{_run.mark(*runs)}", fontsize=9)
    return figure


def common(runs: Sequence[Run], name: str) -> tuple[Array, Array]:
    """The test errors of one readout, at the samples where all runs were tested.

    Parameters
    ----------
    runs : sequence of dict
        What `experiments.poisson_mnist` returned, for one run or several.
    name : str
        The readout: "layer 1", ..., "output" or "convnet".

    Returns
    -------
    samples : (tests,) array of int
        Numbers of training samples.
    errors : (runs, tests) array
        Shares of wrong answers there, between 0 and 1.
    """
    samples = sorted(set.intersection(*(set(run["samples"]) for run in runs)))
    errors = [[run["error"][name][run["samples"].index(n)] for n in samples] for run in runs]
    return np.array(samples), np.array(errors)


def _ours(axis: Any, runs: Sequence[Run]) -> None:
    for name, look in LOOKS.items():
        tested = [run for run in runs if name in run["error"]]
        if not tested:
            continue
        samples, errors = common(tested, name)
        axis.plot(samples, 100 * errors.mean(axis=0), label=name, ms=3, markevery=max(1, len(samples) // 12), **look)
        if len(tested) > 1:
            low, high = 100 * errors.min(axis=0), 100 * errors.max(axis=0)
            axis.fill_between(samples, low, high, color=look["color"], alpha=0.15, lw=0)


def _final(axis: Any, run: Run) -> None:
    """The errors on all test images at the end of a run, if it has measured them."""
    for name, error in (run.get("final") or {}).items():
        look = LOOKS[name] | {"mfc": "none", "ms": 8, "ls": "none"}
        axis.plot(run["samples"][-1], 100 * error, **look)


def _authors(axis: Any, recorded: Mapping[str, Array] | None, run: str) -> None:
    """The authors' curves, averaged over neighbouring evaluations to at most 60 points each."""
    if recorded is not None:
        table = np.asarray(recorded[run])
        per = max(1, len(table) // 60)
        samples, *columns = table[: len(table) // per * per].reshape(-1, per, table.shape[1]).mean(axis=1).T
        for name, errors in zip(AUTHORS[run], columns, strict=True):
            axis.plot(samples, 100 * errors, ls=":", color=LOOKS[name]["color"], label=f"{name}, authors'")


def save_figures(out: Path, results: Run) -> list[Path]:
    """Draw poisson_mnist.png in the folder of a run, with the authors' curves if they are in the data folder."""
    try:
        recorded = authors.curves()
    except InputError:  # they are not in the data folder
        recorded = None
    return [save(plot([results], recorded), out / "poisson_mnist.png")]
