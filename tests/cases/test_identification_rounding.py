"""A hint where rounding a constant to float32 explains what no hypothesis does."""

import numpy as np
import pytest

from decolle_ref.cases import Case, identify, simulate
from decolle_ref.decolle import network
from decolle_ref.decolle.dialects import DIALECTS
from tests.support.identification import float32, situation

GAINS = ("gain_Q", "gain_P")
EACH = pytest.mark.parametrize("dialect", DIALECTS)


def in_float32(*names):
    """The constants of a case, rounded to float32 where their letter is named."""

    def change(about, arrays):
        about = about | {"dt": float(np.float32(about["dt"]))} if "dt" in names else about
        rounded = {k: float32(v) for k, v in arrays.items() if k[7:] in names}
        return Case(about, arrays | rounded)

    return change


@pytest.mark.parametrize("dialect", ["paper", "dcll"])
@pytest.mark.parametrize(
    ("letters", "constants"),
    [
        (["dt"], ("dt",)),
        (["tau_mem", "tau_syn", "tau_ref"], ("tau",)),
        (["W"], ("W",)),
        (["b"], ("b",)),
        (["W", "b"], ("W", "b")),
    ],
)
def test_a_constant_rounded_to_float32_is_named_as_the_explanation(dialect, letters, constants):
    case, about, _ = situation(dialect, steps=30)
    trace = simulate(in_float32(*letters)(about, case.arrays))
    verdict = identify(case, about, {k: v.astype(float) for k, v in trace.items() if k[7:] in ("U", "S")})
    assert verdict.dialects == () and verdict.rounding.constants == constants
    assert verdict.rounding.dialects == (dialect,)
    assert f"hint: with {', '.join(constants)} rounded to float32, it is consistent with {dialect}\n" in str(verdict)


@pytest.mark.parametrize("dialect", ["dcll", "decolle-base"])
def test_gains_and_decays_rounded_to_float32_are_named_as_the_explanation(dialect):
    """As in an implementation that stores the decays, and 1/(1 - decay), in float32 and runs in float64."""
    case, about, _ = situation(dialect, steps=30)
    layers = case.network()
    names = {"alpha", "beta", "gamma"}
    for k, layer in enumerate(layers, start=1):
        for letter in names:
            case.arrays[f"layer{k}_{letter}"] = getattr(layer.neuron, letter)
        for tau in ("tau_mem", "tau_syn", "tau_ref"):
            case.arrays.pop(f"layer{k}_{tau}")
    case.about["constants"] = "decay"
    wrong = in_float32(*names)(case.about, case.arrays)
    recorded = {k: v.astype(float) for k, v in simulate(wrong).items() if k[7:] in ("U", "S")}
    assert identify(case, about, recorded).rounding[::2] == (("alpha", "beta", "gamma"), (dialect,))
    rounded = [
        layer._replace(neuron=layer.neuron._replace(**{x: float32(getattr(layer.neuron, x)) for x in GAINS}))
        for layer in wrong.network()
    ]
    recorded = {}
    for n, (_, snapshots) in enumerate(network.run(rounded, wrong.start(), case.inputs)):
        for k, snapshot in enumerate(snapshots, start=1):
            recorded.setdefault(f"layer{k}_U", np.empty((30, *snapshot.U.shape)))[n] = snapshot.U
    constants = identify(case, about, recorded).rounding.constants
    assert constants == ("alpha", "beta", "gamma", "gains")


@pytest.mark.parametrize("dialect", ["paper", "dcll", "decolle"])
def test_a_float32_trace_that_says_float64_is_explained(dialect):
    case, about, _ = situation(dialect, steps=30)
    rough = Case(about | {"dtype": "float32"}, {k: v.astype(np.float32) for k, v in case.arrays.items()})
    recorded = {k: v.astype(float) for k, v in simulate(rough).items() if k[7:] in ("U", "S")}
    verdict = identify(case, about, recorded)
    assert verdict.matches == () and verdict.rounding.constants == ()
    assert f"hint: up to the rounding of float32 it is consistent with {dialect}" in str(verdict)
