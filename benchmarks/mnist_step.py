"""One training step of the MNIST network, ours against PyTorch autograd on the CPU: ratio of times, and memory.

    python benchmarks/mnist_step.py --threads 2

Both make the same step in float32: traces, three convolutions, pooling, spikes, readouts with dropout, smooth L1,
gradients of all layers, one update by Adamax.  First both are given the same weights, and their gradients compared.
Needs PyTorch (pip install torch).
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments.longrun import peak_memory
from decolle_ref.experiments.poisson_mnist_network import Settings, build, masks, one_hot
from decolle_ref.fast import NetworkStepper, worker_pool


class Peer(torch.nn.Module):
    """A layer as one would write it: traces outside the graph, a convolution, and a frozen readout."""

    def __init__(self, layer: Layer, weights: Weights, batch: int, dropout: float) -> None:
        super().__init__()
        synapse, neuron = layer.synapse, layer.neuron
        self.conv = torch.nn.Conv2d(synapse.shape_in[0], synapse.channels, synapse.kernel, padding=synapse.padding)
        self.readout = torch.nn.Linear(layer.readout.G.shape[1], layer.readout.G.shape[0])
        for target, value in zip(
            (self.conv.weight, self.conv.bias, self.readout.weight, self.readout.bias),
            (*weights, *layer.readout),
            strict=True,
        ):
            target.data = torch.from_numpy(value.copy())
        self.readout.requires_grad_(False)
        self.size, self.dropout = 1 if layer.pool is None else layer.pool.size, dropout
        self.alpha, self.beta = float(neuron.alpha), float(neuron.beta)
        self.P = torch.zeros(batch, *synapse.shape_in)
        self.Q = torch.zeros_like(self.P)

    def forward(self, spikes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        P = self.P  # U reads the old P
        self.P = self.alpha * P + self.Q
        self.Q = self.beta * self.Q + spikes
        U = self.conv(P)
        u = F.max_pool2d(U, self.size) if self.size > 1 else U
        Y = self.readout(F.dropout(torch.sigmoid(u), self.dropout).flatten(1))
        return (u.detach() >= 0).float(), Y


def peer_step(layers: list[Peer], spikes: torch.Tensor, target: torch.Tensor) -> None:
    """Forward and backward; gradients are left in the parameters."""
    loss = torch.zeros(())
    for layer in layers:
        spikes, Y = layer(spikes)
        loss = loss + F.smooth_l1_loss(Y, target)
    loss.backward()


def agreement(settings: Settings, carry: Carry, stepper: NetworkStepper, peers: list[Peer], inputs, target) -> float:
    """The largest difference of two gradients over the largest gradient, without dropout, after some steps."""
    stepper.rest()
    for x in inputs:
        stepper.step(carry.weights, x[None], target)
        for layer in peers:
            layer.zero_grad()
        peer_step(peers, torch.from_numpy(x.reshape(-1, 1, 28, 28)), torch.from_numpy(target))
    worst = 0.0
    for k, layer in enumerate(peers):
        ours = sum(parts[k].gradient.W for parts in stepper.parts)
        theirs = layer.conv.weight.grad.numpy()
        worst = max(worst, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
    return worst


def timed(step: Callable[[], None], steps: int) -> float:
    """Milliseconds per step."""
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return 1000 * (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    settings = Settings(batch=args.batch, output=False, seed=args.seed)
    model, carry = build(settings)
    rng = settings.rng(9)
    inputs = [(rng.random((args.batch, 784)) < 0.02).astype(np.float32) for _ in range(10)]
    target = one_hot(rng.integers(0, 10, args.batch))
    layers = len(model.network)

    def peers(dropout: float) -> list[Peer]:
        pairs = zip(model.network, carry.weights, strict=False)
        return [Peer(layer, weights, args.batch, dropout) for layer, weights in pairs]

    with worker_pool(args.threads) as workers:
        stepper = NetworkStepper(model.network, args.batch, workers)
        difference = agreement(settings, carry, stepper, peers(0.0), inputs, target)
        theirs = peers(settings.dropout)
        optimiser = torch.optim.Adamax([p for peer in theirs for p in peer.conv.parameters()], 1e-6, (0.0, 0.95))
        images = [torch.from_numpy(x.reshape(-1, 1, 28, 28)) for x in inputs]
        goal, memory, n = torch.from_numpy(target), carry.opt_state, 0

        def ours_once() -> None:
            nonlocal memory, n
            n += 1
            stepper.step(carry.weights, inputs[n % 10][None], target, masks(settings, model.network, rng, args.batch))
            memory = stepper.update(model.learner, carry.weights[:layers], memory, n)

        def theirs_once() -> None:
            optimiser.zero_grad()
            peer_step(theirs, images[n % 10], goal)
            optimiser.step()

        pairs = [(timed(ours_once, 10), timed(theirs_once, 10)) for _ in range(args.rounds + 1)][1:]
        before = peak_memory()
        timed(ours_once, 300)
        growth = peak_memory() - before
    ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"gradients agree to {difference:.1e} of the largest")
    print(f"threads {args.threads}, batch {args.batch}: ours {ours:.1f} ms, PyTorch {peer:.1f} ms per step")
    print(f"speed ratio {ratio:.2f} (median of {args.rounds} rounds side by side)")
    print(f"peak memory grew by {growth / 2**20:.1f} MiB over 300 more steps")


if __name__ == "__main__":
    main()
