"""Time one training step of the MNIST network against PyTorch autograd on the CPU, and measure memory.

    python benchmarks/mnist_step.py --threads 2

Both make the same step in float32: traces, three convolutions, pooling, spikes, readouts with dropout, smooth L1,
gradients of all layers, one update by Adamax.  Before the timing both get the same weights, and their gradients are
compared.  Needs PyTorch (pip install torch).  `events_step.py` does the same for the network of camera events.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer, Network
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments.environment import peak_memory
from decolle_ref.experiments.poisson_mnist_network import Settings, build, masks, one_hot
from decolle_ref.fast import NetworkStepper, worker_pool
from decolle_ref.fast.workers import CHUNK


class TorchLayer(torch.nn.Module):
    """A layer written for autograd: traces outside the graph, a convolution, and a frozen readout."""

    def __init__(self, layer: Layer, weights: Weights, batch: int, dropout: float) -> None:
        super().__init__()
        synapse, neuron = layer.synapse, layer.neuron
        self.conv = torch.nn.Conv2d(synapse.shape_in[0], synapse.channels, synapse.kernel, padding=synapse.padding)
        self.readout = torch.nn.Linear(layer.readout.G.shape[1], layer.readout.G.shape[0])
        parameters = self.conv.weight, self.conv.bias, self.readout.weight, self.readout.bias
        for parameter, value in zip(parameters, (*weights, *layer.readout), strict=True):
            parameter.data = torch.from_numpy(value.copy())
        self.readout.requires_grad_(False)
        self.size, self.dropout = 1 if layer.pool is None else layer.pool.size, dropout
        self.alpha, self.beta = float(neuron.alpha), float(neuron.beta)
        self.P = torch.zeros(batch, *synapse.shape_in)
        self.Q = torch.zeros_like(self.P)

    def forward(self, spikes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        P = self.P  # U reads the old P
        self.P = self.alpha * P + self.Q
        self.Q = self.beta * self.Q + spikes.reshape(P.shape)
        U = self.conv(P)
        u = F.max_pool2d(U, self.size) if self.size > 1 else U
        Y = self.readout(F.dropout(torch.sigmoid(u), self.dropout).flatten(1))
        return (u.detach() >= 0).float(), Y


def torch_step(layers: list[TorchLayer], spikes: torch.Tensor, target: torch.Tensor) -> None:
    """Forward and backward; the gradients are left in the parameters."""
    loss = torch.zeros(())
    for layer in layers:
        spikes, Y = layer(spikes)
        loss = loss + F.smooth_l1_loss(Y, target)
    loss.backward()


def gradient_difference(carry: Carry, stepper: NetworkStepper, layers: list[TorchLayer], inputs, target) -> float:
    """The largest difference of two gradients over the largest gradient, without dropout, after some steps."""
    stepper.rest()
    for x in inputs:
        stepper.step(carry.weights[: len(layers)], x[None], target)
        for layer in layers:
            layer.zero_grad()
        torch_step(layers, torch.from_numpy(x), torch.from_numpy(target))
    largest = 0.0
    for k, layer in enumerate(layers):
        ours = sum(buffers[k].gradient.W for buffers in stepper.buffers)
        theirs = layer.conv.weight.grad.numpy()
        largest = max(largest, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
    return largest


def milliseconds_per_step(step: Callable[[], None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return 1000 * (time.perf_counter() - start) / steps


def parse(description: str | None, batch: int, rounds: int, steps: int) -> argparse.Namespace:
    """The options of the command line, with these defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--steps", type=int, default=steps, help="steps of each program in a round")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def compare(
    network: Network,
    learner: Learner,
    carry: Carry,
    inputs: Sequence[np.ndarray],
    target: np.ndarray,
    dropout: float,
    args: argparse.Namespace,
    chunk: int = CHUNK,
) -> None:
    """Time training steps of both programs side by side, and print what was measured."""
    torch.set_num_threads(args.threads)
    rng, weights, n = np.random.default_rng(args.seed), carry.weights[: len(network)], 0

    def torch_layers(p: float) -> list[TorchLayer]:
        return [TorchLayer(layer, w, args.batch, p) for layer, w in zip(network, weights, strict=True)]

    with worker_pool(args.threads) as workers:
        stepper = NetworkStepper(network, args.batch, workers, chunk=chunk)
        difference = gradient_difference(carry, stepper, torch_layers(0.0), inputs, target)
        layers = torch_layers(dropout)
        optimiser = torch.optim.Adamax([p for layer in layers for p in layer.conv.parameters()], 1e-6, (0.0, 0.95))
        images, torch_target = [torch.from_numpy(x) for x in inputs], torch.from_numpy(target)
        opt_state = learner.init(weights)

        def numpy_training_step() -> None:
            nonlocal opt_state, n
            n += 1
            mask = masks(dropout, network, rng, args.batch)
            stepper.step(weights, inputs[n % len(inputs)][None], target, mask)
            opt_state = stepper.update(learner, weights, opt_state, n)

        def torch_training_step() -> None:
            optimiser.zero_grad()
            torch_step(layers, images[n % len(images)], torch_target)
            optimiser.step()

        programs = numpy_training_step, torch_training_step
        rounds = [[milliseconds_per_step(p, args.steps) for p in programs] for _ in range(args.rounds + 1)][1:]
        before = peak_memory()
        milliseconds_per_step(numpy_training_step, 10 * args.steps)
        growth = peak_memory() - before
    ours, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    print(f"gradients agree to {difference:.1e} of the largest")
    print(f"threads {args.threads}, batch {args.batch}: ours {ours:.1f} ms, PyTorch {theirs:.1f} ms per step")
    print(f"speed ratio {ratio:.2f} (median of {args.rounds} rounds side by side)")
    print(f"peak memory {before / 2**30:.2f} GiB with both; it grew by {growth / 2**20:.1f} MiB in more steps of ours")


def main() -> None:
    args = parse(__doc__, batch=64, rounds=15, steps=10)
    settings = Settings(batch=args.batch, output_layer=False, seed=args.seed)
    model, carry = build(settings)
    rng = settings.rng(9)
    inputs = [(rng.random((args.batch, 784)) < 0.02).astype(np.float32) for _ in range(10)]
    target = one_hot(rng.integers(0, 10, args.batch))
    compare(model.network, model.learner, carry, inputs, target, settings.dropout, args)


if __name__ == "__main__":
    main()
