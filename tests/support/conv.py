"""Small convolutional networks of random shape, with inputs, targets and dropout for them."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.objective import LOSSES, REDUCTIONS, Objective
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Conv2d

OUT = 3
WIDTHS = (1, 2, 3, 8)  # channels; with 8, the fast path takes one product per row of a kernel of side 2 or more


def layer(
    rng, shape, channels, kernel, stride, padding, pool, dialect=dialects.paper, w=0.0, objective=None, dtype=float
):
    """A layer of the dialect with a random readout, time constants per input, and weights that make it spike."""
    synapse = Conv2d(shape, channels, kernel, stride, padding)
    tau = lif.sample_time_constants(rng, synapse.n_in)
    neuron = lif.neuron(*tau, w=w, dtype=dtype, dialect=dialect)
    pooling = MaxPool(synapse.shape, pool) if pool else None
    width = synapse.n if pooling is None else pooling.n
    G = readout.sample_readout(rng, width, OUT, 2.0, dtype)
    plain = Layer(synapse, neuron, G, objective=objective or Objective(), pool=pooling)
    return network.with_dialect(dialect, plain), synapse.init_weights(rng, neuron, 10.0)


@st.composite
def networks(draw, layers=3, dtype=np.float64, strengths=(0.0,)):
    """(layers, weights, rng): random channels, kernels, strides, paddings, pools, dialects and losses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dialect = draw(st.sampled_from(list(dialects.DIALECTS.values())))
    loss, reduction = draw(st.sampled_from(list(LOSSES.values()))), draw(st.sampled_from(REDUCTIONS))
    shape = (draw(st.integers(1, 3)), draw(st.integers(3, 9)), draw(st.integers(3, 9)))
    net, weights = [], []
    for _ in range(layers):
        kernel, stride, padding = draw(st.integers(1, 4)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
        assume(min(shape[1:]) + 2 * padding >= kernel)
        sides = Conv2d(shape, 1, kernel, stride, padding).shape[1:]
        pool = draw(st.sampled_from([p for p in (0, 1, 2, 3) if p <= min(sides)]))
        w = draw(st.sampled_from(strengths))
        objective = Objective(loss, reduction)
        channels = draw(st.sampled_from(WIDTHS))
        new, new_weights = layer(rng, shape, channels, kernel, stride, padding, pool, dialect, w, objective, dtype)
        net.append(new)
        weights.append(new_weights)
        shape = new.synapse.shape if new.pool is None else new.pool.shape_out
    return tuple(net), tuple(weights), rng


def masks(rng, net, batch, p=0.4):
    """Dropout before G or on Y, wherever the dialect places it."""
    dtype = net[0].neuron.alpha.dtype
    sizes = {"activity": network.width, "Y": lambda layer: OUT}
    return [readout.sample_mask(rng, p, each.dropout, (batch, sizes[each.dropout](each)), dtype) for each in net]


def spikes(rng, net, batch, rate=0.3):
    """One step of random input."""
    return (rng.random((batch, net[0].synapse.n_in)) < rate).astype(net[0].neuron.alpha.dtype)


def targets(rng, net, batch):
    """One class per sample, for every layer."""
    one_hot = np.eye(OUT, dtype=net[0].neuron.alpha.dtype)[rng.integers(0, OUT, batch)]
    return [one_hot] * len(net)
