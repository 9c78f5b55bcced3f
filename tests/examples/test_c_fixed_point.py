"""The C program in fixed point against its integer model, bit for bit."""

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref.cases import simulate
from decolle_ref.decolle.dialects import DIALECTS
from tests.support.c_programs import ADAMAX, SGD, fixed_point, make, needs_cc, result, write

pytestmark = needs_cc


def bit_for_bit(program, folder, about, arrays):
    case = write(folder / "case", about, arrays)
    got, expected = result(program, folder / "case", folder / "trace"), fixed_point.backend(case.about, case.arrays)
    assert set(got) == set(expected)
    for name, array in expected.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    return expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("surrogate", "loss", "reduction", "optimiser"),
    [
        ("fast_sigmoid", "squared_error", "mean", SGD),
        ("boxcar", "smooth_l1", "mean", ADAMAX),
        ("piecewise_linear", "smooth_l1", "sum", ADAMAX),
        ("fast_sigmoid_10", "squared_error", "sum", SGD),
    ],
)
def test_fixed_point_is_its_integer_model(dialect, surrogate, loss, reduction, optimiser, programs, tmp_path):
    layer = {"surrogate": surrogate, "loss": loss, "reduction": reduction}
    for seed, batch, dtype in ((1, 1, "float32"), (2, 3, "float64")):
        about, arrays = make(dialect, seed, batch=batch, layer=layer, given=seed == 2, optimiser=optimiser, burn_in=3)
        arrays = {name: x if name == "inputs" else x.astype(dtype) for name, x in arrays.items()}
        got = bit_for_bit(programs / "decolle_fixed", tmp_path / str(seed), about | {"dtype": dtype}, arrays)
        assert (got["layer1_W_final"] != arrays["layer1_W"]).any()
        assert 0.02 < got["layer2_S"].mean() < 0.98


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fixed_point_convolves_and_pools_as_its_integer_model(dialect, programs, tmp_path):
    layer = {"surrogate": "piecewise_linear"}
    bit_for_bit(programs / "decolle_fixed", tmp_path, *make(dialect, conv=True, steps=12, layer=layer, optimiser=SGD))


@pytest.mark.parametrize("dialect", ["paper", "dcll", "decolle-nonorm"])
def test_fixed_point_saturates_as_its_integer_model(dialect, programs, tmp_path):
    """Weights and counts so large that P and U reach both ends of the range."""
    about, arrays = make(dialect, layer={"surrogate": "fast_sigmoid", "reduction": "sum"}, optimiser=SGD)
    for name in ("layer1_W", "layer1_target", "layer1_rate_W"):
        arrays[name] = np.clip(64 * arrays[name], -255, 255)
    arrays["layer1_W"][0] *= -1
    arrays["inputs"] = arrays["inputs"].astype(np.int32) * 400
    got = bit_for_bit(programs / "decolle_fixed", tmp_path, about, arrays)
    most = 256 - 2**-16
    assert got["layer1_P"].max() == got["layer1_U"].max() == most and got["layer1_U"].min() == -256


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_integer_model_is_the_network_but_for_rounding(dialect):
    about, arrays = make(dialect, 5, layer={"surrogate": "fast_sigmoid"})
    got = fixed_point.backend(about, arrays)
    wide = {name: x.astype(np.float64) for name, x in arrays.items()}
    expected = simulate(cases.Case(about | {"dtype": "float64"}, wide), gradients=True)
    for name, array in got.items():
        atol = 2**-10 * max(1, np.abs(expected[name]).max())
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize(
    ("a", "b", "rounded"), [(1, 2, 1), (-1, 2, 0), (3, 2, 2), (-3, 2, -1), (4, 3, 1), (5, 3, 2), (-5, 3, -2)]
)
def test_halves_are_rounded_up(a, b, rounded):
    assert fixed_point.nearest(np.array(a), b) == rounded
