"""Time the evaluation of the MNIST network: many steps in one product against one step after the other.

    python benchmarks/mnist_evaluation.py

Three programs compute the same outputs: the definition (`network.run`), the fast path with one step per call, and the
fast path with many steps per call.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from decolle_ref.decolle import network
from decolle_ref.decolle.network import Carry
from decolle_ref.experiments.poisson_mnist_network import Settings, build
from decolle_ref.fast import NetworkStepper, worker_pool

COLUMNS = 128  # samples x steps in one product


def milliseconds_per_step(program: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    program()
    return 1000 * (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    model, carry = build(Settings(output=False))
    rng = np.random.default_rng(0)
    print(
        f"threads {args.threads}; ms per step: definition, one step per call, many steps per call; ratios to the last"
    )
    with worker_pool(args.threads) as workers:
        for batch in args.batches:
            steps = max(1, COLUMNS // batch)
            x = (rng.random((2 * steps, batch, 784)) < 0.02).astype(np.float32)
            single = NetworkStepper(model.network, batch, workers)
            block = NetworkStepper(model.network, batch, workers, steps)

            def definition(x: np.ndarray = x, batch: int = batch) -> None:
                for _ in network.run(model.network, Carry(carry.weights, network.rest(model.network, (batch,))), x):
                    pass

            def one_step_per_call(x: np.ndarray = x, stepper: NetworkStepper = single) -> None:
                for spikes in x:
                    stepper.step(carry.weights, spikes[None])

            def many_steps_per_call(x: np.ndarray = x, stepper: NetworkStepper = block, steps: int = steps) -> None:
                for first in range(0, len(x), steps):
                    stepper.step(carry.weights, x[first : first + steps])

            programs = (definition, one_step_per_call, many_steps_per_call)
            rounds = [[milliseconds_per_step(p, len(x)) for p in programs] for _ in range(args.rounds + 1)][1:]
            medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
            ratios = [statistics.median(times[k] / times[2] for times in rounds) for k in (0, 1)]
            times = " ".join(f"{median:8.2f}" for median in medians)
            print(f"batch {batch:3d}, {steps:3d} steps per call: {times} ms; {ratios[0]:5.1f} {ratios[1]:5.2f}")


if __name__ == "__main__":
    main()
