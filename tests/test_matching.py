"""SuperSpike learns a train of spikes."""

import json

import numpy as np
import pytest

from decolle_ref.check import InputError
from decolle_ref.credit import bptt, dropped
from decolle_ref.credit import cost as costs
from decolle_ref.credit.spiking import Paths
from decolle_ref.experiments import matching
from decolle_ref.plots.matching import draw_run


@pytest.fixture(scope="module")
def alone():
    return matching.prepare(matching.ALONE, 0)


def test_a_trial_sums_the_gradient_without_the_reset_path(alone):
    """The same as backward through time along all paths but the reset, which is the only other one of one neuron."""
    seen = matching.trial(alone, alone.synapses)
    cost = costs.on_top(1, alone.task.target, matching.KERNEL)
    exact = bptt.gradient(matching.CELL, alone.synapses, alone.task.x, cost, Paths(reset=False, recurrent=False))
    np.testing.assert_allclose(seen.dW[0], exact[0].W, rtol=1e-9, atol=1e-12)


def test_the_variant_with_reset_sums_the_whole_surrogate_gradient():
    setting = matching.prepare(matching.RESET, 0)
    busy = tuple(layer._replace(W=layer.W + 0.3) for layer in setting.synapses)  # so that there are resets
    seen = matching.trial(setting, busy)
    assert seen.S.sum() > 5
    cost = costs.on_top(1, setting.task.target, matching.KERNEL)
    exact = bptt.gradient(matching.CELL, busy, setting.task.x, cost)
    np.testing.assert_allclose(seen.dW[0], exact[0].W, rtol=1e-9, atol=1e-12)
    without = bptt.gradient(matching.CELL, busy, setting.task.x, cost, Paths(reset=False))
    assert dropped.relative_error(without[0].W, exact[0].W) > 0.1


def test_distance_is_1_for_silence_0_for_the_target_and_a_fifth_for_a_missing_spike(alone):
    target = alone.task.spikes[:, 0, 0]
    assert target.sum() == matching.SPIKES
    assert matching.distance(alone.task, 0 * target) == 1 and matching.distance(alone.task, target) == 0
    missing = target.copy()
    missing[np.flatnonzero(target)[2]] = 0
    assert matching.distance(alone.task, missing) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("variant", "trials"), ((matching.ALONE, 15), (matching.RESET, 15), (matching.LAYERS, 45)))
def test_a_few_trials_bring_the_output_nearer_to_the_target(variant, trials):
    learned = matching.learn(matching.prepare(variant, 0), trials)
    assert learned.distance.min() < 0.9 * learned.distance[0]


def test_all_variants_of_a_seed_have_the_same_target_and_the_control_the_same_hidden_layer_for_ever():
    targets = [matching.prepare(variant, 3).task.spikes for variant in matching.VARIANTS]
    assert all((t == targets[0]).all() for t in targets)
    assert len(matching.prepare(matching.FIXED, 3).synapses) == 1


def test_a_quick_run_leaves_results_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(matching, "QUICK_TRIALS", 4)
    results = matching.run(tmp_path, seed=2, quick=True, quiet=True)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert results["seeds"] == [2, 3] and set(results["variants"]) == set(matching.VARIANTS)
    assert draw_run(tmp_path, results).stat().st_size > 10_000
    assert "(quick: not comparable)" in matching.one_line(results)
    with pytest.raises(InputError, match="seed: expected an integer >= 0, got -1"):
        matching.run(tmp_path, seed=-1, quiet=True)


@pytest.mark.study
def test_every_seed_comes_below_five_percent_of_silence():
    for seed in range(matching.SEEDS):
        for variant in (matching.ALONE, matching.LAYERS):
            learned = matching.learn(matching.prepare(variant, seed), matching.TRIALS)
            assert learned.distance.min() < matching.ASKED
