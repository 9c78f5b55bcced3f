"""`decolle-ref credit`: what every method drops, on the command line."""

import json
import re

import pytest

from decolle_ref.cli.main import main
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.neuron.spiking import Paths


def run(capsys, tmp_path, *arguments):
    try:
        code = main(["credit", *arguments, "--out", str(tmp_path / "run")])
    except SystemExit as stop:  # argparse's own way out
        code = stop.code
    return code, *capsys.readouterr()


def test_every_method_and_its_terms_add_up_to_the_reference(tmp_path, capsys):
    code, out, _ = run(capsys, tmp_path, "--feedback", "direct")
    assert code == 0 and "credit: method + omitted terms = reference for 6 methods" in out.splitlines()[-1]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results["methods"]) == set(dropped.RULES) - {"local"}
    for numbers in results["methods"].values():
        assert numbers["remainder"] < 1e-10
    assert set(results["methods"]["superspike"]["terms"]) == {"feedback", "reset", "recurrent", "downstream"}
    assert results["methods"]["bptt"]["terms"] == {"feedback": 0.0}
    assert (tmp_path / "run" / "credit.png").stat().st_size > 10_000


@pytest.mark.parametrize("cost", ["top", "local"])
@pytest.mark.parametrize("activity", ["spike", "primitive"])
@pytest.mark.parametrize("reset", ["through", "detach", "ignore"])
def test_methods_are_accounted_for_in_every_setting(cost, activity, reset, tmp_path, capsys):
    options = ["--cost", cost, "--activity", activity, "--reset", reset, "--quick"]
    code, out, _ = run(capsys, tmp_path, "instant", *options, "--inputs", "5", "--layers", "4", "3", "2", "--seed", "3")
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
    code, out, _ = run(capsys, tmp_path, "--inputs", "1", "--layers", "1", "--steps", "1")
    assert code == 0 and "bptt           1.0000       0.000" in out


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
