"""Peak memory of a process that learns T steps: `python -m benchmarks.memory METHOD T`.

Both train 100 inputs and three layers of 64 neurons at batch 1: DECOLLE in float32 by `fast.learn`, BLOCK steps at a
time, whose spikes are made when they are needed; backpropagation through time by `credit` in float64, which keeps the
inputs and the whole tape.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks import problems
from decolle_ref import fast
from decolle_ref.credit import cost as costs
from decolle_ref.credit.methods import bptt
from decolle_ref.credit.neuron import spiking
from decolle_ref.experiments.environment import peak_memory

SIZES, BLOCK = (problems.CHANNELS, 64, 64, 64), 100
STEPS, QUICK = (500, 5000, 50000), (100, 200)


def decolle(steps: int) -> None:
    """Blocks of steps, from one carry to the next."""
    problem, rng = problems.dense(SIZES[1], 1, BLOCK), np.random.default_rng(0)
    carry, targets = problem.start, [problem.targets] * len(problem.network)
    for _ in range(0, steps, BLOCK):
        spikes = (rng.random(problem.spikes.shape) < 0.05).astype(np.float32)
        carry, _ = fast.learn(problem.network, carry, spikes, targets, problem.learner)


def through_time(steps: int) -> None:
    """Forward over all steps, and back."""
    rng, cell = np.random.default_rng(0), spiking.neuron()
    synapses = spiking.init_weights(rng, SIZES, W_scale=2.0, V_scale=0.1)
    x = (rng.random((steps, 1, SIZES[0])) < 0.05).astype(float)
    cost = costs.global_cost(len(synapses), costs.Target(np.full((steps, 1, SIZES[-1]), 0.1)))
    tape = spiking.forward(cell, synapses, x)
    bptt.backward(cell, synapses, tape, costs.dS(cost.kernel, costs.errors(cost, tape.S)))


METHODS = {"DECOLLE": decolle, "BPTT": through_time}


def peak() -> int:
    """The most bytes that this process has held.

    Linux counts for `peak_memory` what the program that started this one held, but not for the number in this file.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kibibytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * kibibytes[0] if kibibytes else peak_memory()


if __name__ == "__main__":
    METHODS[sys.argv[1]](int(sys.argv[2]))
    print(peak())
