"""The same in JAX: one compiled `lax.scan` over all steps, with gradients by `jax.grad`.

XLA's own gradient of a convolution is slow on processors: with it, a step of the MNIST network takes 3.7 times as long
as with the products of patches that are written here.  Where nothing learns, its own convolution is used.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problems import Evaluation, Learning, Program, Result, flat
from decolle_ref.decolle.network import Layer, rest
from decolle_ref.decolle.synapse import Conv2d


def program(problem: Learning | Evaluation) -> Program:
    """A problem as one compiled function."""
    return _learning(problem) if isinstance(problem, Learning) else _evaluation(problem)


def _drive(layer: Layer, P: jax.Array, W: jax.Array, b: jax.Array, learns: bool) -> jax.Array:
    """W P + b, in the shape of the images for convolutions."""
    synapse = layer.synapse
    if not isinstance(synapse, Conv2d):
        return P @ W.T + b
    pad, images = [(synapse.padding, synapse.padding)] * 2, P.reshape(-1, *synapse.shape_in)
    if learns:
        return _by_patches(synapse, jnp.pad(images, [(0, 0), (0, 0), *pad]), W) + b[:, None, None]
    return (
        lax.conv_general_dilated(images, W, (1, 1), pad, dimension_numbers=("NCHW", "OIHW", "NCHW")) + b[:, None, None]
    )


def _by_patches(synapse: Conv2d, padded: jax.Array, W: jax.Array) -> jax.Array:
    """The convolution as one product: the images moved by every entry of the kernel, side by side."""
    (channels, height, width), kernel, batch = synapse.shape, range(synapse.kernel), len(padded)
    moved = [padded[:, :, i : i + height, j : j + width] for i in kernel for j in kernel]
    patches = jnp.stack(moved, axis=2).reshape(batch, -1, height * width)
    return jnp.einsum("oc,bcn->bon", W.reshape(channels, -1), patches).reshape(batch, channels, height, width)


def _pooled(layer: Layer, U: jax.Array) -> jax.Array:
    """The largest of each window, (batch, n)."""
    if layer.pool is not None:
        size, (batch, channels, height, width) = layer.pool.size, U.shape
        rows, columns = height // size, width // size
        windows = U[:, :, : rows * size, : columns * size].reshape(batch, channels, rows, size, columns, size)
        U = windows.max(axis=(3, 5))
    return U.reshape(len(U), -1)


def _forward(
    layer: Layer, state: Any, W: jax.Array, b: jax.Array, x: jax.Array, learns: bool
) -> tuple[Any, jax.Array, jax.Array]:
    """State after the step, spikes and Y."""
    (P, Q, R), neuron = state, layer.neuron
    drive = _drive(layer, P, W, b, learns)
    refractory = bool(np.any(neuron.delta))
    U = drive - (neuron.delta * R).reshape(drive.shape) if refractory else drive
    u = _pooled(layer, U)
    Y = jax.nn.sigmoid(u) @ layer.readout.G.T + layer.readout.c
    spikes = (U.reshape(R.shape) >= 0).astype(R.dtype)
    new_R = neuron.gamma * R + spikes if refractory else R
    return (neuron.alpha * P + Q, neuron.beta * Q + x, new_R), (u >= 0).astype(x.dtype), Y


def _layers(
    network: Sequence[Layer], states: Any, parameters: Sequence[Any], x: jax.Array, learns: bool
) -> tuple[Any, Any]:
    """All layers of one step; spikes carry no gradient."""
    after, Y = [], []
    for layer, state, W, b in zip(network, states, parameters[::2], parameters[1::2], strict=True):
        new, x, y = _forward(layer, state, W, b, x, learns)
        after.append(new)
        Y.append(y)
        x = lax.stop_gradient(x)
    return lax.stop_gradient(after), Y


def _smooth_l1(Y: jax.Array, target: jax.Array) -> jax.Array:
    d = jnp.abs(Y - target)
    return jnp.where(d < 1, 0.5 * d * d, d - 0.5).mean()


def _learning(problem: Learning) -> Program:
    optimiser = problem.learner.optimiser

    def loss(parameters: Any, states: Any, x: jax.Array, target: jax.Array) -> tuple[jax.Array, Any]:
        after, Y = _layers(problem.network, states, parameters, x, learns=True)
        return sum(_smooth_l1(y, target) for y in Y), (after, Y)

    def step(carry: Any, now: Any) -> tuple[Any, Any]:
        states, parameters, largest = carry
        gradients, (states, Y) = jax.grad(loss, has_aux=True)(parameters, states, *now)
        largest = [
            jnp.maximum(optimiser.beta2 * u, jnp.abs(g) + optimiser.eps)
            for u, g in zip(largest, gradients, strict=True)
        ]
        moved = zip(parameters, problem.rates, gradients, largest, strict=True)
        return (states, [w - rate * g / u for w, rate, g, u in moved], largest), Y

    scan = jax.jit(lambda carry, spikes, targets: lax.scan(step, carry, (spikes, targets)))
    largest = [moments.u for pair in problem.start.opt_state for moments in pair]
    start = jax.device_put((_states(problem.start.state), flat(problem.start.weights), largest))
    inputs = jax.device_put((problem.spikes, problem.targets))

    def block() -> Result:
        (_, parameters, _), Y = jax.block_until_ready(scan(start, *inputs))
        return Result([np.asarray(y) for y in Y], [np.asarray(w) for w in parameters])

    return block


def _evaluation(problem: Evaluation) -> Program:
    parameters = flat(problem.weights)

    def step(states: Any, x: jax.Array) -> tuple[Any, Any]:
        return _layers(problem.network, states, parameters, x, learns=False)

    scan = jax.jit(lambda states, spikes: lax.scan(step, states, spikes))
    start = jax.device_put(_states(rest(problem.network, problem.spikes.shape[1:2])))
    spikes = jax.device_put(problem.spikes)

    def block() -> Result:
        _, Y = jax.block_until_ready(scan(start, spikes))
        return Result([np.asarray(y) for y in Y], [])

    return block


def _states(states: Sequence[Any]) -> list[Any]:
    return [tuple(state) for state in states]
