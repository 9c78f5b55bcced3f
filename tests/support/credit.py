"""Random networks, inputs and costs for the tests of `decolle_ref.credit`."""

import numpy as np
from hypothesis import strategies as st

from decolle_ref.credit import cost
from decolle_ref.credit.cost import Cost, Kernel, Target
from decolle_ref.credit.neuron import spiking
from decolle_ref.decolle import surrogate

CELLS = st.builds(
    spiking.neuron,
    tau_mem=st.floats(0.002, 0.02),
    tau_syn=st.floats(0.001, 0.02),
    theta=st.floats(0.2, 1.5),
    surrogate=st.sampled_from([surrogate.logistic, surrogate.fast_sigmoid, surrogate.exponential]),
    activity=st.just("primitive"),
    reset=st.sampled_from(["through", "ignore"]),
)
SIZES = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)
KERNELS = st.sampled_from([cost.NO_FILTER, Kernel(0.6, 0.8)])
SEEDS = st.integers(0, 10**6)


def make(sizes, seed=0, steps=9, batch=2, kernel=cost.NO_FILTER, local=False, scale=2.0):
    """(synapses, x, cost): a global loss on the top layer, or one on every layer through a random G."""
    rng = np.random.default_rng(seed)
    synapses = spiking.init_weights(rng, sizes, scale, 1.0)
    x = (rng.random((steps, batch, sizes[0])) < 0.4).astype(float)
    goal = rng.normal(size=(steps, batch, sizes[-1]))
    if not local:
        return synapses, x, cost.global_cost(len(synapses), Target(goal), kernel)
    readouts = [rng.normal(size=(sizes[-1], n)) / np.sqrt(n) for n in sizes[1:]]
    return synapses, x, Cost(tuple(Target(goal, G) for G in readouts), kernel)


def loss_of(cell, synapses, x, cost_, layer, letter):
    """L as a function of one matrix."""

    def loss(matrix):
        changed = list(synapses)
        changed[layer] = changed[layer]._replace(**{letter: matrix})
        unreached = 0 * matrix.sum()  # complex where the matrix is, even if nothing of it reaches the loss in time
        return cost.value(cost_, spiking.forward(cell, changed, x).S) + unreached

    return loss


def worst(a, b):
    """The largest difference of two gradients, relative to the largest entry."""
    scale = max(np.abs(array).max() for layer in b for array in layer) or 1.0
    pairs = [pair for layers in zip(a, b, strict=True) for pair in zip(*layers, strict=True)]
    return np.max([np.abs(p - q).max() for p, q in pairs]) / scale  # np.max: of NaN and 0, max() may return 0
