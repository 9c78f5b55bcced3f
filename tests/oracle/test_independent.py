"""The reference against independent computations: loops in plain Python, complex step."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref import cases, gradcheck
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle import network
from decolle_ref.decolle.synapse import Weights
from tests.support import loops
from tests.support.random_cases import (
    AXES,
    LOSSES,
    NAMES,
    SURROGATES,
    depends_on_the_last_bit,
    random_cases,
    relative_difference,
    undecided,
)


def sizes_of_rounding(about, arrays, trace):
    """(sizes, factors) by name of an array: what its rounding errors are relative to, and how they are amplified.

    A gradient is a sum over batch and places, whose terms may cancel: its errors are relative to the sum of their
    magnitudes.  U is such a sum, too; its error is an absolute one for sigma'(U), which falls by orders of magnitude,
    so whatever is made of sigma' has that error relative to itself.
    """
    sizes, factors = {}, {}
    for k, layer in enumerate(Case(about, arrays).network() if about["targets"] else (), start=1):
        dU, P, W = (trace[f"layer{k}_{name}"] for name in ("delta", "P", "W"))
        gradients = [layer.synapse.gradient(np.abs(e), np.abs(p)) for e, p in zip(dU, P, strict=True)]
        terms = [
            layer.synapse.drive(Weights(np.abs(w), 0 * b), np.abs(p))
            for w, b, p in zip(W, trace[f"layer{k}_b"], P, strict=True)
        ]
        amplified = max(1.0, max(float(x.max()) for x in terms))
        for letter in "Wb":
            size = max(float(getattr(gradient, letter).max()) for gradient in gradients)
            sizes |= {f"layer{k}_d{letter}": size, f"layer{k}_m_{letter}_final": size}
            names = (f"d{letter}", letter, f"{letter}_final", f"m_{letter}_final", f"u_{letter}_final", "delta")
            factors |= {f"layer{k}_{name}": amplified for name in names}
    return sizes, factors


def options(about):
    """The keys of a case, and the values that are words: {"loss smooth_l1", "conv", ...}."""
    custom = about["dialect"] if isinstance(about["dialect"], dict) else {}
    groups = [about, custom, about.get("optimiser", {}), *about["layers"]]
    pairs = {(key, value) for group in groups for key, value in group.items() if isinstance(value, str | bool)}
    return {key for group in groups for key in group} | {f"{key} {value}" for key, value in pairs}


WANTED = {f"{axis} {option}" for axis, choices in AXES.items() for option in choices} | {f"dialect {x}" for x in NAMES}
WANTED |= {f"surrogate {x}" for x in SURROGATES} | {f"loss {x}" for x in LOSSES} | {"reduction sum", "reduction mean"}
WANTED |= {"activity rate", "activity membrane", "lambda1", "lambda2", "conv", "pool", "kind sgd", "kind adamax"}
WANTED |= {"memory given", "initial_state given", "burn_in", "constants tau", "constants decay", "targets False"}


# --- loops


def test_loops_in_plain_python_give_the_same_trace_on_every_axis():
    counts, rates = Counter(), []

    @settings(max_examples=500)
    @given(random_cases())
    def check(case):
        about, arrays = case
        trace = simulate(Case(about, arrays), gradients=about["targets"])
        if depends_on_the_last_bit(about, trace) or undecided(trace):
            counts["flat" if depends_on_the_last_bit(about, trace) else "undecided"] += 1
            return
        by_loops = loops.backend(about, arrays)
        assert by_loops.keys() == trace.keys()
        sizes, factors = sizes_of_rounding(about, arrays, trace)
        errors = {name: relative_difference(by_loops[name], x, sizes.get(name, 0.0)) for name, x in trace.items()}
        assert {name: error for name, error in errors.items() if error > 1e-12 * factors.get(name, 1.0)} == {}
        rates.append(trace["layer1_S"].mean())
        counts.update(options(about))

    check()
    assert counts["undecided"] == 0 and counts["flat"] < 50  # of 500, skipped
    assert WANTED <= counts.keys()
    assert 0.3 < np.mean(rates) < 0.7


# --- complex step


def at_step(about, arrays, trace, n):
    """(layer, weights, P, R, e, name of its arrays) of every layer at step n."""
    for k, layer in enumerate(Case(about, arrays).network(), start=1):
        W, b, P, R, e = (trace[f"layer{k}_{x}"][n] for x in ("W", "b", "P", "R", "e"))
        yield layer, Weights(W, b), P, R, e, f"layer{k}"


@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=12)
@given(data=st.data())
def test_delta_dW_and_db_are_complex_step_derivatives_of_the_frozen_error_loss(dialect, data):
    """delta is checked through R: U_i has the term -delta_i R_i, and each sample has its own R."""
    about, arrays = data.draw(random_cases(dialect=dialect, targets=True))
    trace = simulate(Case(about, arrays), gradients=True)
    n = data.draw(st.integers(0, about["steps"] - 1))
    for layer, weights, P, R, e, name in at_step(about, arrays, trace, n):
        L = partial(network.frozen_error_loss, layer)
        dW, db, delta = (trace[f"{name}_{x}"][n] for x in ("dW", "db", "delta"))
        assert gradcheck.check(lambda W: L(Weights(W, weights.b), P, R, e), dW, weights.W)  # noqa: B023
        assert gradcheck.check(lambda b: L(Weights(weights.W, b), P, R, e), db, weights.b)  # noqa: B023
        assert gradcheck.check(lambda R: L(weights, P, R, e), -layer.neuron.delta * delta, R)  # noqa: B023


# --- cases in which the descriptions once differed


def one_window(U, surrogate, /, **layer):
    """(about, arrays) of four neurons in one window of 2 x 2: one step with these potentials, under pool_S."""
    image = {"channels_in": 1, "height": 2, "width": 2, "channels": 1, "kernel": 1}
    ends = {"n_out": 1, "loss": "squared_error", "reduction": "sum"}
    dialect = {axis: choices[0] for axis, choices in AXES.items()} | {"pooling": "pool_S", "surrogate": surrogate}
    about = {"dialect": dialect, "dtype": "float64", "constants": "decay", "steps": 1, "batch": 1}
    about |= {"initial_state": "given", "targets": True, "learn": False}
    about["layers"] = [{"n_in": 4, "n": 4, "conv": image, "pool": 2} | ends | layer]
    arrays = {name: np.zeros(shape) for name, shape in cases.shapes(about).items()}
    return about, arrays | {"layer1_W": np.ones((1, 1, 1, 1)), "layer1_G": np.ones((1, 1)), "layer1_P0": np.array([U])}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("delta", one_window([0.5, 0.7, 0.1, -0.2], "boxcar")),  # sigma is flat above 1/2: the first wins
        ("Y", one_window([0.7, 3, 0, 0], "boxcar", surrogate="logistic")),  # ranked by the layer's own sigma
        ("delta", one_window([0.5, 1, 0.2, -0.2], "logistic", lambda1=1)),  # the penalties see the pooled U
    ],
)
def test_loops_give_the_same_for_a_pool_of_S(name, case):
    assert relative_difference(loops.backend(*case)[f"layer1_{name}"], simulate(Case(*case))[f"layer1_{name}"]) < 1e-12
