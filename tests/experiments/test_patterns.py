"""Random spike patterns are learned by backpropagation through time."""

import json

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.methods import bptt, feedback, online
from decolle_ref.experiments import harness, patterns, settings_of, summary
from decolle_ref.experiments.patterns import EXPERIMENT, Settings
from decolle_ref.plots.patterns import save_figures


@pytest.fixture(scope="module")
def task():
    return patterns.sample_task(np.random.default_rng(0))


def test_patterns_are_frozen_and_differ_and_copies_are_near_their_own(task):
    again = patterns.sample_task(np.random.default_rng(0))
    assert (task.x == again.x).all() and np.bincount(task.labels).tolist() == [patterns.EACH] * patterns.CLASSES
    flat = costs.filtered(patterns.KERNEL, task.x).transpose(1, 0, 2).reshape(len(task.labels), -1)
    noisy = costs.filtered(patterns.KERNEL, task.x_noisy).transpose(1, 0, 2).reshape(len(task.labels_noisy), -1)
    distance = np.linalg.norm(noisy[:, None] - flat, axis=2)
    assert (distance.argmin(axis=1) == np.tile(np.arange(len(flat)), patterns.COPIES)).all()


def test_the_update_of_bptt_is_the_gradient_of_the_package_and_e_prop_that_of_its_own_module(task):
    rng = np.random.default_rng(1)
    synapses, cost = patterns.init_network(rng), patterns.cost_of(task.labels)
    route = feedback.direct(feedback.sample_direct(rng, (patterns.HIDDEN, patterns.CLASSES)))
    g, y = patterns.gradient(patterns.BPTT, synapses, task.x, cost, route)
    exact = bptt.gradient(patterns.CELL, synapses, task.x, cost)
    assert dropped.relative_error(dropped.flat(g), dropped.flat(exact)) < 1e-12
    np.testing.assert_allclose(y, patterns.outputs(synapses, task.x), atol=1e-12)
    few = task.x[:, :3]
    small = costs.global_cost(2, cost.targets[-1]._replace(goal=cost.targets[-1].goal[:, :3]), patterns.KERNEL)
    g, _ = patterns.gradient(patterns.EPROP, synapses, few, small, route)
    forward = online.gradient(dropped.eprop.method, patterns.CELL, synapses, few, small, route)
    assert dropped.relative_error(dropped.flat(g), dropped.flat(forward)) < 1e-10


def test_the_control_leaves_the_hidden_layer_alone(task):
    synapses, cost = patterns.init_network(np.random.default_rng(1)), patterns.cost_of(task.labels)
    (hidden, top), _ = patterns.gradient(patterns.CONTROL, synapses, task.x, cost, feedback.local_errors)
    assert not hidden.W.any() and not hidden.V.any() and top.W.any()


def test_a_silent_network_gets_nothing_right(task):
    y = np.zeros((patterns.STEPS, len(task.labels), patterns.CLASSES))
    assert patterns.accuracy(y, task.labels) == 0
    y[-1, np.arange(len(task.labels)), task.labels] = 1
    assert patterns.accuracy(y, task.labels) == 1


def test_learning_raises_the_accuracy_and_a_run_leaves_its_results_and_a_figure(tmp_path):
    results = harness.run(EXPERIMENT, settings_of(Settings, quick=True, seed=1), tmp_path, quiet=True)
    found = results["rules"][patterns.BPTT]
    assert summary.headline(EXPERIMENT, results).numbers[patterns.BPTT] == 100 * np.mean(found["accuracy_end"])
    assert min(found["accuracy_end"]) > max(found["accuracy_start"]) + 0.15
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert save_figures(tmp_path, results)[0].stat().st_size > 10_000
    assert (
        "(quick: not comparable)" in summary.one_line(EXPERIMENT, results)
        and len(patterns.table(results).splitlines()) == 6
    )
    with pytest.raises(InputError, match="seed: expected an integer >= 0, got -1"):
        Settings(seed=-1)


@pytest.mark.study
def test_every_seed_learns_more_than_95_percent_of_the_patterns():
    for seed in range(5):
        learned = patterns.learn(patterns.BPTT, seed, Settings().epochs)
        assert learned.accuracy[-1] > patterns.REQUIRED
