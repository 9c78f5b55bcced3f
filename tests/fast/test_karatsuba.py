"""Convolutions by Karatsuba's method against the definition, and when they are chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.karatsuba import Karatsuba, fastest


@st.composite
def products(draw):
    kernel, padding = draw(st.sampled_from((3, 5, 7))), draw(st.integers(0, 3))
    least = max(1, kernel - 2 * padding)
    shape = (draw(st.integers(1, 3)), draw(st.integers(least, 9)), draw(st.integers(least, 9)))
    synapse = Conv2d(shape, draw(st.integers(1, 4)), kernel, padding=padding)
    sides = tuple(draw(st.integers(1, side)) for side in synapse.shape[1:])
    return synapse, sides, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@given(products())
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fewer_products_equal_the_definition_in_the_first_rows_and_columns(dtype, case):
    """Twice: nothing of the first call is left in the second.

    Each result is a sum of fewer than 200 terms.  Each factor of a term is a sum of at most four numbers: hence 4 x 4.
    """
    synapse, (rows, columns), rng = case
    batch, channels = 2, synapse.channels
    method = Karatsuba(synapse, (rows, columns), batch, np.dtype(dtype))
    for _ in range(2):
        W, b = rng.normal(size=synapse.shape_W), rng.normal(size=channels)
        P, dU = rng.exponential(size=(batch, synapse.n_in)), np.zeros((batch, *synapse.shape))
        dU[:, :, :rows, :columns] = rng.normal(size=(batch, channels, rows, columns))
        U = np.full((channels, rows * columns * batch), np.nan, dtype)
        ours = Weights(np.full(W.shape, np.nan, dtype), np.full(channels, np.nan, dtype))
        method.load(P.T.reshape(*synapse.shape_in, batch).astype(dtype))
        method.drive(Weights(W.astype(dtype), b.astype(dtype)), U)
        used = dU[:, :, :rows, :columns].transpose(1, 2, 3, 0).reshape(channels, -1)
        method.gradient(used.astype(dtype), ours)
        drive = synapse.drive(Weights(W, b), P).reshape(batch, *synapse.shape)[:, :, :rows, :columns]
        gradient = synapse.gradient(dU.reshape(batch, -1), P)
        pairs = (
            (U.reshape(channels, rows, columns, batch), drive.transpose(1, 2, 3, 0)),
            *zip(ours, gradient, strict=True),
        )
        scale = 200 * np.abs(P).max() * max(np.abs(W).max(), np.abs(b).max(), np.abs(dU).max())
        for result, expected in pairs:
            np.testing.assert_allclose(result, expected, rtol=0, atol=4 * 4 * np.finfo(dtype).eps * scale)


def test_karatsuba_serves_wide_convolutions_with_large_kernels_alone():
    def method(channels_in, channels, kernel, stride=1):
        return type(fastest(Conv2d((channels_in, 9, 9), channels, kernel, stride), (1, 1), 1, np.dtype(float)))

    assert method(64, 128, 7) is method(128, 64, 5) is Karatsuba
    others = method(32, 128, 7), method(128, 32, 7), method(64, 64, 3), method(64, 64, 6), method(64, 64, 7, 2)
    assert set(others) == {Patches}
