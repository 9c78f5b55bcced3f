"""Neurons of other libraries: the convention that each follows, to the last bit, and what the oracle says of it."""

import importlib
import os
import shutil
import sys
import warnings

import pytest

from decolle_ref.cases import Case, identify
from decolle_ref.oracle import backends, profile, runner
from decolle_ref.oracle.vectors.properties import Vector
from tests.support.c_programs import EXAMPLES, SGD, make

FOLDER = EXAMPLES / "third_party"
NAMES = ("P_reads", "U_reads", "gains", "threshold", "refractory", "strength", "recorded")
ADAMAX = {"kind": "adamax", "beta1": 0.5, "beta2": 0.9, "eps": 1e-6}


def module(name):
    """The module examples/third_party/<name>.py; other packages may warn while they are imported."""
    sys.path.insert(0, str(FOLDER))
    try:
        with warnings.catch_warnings(action="ignore"):
            return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


def installed(package):
    """Skip the test unless a package is installed."""
    with warnings.catch_warnings(action="ignore"):
        pytest.importorskip(package, reason=f"{package} is not installed")


@pytest.fixture(scope="module")
def probe():
    return module("probe")


@pytest.fixture(scope="module")
def snntorch():
    installed("snntorch")
    return module("snntorch_check").NEURONS


@pytest.fixture(scope="module")
def norse():
    installed("norse")
    return module("norse_check").NEURONS


@pytest.fixture(scope="module")
def spikingjelly():
    installed("spikingjelly")
    return module("spikingjelly_check").NEURONS


def the_convention(probe, neuron, **settings):
    (convention,) = probe.matches(neuron, **settings)
    return dict(zip(NAMES, convention, strict=True))


def new_traces(threshold, refractory="w", recorded="before"):
    """The convention that all these libraries share, but for threshold and reset."""
    axes = {"P_reads": "new_Q", "U_reads": "new_P", "gains": "one", "threshold": threshold}
    return axes | {"refractory": refractory, "strength": 1.0, "recorded": recorded}


def test_a_snntorch_synapse_follows_one_convention_to_the_last_bit(probe, snntorch):
    assert the_convention(probe, snntorch["Synaptic, subtract"]) == new_traces("above")


def test_a_norse_box_that_subtracts_does_so_at_once(probe, norse):
    assert the_convention(probe, norse["LIFBoxCell, reset_subtract"]) == new_traces("above", "gamma_w", "after")


@pytest.mark.parametrize("name", ["LIFNode, v_reset=None", "LIFNode, v_reset=None, decay_input=False"])
def test_a_spikingjelly_neuron_that_subtracts_does_so_at_once_and_spikes_at_the_threshold(probe, spikingjelly, name):
    assert the_convention(probe, spikingjelly[name]) == new_traces("at_or_above", "gamma_w", "after")


def follows_none_but_until_a_spike(probe, neuron, **axes):
    assert probe.matches(neuron) == []
    (convention,) = probe.matches_until_a_spike(neuron)
    assert convention[:4] == tuple(axes[name] for name in NAMES[:4])


def test_snntorch_resets_to_zero_follow_none_after_a_spike(probe, snntorch):
    follows_none_but_until_a_spike(probe, snntorch["Synaptic, zero"], **new_traces("above"))


@pytest.mark.parametrize("name", ["LIFCell", "LIFBoxCell"])
def test_norse_resets_to_a_value_follow_none_after_a_spike(probe, norse, name):
    follows_none_but_until_a_spike(probe, norse[name], **new_traces("above"))


def test_spikingjelly_resets_to_a_value_follow_none_after_a_spike(probe, spikingjelly):
    follows_none_but_until_a_spike(probe, spikingjelly["LIFNode, v_reset=0"], **new_traces("at_or_above"))


def test_a_snntorch_reset_within_the_step_is_the_gamma_w_convention_below_two_thresholds(probe, snntorch):
    neuron = snntorch["Synaptic, subtract, reset_delay=False"]
    assert the_convention(probe, neuron, strong=False) == new_traces("above", "gamma_w", "after")
    assert probe.matches(neuron, strong=True) == []


