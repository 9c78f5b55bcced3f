"""The figure of the scaling: memory and time of six methods against N and T.  [N19 Sec. III-B, V-C]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots.style import CYCLE, INK, house, save

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
    """Bytes above, time below; against N on the left and T on the right.  results: what experiments.scaling wrote."""
    measured, quick = results["measured"], "quick run: " if not results["comparable"] else ""
    with house() as plt:
        figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.0))
        for panel, (what, size, label) in zip(axes.flat, PANELS, strict=True):
            for name, found in measured.items():
                p = round(results["exponents"][name][f"{what}_{size}"], 2) + 0  # no minus sign before 0
                colour, marker, style = LOOK[name]
                x, y = np.array(found[size]), _shown(found, what, size)
                panel.plot(x, y, color=colour, marker=marker, ms=4, ls=style, label=f"{name} {p:.2f}")
            panel.set(xscale="log", yscale="log", ylabel=label)
            panel.set_xlabel("neurons and inputs N" if size == "N" else f"steps T ({_neurons(measured)})")
            panel.legend(title=f"exponent in {size}", fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
            if size == "T":
                panel.set_xticks(x, [str(steps) for steps in x])
                panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        figure.suptitle(
            f"{quick}[N19 Sec. III-B, V-C] what is kept and what it costs, measured, with fitted exponents\n"
            "the review quotes memory O(N) for local errors, O(N²) for SuperSpike, O(N³) for RTRL, O(N T) for BPTT",
            fontsize=9,
        )
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> Path:
    """Draw scaling.png in the folder of a run, and return its path."""
    path = out / "scaling.png"
    save(plot(results), path)
    return path


def _shown(found: dict[str, Any], what: str, size: str) -> Array:
    """The measured values; against N, time is that of one of the steps."""
    y = np.array(found[f"{what}_by_{size}"])
    return y / found["T_for_N"] if (what, size) == ("seconds", "N") else y


def _neurons(measured: dict[str, Any]) -> str:
    """How many neurons each method had while T varied."""
    by_size: dict[int, list[str]] = {}
    for name, found in measured.items():
        by_size.setdefault(found["N_for_T"], []).append(name)
    (most, _), *others = sorted(by_size.items(), key=lambda item: -len(item[1]))
    return ", ".join([f"N = {most}", *(f"{n} for {' and '.join(names)}" for n, names in others)])
