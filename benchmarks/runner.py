"""All measurements: one process per peer and number of threads, one per point of memory, and the oracle's command."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, memory
from benchmarks.timing import quartiles
from benchmarks.workloads import PEERS, WORKLOADS, missing
from decolle_ref._util.check import InputError
from decolle_ref.experiments import environment

ROOT = Path(__file__).resolve().parent.parent
MEMORY, ORACLE = "memory", "oracle"
NAMES = (*WORKLOADS, MEMORY, ORACLE)
ROUNDS, QUICK_ROUNDS = 9, 2
ORACLE_RUNS = 3
ORACLE_COMMAND = "-c", "from decolle_ref.cli.main import main; raise SystemExit(main())", "oracle", "run"
BACKEND = f"{ROOT / 'examples' / 'numpy_backend.py'}:backend"
BLAS_THREADS = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"

Say = Callable[[str], None]


def run(names: Sequence[str], quick: bool, say: Say) -> dict[str, Any]:
    """Measure these names, all of NAMES if there are none.  Raises InputError for an unknown one."""
    for name in names:
        if name not in NAMES:
            raise InputError(f"--only: expected some of {', '.join(NAMES)}, got {name!r}")
    chosen = [name for name in NAMES if name in (names or NAMES)]
    begin = time.perf_counter()
    measured = rows([name for name in chosen if name in WORKLOADS], quick, say)
    results = {
        "quick": quick,
        "machine": machine.description(),
        "rows": sorted(measured, key=lambda row: NAMES.index(row["workload"])),
        "memory": list(memory_rows(quick, say)) if MEMORY in chosen else [],
        "oracle": oracle_row(quick, say) if ORACLE in chosen else None,
    }
    say(f"{time.perf_counter() - begin:.0f} s in all")
    return results


def rows(names: Sequence[str], quick: bool, say: Say) -> Iterator[dict[str, Any]]:
    """A row per workload, peer and number of threads; a reason in place of numbers where a peer cannot be timed."""
    for peer in PEERS:
        reason, timed = missing(peer, quick), [name for name in names if peer in WORKLOADS[name].peers]
        if reason is not None:
            say(f"{peer}: skipped, {reason}")
            yield from ({"workload": name, "peer": peer, "skipped": reason} for name in timed)
            continue
        for threads in thread_counts(peer, quick):
            yield from worker_rows(timed, peer, threads, quick, say)


def thread_counts(peer: str, quick: bool) -> tuple[int, ...]:
    """1 and 2 where there are two cores; the definition does not share its work."""
    return (1, 2) if environment.cores() > 1 and peer != "definition" and not quick else (1,)


def worker_rows(names: Sequence[str], peer: str, threads: int, quick: bool, say: Say) -> Iterator[dict[str, Any]]:
    """The rows of one process; where it ends early, the workloads that are left are skipped."""
    left = list(names)
    with subprocess.Popen(
        [sys.executable, *worker_arguments(names, peer, threads, quick)],
        cwd=ROOT,
        env=os.environ | dict.fromkeys(BLAS_THREADS, str(threads)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout or ():
            row = json.loads(line)
            left.remove(row["workload"])
            say(sentence(row))
            yield row
    for name in left:
        row = {"workload": name, "peer": peer, "threads": threads, "skipped": f"ended with code {process.returncode}"}
        say(sentence(row))
        yield row


def worker_arguments(names: Sequence[str], peer: str, threads: int, quick: bool) -> list[str]:
    """The command of a worker."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    return ["-m", "benchmarks.worker", peer, str(threads), str(rounds), "quick" if quick else "full", *names]


def sentence(row: dict[str, Any]) -> str:
    """A row for the screen."""
    head = f"{row['workload']:13} {row['peer']:13} {row['threads']} threads"
    if "skipped" in row:
        return f"{head}  skipped, {row['skipped']}"
    ours, theirs, ratio = (row[key][1] for key in ("ours", "theirs", "ratio"))
    low, _, high = row["ratio"]
    return f"{head}  {ours:9.4f} and {theirs:9.4f} {row['unit']}: {ratio:6.2f} ({low:.2f} to {high:.2f})"


def memory_rows(quick: bool, say: Say) -> Iterator[dict[str, Any]]:
    """Peak memory of both methods, each point in a process of its own."""
    for method in memory.METHODS:
        for steps in memory.QUICK if quick else memory.STEPS:
            output = child("-m", "benchmarks.memory", method, str(steps))
            row = {"method": method, "steps": steps, "MiB": int(output) / 2**20}
            say(f"memory        {method:13} {steps:6} steps  {row['MiB']:7.1f} MiB")
            yield row


def oracle_row(quick: bool, say: Say) -> dict[str, Any]:
    """Seconds of the oracle on the NumPy backend of the examples, the whole command on one thread."""
    seconds, output = [], ""
    for _ in range(1 if quick else ORACLE_RUNS):
        start = time.perf_counter()
        selected = ("--only", "dense-decolle-base") if quick else ()
        output = child(*ORACLE_COMMAND, BACKEND, "--seed", "0", *selected)
        seconds.append(time.perf_counter() - start)
    row = {
        "seconds": quartiles(seconds),
        "runs": len(seconds),
        "vectors": len(re.findall(r"^\S+: PASS: ", output, re.MULTILINE)),
    }
    say(f"oracle        {row['vectors']} vectors  {row['seconds'][1]:.2f} s")
    return row


def child(*arguments: str) -> str:
    """What a Python program prints, on one thread."""
    environ = os.environ | dict.fromkeys(BLAS_THREADS, "1")
    run = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True
    )
    return run.stdout
