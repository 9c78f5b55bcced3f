"""The same in PyTorch: traces outside the graph, local losses by autograd, Adamax in calls over all parameters.

Adamax with beta1 = 0 needs no mean of gradients, which `torch.optim.Adamax` computes all the same; here it is written
without, because a fast program would leave it out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.problems import Evaluation, Images, Learning, Problem, Program, Result, flat
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.synapse import Conv2d
from decolle_ref.spikegrad.layers import AveragePool

Tensors = list[torch.Tensor]


def program(problem: Problem, threads: int, compiled: bool = False) -> Program:
    """A problem in PyTorch, eager or by `torch.compile`, for which evaluation is not written."""
    torch.set_num_threads(threads)
    if isinstance(problem, Images):
        return _relu_network(problem, compiled)
    if isinstance(problem, Evaluation):
        return _evaluation(problem)
    return _learning(problem, _compiled_step(problem) if compiled else _eager_step(problem))


class TorchLayer:
    """One layer: its constants, and its step from the old state to the new one."""

    def __init__(self, layer: Layer) -> None:
        synapse, neuron = layer.synapse, layer.neuron
        self.conv = synapse if isinstance(synapse, Conv2d) else None
        self.pool = 1 if layer.pool is None else layer.pool.size
        constants = neuron.alpha, neuron.beta, neuron.gamma, neuron.delta
        self.alpha, self.beta, self.gamma, self.delta = (_constant(x) for x in constants)
        self.refractory = bool(np.any(neuron.delta))
        self.G, self.c = torch.from_numpy(layer.readout.G), torch.from_numpy(layer.readout.c)
        self.shape_in = synapse.shape_in if isinstance(synapse, Conv2d) else (synapse.n_in,)
        self.shape = synapse.shape if isinstance(synapse, Conv2d) else (synapse.n,)

    def rest(self, batch: int) -> Tensors:
        """P = Q = R = 0."""
        return [torch.zeros(batch, *shape) for shape in (self.shape_in, self.shape_in, self.shape)]

    def drive(self, P: torch.Tensor, W: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """W P + b."""
        return F.linear(P, W, b) if self.conv is None else F.conv2d(P, W, b, padding=self.conv.padding)

    def forward(
        self, state: Tensors, W: torch.Tensor, b: torch.Tensor, x: torch.Tensor
    ) -> tuple[Tensors, torch.Tensor, torch.Tensor]:
        """State after the step, spikes and Y."""
        P, Q, R = state
        U = self.drive(P, W, b)
        U = U - self.delta * R if self.refractory else U
        u = F.max_pool2d(U, self.pool) if self.pool > 1 else U
        Y = F.linear(torch.sigmoid(u).flatten(1), self.G, self.c)
        S = (u.detach() >= 0).float()
        new_R = self.gamma * R + (U.detach() >= 0).float() if self.refractory else R
        return [self.alpha * P + Q, self.beta * Q + x.reshape(Q.shape), new_R], S, Y


def _constant(x: np.ndarray) -> torch.Tensor | float:
    return torch.from_numpy(x) if x.ndim else float(x)


def _forward(layers: Sequence[TorchLayer], states: list[Tensors], parameters: Tensors, x: torch.Tensor):
    """All layers of one step."""
    after, Y = [], []
    for layer, state, W, b in zip(layers, states, parameters[::2], parameters[1::2], strict=True):
        new, x, y = layer.forward(state, W, b, x)
        after.append(new)
        Y.append(y)
    return after, Y


def _loss(layers: Sequence[TorchLayer]) -> Callable[..., Any]:
    """The sum of the local losses, with the states after the step and Y."""

    def loss(parameters: Tensors, states: list[Tensors], x: torch.Tensor, target: torch.Tensor):
        after, Y = _forward(layers, states, parameters, x)
        return sum(F.smooth_l1_loss(y, target) for y in Y), (after, Y)

    return loss


def _eager_step(problem: Learning) -> Callable[..., Any]:
    """One step; parameters and Adamax's maxima are changed in place."""
    loss, optimiser = _loss([TorchLayer(layer) for layer in problem.network]), problem.learner.optimiser
    rates = [-rate for rate in problem.rates]

    def step(states: list[Tensors], parameters: Tensors, largest: Tensors, x: torch.Tensor, target: torch.Tensor):
        for parameter in parameters:
            parameter.requires_grad_()
        total, (after, Y) = loss(parameters, states, x, target)
        gradients = torch.autograd.grad(total, parameters)
        with torch.no_grad():
            magnitudes = torch._foreach_abs(gradients)
            torch._foreach_add_(magnitudes, optimiser.eps)
            torch._foreach_mul_(largest, optimiser.beta2)
            torch._foreach_maximum_(largest, magnitudes)
            steps = torch._foreach_div(gradients, largest)
            torch._foreach_mul_(steps, rates)
            torch._foreach_add_(parameters, steps)
        return after, parameters, largest, [y.detach() for y in Y]

    return step


