"""Evaluation of the MNIST network: many steps at once against one step after the other.

    python benchmarks/mnist_evaluation.py

Three ways to the same outputs: the definition (`network.run`), the fast path step by step, and the fast path with many
steps in each product.
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

SAMPLES_AND_STEPS = 128  # in one product


def timed(work: Callable[[], object], steps: int) -> float:
    """Milliseconds per step."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    model, carry = build(Settings(output=False))
    rng = np.random.default_rng(0)
    print(f"threads {args.threads}; ms per step: definition, fast, fast with many steps at once; ratios to the last")
    with worker_pool(args.threads) as workers:
        for batch in args.batches:
            steps = max(1, SAMPLES_AND_STEPS // batch)
            x = (rng.random((2 * steps, batch, 784)) < 0.02).astype(np.float32)
            one, many = (
                NetworkStepper(model.network, batch, workers),
                NetworkStepper(model.network, batch, workers, steps),
            )

            def definition(x: np.ndarray = x, batch: int = batch) -> None:
                for _ in network.run(model.network, Carry(carry.weights, network.rest(model.network, (batch,))), x):
                    pass

            def step_by_step(x: np.ndarray = x, one: NetworkStepper = one) -> None:
                for now in x:
                    one.step(carry.weights, now[None])

            def at_once(x: np.ndarray = x, many: NetworkStepper = many, steps: int = steps) -> None:
                for n in range(0, len(x), steps):
                    many.step(carry.weights, x[n : n + steps])

            ways = (definition, step_by_step, at_once)
            rounds = [[timed(way, len(x)) for way in ways] for _ in range(args.rounds + 1)][1:]
            slow, single, fast = (statistics.median(times) for times in zip(*rounds, strict=True))
            ratios = [statistics.median(r[k] / r[2] for r in rounds) for k in (0, 1)]
            print(
                f"batch {batch:3d}, {steps:2d} steps at once: {slow:8.2f} {single:7.2f} {fast:7.2f} ms;"
                f" {ratios[0]:5.1f} {ratios[1]:5.2f}"
            )


if __name__ == "__main__":
    main()