def passes_under_its_convention_only(probe, neuron, **others):
    (convention,) = probe.matches(neuron)
    assert probe.verdict(convention, neuron).status == "pass"
    for axis, option in others.items():
        assert probe.verdict(convention._replace(**{axis: option}), neuron).status == "fail", axis


def test_the_oracle_passes_snntorch_spikes_under_its_convention_only(probe, snntorch):
    others = {"P_reads": "old_Q", "U_reads": "old_P", "gains": "leak", "threshold": "at_or_above"}
    passes_under_its_convention_only(probe, snntorch["Synaptic, subtract"], refractory="gamma_w", **others)


def test_the_oracle_passes_norse_spikes_under_its_convention_only(probe, norse):
    others = {"P_reads": "old_Q", "U_reads": "old_P", "gains": "leak", "threshold": "at_or_above"}
    passes_under_its_convention_only(probe, norse["LIFBoxCell, reset_subtract"], refractory="w", **others)


def test_the_oracle_passes_spikingjelly_spikes_under_its_convention_only(probe, spikingjelly):
    others = {"P_reads": "old_Q", "U_reads": "old_P", "gains": "leak", "threshold": "above"}
    passes_under_its_convention_only(probe, spikingjelly["LIFNode, v_reset=None"], refractory="w", **others)


def stays_within_rounding(probe, neuron):
    (convention,) = probe.matches(neuron)
    spikes, differ, apart, size = probe.rounding(convention, neuron)
    assert spikes > 1000
    assert differ == 0
    assert apart < 1e-5 * size


def test_snntorch_stays_within_rounding_over_two_layers(probe, snntorch):
    stays_within_rounding(probe, snntorch["Synaptic, subtract"])


def test_norse_stays_within_rounding_over_two_layers(probe, norse):
    stays_within_rounding(probe, norse["LIFBoxCell, reset_subtract"])


def test_spikingjelly_stays_within_rounding_over_two_layers(probe, spikingjelly):
    stays_within_rounding(probe, spikingjelly["LIFNode, v_reset=None"])


@pytest.fixture
def theirs():
    """The authors' package as a backend, if DECOLLE_PYTHON names a Python that has it; the package is GPL."""
    python = os.environ.get("DECOLLE_PYTHON", "")
    if shutil.which(python) is None:
        pytest.skip("DECOLLE_PYTHON names no Python with the package decolle")
    return backends.program([python, str(FOLDER / "decolle_program.py")], profile.read(FOLDER / "decolle.json"))


def as_vector(dialect, **changes):
    """A case with one learning rate for W and one for b."""
    about, arrays = make(dialect, 3, batch=3, burn_in=2, **changes)
    for name in arrays:
        arrays[name][:] = 0.01 if "_rate_" in name else arrays[name]
    return Vector(dialect, about, arrays, why="", property=lambda vector, trace: None)


@pytest.mark.parametrize(
    ("dialect", "optimiser", "loss"),
    [
        ("decolle", ADAMAX, "squared_error"),
        ("decolle-base", SGD, "smooth_l1"),
        ("decolle-nonorm", ADAMAX, "smooth_l1"),
    ],
)
def test_the_oracle_passes_the_authors_package(theirs, dialect, optimiser, loss):
    outcome = runner.judge(theirs, as_vector(dialect, optimiser=optimiser, layer={"loss": loss}))
    assert outcome.status == "pass", str(outcome)


def test_the_authors_package_under_another_dialect_is_refused(theirs):
    outcome = runner.judge(theirs, as_vector("dcll"))
    assert outcome.status == "unsupported"
    assert "dialect: expected decolle, decolle-base, decolle-nonorm, got dcll" in str(outcome)


@pytest.mark.parametrize("dialect", ["decolle", "decolle-base", "decolle-nonorm"])
def test_identify_names_the_class_of_the_authors_package_from_its_potentials(theirs, dialect):
    vector = as_vector(dialect)
    trace = backends.answer(theirs, vector.about, vector.arrays)
    unnamed = Case(vector.about | {"dialect": None}, vector.arrays)
    recorded = {name: trace[name] for name in ("layer1_U", "layer1_S", "layer2_U", "layer2_S")}
    assert identify(unnamed, vector.about, recorded).dialects == (dialect,)
