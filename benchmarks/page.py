"""The tables of docs/benchmarks.md, made from the stored numbers."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.workloads import PEERS, WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
PAGE, NUMBERS = ROOT / "docs" / "benchmarks.md", ROOT / "figures" / "benchmarks.json"
NOTHING = "–"

Row = dict[str, Any]


def stored() -> dict[str, Any]:
    """The numbers of the page and of the figure."""
    return json.loads(NUMBERS.read_text())


def updated(text: str, results: dict[str, Any]) -> str:
    """The page with every part between `<!-- NAME -->` and `<!-- end -->` made anew."""
    for name, lines in parts(results).items():
        begin, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, _, rest = text.partition(begin)
        text = before + begin + "\n".join(["", *lines, "", end]) + rest.partition(end)[2]
    return text


def parts(results: dict[str, Any]) -> dict[str, list[str]]:
    """The lines of each part."""
    timed = [row for row in results["rows"] if "skipped" not in row]
    return {
        "machine": machine(results, timed),
        "times": table(timed, ("ours, ms", *PEERS), times),
        "ratios": table(timed, ("share of peak", *PEERS), ratios),
        "memory": memory(results["memory"]),
        "oracle": oracle(results["oracle"]),
        "skipped": skipped(results["rows"]),
    }


def table(timed: Sequence[Row], columns: Sequence[str], cells: Any) -> list[str]:
    """One line for each workload and number of threads."""
    head = ["workload", "threads", *columns]
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for name, threads, group in groups(timed):
        per = "" if group[0]["unit"] == "ms per step" else f" ({group[0]['unit']})"
        lines.append(_line([WORKLOADS[name].about + per, str(threads), *cells(group)]))
    return lines


def groups(timed: Sequence[Row]) -> Iterator[tuple[str, int, list[Row]]]:
    """Workload, threads, and the rows of its peers, in the order of WORKLOADS."""
    for name in WORKLOADS:
        for threads in sorted({row["threads"] for row in timed if row["workload"] == name}):
            yield name, threads, [r for r in timed if (r["workload"], r["threads"]) == (name, threads)]


def times(group: Sequence[Row]) -> list[str]:
    """Medians: ours in one of the processes, and those of the peers."""
    by_peer = {row["peer"]: row for row in group}
    theirs = [number(by_peer[peer]["theirs"][1]) if peer in by_peer else NOTHING for peer in PEERS]
    return [number(shown(group)["ours"][1]), *theirs]


def ratios(group: Sequence[Row]) -> list[str]:
    """The share of the peak that our step reaches, and medians and quartiles of the ratios."""
    by_peer = {row["peer"]: row["ratio"] for row in group}
    quartiles = [by_peer.get(peer) for peer in PEERS]
    return [share(shown(group)), *(f"{q[1]:.2f} ({q[0]:.2f} to {q[2]:.2f})" if q else NOTHING for q in quartiles)]


def shown(group: Sequence[Row]) -> Row:
    """The row whose time of ours is in the tables: the one beside PyTorch, or the first."""
    return next((row for row in group if row["peer"] == "PyTorch"), group[0])


def share(row: Row) -> str:
    """Operations of the products of a step over those that a large product makes in the same time."""
    if row["flops"] is None:
        return NOTHING
    return f"{row['flops'] / (1e6 * row['ours'][1] * row['peak']):.0%}"


def machine(results: dict[str, Any], timed: Sequence[Row]) -> list[str]:
    """The machine in a list."""
    about = results["machine"]
    peaks = {row["threads"]: row["peak"] for row in timed}
    reached = ", ".join(f"{peak:.0f} with {threads}" for threads, peak in sorted(peaks.items()))
    warning = ["**Measured with `--quick`: a trial of the program, whose numbers mean nothing.**", ""]
    return [
        *(warning if results["quick"] else []),
        f"- {about['date']}, {about['processor']}, {about['cores']} cores, caches "
        + ", ".join(f"{level} {size}" for level, size in about["caches"].items()),
        f"- BLAS of NumPy: {about['BLAS']}",
        f"- peak of a product in float32, 10^9 operations per second, by number of threads: {reached or NOTHING}",
        "- " + ", ".join(f"{name} {version}" for name, version in about["versions"].items()),
    ]


def memory(rows: Sequence[Row]) -> list[str]:
    """Peak memory, one column per number of steps."""
    steps = sorted({row["steps"] for row in rows})
    lines = [_line(["MiB", *(f"T = {n:,}" for n in steps)]), _line(["---", *["---:"] * len(steps)])]
    for method in dict.fromkeys(row["method"] for row in rows):
        found = {row["steps"]: row["MiB"] for row in rows if row["method"] == method}
        lines.append(_line([method, *(f"{found[n]:.0f}" for n in steps)]))
    return lines if rows else ["Not measured."]


def oracle(row: Row | None) -> list[str]:
    """The time of the oracle's command."""
    if row is None:
        return ["Not measured."]
    low, median, high = row["seconds"]
    return [f"{row['vectors']} vectors in {median:.1f} s ({low:.1f} to {high:.1f}; number of runs: {row['runs']})."]


def skipped(rows: Sequence[Row]) -> list[str]:
    """What could not be timed, and why."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if "skipped" in row:
            names = reasons.setdefault((row["peer"], row["skipped"]), [])
            names += [row["workload"]] * (row["workload"] not in names)
    lines = [f"- {peer}: {reason} ({', '.join(names)})" for (peer, reason), names in reasons.items()]
    return lines or ["Nothing was skipped."]


def number(x: float) -> str:
    """Three digits, without an exponent."""
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
