"""The targets of every sender are where one spike of it arrives, with the weights it arrives with."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.spikegrad import routes
from tests.support.spikegrad import DENSE, IMAGES, dyadic_weights, seeds

SYNAPSES = {repr(s): s for s in (*sum(DENSE + IMAGES, ()), Conv2d((2, 5, 4), 3, 2, stride=2, padding=1))}


@settings(max_examples=60)
@given(seeds, st.sampled_from(sorted(SYNAPSES)))
def test_the_targets_of_a_sender_are_where_one_spike_arrives(seed, name):
    rng, synapse = np.random.default_rng(seed), SYNAPSES[name]
    (weights,) = dyadic_weights(rng, (synapse,))
    unbiased = Weights(weights.W, np.zeros_like(weights.b))
    up, down = synapse.drive(unbiased, np.eye(synapse.n_in)), synapse.adjoint(weights, np.eye(synapse.n))
    for found, arrived in ((routes.fan_out(synapse, weights), up), (routes.fan_in(synapse, weights), down)):
        assert len(found) == len(arrived)
        for (indices, values), row in zip(found, arrived, strict=True):
            np.testing.assert_array_equal(indices, np.flatnonzero(row))
            np.testing.assert_array_equal(values, row[indices])
