"""The loss along a line between hidden weights [N19 Fig. 4]: the true one, its slopes, and the virtual one."""

import json

import numpy as np
import pytest

from decolle_ref import gradcheck
from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.experiments import harness, landscape, settings_of, summary
from decolle_ref.experiments.landscape import CELL, EXPERIMENT, Settings, Walk
from decolle_ref.plots.landscape import save_figures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("landscape")


@pytest.fixture(scope="module")
def results(folder):
    return harness.run(EXPERIMENT, settings_of(Settings, quick=True), folder, quiet=True)


@pytest.fixture(scope="module")
def arrays(folder, results):
    return reading.read_arrays(folder / "landscape.npz", EXPERIMENT.arrays_kind)[0]


@pytest.fixture(scope="module")
def trained():
    """(first, last, asked): what a short training made."""
    rng = np.random.default_rng(1)
    asked, first = landscape.problem(rng), landscape.initial(rng)
    last, _ = landscape.train(first, asked, 30, lambda text: None)
    return first, last, asked


def twin_line(first, last, asked, cell=CELL):
    """The smooth twin's loss as a function of s."""
    twin = cell._replace(activity="primitive")
    return twin, lambda s: landscape.loss(twin, landscape.point(first, last, s[0]), asked)


def test_training_with_the_surrogate_gradient_lowers_the_true_loss(results):
    assert results["loss_after_training"] < 0.7 < results["loss_before_training"]
    assert results["accuracy"] > 0.8  # 1/2 is chance


def test_the_true_loss_is_flat_where_the_surrogate_gradient_is_not_zero(results, arrays):
    walked = Walk(*(arrays[name] for name in Walk._fields))
    slope = landscape.finite_differences(walked)
    assert np.count_nonzero(slope) >= 5  # it is no constant either
    assert (slope == 0).mean() == results["flat_share"] > 0.1
    assert results["surrogate_zero_share"] == 0 and np.abs(walked.surrogate).min() > 0


def test_the_norm_of_the_true_gradient_is_that_of_differences_in_each_hidden_weight(trained):
    first, last, asked = trained
    here = landscape.point(first, last, 0.4)
    slopes = []
    for i, j in np.ndindex(2, 2):
        W = here[0].W.copy()
        W[i, j] += landscape.DIFFERENCE
        moved = landscape.loss(CELL, [here[0]._replace(W=W), here[1]], asked)
        slopes.append((moved - landscape.loss(CELL, here, asked)) / landscape.DIFFERENCE)
    assert landscape.true_norm(here, asked) == pytest.approx(np.linalg.norm(slopes), rel=1e-12)


def test_norms_bound_the_slope_along_the_line(arrays):
    """|g| <= |dL/dW| |dW/ds| (Cauchy and Schwarz); the true norm is 0 at some points, and never the surrogate's."""
    length = np.linalg.norm(arrays["W1_last"] - arrays["W1_first"])
    assert (np.abs(arrays["surrogate"]) <= arrays["surrogate_norm"] * length * (1 + 1e-12)).all()
    assert (arrays["true_norm"] == 0).any() and (arrays["surrogate_norm"] > 0).all()


def test_between_points_close_together_the_true_loss_does_not_change_at_all(trained):
    first, last, asked = trained
    pairs = [
        [float(landscape.loss(CELL, landscape.point(first, last, s + ds), asked)) for ds in (0.0, 1e-7)]
        for s in np.linspace(0.01, 0.99, 50)
    ]
    before, after = np.array(pairs).T
    assert len(np.unique(before)) > 5
    # a step of 1e-7 meets a jump with probability 1e-7 times the number of jumps, some hundreds
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("method", ["complex_step", "central"])
def test_in_the_smooth_twin_the_surrogate_gradient_is_the_derivative_of_the_loss(trained, method):
    first, last, asked = trained
    twin, line = twin_line(*trained)
    for s in (0.0, 0.3, 0.9):
        g = np.array([landscape.along(twin, first, last, asked, s)])
        assert gradcheck.check(line, g, np.array([s]), method)


