"""Functions that write into arrays, against the definitions that they name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref.decolle import dialects
from decolle_ref.decolle.objective import LOSSES, Loss
from decolle_ref.decolle.surrogate import SURROGATES, above_threshold, at_threshold, boxcar, logistic
from decolle_ref.fast.dense_parameters import blocks_of, one_number_if_equal
from decolle_ref.fast.in_place import Potentials, spike_writer, surrogate_writer, write_error, write_logistic

EDGES = [-np.inf, -100.0, -0.5, -1e-30, -0.0, 0.0, 1e-30, 0.5, 100.0, np.inf]


def potentials(dtype):
    """Arrays whose U covers both tails, the thresholds, and a number that is none."""
    U = np.concatenate([np.linspace(-80, 80, 4001), EDGES, [np.nan]]).astype(dtype)
    arrays = Potentials.zeros(U.shape, U.dtype)
    arrays.U[...] = U
    return arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_logistic_in_place_is_as_exact_in_its_tails_as_the_definition(dtype):
    arrays = potentials(dtype)
    write_logistic(arrays)
    rtol = 8 * np.finfo(dtype).eps  # of five operations and exp, relative to sigma and sigma' however small they are
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(arrays.sigma, logistic.primitive(arrays.U), rtol=rtol, atol=tiny)
    np.testing.assert_allclose(arrays.slope, logistic.derivative(arrays.U), rtol=rtol, atol=tiny)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("surrogate", [dialects.decolle.triple(), *SURROGATES.values()], ids=lambda s: s.name)
@pytest.mark.parametrize("reads_primitive", [False, True])
def test_every_surrogate_is_written_as_it_is_defined(surrogate, reads_primitive, dtype):
    arrays = potentials(dtype)
    compared = arrays.U[:-1] if surrogate is boxcar and not reads_primitive else arrays.U  # not the NaN
    surrogate_writer(surrogate, reads_primitive)(arrays)
    rtol, tiny, n = 8 * np.finfo(dtype).eps, np.finfo(dtype).tiny, len(compared)
    np.testing.assert_allclose(arrays.slope[:n], surrogate.derivative(compared), rtol=rtol, atol=tiny)
    if reads_primitive:
        np.testing.assert_allclose(arrays.sigma, surrogate.primitive(arrays.U), rtol=rtol, atol=tiny)


@pytest.mark.parametrize("spike", [at_threshold, above_threshold, lambda U: 2.0 * at_threshold(U)])
def test_spikes_are_those_of_the_definition(spike):
    arrays = potentials(float)
    spike_writer(spike)(arrays)
    np.testing.assert_array_equal(arrays.S[:-1], spike(arrays.U[:-1]))


@pytest.mark.parametrize("loss", [*LOSSES.values(), Loss("cubic", np.subtract, lambda Y, y: (Y - y) ** 3)])
def test_errors_are_the_slopes_of_the_losses(loss):
    rng = np.random.default_rng(0)
    Y, target, dY = 3 * rng.normal(size=(5, 4)), rng.random((5, 4)), np.empty((5, 4))
    Y[0] = target[0]
    write_error(loss, Y, target, dY, np.empty((5, 1)))
    np.testing.assert_allclose(dY, loss.slope(Y, target), rtol=0, atol=1e-14)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=4), st.integers(1, 200))
def test_blocks_hold_every_row_of_every_layer_once_and_in_order(shapes, longest):
    blocks, flat = blocks_of(shapes, longest), []
    for block in blocks:
        size, at = block.span.stop - block.span.start, 0
        assert block.span.start == len(flat)
        assert size <= longest or len(block.pieces) == 1
        for layer, rows, span in block.pieces:
            width = shapes[layer][1] + 1
            assert span.start == at and span.stop - at == width * (rows.stop - rows.start) > 0
            assert size <= longest or rows.stop == rows.start + 1
            flat += [(layer, row, column) for row in range(rows.start, rows.stop) for column in range(width)]
            at = span.stop
        assert at == size
    assert flat == [(k, i, j) for k, (n, n_in) in enumerate(shapes) for i in range(n) for j in range(n_in + 1)]


def test_equal_numbers_become_one_and_others_stay():
    one, other = np.full(3, 2.0, np.float32), np.array([1.0, 2.0])
    assert one_number_if_equal(one).shape == () and one_number_if_equal(one) == 2
    assert one_number_if_equal(one).dtype == np.float32
    assert one_number_if_equal(other) is other
