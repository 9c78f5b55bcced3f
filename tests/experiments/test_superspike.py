"""SuperSpike learns a train of spikes."""

import json

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.methods import bptt
from decolle_ref.credit.neuron.spiking import Paths
from decolle_ref.experiments import harness, settings_of, summary, superspike
from decolle_ref.experiments.superspike import EXPERIMENT, Settings
from decolle_ref.plots.superspike import save_figures


@pytest.fixture(scope="module")
def alone():
    return superspike.prepare(superspike.ALONE, 0)


def test_a_trial_sums_the_gradient_without_the_reset_path(alone):
    """The same as backward through time along all paths but the reset, which is the only other one of one neuron."""
    seen = superspike.trial(alone, alone.synapses)
    cost = costs.global_cost(1, alone.task.target, superspike.KERNEL)
    exact = bptt.gradient(superspike.CELL, alone.synapses, alone.task.x, cost, Paths(reset=False, recurrent=False))
    np.testing.assert_allclose(seen.dW[0], exact[0].W, rtol=1e-9, atol=1e-12)


def test_the_variant_with_reset_sums_the_whole_surrogate_gradient():
    problem = superspike.prepare(superspike.RESET, 0)
    busy = tuple(layer._replace(W=layer.W + 0.3) for layer in problem.synapses)  # so that there are resets
    seen = superspike.trial(problem, busy)
    assert seen.S.sum() > 5
    cost = costs.global_cost(1, problem.task.target, superspike.KERNEL)
    exact = bptt.gradient(superspike.CELL, busy, problem.task.x, cost)
    np.testing.assert_allclose(seen.dW[0], exact[0].W, rtol=1e-9, atol=1e-12)
    without = bptt.gradient(superspike.CELL, busy, problem.task.x, cost, Paths(reset=False))
    assert dropped.relative_error(without[0].W, exact[0].W) > 0.1


def test_distance_is_1_for_silence_0_for_the_target_and_a_fifth_for_a_missing_spike(alone):
    target = alone.task.spikes[:, 0, 0]
    assert target.sum() == superspike.SPIKES
    assert superspike.distance(alone.task, 0 * target) == 1 and superspike.distance(alone.task, target) == 0
    missing = target.copy()
    missing[np.flatnonzero(target)[2]] = 0
    assert superspike.distance(alone.task, missing) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("variant", "trials"), ((superspike.ALONE, 15), (superspike.RESET, 15), (superspike.LAYERS, 45))
)
def test_a_few_trials_bring_the_output_nearer_to_the_target(variant, trials):
    learned = superspike.learn(superspike.prepare(variant, 0), trials)
    assert learned.distance.min() < 0.9 * learned.distance[0]


def test_all_variants_of_a_seed_have_the_same_target_and_the_control_the_same_hidden_layer_for_ever():
    targets = [superspike.prepare(variant, 3).task.spikes for variant in superspike.VARIANTS]
    assert all((t == targets[0]).all() for t in targets)
    assert len(superspike.prepare(superspike.FIXED, 3).synapses) == 1


def test_a_quick_run_leaves_results_and_a_figure(tmp_path):
    results = harness.run(EXPERIMENT, settings_of(Settings, quick=True, seed=2, trials=4), tmp_path, quiet=True)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert results["seeds"] == [2, 3] and set(results["variants"]) == set(superspike.VARIANTS)
    kept = results["variants"][superspike.ALONE]["distance_kept"]
    assert summary.headline(EXPERIMENT, results).numbers[superspike.ALONE] == 100 * np.mean(kept)
    assert save_figures(tmp_path, results)[0].stat().st_size > 10_000
    assert "(quick: not comparable)" in summary.one_line(EXPERIMENT, results)
    with pytest.raises(InputError, match="seed: expected an integer >= 0, got -1"):
        Settings(seed=-1)


@pytest.mark.study
def test_every_seed_comes_below_five_percent_of_silence():
    for seed in range(Settings().repeats):
        for variant in (superspike.ALONE, superspike.LAYERS):
            learned = superspike.learn(superspike.prepare(variant, seed), Settings().trials)
            assert learned.distance.min() < superspike.REQUIRED
