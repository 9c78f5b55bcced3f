"""Memory and time of six methods against the numbers of neurons N and steps T.  [N19 Sec. III-B, V-C]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots.style import CYCLE, INK, figure_style, save

__all__ = ["plot", "save_figures"]

LOOK = {
    "DECOLLE": (CYCLE[0], "o", "-"),
    "local errors": (CYCLE[3], "v", "--"),
    "SuperSpike": (CYCLE[1], "s", "-"),
    "e-prop": (CYCLE[4], "^", "--"),
    "RTRL": (INK, "D", "-"),
    "BPTT": (CYCLE[2], "x", "-."),
}
PANELS = (
    ("bytes", "N", "bytes alive between steps"),
    ("bytes", "T", "bytes alive between steps"),
    ("seconds", "N", "processor time of a step (s)"),
    ("seconds", "T", "processor time of a run (s)"),
)


def plot(results: dict[str, Any]) -> Any:
    """Draw bytes above and seconds below, against N on the left and T on the right.

    Parameters
    ----------
    results : dict
        What `experiments.scaling` returned, which is also in results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    measured, quick = results["measured"], "quick run: " if not results["comparable"] else ""
    with figure_style() as plt:
        figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.0))
        for panel, (quantity, size, label) in zip(axes.flat, PANELS, strict=True):
            for name, row in measured.items():
                p = round(results["exponents"][name][f"{quantity}_{size}"], 2) + 0  # no minus sign before 0
                colour, marker, style = LOOK[name]
                x, y = np.array(row[size]), _values(row, quantity, size)
                panel.plot(x, y, color=colour, marker=marker, ms=4, ls=style, label=f"{name} {p:.2f}")
            panel.set(xscale="log", yscale="log", ylabel=label)
            panel.set_xlabel("neurons and inputs N" if size == "N" else f"steps T ({_neurons(measured)})")
            panel.legend(title=f"exponent in {size}", fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
            if size == "T":
                panel.set_xticks(x, [str(steps) for steps in x])
                panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        figure.suptitle(
            f"{quick}[N19 Sec. III-B, V-C] measured memory between steps and processor time, with fitted exponents\n"
            "the review quotes memory O(N) for local errors, O(N²) for SuperSpike, O(N³) for RTRL, O(N T) for BPTT",
            fontsize=9,
        )
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw scaling.png in the folder of a run."""
    return [save(plot(results), out / "scaling.png")]


def _values(row: dict[str, Any], quantity: str, size: str) -> Array:
    """The measured values.  Time against N is the time of one step."""
    y = np.array(row[f"{quantity}_by_{size}"])
    return y / row["T_for_N"] if (quantity, size) == ("seconds", "N") else y


def _neurons(measured: dict[str, Any]) -> str:
    """How many neurons each method had while T varied."""
    by_size: dict[int, list[str]] = {}
    for name, row in measured.items():
        by_size.setdefault(row["N_for_T"], []).append(name)
    (most, _), *others = sorted(by_size.items(), key=lambda item: -len(item[1]))
    return ", ".join([f"N = {most}", *(f"{n} for {' and '.join(names)}" for n, names in others)])
