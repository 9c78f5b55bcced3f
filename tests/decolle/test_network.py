import gc
import subprocess
import sys
import tracemalloc
from collections import deque
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.readout import Mask
from decolle_ref.decolle.synapse import Dense, Weights

ROOT = Path(__file__).parent.parent.parent
SIZES = (5, 6, 4, 3)  # input and three layers
N_OUT = 2


def stack(seed=0, dtype=np.float64, sizes=SIZES):
    """A network with lively activity and its weights."""
    rng = np.random.default_rng(seed)
    layers, weights = [], []
    for n_in, n in pairwise(sizes):
        neuron = lif.neuron(*lif.sample_time_constants(rng, n_in), dtype=dtype)
        layers.append(Layer(Dense(n_in, n), neuron, readout.sample_readout(rng, n, N_OUT, 2.0, dtype)))
        weights.append(layers[-1].synapse.init_weights(rng, neuron, scale=10.0))
    return layers, weights


def spikes(seed, steps, batch=()):
    return np.random.default_rng(seed).integers(0, 2, (steps, *batch, SIZES[0]))


def goals(seed, steps, batch=()):
    return np.random.default_rng(seed).normal(size=(steps, len(SIZES) - 1, *batch, N_OUT))


def learner(weights, rate=1e-3, **options):
    return Learner([Weights(np.asarray(rate, w.W.dtype), np.asarray(rate, w.W.dtype)) for w in weights], **options)


def start(layers, weights, batch=(), teacher=None):
    return Carry(tuple(weights), network.rest(layers, batch), teacher.init(weights) if teacher else ())


def last(run):
    return deque(run, maxlen=1)[0][0]


def test_without_a_learner_parameters_stay_bit_identical():
    layers, weights = stack()
    before = [(w.W.copy(), w.b.copy()) for w in weights]
    carry = last(network.run(layers, start(layers, weights), spikes(1, 50), goals(2, 50)))
    for w, (W, b) in zip(carry.weights, before, strict=True):
        np.testing.assert_array_equal(w.W, W)
        np.testing.assert_array_equal(w.b, b)


def test_with_a_learner_every_step_after_burn_in_changes_every_layer():
    layers, weights = stack()
    teacher = learner(weights, burn_in=5)
    previous = weights
    for carry, _ in network.run(layers, start(layers, weights, teacher=teacher), spikes(1, 30), goals(2, 30), teacher):
        changed = [not np.array_equal(new.b, old.b) for new, old in zip(carry.weights, previous, strict=True)]
        assert changed == [carry.n > 5] * 3
        previous = carry.weights
    assert carry.updates == 25


def test_learning_on_a_frozen_input_lowers_the_loss():
    layers, weights = stack()
    teacher, x, y = learner(weights, 3e-3), spikes(1, 60), goals(2, 1).repeat(60, axis=0)
    carry, losses = start(layers, weights, teacher=teacher), []
    for _ in range(30):
        carry = carry._replace(state=network.rest(layers), n=0)
        epoch = list(network.run(layers, carry, x, y, teacher))
        carry = epoch[-1][0]
        losses.append(np.sum([[s.loss for s in snapshots] for _, snapshots in epoch], axis=0))
    assert (losses[-1] < 0.95 * losses[0]).all()


def test_state_for_learning_is_two_numbers_per_input_and_one_per_neuron():
    """No eligibility per synapse: between steps a layer keeps P, Q and R.  The optimiser's own state is apart."""
    layers, weights = stack()
    teacher = learner(weights)
    carry = last(network.run(layers, start(layers, weights, teacher=teacher), spikes(1, 5), goals(2, 5), teacher))
    for layer, state in zip(layers, carry.state, strict=True):
        assert sum(x.size for x in state) == 2 * layer.synapse.n_in + layer.synapse.n


def growth():
    """The bytes by which the memory in use after 100,000 streamed steps exceeds that after 1,000."""
    layers, weights = stack(sizes=(5, 3))
    x = spikes(1, 10)
    stream = network.run(layers, start(layers, weights), (x[n % 10] for n in range(100_000)))
    alive = []
    tracemalloc.start()
    for carry, _ in stream:
        if carry.n in (1_000, 100_000):
            gc.collect()
            alive.append(tracemalloc.get_traced_memory()[0])
    return alive[1] - alive[0]


