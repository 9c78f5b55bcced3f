"""Random feedback teaches: angles to backpropagation fall below 90 degrees, and the task is learned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.experiments import alignment, harness, settings_of, summary
from decolle_ref.experiments import alignment_networks as networks
from decolle_ref.experiments.alignment import EXPERIMENT, LEARNED, at_end
from decolle_ref.experiments.alignment_networks import BP, CONTROL, DFA, FA
from decolle_ref.experiments.study import StudySettings
from decolle_ref.plots.alignment import save_figures

ACOS_ROUNDING = np.degrees(np.sqrt(2 * 1e-15))  # arccos turns an error e of a cosine near 1 into sqrt(2 e)


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_the_angle_does_not_see_the_size_of_an_update_and_turns_round_with_its_sign(seed, scale):
    a, b = np.random.default_rng(seed).standard_normal((2, 3, 4))
    assert networks.angle(scale * a, b) == pytest.approx(networks.angle(a, b), abs=ACOS_ROUNDING)
    assert networks.angle(-a, b) == pytest.approx(180 - networks.angle(a, b), abs=ACOS_ROUNDING)
    assert networks.angle(a, 0 * b) == 90


def test_angles_of_known_updates():
    east, north = np.array([1.0, 0.0]), np.array([0.0, 2.0])
    found = [networks.angle(east, other) for other in (east, east + north / 2, north, -east)]
    np.testing.assert_allclose(found, [0, 45, 90, 180], atol=ACOS_ROUNDING)


def test_feedback_equal_to_the_transposed_weights_has_no_angle(rng):
    task = networks.rate_task(rng)
    transposed = task._replace(G=list(task.W[1:]))
    for dW, exact in zip(*(_update(rule, transposed) for rule in (FA, BP)), strict=True):
        assert networks.angle(dW, exact) <= ACOS_ROUNDING


@pytest.mark.parametrize("rule", [FA, DFA])
def test_only_hidden_layers_are_misled(rng, rule):
    task = networks.rate_task(rng)
    angles = [networks.angle(a, b) for a, b in zip(_update(rule, task), _update(BP, task), strict=True)]
    assert angles[-1] <= ACOS_ROUNDING
    # 90 degrees give or take 180/pi per root of the 250 weights of the smaller layer, five times over
    assert all(abs(a - 90) < 5 * 180 / np.pi / np.sqrt(250) for a in angles[:-1])


def test_the_top_layer_of_the_spiking_network_has_the_exact_gradient(rng):
    task = networks.spiking_task(rng)
    top, exact = (networks.spiking_update(rule, task, task.synapses)[-1] for rule in (CONTROL, BP))
    np.testing.assert_allclose(top, exact, atol=1e-12 * np.abs(exact).max())


def test_the_control_moves_the_top_layer_alone(rng):
    *hidden, top = _update(CONTROL, networks.rate_task(rng))
    assert not any(dW.any() for dW in hidden) and top.any()


@pytest.mark.parametrize("rule", [FA, DFA])
def test_angles_of_random_feedback_fall_below_90_degrees_and_the_task_is_learned(rule):
    curve = networks.train_rate(rule, 0, networks.EPOCHS)
    assert max(at_end(curve.angle)) < 85
    assert at_end(curve.loss) < LEARNED


def test_a_quick_run_writes_results_and_a_figure(tmp_path):
    results = harness.run(EXPERIMENT, settings_of(StudySettings, quick=True), tmp_path, quiet=True)
    arrays, _ = reading.read_arrays(tmp_path / "alignment.npz", EXPERIMENT.arrays_kind)
    assert arrays["rate_angle"].shape[:2] == (5, 2) and arrays["spiking_angle"].shape[:2] == (4, 2)
    np.testing.assert_allclose(arrays["rate_angle"][0], 0, atol=ACOS_ROUNDING)  # backpropagation, to itself
    assert (arrays["rate_angle"][4] == 90).all()  # the control does not move hidden layers
    assert (tmp_path / "results.json").exists() and save_figures(tmp_path, results)[0].exists()
    assert summary.one_line(EXPERIMENT, results).endswith(" (quick: not comparable)")
    assert alignment.table(results).count("\n") == 1 + 5 + 4


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a writable folder"):
        harness.run(EXPERIMENT, StudySettings(), tmp_path / "file", quiet=True)


@pytest.mark.study
@pytest.mark.parametrize("rule", [FA, DFA])
def test_every_seed_aligns_every_hidden_layer_and_learns(rule):
    tasks = [networks.rate_task(np.random.default_rng(seed)) for seed in range(5)]
    curves = [networks.train_rate(rule, seed, networks.EPOCHS) for seed in range(5)]
    assert max(max(at_end(c.angle)) for c in curves) < 85
    assert max(at_end(c.loss) for c in curves) < LEARNED
    assert min(networks.linear_fit(task) for task in tasks) > 3 * LEARNED  # so hidden layers are needed


@pytest.mark.study
def test_hidden_layers_have_to_learn_for_the_task_to_be_learned():
    assert min(at_end(networks.train_rate(CONTROL, s, networks.EPOCHS).loss) for s in range(5)) > LEARNED


def _update(rule, task):
    return networks.rate_update(rule, task, task.W, task.x, task.y)