def _compiled_step(problem: Learning) -> Callable[..., Any]:
    """One step as one compiled graph, which returns new arrays."""
    loss, optimiser = _loss([TorchLayer(layer) for layer in problem.network]), problem.learner.optimiser
    gradient, rates = torch.func.grad(loss, has_aux=True), problem.rates

    def step(states: list[Tensors], parameters: Tensors, largest: Tensors, x: torch.Tensor, target: torch.Tensor):
        gradients, (after, Y) = gradient(parameters, states, x, target)
        new = [
            torch.maximum(optimiser.beta2 * u, g.abs() + optimiser.eps) for u, g in zip(largest, gradients, strict=True)
        ]
        moved = zip(parameters, rates, gradients, new, strict=True)
        return after, [w - rate * g / u for w, rate, g, u in moved], new, Y

    return torch.compile(step, fullgraph=True, dynamic=False)


def _learning(problem: Learning, step: Callable[..., Any]) -> Program:
    layers = [TorchLayer(layer) for layer in problem.network]
    spikes, targets = torch.from_numpy(problem.spikes), torch.from_numpy(problem.targets)

    def block() -> Result:
        states = [_tensors(state) for state in _start_states(problem, layers)]
        parameters = _tensors(flat(problem.start.weights))
        largest = _tensors([moments.u for pair in problem.start.opt_state for moments in pair])
        shown = []
        for x, target in zip(spikes, targets, strict=True):
            states, parameters, largest, Y = step(states, parameters, largest, x, target)
            shown.append(Y)
        return Result(_stacked(shown), [tensor.detach().numpy() for tensor in parameters])

    return block


def _start_states(problem: Learning, layers: Sequence[TorchLayer]) -> list[list[np.ndarray]]:
    """P, Q, R of each layer in the shapes of the images."""
    return [
        [array.reshape(-1, *shape) for array, shape in zip(state, (t.shape_in, t.shape_in, t.shape), strict=True)]
        for state, t in zip(problem.start.state, layers, strict=True)
    ]


def _evaluation(problem: Evaluation) -> Program:
    layers, parameters = [TorchLayer(layer) for layer in problem.network], _tensors(flat(problem.weights))
    spikes = torch.from_numpy(problem.spikes)

    def block() -> Result:
        states, shown = [layer.rest(spikes.shape[1]) for layer in layers], []
        with torch.no_grad():
            for x in spikes:
                states, Y = _forward(layers, states, parameters, x)
                shown.append(Y)
        return Result(_stacked(shown), [])

    return block


def _relu_network(problem: Images, compiled: bool) -> Program:
    """The network of SpikeGrad with ReLU and without rounding, so that there is no number to compare."""
    net, labels = problem.network, torch.from_numpy(problem.labels)
    maps = torch.from_numpy(problem.x).reshape(len(problem.x), *net[0].synapse.shape_in)
    parameters = [tuple(torch.from_numpy(a.copy()).requires_grad_(a.ndim > 0) for a in w) for w in problem.weights]
    learnt = [a for pair in parameters for a in pair if a.requires_grad]

    def forward() -> torch.Tensor:
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
        return F.cross_entropy(y, labels, reduction="sum")

    forward = torch.compile(forward) if compiled else forward

    def block() -> Result:
        torch.autograd.grad(forward(), learnt)
        return Result([], [])

    return block


def _tensors(arrays: Sequence[np.ndarray]) -> Tensors:
    """Copies as tensors."""
    return [torch.from_numpy(np.array(array)) for array in arrays]


def _stacked(shown: Sequence[Tensors]) -> list[np.ndarray]:
    """Y of each step and layer -> Y of each layer, (steps, batch, n_out)."""
    return [torch.stack(y).numpy() for y in zip(*shown, strict=True)]
