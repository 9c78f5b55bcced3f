"""The output layer of the authors' 2020 code: a readout of U itself."""

from functools import partial

import numpy as np
import pytest

from decolle_ref import gradcheck
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.synapse import Dense, Weights


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_an_output_layer_reads_U_itself_and_learns_from_it_as_the_2020_code_does(dialect, rng):
    """`with_output_layer`: Y = U through the identity, so that the error reaches U without any surrogate."""
    n_in, n, batch, steps = 6, 3, 4, 12
    neuron = lif.neuron(*lif.sample_time_constants(rng, n_in), w=0.5, dialect=dialect)
    identity = readout.Readout(np.eye(n), np.zeros(n))
    layer = network.with_dialect(dialect, Layer(Dense(n_in, n), neuron, identity))
    output_layer = network.with_readout_of_U(layer)
    weights = layer.synapse.init_weights(rng, neuron, scale=5.0)
    x, y = rng.integers(0, 2, (steps, batch, n_in)), rng.normal(size=(steps, 1, batch, n))
    begin = Carry((weights,), network.rest([layer], (batch,)))
    plain = network.run([layer], begin, x)
    for (_, (usual,)), (_, (snapshot,)), target in zip(plain, network.run([output_layer], begin, x, y), y, strict=True):
        np.testing.assert_array_equal(snapshot.Y, snapshot.U)
        np.testing.assert_array_equal(snapshot.U, usual.U)
        np.testing.assert_array_equal(snapshot.S, usual.S)  # the comparison at threshold stays the dialect's
        np.testing.assert_allclose(snapshot.dU, (snapshot.U - target[0]) / (batch * n), rtol=1e-13, atol=1e-15)
        dW = output_layer.synapse.gradient(snapshot.dU, snapshot.P).W
        loss = partial(loss_of_W, output_layer, weights.b, snapshot, target[0])
        assert gradcheck.check(loss, dW, weights.W)


def loss_of_W(layer, b, snapshot, target, W):
    return network.local_loss(layer, Weights(W, b), snapshot.P, snapshot.R, target)
