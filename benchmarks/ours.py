"""Programs of this package: the fast paths, and the definition that they are tested against."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from benchmarks.problems import Evaluation, Images, Learning, Problem, Program, Result, flat
from decolle_ref import fast
from decolle_ref.decolle import network
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.spikegrad import ann


def program(problem: Problem, workers: ThreadPoolExecutor) -> Program:
    """The fast path for a problem."""
    if isinstance(problem, Images):
        return partial(_spikegrad, problem, workers)
    if isinstance(problem, Evaluation):
        return partial(_evaluate, problem, workers)
    if isinstance(problem.network[0].synapse, Conv2d):
        return _convolutions(problem, workers)
    return partial(_learn, problem)


def blas_threads(problem: Problem, threads: int) -> int:
    """The threads of every matrix product: all of them for dense layers, one where `workers` share the batch."""
    is_dense = not isinstance(problem, Images) and not isinstance(problem.network[0].synapse, Conv2d)
    return threads if is_dense else 1


def definition(problem: Problem) -> Program:
    """The same by `network.run`, one readable step after the other, and SpikeGrad by `spikegrad.ann`."""
    if isinstance(problem, Images):
        return partial(_spikegrad_definition, problem)
    learns = isinstance(problem, Learning)
    targets = [[goal] * len(problem.network) for goal in problem.targets] if learns else None
    learner = problem.learner if learns else None
    start = (
        problem.start if learns else Carry(problem.weights, network.rest(problem.network, problem.spikes.shape[1:2]))
    )

    def block() -> Result:
        Y, weights = [], start.weights
        for carry, snapshots in network.run(problem.network, start, problem.spikes, targets, learner):
            Y.append([snapshot.Y for snapshot in snapshots])
            weights = carry.weights
        return Result([np.stack(y) for y in zip(*Y, strict=True)], flat(weights) if learns else [])

    return block


def _learn(problem: Learning) -> Result:
    targets = [problem.targets] * len(problem.network)
    carry, layers = fast.learn(problem.network, problem.start, problem.spikes, targets, problem.learner)
    return Result([layer.Y for layer in layers], flat(carry.weights))


def _evaluate(problem: Evaluation, workers: ThreadPoolExecutor) -> Result:
    _, layers = fast.evaluate(problem.network, problem.weights, problem.spikes, workers=workers)
    return Result([layer.Y for layer in layers], [])


def _spikegrad(problem: Images, workers: ThreadPoolExecutor) -> Result:
    net, weights, x, labels, alpha = problem
    return Result([], flat(fast.spikegrad.step(net, weights, x, labels, alpha, "spike", workers).increments))


def _spikegrad_definition(problem: Images) -> Result:
    net, weights, x, labels, alpha = problem
    responses = ann.forward(net, weights, x)
    errors = ann.backward(net, weights, responses, ann.top_error(responses[-1].S, labels, alpha))
    return Result([], flat(ann.increments(net, x, responses, errors)))


def _convolutions(problem: Learning, workers: ThreadPoolExecutor) -> Program:
    """As the experiments do: buffers for the batch are made once."""
    stepper = fast.NetworkStepper(problem.network, problem.spikes.shape[1], workers, chunk=problem.chunk)
    layers = range(len(problem.network))

    def block() -> Result:
        weights = tuple(Weights(*(array.copy() for array in w)) for w in problem.start.weights)
        opt_state = tuple(tuple(Moments(m.m.copy(), m.u.copy(), m.t) for m in pair) for pair in problem.start.opt_state)
        stepper.rest()
        Y = []
        for n, (x, target) in enumerate(zip(problem.spikes, problem.targets, strict=True)):
            stepper.step(weights, x[None], target)
            Y.append([stepper.outputs(k)[0] for k in layers])
            opt_state = stepper.update(problem.learner, weights, opt_state, n)
        return Result([np.stack(y) for y in zip(*Y, strict=True)], flat(weights))

    return block
