"""Time one training step of SpikeGrad on CIFAR-10 shapes against its definition, and against PyTorch where it is.

    python benchmarks/spikegrad_step.py --width 0.25 --threads 2

Forward phase, errors and increments of a mini-batch in float32, on random images, at the start of training, where every
sample has error spikes.  The definition is `spikegrad.ann`.  PyTorch trains the same network with ReLU and without
rounding (pip install torch).  With one thread, times are processor time; with more they are wall time, and on a busy
machine only the ratios mean something.  Where OpenBLAS leaves AVX-512 unused,
`OPENBLAS_CORETYPE=SKYLAKEX` before the command chooses it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.experiments.environment import peak_memory
from decolle_ref.fast import spikegrad as fast
from decolle_ref.fast import worker_pool
from decolle_ref.spikegrad import ann, network
from decolle_ref.spikegrad.layers import AveragePool, IFNetwork


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--alpha", type=float, default=400.0)
    parser.add_argument("--gradient", choices=ann.GRADIENTS, default="spike")
    return parser.parse_args()


def definition(net: IFNetwork, weights: Sequence[Weights], x, labels, args: argparse.Namespace) -> list[Weights]:
    """The increments as `spikegrad.ann` defines them."""
    responses = ann.forward(net, weights, x)
    U = ann.top_error(responses[-1].S, labels, args.alpha)
    errors = ann.backward(net, weights, responses, U, args.gradient)
    return ann.increments(net, x, responses, errors)


def torch_step(net: IFNetwork, weights: Sequence[Weights], x, labels, threads: int) -> Callable[[], object] | None:
    """Forward and backward of the network without rounding, by autograd; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    F, maps = torch.nn.functional, torch.from_numpy(x).reshape(len(x), *net[0].synapse.shape_in)
    goal = torch.from_numpy(labels)
    parameters = [tuple(torch.from_numpy(a.copy()).requires_grad_(a.ndim > 0) for a in w) for w in weights]

    def step() -> None:
        y = maps
        for layer, (W, b) in zip(net, parameters, strict=True):
            synapse = layer.synapse
            if isinstance(synapse, AveragePool):
                y = F.avg_pool2d(y, synapse.size)
            elif isinstance(synapse, Conv2d):
                y = F.conv2d(y, W, b, padding=synapse.padding)
            else:
                y = F.linear(y.flatten(1), W, b)
            y = F.relu(y) if layer.relu else y
        F.cross_entropy(y, goal, reduction="sum").backward()

    return step


def main() -> None:
    args = parse()
    rng, net = np.random.default_rng(0), network.named("cifar10", width=args.width)
    # multiples of 1 / 256, so that no sum is rounded and both make the same spikes
    weights = [Weights(np.rint(256 * w.W) / 256, w.b) for w in network.init_weights(rng, net, np.float32)]
    x = rng.integers(0, 256, (args.batch, net[0].synapse.n_in)).astype(np.float32) / 256
    labels = rng.integers(0, 10, args.batch)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    with worker_pool(args.threads, 1) as workers:
        steps = {
            "fast.spikegrad": lambda: fast.step(net, weights, x, labels, args.alpha, args.gradient, workers).increments,
            "the definition": lambda: definition(net, weights, x, labels, args),
            "PyTorch": torch_step(net, weights, x, labels, args.threads),
        }
        first, other = (steps[name]() for name in ("fast.spikegrad", "the definition"))
        difference = max(
            float(np.abs(a.W - b.W).max() / max(np.abs(b.W).max(), 1)) for a, b in zip(first, other, strict=True)
        )
        print(f"increments agree to {difference:.1e} of the largest; peak memory {peak_memory() / 2**30:.2f} GiB")
        times: dict[str, list[float]] = {name: [] for name, step in steps.items() if step}
        for _ in range(args.rounds):
            for name, seconds in times.items():
                start = clock()
                steps[name]()
                seconds.append(1000 * (clock() - start) / args.batch)
    for name, seconds in times.items():
        ratio = statistics.median(b / a for a, b in zip(times["fast.spikegrad"], seconds, strict=True))
        print(f"{name}: median {statistics.median(seconds):.2f} ms a sample, {ratio:.2f} times fast.spikegrad")


if __name__ == "__main__":
    main()
