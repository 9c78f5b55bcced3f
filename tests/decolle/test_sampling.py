"""What is drawn at random: its bounds, its scale and its dtype."""

import numpy as np
import pytest

from decolle_ref.decolle import lif, readout
from decolle_ref.decolle.synapse import Conv2d, Dense

SIZE = 4000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_weights_fill_their_range(dtype):
    """|W_ij| < scale / (sqrt(n_in) trace_gain_j) and |b - bias| < 0.1, each of them nearly reached on both sides."""
    rng = np.random.default_rng(0)
    neuron = lif.neuron(*lif.sample_time_constants(rng, 3), dtype=dtype)
    limit = 1 / (np.sqrt(3) * lif.trace_gain(neuron))
    W, b = Dense(3, SIZE).init_weights(rng, neuron)
    assert fills(W / limit, 1) and fills(10 * b, 1) and {W.dtype, b.dtype} == {np.dtype(dtype)}
    W, b = Dense(3, SIZE).init_weights(rng, neuron, 4.0, 2.0)
    assert fills(W / limit, 4) and fills(10 * (b - 2), 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_kernels_fill_the_range_of_their_channel(dtype):
    """|W_oc| < scale / (sqrt(weights per neuron) trace gain of channel c), the mean over its inputs."""
    rng = np.random.default_rng(0)
    synapse = Conv2d((2, 3, 4), SIZE, 3)
    neuron = lif.neuron(*lif.sample_time_constants(rng, synapse.n_in), dtype=dtype)
    gain = lif.trace_gain(neuron).reshape(2, 12).mean(axis=1)
    limit = 1 / (np.sqrt(2 * 9) * gain)[:, None, None]
    W, b = synapse.init_weights(rng, neuron)
    assert fills(W / limit, 1) and fills(10 * b, 1) and {W.dtype, b.dtype} == {np.dtype(dtype)}
    W, b = synapse.init_weights(rng, neuron, 4.0, 2.0)
    assert fills(W / limit, 4) and fills(10 * (b - 2), 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_readout_fills_its_range_and_has_no_offset(dtype):
    for amplitude, options in ((0.5, {}), (3.0, {"amplitude": 3.0})):
        G, c = readout.sample_readout(np.random.default_rng(0), 4, SIZE, dtype=dtype, **options)
        assert fills(2 * G, amplitude) and c.tolist() == [0] * SIZE and {G.dtype, c.dtype} == {np.dtype(dtype)}
    assert readout.sample_readout(np.random.default_rng(0), 1, 1).G.dtype == np.float64


def fills(x, limit):
    """Each column of x lies within the limit, comes near both ends of it, and has a mean near 0."""
    columns = np.reshape(x, (SIZE, -1)) / limit
    near = (columns.max(axis=0) > 0.99) & (columns.min(axis=0) < -0.99)
    return near.all() and np.abs(columns).max() <= 1 + 1e-6 and (np.abs(columns.mean(axis=0)) < 0.05).all()


@pytest.mark.parametrize("drop", [0, 1, 64, 255])
def test_dropout_drops_as_many_values_of_a_byte_in_256_as_it_says(drop):
    """Of 40,000 rows of every byte's chance: within 6 standard deviations, which one value of a byte would leave."""
    n, p = 2_000_000, drop / 256
    mask = readout.sample_mask(np.random.default_rng(0), p, "Y", (n,), np.float32).Y
    assert mask.dtype == np.float32 and set(np.unique(mask)) <= {0, np.float32(1 / (1 - p))}
    assert abs((mask == 0).sum() - n * p) <= 6 * np.sqrt(n * p * (1 - p)) < n / 256


def test_one_random_byte_decides_each_factor():
    mask = readout.sample_mask(np.random.default_rng(3), 0.25, "Y", (99,)).Y
    np.testing.assert_array_equal(mask == 0, np.random.default_rng(3).integers(0, 256, 99, np.uint8) < 64)


def test_a_mask_has_one_side_and_double_precision_by_default():
    for place in readout.Mask._fields:
        mask = readout.sample_mask(np.random.default_rng(0), 0.5, place, (2, 3))
        other = mask._replace(**{place: 1.0})
        assert getattr(mask, place).shape == (2, 3) and getattr(mask, place).dtype == float and other == readout.KEEP


@pytest.mark.parametrize("synapse", [Dense(4, 2), Conv2d((1, 2, 2), 2, 2)], ids=["dense", "conv"])
def test_gradients_and_adjoints_keep_single_precision_and_complex_numbers(synapse):
    rng = np.random.default_rng(0)
    weights = synapse.init_weights(rng, lif.neuron(dtype=np.float32))
    dU, P = rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    gradient = synapse.gradient(dU, P)
    assert {x.dtype for x in (*gradient, synapse.adjoint(weights, dU))} == {np.dtype(np.float32)}
    np.testing.assert_allclose(synapse.gradient(1j * dU, P).W, 1j * gradient.W, rtol=1e-6)
    np.testing.assert_allclose(synapse.gradient(dU, 1j * P).W, 1j * gradient.W, rtol=1e-6)
    back = synapse.adjoint(weights, dU)
    np.testing.assert_allclose(synapse.adjoint(weights, 1j * dU), 1j * back, rtol=1e-6)
    np.testing.assert_allclose(synapse.adjoint(weights._replace(W=1j * weights.W), dU), 1j * back, rtol=1e-6)
