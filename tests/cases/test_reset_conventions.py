"""The threshold is subtracted at once, as in hls4ml, or one step later, the default of snnTorch: told apart by name."""

import numpy as np
import pytest

from decolle_ref.cases import Case, identify

DECAY, THRESHOLD = 0.9, 1.0


def at_once(currents):
    """(membrane before the reset, after it, spikes): spikes at or above threshold, which is subtracted at once."""
    mem, rows = np.zeros(currents.shape[1:]), []
    for current in currents:
        mem = DECAY * mem + current
        spikes = (mem >= THRESHOLD).astype(float)
        rows.append((mem, mem - THRESHOLD * spikes, spikes))
        mem = mem - THRESHOLD * spikes
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def one_step_later(currents):
    """The same: spikes above threshold, which is subtracted when the membrane is computed next."""
    mem, spikes, rows = np.zeros(currents.shape[1:]), np.zeros(currents.shape[1:]), []
    for current in currents:
        mem = DECAY * mem + current - THRESHOLD * spikes
        spikes = (mem > THRESHOLD).astype(float)
        rows.append((mem, mem, spikes))
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def case(inputs, W):
    """Leaky neurons in the terms of a case: U = membrane - threshold, no synaptic current, R fades as the membrane."""
    (steps, batch, n_in), n = inputs.shape, len(W)
    layer = {"n_in": n_in, "n": n, "n_out": 1, "loss": "squared_error", "reduction": "sum"}
    about = {"name": "leaky", "dialect": None, "dtype": "float64", "constants": "decay", "steps": steps, "batch": batch}
    about |= {"initial_state": "rest", "targets": False, "learn": False, "layers": [layer]}
    arrays = {"W": W, "b": np.full(n, -THRESHOLD), "G": np.zeros((1, n)), "c": np.zeros(1), "w": np.full(n, THRESHOLD)}
    arrays |= {"alpha": np.full(n_in, DECAY), "beta": np.zeros(n_in), "gamma": np.full(n, DECAY)}
    return Case(about, {"inputs": inputs} | {f"layer1_{name}": array for name, array in arrays.items()})


def identified(simulation, after, variables, case):
    """What identify says of the recorded trace; U is the membrane before or after the reset."""
    before_reset, after_reset, S = simulation(case.inputs @ case.arrays["layer1_W"].T)
    states = {"layer1_U": (after_reset if after else before_reset) - THRESHOLD, "layer1_S": S}
    return identify(case, case.about, {k: v for k, v in states.items() if k[7:] in variables})


CONSTANT = case(np.ones((200, 1, 1)), np.array([[0.3]]))
RANDOM = case(
    (np.random.default_rng(0).random((60, 3, 6)) < 0.4).astype(float),
    np.random.default_rng(1).uniform(-0.3, 0.8, (5, 6)),
)


def test_a_constant_input_gives_50_spikes_or_46():
    """At once, decay times the threshold is missing at the next step; one step later, all of it is."""
    currents = np.full((200, 1), 0.3)
    assert [simulation(currents)[2].sum() for simulation in (at_once, one_step_later)] == [50, 46]


@pytest.mark.parametrize("case", [CONSTANT, RANDOM], ids=["constant", "random"])
@pytest.mark.parametrize("variables", ["US", "U", "S"])
@pytest.mark.parametrize(
    ("simulation", "after", "name", "refractory"),
    [
        (at_once, False, "at once", "gamma_w"),
        (at_once, True, "at once", "gamma_w"),
        (one_step_later, False, "one step later", "w"),
    ],
)
def test_the_reset_convention_is_named_from_a_trace(simulation, after, name, refractory, variables, case):
    verdict = identified(simulation, after, variables, case)
    assert verdict.resets == (name,)
    assert {match.hypothesis[:4] for match in verdict.best} == {("given", "one", 0, refractory)}
    assert f"a spike subtracts the threshold {name}" in str(verdict)
    if "U" in variables:
        assert {match.hypothesis.shown for match in verdict.best} == {"after" if after else "before"}
        assert ("U was recorded after that" in str(verdict)) == after


def test_no_reset_convention_is_named_where_the_case_subtracts_something_else():
    other = Case(RANDOM.about, RANDOM.arrays | {"layer1_gamma": np.full(5, 0.5)})
    assert identified(at_once, False, "US", other).resets == ()


def test_another_reset_is_neither():
    """A membrane set to zero by a spike."""

    def to_zero(currents):
        mem, rows = np.zeros(currents.shape[1:]), []
        for current in currents:
            mem = DECAY * mem + current
            spikes = (mem >= THRESHOLD).astype(float)
            rows.append((mem, mem * (1 - spikes), spikes))
            mem = mem * (1 - spikes)
        return tuple(np.stack(column) for column in zip(*rows, strict=True))

    for variables in ("US", "U", "S"):
        assert identified(to_zero, False, variables, RANDOM).matches == ()
