"""`decolle-ref credit`: what every method drops, on the command line."""

import json
import re
from itertools import product

import numpy as np
import pytest

from decolle_ref.cli.main import main
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Paths
from decolle_ref.experiments import credit, settings_of


def run(capsys, tmp_path, *arguments):
    try:
        code = main(["credit", *arguments, "--out", str(tmp_path / "run")])
    except SystemExit as stop:  # argparse's own way out
        code = stop.code
    return code, *capsys.readouterr()


def test_every_method_and_its_terms_add_up_to_the_reference(tmp_path, capsys):
    code, out, _ = run(capsys, tmp_path, "--feedback", "direct")
    assert code == 0
    assert "credit: method + omitted terms = reference for 6 methods on 10 networks" in out.splitlines()[-1]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results["methods"]) == set(dropped.RULES) - {"local"}
    for numbers in results["methods"].values():
        assert numbers["remainder"] < 1e-10
    assert set(results["methods"]["superspike"]["terms"]) == {"feedback", "reset", "recurrent", "downstream"}
    assert results["methods"]["bptt"]["terms"] == {"feedback": [0.0] * 10}
    for name in ("cosine", "relative_error"):
        assert len(results["methods"]["eprop"][name]) == 10
    assert len(set(results["methods"]["eprop"]["cosine"])) == 10
    assert (tmp_path / "run" / "credit.png").stat().st_size > 10_000


@pytest.mark.parametrize("cost", ["top", "local"])
@pytest.mark.parametrize("activity", ["spike", "primitive"])
@pytest.mark.parametrize("reset", ["through", "detach", "ignore"])
def test_methods_are_accounted_for_in_every_setting(cost, activity, reset, tmp_path, capsys):
    options = ["--cost", cost, "--activity", activity, "--reset", reset, "--quick"]
    code, out, _ = run(capsys, tmp_path, "instant", *options, "--inputs", "5", "--layers", "4", "3", "2", "--seed", "4")
    assert code == 0 and out.rstrip().splitlines()[-1].startswith("credit: method + omitted terms = reference")
    assert "(quick: not comparable)" in out
    account = re.findall(r"^\+ (\w+)", out, re.MULTILINE)
    assert account == [p for p in Paths._fields if p != "reset" or reset == "through"]


def test_any_two_methods_can_be_compared(tmp_path, capsys):
    code, out, _ = run(capsys, tmp_path, "superspike", "eprop", "--reference", "bptt-detached")
    assert code == 0 and out.count("= bptt-detached") == 2
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results["methods"]["eprop"]["terms"]) == {"feedback", "reset", "recurrent", "downstream"}
    assert max(numbers["remainder"] for numbers in results["methods"].values()) < 1e-10


def test_a_network_too_short_for_any_credit_is_drawn_too(tmp_path, capsys):
    code, out, _ = run(capsys, tmp_path, "--inputs", "1", "--layers", "1", "--steps", "1", "--networks", "1")
    assert code == 0 and re.search(r"^bptt +1\.00 \(1\.00 to 1\.00\) +-", out, re.MULTILINE)


def lives(network):
    life = credit.signs_of_life(network)
    return all(0.01 <= rate <= 0.30 for rate in life["rates"]) and all(share >= 0.5 for share in life["unsaturated"])


@pytest.mark.parametrize(("activity", "cost"), list(product(("spike", "primitive"), credit.COSTS)))
def test_every_random_network_lives(activity, cost):
    """In each layer: rates between 1 and 30 %, sigma' above a tenth of its maximum in at least half of the steps."""
    settings = settings_of(credit.Settings, activity=activity, cost=cost)
    assert settings.networks >= 10
    for seed in range(20):
        assert lives(credit.sample_network(settings, seed))


def test_with_the_weights_of_a_network_that_ignores_the_trace_gain_neurons_are_dead():
    network = credit.sample_network(settings_of(credit.Settings), 0)
    ignorant = spiking.init_weights(np.random.default_rng(0), (10, 8, 5), 2.0, 1.0)
    assert not lives(network._replace(synapses=ignorant))


@pytest.mark.parametrize("tau_mem", (0.005, 0.010, 0.040))
def test_weights_per_unit_of_trace_give_potentials_that_do_not_depend_on_time_constants(tau_mem):
    cell = spiking.neuron(tau_mem=tau_mem, tau_syn=0.004, theta=np.inf)
    gain = spiking.trace_gain(cell)
    (layer,) = spiking.init_weights(np.random.default_rng(0), (6, 3), W_scale=1.0, W_mean=2.0, gain=gain)
    U = spiking.forward(cell, [layer], np.ones((2000, 1, 6))).U[0][-1, 0]
    (same,) = spiking.init_weights(np.random.default_rng(0), (6, 3), W_scale=1.0, W_mean=2.0)
    np.testing.assert_allclose(U, same.W.sum(axis=1), rtol=1e-12)  # 2000 steps are at least 50 tau_mem: e^-50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backprop"], "method: expected one of bptt, bptt-detached, rtrl"),
        (["local"], "method: local needs --cost local"),
        (["--layers"], "argument --layers: expected at least one argument"),
        (["--layers", "4", "0"], "layers: expected an integer >= 1, got 0"),
        (["--steps", "0"], "steps: expected an integer >= 1, got 0"),
        (["--seed", "-1"], "seed: expected an integer >= 0, got -1"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(arguments, message, tmp_path, capsys):
    code, out, err = run(capsys, tmp_path, *arguments)
    assert code == 2 and message in err and err.count("\n") == 1 and not out
    assert not (tmp_path / "run" / "results.json").exists()
