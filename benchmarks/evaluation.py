"""Time the evaluation of networks with fixed weights against the definition.

    python benchmarks/evaluation.py

Every program computes Y, U and S of all steps, in float32; 2 % of the inputs spike.  They take turns in one process,
and the processor time of each round is compared with that of the definition in the same round.

- run: the definition, `network.run`, which keeps nothing.
- product, events: `fast.evaluate` by products of matrices, and by columns of W for every spike.
- step, steps: `fast.NetworkStepper` with one step and with many steps per call (convolutions only).
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from decolle_ref import fast
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.network import Carry, Network
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.experiments.poisson_mnist_network import Settings, build

DENSE = ((100, 1, 300), (512, 1, 500), (512, 1, 5000), (100, 64, 300), (512, 64, 100), (1024, 64, 32))
CONVOLUTIONS = ((1, 128), (16, 16), (64, 8))  # samples, steps
COLUMNS = 128  # samples x steps per call of the stepper
DENSITY, OUT = 0.02, 10

Programs = dict[str, Callable[[], object]]


def rows(rounds: int = 5, threads: int = 1) -> list[dict[str, Any]]:
    """One row per workload and program: milliseconds per step, quartiles, and the time of the definition over it."""
    table = []
    with fast.worker_pool(threads, threads) as workers:
        for n, batch, steps in DENSE:
            for shared in (False, True):
                net, weights = dense_network(n, shared)
                programs = dense_programs(net, weights, spikes(steps, batch, n), shared)
                constants = "one time constant" if shared else "time constants per input"
                table += measured(f"dense {n} x {n}, {constants}", batch, steps, programs, rounds)
        model, carry = build(Settings(output_layer=False))
        for batch, steps in CONVOLUTIONS:
            x = spikes(steps, batch, 784)
            programs = convolutional_programs(model.network, carry.weights, x, workers)
            table += measured("MNIST convolutions", batch, steps, programs, rounds)
    return table


def spikes(steps: int, batch: int, n_in: int) -> np.ndarray:
    return (np.random.default_rng(1).random((steps, batch, n_in)) < DENSITY).astype(np.float32)


def dense_network(n: int, shared: bool) -> tuple[Network, tuple[Weights, ...]]:
    rng = np.random.default_rng(0)
    neuron = lif.neuron(*lif.sample_time_constants(rng, 1 if shared else n), dtype=np.float32)
    layer = network.Layer(Dense(n, n), neuron, readout.sample_readout(rng, n, OUT, dtype=np.float32))
    return (layer,), (layer.synapse.init_weights(rng, neuron, 10.0),)


def run(net: Network, weights: tuple[Weights, ...], x: np.ndarray) -> None:
    for _ in network.run(net, Carry(weights, network.rest(net, x.shape[1:-1])), x):
        pass


def dense_programs(net: Network, weights: tuple[Weights, ...], x: np.ndarray, shared: bool) -> Programs:
    methods = ("product", "events") if shared else ("product",)
    return {
        "run": partial(run, net, weights, x),
        **{method: partial(fast.evaluate, net, weights, x, method=method) for method in methods},
    }


def convolutional_programs(net: Network, weights: tuple[Weights, ...], x: np.ndarray, workers: Any) -> Programs:
    def stepper(steps: int) -> Callable[[], object]:
        one = fast.NetworkStepper(net, x.shape[1], workers, steps)

        def program() -> None:
            for first in range(0, len(x), steps):
                one.step(weights, x[first : first + steps])

        return program

    return {
        "run": partial(run, net, weights, x),
        "product": partial(fast.evaluate, net, weights, x, workers=workers),
        "step": stepper(1),
        "steps": stepper(max(1, COLUMNS // x.shape[1])),
    }


def measured(workload: str, batch: int, steps: int, programs: Programs, rounds: int) -> list[dict[str, Any]]:
    times = np.array([[processor_time(p) for p in programs.values()] for _ in range(rounds + 1)])[1:]
    per_step, ratios = 1000 * times / steps, times[:, :1] / times
    return [
        {
            "workload": workload,
            "batch": batch,
            "steps": steps,
            "program": name,
            "ms_per_step": float(np.median(per_step[:, k])),
            "quartiles": np.percentile(per_step[:, k], (25, 75)).tolist(),
            "times_as_fast_as_run": float(np.median(ratios[:, k])),
        }
        for k, name in enumerate(programs)
    ]


def processor_time(program: Callable[[], object]) -> float:
    start = time.process_time()
    program()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    for row in rows(args.rounds, args.threads):
        low, high = row["quartiles"]
        print(
            f"{row['workload']:42} batch {row['batch']:3}, {row['steps']:5} steps  {row['program']:8} "
            f"{row['ms_per_step']:8.4f} ms per step ({low:.4f} to {high:.4f}), {row['times_as_fast_as_run']:5.2f}"
        )


if __name__ == "__main__":
    main()