def test_memory_does_not_grow_with_the_number_of_steps():
    """By less than a kilobyte; in a process of its own, because other threads of the tests use memory too."""
    command = [sys.executable, "-c", f"from {__name__} import growth; print(growth())"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(result.stdout) < 1024


@given(st.integers(1, 29))
def test_a_run_split_across_calls_equals_one_run(cut):
    layers, weights = stack()
    teacher, x, y = learner(weights, burn_in=3), spikes(1, 30), goals(2, 30)
    whole = last(network.run(layers, start(layers, weights, teacher=teacher), x, y, teacher))
    half = last(network.run(layers, start(layers, weights, teacher=teacher), x[:cut], y[:cut], teacher))
    both = last(network.run(layers, half, x[cut:], y[cut:], teacher))
    assert (both.n, both.updates) == (whole.n, whole.updates)
    for a, b in zip(whole.weights, both.weights, strict=True):
        np.testing.assert_array_equal(a.W, b.W)
        np.testing.assert_array_equal(a.b, b.b)


def test_layers_of_one_step_can_be_computed_in_any_order():
    """Two steps of delay per layer: U and Y of a layer at n do not depend on its input at n."""
    layers, weights = stack()
    carry = last(network.run(layers, start(layers, weights), spikes(1, 20)))
    _, together = network.step(layers, carry.weights, carry.state, spikes(2, 1)[0])
    for k in (2, 0, 1):
        nothing = np.zeros(layers[k].synapse.n_in)
        _, alone = network.forward(layers[k], carry.weights[k], carry.state[k], nothing)
        np.testing.assert_array_equal(alone.U, together[k].U)
        np.testing.assert_array_equal(alone.Y, together[k].Y)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=2), st.integers(0, 2**32 - 1))
def test_a_batch_is_its_samples_side_by_side(batch, seed):
    """Potentials agree to the rounding of a dot product of at most 6 terms; compared before any spike can differ."""
    layers, weights = stack(seed)
    x = spikes(seed, 4, tuple(batch))
    _, snapshots = [s for s in network.run(layers, start(layers, weights, tuple(batch)), x)][-1]
    for index in np.ndindex(*batch):
        _, alone = [s for s in network.run(layers, start(layers, weights), x[(slice(None), *index)])][-1]
        np.testing.assert_allclose(snapshots[0].U[index], alone[0].U, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_shown_has_the_dtype_asked_for(dtype):
    layers, weights = stack(dtype=dtype)
    teacher = learner(weights)
    for carry, snapshots in network.run(
        layers, start(layers, weights, teacher=teacher), spikes(1, 5), goals(2, 5), teacher
    ):
        arrays = [
            *(x for s in snapshots for x in s),
            *(x for s in carry.state for x in s),
            *(x for w in carry.weights for x in w),
        ]
        assert {np.asarray(x).dtype for x in arrays} == {np.dtype(dtype)}


def test_integer_frames_count_events():
    """Three events in a bin raise Q by 3."""
    layers, weights = stack()
    frame = np.array([0, 3, 0, 1, 0])
    for kind in (np.int64, np.uint8, np.float64):
        carry = last(network.run(layers, start(layers, weights), [frame.astype(kind)]))
        np.testing.assert_array_equal(carry.state[0].Q, frame)


def test_silent_input_leaves_the_traces_of_the_first_layer_at_zero():
    layers, weights = stack()
    carry = last(network.run(layers, start(layers, weights), np.zeros((20, 5), bool)))
    assert not carry.state[0].P.any() and not carry.state[0].Q.any()


def test_an_empty_batch_runs_and_learns_nothing():
    layers, weights = stack()
    teacher = learner(weights)
    first = start(layers, weights, (0,), teacher)
    run = list(network.run(layers, first, spikes(1, 3, (0,)), goals(2, 3, (0,)), teacher))
    assert [[s.loss for s in snapshots] for _, snapshots in run] == [[0, 0, 0]] * 3
    carry = run[-1][0]
    for new, old in zip(carry.weights, weights, strict=True):
        np.testing.assert_array_equal(new.W, old.W)


def run_with(change):
    layers, weights = stack()
    arguments = {"network": layers, "start": start(layers, weights), "inputs": spikes(1, 3), "targets": goals(2, 3)}
    return last(network.run(**(arguments | change(arguments))))


def with_weights(arguments, W):
    weights = arguments["start"].weights
    return {"start": arguments["start"]._replace(weights=(Weights(W, weights[0].b), *weights[1:]))}


def with_offset(arguments, c):
    first, *others = arguments["network"]
    return {"network": [first._replace(readout=first.readout._replace(c=c)), *others]}


def with_state(arguments, **changes):
    first, *others = arguments["start"].state
    return {"start": arguments["start"]._replace(state=(first._replace(**changes), *others))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: {"inputs": np.zeros((3, 4))}, r"^spikes at step 0: expected shape \(5,\), got \(4,\)$"),
        (
            lambda g: {"inputs": np.full((3, 5), np.nan)},
            r"^spikes at step 0: expected finite numbers, got nan at index",
        ),
        (lambda g: {"inputs": np.full((3, 5), np.inf)}, r"^spikes at step 0: expected finite numbers, got inf"),
        (lambda g: {"inputs": [["a"] * 5]}, "^spikes at step 0: expected finite numbers, got dtype"),
        (lambda g: {"targets": g["targets"][:, :2]}, r"^targets at step 0: expected one per layer \(3\), got 2$"),
        (lambda g: {"targets": g["targets"][:2]}, r"^targets at step 2: expected one per layer \(3\), got 0$"),
        (
            lambda g: {"targets": g["targets"][..., :1]},
            r"^layer 1 target at step 0: expected shape \(2,\), got \(1,\)$",
        ),
        (lambda g: with_weights(g, np.full((6, 5), np.nan)), "^layer 1 W: expected finite numbers, got nan"),
        (lambda g: with_weights(g, np.zeros((5, 6))), r"^layer 1 W: expected shape \(6, 5\), got \(5, 6\)$"),
        (lambda g: {"network": g["network"][:2]}, r"^weights: expected one per layer \(2\), got 3$"),
        (
            lambda g: with_offset(g, np.zeros(1)),
            r"^layer 1 c: expected shape",
        ),
        (lambda g: with_offset(g, np.full(2, np.nan)), "^layer 1 c: .* nan"),
        (lambda g: with_weights(g, np.zeros((6, 5), np.float32)), "^layer 1 W: expected float64, .* got float32$"),
        (lambda g: {"start": g["start"]._replace(state=())}, r"^state: expected one per layer \(3\), got 0$"),
        (lambda g: with_state(g, R=np.zeros(1)), r"^layer 1 R: expected shape \(6,\), got \(1,\)$"),
        (lambda g: with_state(g, P=np.full(5, np.nan)), "^layer 1 P: expected finite numbers, got nan"),
        (lambda g: {"learner": learner(g["start"].weights)}, r"^opt_state: expected one per layer \(3\), got 0$"),
        (
            lambda g: {"targets": None, "learner": learner(g["start"].weights)},
            "^(targets|opt_state): expected one per layer",
        ),
    ],
)
def test_bad_input_is_named_in_one_line(change, message):
    with pytest.raises(InputError, match=message):
        run_with(change)


