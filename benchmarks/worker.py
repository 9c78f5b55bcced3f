"""The process in which one peer is timed beside ours: `python -m benchmarks.worker PEER THREADS ROUNDS QUICK NAME ...`.

It prints one row as JSON per workload.  The number of threads of BLAS is set by the environment of this process; on
Linux it also keeps to so many cores, which is where JAX takes the number of its threads from.
"""

import json
import os
import sys
from typing import Any

import numpy as np

from benchmarks import machine, ours, timing
from benchmarks.problems import Learning, Problem, Program, Result, flops
from benchmarks.workloads import WORKLOADS
from decolle_ref._util.check import Array
from decolle_ref.fast import worker_pool

CHECKED = 8
"""Steps whose Y are compared: later a rounding error may have moved a spike."""


def main(peer: str, threads: int, rounds: int, quick: bool, names: list[str]) -> None:
    """Print a row for each of these workloads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    peak = machine.sgemm_peak(threads, 512 if quick else 2048)
    for name in names:
        print(json.dumps(row(name, peer, threads, rounds, quick) | {"peak": peak}), flush=True)


def row(name: str, peer: str, threads: int, rounds: int, quick: bool) -> dict[str, Any]:
    """One workload, or why it could not be timed."""
    workload = WORKLOADS[name]
    size = workload.quick if quick else workload.size
    about = {"workload": name, "peer": peer, "threads": threads, "unit": f"ms per {workload.unit}"}
    problem = workload.problem(size)
    with worker_pool(threads, ours.blas_threads(problem, threads)) as workers:
        a = ours.program(problem, workers)
        expected = a()
        try:
            b = peer_program(peer, problem, threads)
            difference = largest_difference(expected, b())
        except Exception as failure:
            return about | {"skipped": f"failed: {type(failure).__name__}"}
        times = timing.take_turns(a, b, rounds, threads)
    counted = flops(problem) if isinstance(problem, Learning) else None
    return about | {"rounds": len(times[0]), **timing.summary(*times, size), "difference": difference, "flops": counted}


def peer_program(peer: str, problem: Problem, threads: int) -> Program:
    """The program of a peer, whose library is imported here."""
    if peer == "definition":
        return ours.definition(problem)
    if peer == "JAX":
        from benchmarks import jax_scan

        return jax_scan.program(problem)
    from benchmarks import pytorch

    return pytorch.program(problem, threads, compiled=peer == "torch.compile")


def largest_difference(one: Result, other: Result) -> float | None:
    """The largest difference over the largest number, of Y in the first steps or else of the arrays."""
    if not (other.Y or other.arrays):
        return None
    both = [[y[:CHECKED] for y in result.Y] if one.Y else result.arrays for result in (one, other)]
    return max(_largest(x - y) / (_largest(x) or 1.0) for x, y in zip(*both, strict=True))


def _largest(x: Array) -> float:
    return float(np.abs(x).max())


if __name__ == "__main__":
    peer, threads, rounds, quick, *names = sys.argv[1:]
    main(peer, int(threads), int(rounds), quick == "quick", names)
