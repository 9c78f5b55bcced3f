"""Small dense networks of random shape that learn, with inputs and targets for them."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import LOSSES, REDUCTIONS, Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.synapse import Dense, Weights

BATCHES = ((), (1,), (3,), (2, 2))
OPTIMISERS = (SGD(), Adamax(), Adamax(0.9, 0.99))
REGULARISERS = (None, Regulariser(0.5, 0.7, "rate"), Regulariser(0.5, 0.7, "membrane"), Regulariser(0.0, 0.7))


class Task(NamedTuple):
    """What `network.run` and `fast.learn` take."""

    network: tuple[Layer, ...]
    start: Carry
    spikes: np.ndarray
    targets: list[np.ndarray]
    learner: Learner


def task(
    rng,
    dialect=dialects.paper,
    sizes=(9, 8, 7, 7),
    batch=(),
    optimiser=OPTIMISERS[1],
    objective=None,
    rates=(),
    w=0.5,
    steps=20,
    n_out=3,
    dtype=np.float64,
):
    """Layers that spike, and a learner with a burn-in and a schedule; `rates` gives W's learning rates their shapes."""
    net, weights, learning_rates, batch_rates = [], [], [], dict(enumerate(rates))
    for k, (n_in, n) in enumerate(pairwise(sizes)):
        neuron = lif.neuron(*lif.sample_time_constants(rng, n_in), w=w, dtype=dtype, dialect=dialect)
        read = readout.sample_readout(rng, n, n_out, 2.0, dtype)
        layer = Layer(Dense(n_in, n), neuron, read, objective=objective or Objective())
        net.append(network.with_dialect(dialect, layer))
        weights.append(layer.synapse.init_weights(rng, neuron, 10.0))
        shape = {"one": (), "input": (n_in,), "weight": (n, n_in)}[batch_rates.get(k, "one")]
        learning_rates.append(Weights(rng.uniform(1e-4, 1e-3, shape).astype(dtype), np.asarray(1e-3, dtype)))
    spikes = (rng.random((steps, *batch, sizes[0])) < 0.3).astype(dtype)
    targets = [rng.random((steps, *batch, n_out)).astype(dtype) for _ in net]
    learner = Learner(learning_rates, optimiser, lambda updates: 0.99 ** (updates // 5), burn_in=3)
    start = Carry(tuple(weights), network.rest(net, batch), learner.init(weights))
    return Task(tuple(net), start, spikes, targets, learner)


@st.composite
def tasks(draw):
    """Tasks in every dialect, with every loss, regulariser, optimiser, batch and shape of learning rates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    loss, reduction = draw(st.sampled_from(list(LOSSES.values()))), draw(st.sampled_from(REDUCTIONS))
    made = task(
        rng,
        draw(st.sampled_from(list(dialects.DIALECTS.values()))),
        (draw(st.integers(1, 9)), *draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))),
        draw(st.sampled_from(BATCHES)),
        draw(st.sampled_from(OPTIMISERS)),
        Objective(loss, reduction, draw(st.sampled_from(REGULARISERS))),
        draw(st.lists(st.sampled_from(("one", "input", "weight")), max_size=3)),
        draw(st.sampled_from((0.0, 0.5))),
        n_out=draw(st.integers(1, 4)),
    )
    if draw(st.booleans()):
        return made._replace(network=(*made.network[:-1], network.with_readout_of_U(made.network[-1])))
    return made