def test_layers_that_do_not_fit_each_other_are_named():
    layers, weights = stack(sizes=(5, 6))
    other, more = stack(sizes=(5, 4))
    with pytest.raises(InputError, match=r"^layer 2 n_in: expected 6, got 5$"):
        network.validate(layers + other, weights + more)


def dropout(steps, count=3, **factors):
    return [[Mask(**factors)] * count for _ in range(steps)]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (dropout(2), r"^masks at step 2: expected one per layer \(3\), got 0$"),
        (dropout(3, 2), r"^masks at step 0: expected one per layer \(3\), got 2$"),
        (dropout(3, Y=np.ones(3)), r"^layer 1 mask of Y at step 0: expected to broadcast to \(2,\), got \(3,\)$"),
        (
            dropout(3, activity=np.ones(4)),
            r"^layer 1 mask of activity at step 0: expected to broadcast to \(6,\), got \(4,\)$",
        ),
        (
            dropout(3, Y=np.ones((4, 2))),
            r"^layer 1 mask of Y at step 0: expected to broadcast to \(2,\), got \(4, 2\)$",
        ),
        (dropout(3, Y=np.full(2, np.nan)), r"^layer 1 mask of Y at step 0: expected finite numbers, got nan at index"),
        ([[np.ones(6)] * 3] * 3, r"^layer 1 mask at step 0: expected a Mask, got ndarray$"),
    ],
)
def test_masks_that_run_out_or_do_not_fit_are_named_in_one_line(masks, message):
    with pytest.raises(InputError, match=message):
        run_with(lambda good: {"masks": masks})


def test_masks_take_the_dtype_of_the_network_and_broadcast_over_the_batch():
    layers, weights = stack(dtype=np.float32)
    factors = [[Mask(activity=np.full(width, 2.0)) for width in SIZES[1:]]] * 3
    start = Carry(tuple(weights), network.rest(layers, (4,)))
    for _, snapshots in network.run(layers, start, spikes(1, 3, (4,)), masks=factors):
        assert {s.Y.dtype for s in snapshots} == {np.dtype(np.float32)}
