"""The loop that all forward methods share: it keeps nothing of the past but the method's own traces.

At step n, with U[n] and the method's traces of the steps before:

    S[n] = Theta(U[n] - theta),   e[n] = dL / d(epsilon * S)[n]
    (traces, presynaptic spikes z[n], sigma'(U[n] - theta), e[n]) -> (traces, dL[n]/dW)

The methods are `rtrl`, `eprop`, `superspike`, `instant` and `local`: five files of one shape, each with fewer terms
than the one before.  W and V are treated as one matrix [W V], whose index j runs over all inputs of a layer: the
neurons of the layer below, then those of the layer itself.

>>> from decolle_ref.credit.methods import superspike
>>> synapses = spiking.init_weights(np.random.default_rng(0), (4, 2), W_scale=2.0)
>>> cost = costs.global_cost(1, costs.Target(np.ones((9, 1, 2))))
>>> ((dW, dV),) = gradient(superspike.method, spiking.neuron(), synapses, np.ones((9, 1, 4)), cost)
>>> dW.shape, dV.shape
((2, 4), (2, 2))
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost, FilterState, Kernel
from decolle_ref.credit.methods.feedback import Route, local_errors
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, State, Synapses


class StepInputs(NamedTuple):
    """The inputs of a method at step n, for one layer."""

    z: Array  # (batch, n_below + n): spikes of the layer below, then of the layer itself
    sigma_prime: Array  # (batch, n): sigma'(U - theta)
    error: Array  # (batch, n): e


class Method(NamedTuple):
    """A forward method: its traces at rest, and one step."""

    name: str
    rest: Callable[[Sequence[Synapses], int], Any]
    step: Callable[[Neuron, Sequence[Synapses], Kernel, Any, Sequence[StepInputs]], tuple[Any, tuple[Array, ...]]]


class OnlineState(NamedTuple):
    """All that goes from one step of network and method to the next."""

    neurons: tuple[State, ...]
    output: tuple[FilterState, ...]  # epsilon * S
    traces: Any
    n: int = 0


def layerwise(
    name: str,
    rest: Callable[[int, int, int], Any],
    step: Callable[[Neuron, Kernel, Any, StepInputs], tuple[Any, Array]],
) -> Method:
    """A method that treats every layer alone.

    Parameters
    ----------
    name : str, for messages
    rest : (batch, n, n_inputs) -> traces of one layer
    step : (cell, kernel, traces, inputs) -> (traces, dL[n]/d[W V]) of one layer

    Returns
    -------
    Method
    """

    def rest_all(synapses: Sequence[Synapses], batch: int) -> tuple[Any, ...]:
        return tuple(rest(batch, len(W), W.shape[1] + len(W)) for W, _ in synapses)

    def step_all(
        cell: Neuron, synapses: Sequence[Synapses], kernel: Kernel, traces: Any, inputs: Sequence[StepInputs]
    ) -> tuple[Any, tuple[Array, ...]]:
        layers = [step(cell, kernel, *layer) for layer in zip(traces, inputs, strict=True)]
        return tuple(new_traces for new_traces, _ in layers), tuple(dWV for _, dWV in layers)

    return Method(name, rest_all, step_all)


def start(method: Method, synapses: Sequence[Synapses], batch: int) -> OnlineState:
    """Network, filter and traces at rest.

    Parameters
    ----------
    method : such as `rtrl.method`
    synapses : W and V of every layer
    batch : int

    Returns
    -------
    OnlineState
    """
    output = tuple(costs.rest((batch, len(W))) for W, _ in synapses)
    return OnlineState(spiking.rest(synapses, batch), output, method.rest(synapses, batch))


def step(
    method: Method,
    cell: Neuron,
    synapses: Sequence[Synapses],
    cost: Cost,
    state: OnlineState,
    x: Array,
    route: Route = local_errors,
) -> tuple[OnlineState, tuple[Synapses, ...]]:
    """One step of network and method: (state at n, S^(0)[n]) -> (state at n+1, dL[n]/dW and dL[n]/dV by layer).

    Parameters
    ----------
    method : such as `rtrl.method`
    cell, synapses, cost : the network and its loss
    state : from `start`, or from the step before
    x : (batch, n_in), input spikes at step n
    route : how errors reach hidden layers

    Returns
    -------
    OnlineState, and dL[n]/dW and dL[n]/dV of every layer
    """
    neurons, S = spiking.step(cell, synapses, state.neurons, x)
    output = tuple(costs.filter_step(cost.kernel, y, s) for y, s in zip(state.output, S, strict=True))
    errors = [costs.error(t, y.B, state.n) for t, y in zip(cost.targets, output, strict=True)]
    sigma_prime = [spiking.sigma_prime(cell, U) for _, U in state.neurons]
    z = [np.concatenate(pair, axis=-1) for pair in zip(spiking.presynaptic(x, S), S, strict=True)]
    inputs = [StepInputs(*layer) for layer in zip(z, sigma_prime, route(errors, sigma_prime), strict=True)]
    traces, dWV = method.step(cell, synapses, cost.kernel, state.traces, inputs)
    gradient = tuple(Synapses(g[:, : W.shape[1]], g[:, W.shape[1] :]) for g, (W, _) in zip(dWV, synapses, strict=True))
    return OnlineState(neurons, output, traces, state.n + 1), gradient


def gradient(
    method: Method, cell: Neuron, synapses: Sequence[Synapses], x: Array, cost: Cost, route: Route = local_errors
) -> tuple[Synapses, ...]:
    """sum_n dL[n]/dW and dL[n]/dV of every layer, while the weights stay as they are.

    Parameters
    ----------
    method : such as `rtrl.method`
    cell, synapses, cost : the network and its loss
    x : (T, batch, n_in), input spikes
    route : how errors reach hidden layers

    Returns
    -------
    dL/dW and dL/dV of every layer

    Raises
    ------
    InputError : for shapes that do not fit, unstable decays, and a gradient that is not finite
    """
    spiking.validate(cell, synapses, x)
    costs.validate(cost, [len(W) for W, _ in synapses], *x.shape[:2])
    state = start(method, synapses, x.shape[1])
    total = [Synapses(np.zeros_like(W), np.zeros_like(V)) for W, V in synapses]
    for x_n in x:
        state, g = step(method, cell, synapses, cost, state, x_n, route)
        total = [Synapses(t.W + dW, t.V + dV) for t, (dW, dV) in zip(total, g, strict=True)]
    return spiking.parse_gradient(total, method.name)
