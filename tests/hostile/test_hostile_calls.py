"""The table of hostile calls: each array of each public function of the core, damaged in twelve ways.

`table.txt` has one row per array: the function, the argument, and one letter for each fault of `faults.FAULTS`:

    E  InputError, in one line                    N  NaN or inf reaches the result
    =  the right result                           ~  right as well: a valid call of another size
    B  right: one value stands for all            S  right: inf stands for a neuron that does not spike
    -  this fault does not exist for this array

Functions that run at every step are listed in ASSUME: they have no checks, and their docstrings say what they assume.
"""

import inspect
from pathlib import Path

import pytest

from tests.hostile import calls_core, calls_credit, calls_learning, calls_spikegrad
from tests.hostile.faults import FAULTS, judge, label, leaves
from tests.hostile.public import functions, says_what_it_assumes

CALLS = calls_core.CALLS | calls_learning.CALLS | calls_credit.CALLS | calls_spikegrad.CALLS

ASSUME = """
    decolle.lif.step decolle.synapse.Dense.drive decolle.readout.output decolle.readout.local_error
    decolle.layer.forward decolle.layer.pooled decolle.layer.local_gradients
    credit.cost.filter_step credit.neuron.spiking.step credit.neuron.spiking.presynaptic credit.neuron.spiking.rest
    credit.methods.bptt.adjoints credit.methods.bptt.products credit.methods.bptt.backward
    credit.methods.decolle.total credit.methods.eprop.step credit.methods.eprop.step_without_reset
    credit.methods.feedback.local_errors credit.methods.instant.step credit.methods.local.step
    credit.methods.online.start credit.methods.online.step credit.methods.rtrl.rest credit.methods.rtrl.step
    credit.methods.superspike.step
    credit.audit.dropped.remainder credit.audit.dropped.frozen_forward credit.audit.dropped.account
    credit.audit.hypotheses.gradients credit.audit.hypotheses.Explanation.apply
    credit.audit.report.explain
    spikegrad.events.Phase.run spikegrad.events.Phase.settle spikegrad.events.Phase.fire spikegrad.events.Phase.emit
    spikegrad.events.activation spikegrad.events.to_ceil spikegrad.events.to_floor spikegrad.events.to_nearest
    spikegrad.operations.spikes_sent fast.stepper.NetworkStepper.load
""".split()

WITHOUT_ARRAYS = """
    decolle.convnet.build decolle.convnet.init_weights decolle.dialects.Dialect.option decolle.dialects.Dialect.value
    decolle.dialects.Dialect.triple decolle.dialects.named decolle.dialects.differences decolle.dialects.validate_same
    decolle.dialects.table decolle.layer.with_dialect decolle.layer.width decolle.layer.regularisers
    decolle.lif.sample_time_constants decolle.lif.rest decolle.lif.trace_gain decolle.network.with_readout_of_U
    decolle.network.rest decolle.optim.constant decolle.pool.MaxPool.windows decolle.rescale.axes_without_map
    decolle.rescale.shift decolle.synapse.validate_image
    credit.audit.derivation.sample_network credit.audit.derivation.load credit.audit.derivation.template
    credit.audit.hypotheses.explanations credit.cost.rest credit.cost.global_cost credit.methods.decolle.rest
    credit.methods.eprop.rest credit.methods.local.rest credit.methods.superspike.rest credit.methods.online.layerwise
    credit.neuron.spiking.paths
    spikegrad.layers.AveragePool.weights spikegrad.network.init_weights spikegrad.network.named spikegrad.network.parse
    spikegrad.network.scaled credit.neuron.spiking.trace_gain credit.audit.dropped.aligned
    spikegrad.operations.count_fans spikegrad.operations.macs
    fast.stepper.NetworkStepper.rest fast.stepper.NetworkStepper.outputs fast.stepper.NetworkStepper.read
    fast.stepper.NetworkStepper.spike_rate fast.stepper.NetworkStepper.states
    fast.update.parse_adamax fast.workers.split fast.workers.worker_pool
""".split()
"""Their arguments are numbers, names, layers and networks."""

ARRAYS = ("Array", "Weights", "State", "Synapses", "Snapshot", "Readout", "Tape", "Record", "PhaseResult", "ndarray")


def rows(name):
    """The rows of one function, computed."""
    build = CALLS[name]
    arguments = build()[1]
    for path in leaves(arguments):
        letters = [judge(name, build, path, fault) for fault in FAULTS]
        yield f"{name} | {label(arguments, path)} | {' '.join(letters)}"


TABLE = Path(__file__).with_name("table.txt").read_text().splitlines()


@pytest.mark.parametrize("name", CALLS)
def test_every_hostile_call_ends_as_the_table_says(name):
    assert list(rows(name)) == [row for row in TABLE if row.startswith(f"{name} | ")]


def test_every_public_function_has_a_row_or_says_what_it_assumes():
    """A new public function is in none of these lists, and fails here."""
    judged = {name.split(" ")[0] for name in CALLS}
    for name in functions():
        lists = [name in judged, name in ASSUME, name in WITHOUT_ARRAYS]
        assert sum(lists) == 1, f"{name} is in {sum(lists)} of the three lists"


def test_every_name_in_the_lists_is_a_public_function():
    assert set(ASSUME) | set(WITHOUT_ARRAYS) <= set(functions())
    assert {row.split(" | ")[0] for row in TABLE} == set(CALLS)


@pytest.mark.parametrize("name", ASSUME)
def test_functions_without_checks_say_what_they_assume(name):
    assert says_what_it_assumes(name)


@pytest.mark.parametrize("name", WITHOUT_ARRAYS)
def test_functions_without_rows_take_no_arrays(name):
    """But for `global_cost`, which only puts a target in its place; `cost.validate` checks it."""
    kinds = [str(p.annotation) for p in inspect.signature(functions()[name]).parameters.values()]
    assert not [kind for kind in kinds if any(x in kind for x in ARRAYS) and "Callable" not in kind]


def test_every_letter_of_the_table_is_a_verdict():
    """None is "not judged", every array is judged for every fault, and no masked array is taken."""
    faults = list(FAULTS)
    for row in TABLE:
        letters = dict(zip(faults, row.split(" | ")[2].split(" "), strict=True))
        assert set(letters.values()) <= set("EN=~BS-"), row
        assert letters["masked"] == "E", row