def test_the_check_on_the_twin_notices_a_path_left_out(trained):
    first, last, asked = trained
    cut = CELL._replace(reset="detach")
    twin, line = twin_line(*trained, cell=cut)
    g = np.array([landscape.along(twin, first, last, asked, 0.3)])
    assert not gradcheck.check(line, g, np.array([0.3]), tolerance=1e-3)


def test_the_twin_error_of_a_run_is_that_of_rounding(results):
    assert results["twin_error"] < 1e-12


def test_the_line_runs_from_the_first_to_the_last_hidden_weights_exactly(trained):
    first, last, _ = trained
    for s, end in ((0.0, first), (1.0, last)):
        hidden, output = landscape.point(first, last, s)
        np.testing.assert_array_equal(hidden.W, end[0].W)
        np.testing.assert_array_equal(output.W, last[1].W)


def test_the_line_ends_at_the_loss_after_training(results, arrays):
    assert arrays["loss"][-1] == arrays["training_loss"][-1] == results["loss_after_training"]


def test_the_virtual_loss_meets_the_true_one_at_both_ends(arrays):
    walked = Walk(*(arrays[name] for name in Walk._fields))
    curve, _ = landscape.virtual(walked)
    assert curve[0] == walked.loss[0]
    assert curve[-1] == pytest.approx(walked.loss[-1], rel=1e-12)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_virtual_loss_of_an_exact_gradient_is_the_loss_whatever_its_scale(scale):
    s = np.linspace(0, 1, 21)
    slope = -2 * s / scale
    curve, found = landscape.virtual(Walk(s, 1 - s**2, slope, abs(slope), 2 * s))  # exact for a straight g: trapezoids
    np.testing.assert_allclose(curve, 1 - s**2, atol=1e-14)
    assert found == pytest.approx(scale, rel=1e-13)


def test_a_silent_network_has_loss_1_and_guesses(rng):
    asked = landscape.problem(rng)
    silent = tuple(net._replace(W=0 * net.W) for net in landscape.initial(rng))
    assert landscape.loss(CELL, silent, asked) == 1
    assert landscape.accuracy(silent, asked) == 0.5


def test_classes_differ_by_the_input_that_is_the_more_active(rng):
    asked = landscape.problem(rng)
    np.testing.assert_array_equal(asked.x.sum(axis=0).argmax(axis=1), asked.label)
    assert asked.label.mean() == 0.5


def test_a_run_leaves_results_arrays_and_a_figure_and_can_be_repeated(folder, results, tmp_path):
    assert json.loads((folder / "results.json").read_text()) == results
    assert summary.one_line(EXPERIMENT, results).startswith("landscape: loss ")
    assert summary.one_line(EXPERIMENT, results).endswith(" (quick: not comparable)")
    assert "quick" not in summary.one_line(EXPERIMENT, results | {"comparable": True})
    assert save_figures(folder, results)[0].read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in folder.iterdir()) == ["landscape.npz", "landscape.png", "results.json"]
    assert harness.run(EXPERIMENT, settings_of(Settings, quick=True), tmp_path, quiet=True) == results


def test_a_bad_folder_or_seed_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^out: expected a writable folder"):
        harness.run(EXPERIMENT, Settings(), tmp_path / "file", quiet=True)
    with pytest.raises(InputError, match=r"^seed: expected an integer >= 0, got -1$"):
        Settings(seed=-1)


@pytest.mark.study
@pytest.mark.parametrize("seed", range(5))
def test_five_full_runs_learn_and_have_plateaus(seed, tmp_path):
    found = harness.run(EXPERIMENT, Settings(seed=seed), tmp_path, quiet=True)
    assert found["loss_after_training"] < 0.35 < found["loss_before_training"]
    assert found["loss_after_training"] < found["loss_at_start_of_line"]
    assert found["flat_share"] > 0.5 and found["surrogate_zero_share"] == 0
    assert found["virtual_correlation"] > 0.8 and found["twin_error"] < 1e-12
    assert found["accuracy"] >= 0.9
