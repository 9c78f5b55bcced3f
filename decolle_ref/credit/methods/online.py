"""The loop that all forward methods share: nothing of the past is kept but what the method itself carries.

At step n, with U[n] and the method's memory of the steps before:

    S[n] = Theta(U[n] - theta),   e[n] = dL / d(epsilon * S)[n]
    (memory, sigma'(U[n] - theta), e[n], spikes heard) -> (memory, dL[n]/dW)

The methods are `rtrl`, `eprop`, `superspike`, `instant` and `local`: five files of one shape, each with fewer terms
than the one before.  W and V are treated as one matrix [W V], whose index j runs over all that a neuron hears: the
layer below, then its own.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost, Filtered, Kernel
from decolle_ref.credit.methods import feedback
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, State, Synapses


class Seen(NamedTuple):
    """What a method is told of one layer at step n."""

    z: Array  # (batch, n_below + n): spikes of the layer below, then of the layer itself
    slope: Array  # (batch, n): sigma'(U - theta)
    e: Array  # (batch, n): error of the neurons


class Method(NamedTuple):
    """A forward method: what it remembers at rest, and one step."""

    name: str
    rest: Callable[[Sequence[Synapses], int], Any]
    step: Callable[[Neuron, Sequence[Synapses], Kernel, Any, Sequence[Seen]], tuple[Any, tuple[Array, ...]]]


class Carry(NamedTuple):
    """All that goes from one step to the next."""

    state: tuple[State, ...]
    output: tuple[Filtered, ...]  # epsilon * S
    memory: Any
    n: int = 0


def layerwise(
    name: str,
    rest: Callable[[int, int, int], Any],
    step: Callable[[Neuron, Kernel, Any, Seen], tuple[Any, Array]],
) -> Method:
    """A method that treats every layer alone: rest(batch, n, heard), step(neuron, kernel, memory, seen)."""

    def rest_all(synapses: Sequence[Synapses], batch: int) -> tuple[Any, ...]:
        return tuple(rest(batch, len(W), W.shape[1] + len(W)) for W, _ in synapses)

    def step_all(
        cell: Neuron, synapses: Sequence[Synapses], kernel: Kernel, memory: Any, seen: Sequence[Seen]
    ) -> tuple[Any, tuple[Array, ...]]:
        done = [step(cell, kernel, m, s) for m, s in zip(memory, seen, strict=True)]
        return tuple(after for after, _ in done), tuple(joint for _, joint in done)

    return Method(name, rest_all, step_all)


def start(method: Method, synapses: Sequence[Synapses], batch: int) -> Carry:
    """Everything at rest."""
    output = tuple(costs.quiet((batch, len(W))) for W, _ in synapses)
    return Carry(spiking.rest(synapses, batch), output, method.rest(synapses, batch))


def step(
    method: Method,
    cell: Neuron,
    synapses: Sequence[Synapses],
    cost: Cost,
    carry: Carry,
    x: Array,
    route: Route = feedback.own,
) -> tuple[Carry, tuple[Synapses, ...]]:
    """One step of network and method: (carry at n, S^(0)[n]) -> (carry at n+1, dL[n]/dW and dL[n]/dV by layer)."""
    after, S = spiking.step(cell, synapses, carry.state, x)
    output = tuple(costs.smooth(cost.kernel, y, s) for y, s in zip(carry.output, S, strict=True))
    own = [costs.error(t, y.B, carry.n) for t, y in zip(cost.targets, output, strict=True)]
    slope = [spiking.slope(cell, U) for _, U in carry.state]
    heard = spiking.heard(x, S)
    z = [np.concatenate(pair, axis=-1) for pair in zip(heard, S, strict=True)]
    seen = [Seen(*layer) for layer in zip(z, slope, route(own, slope), strict=True)]
    memory, joint = method.step(cell, synapses, cost.kernel, carry.memory, seen)
    gradient = tuple(
        Synapses(g[:, : W.shape[1]], g[:, W.shape[1] :]) for g, (W, _) in zip(joint, synapses, strict=True)
    )
    return Carry(after, output, memory, carry.n + 1), gradient


def gradient(
    method: Method, cell: Neuron, synapses: Sequence[Synapses], x: Array, cost: Cost, route: Route = feedback.own
) -> tuple[Synapses, ...]:
    """sum_n dL[n]/dW and dL[n]/dV of every layer with the weights held.  x (T, batch, n_in).

    Raises InputError for shapes that do not fit, unstable decays, and gradients not finite.
    """
    spiking.validate(cell, synapses, x)
    costs.validate(cost, [len(W) for W, _ in synapses], *x.shape[:2])
    carry = start(method, synapses, x.shape[1])
    total = [Synapses(np.zeros_like(W), np.zeros_like(V)) for W, V in synapses]
    for now in x:
        carry, g = step(method, cell, synapses, cost, carry, now, route)
        total = [Synapses(t.W + dW, t.V + dV) for t, (dW, dV) in zip(total, g, strict=True)]
    return spiking.parse_gradient(total, method.name)
