"""The authors' recorded regression run, reproduced."""

import numpy as np
import pytest

from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.data import authors
from decolle_ref.decolle import dialects, lif, network
from decolle_ref.experiments import harness, replay
from decolle_ref.plots.replay import save_figures

LAYERS = (1, 2, 3)


@pytest.fixture(scope="module")
def done(recording):
    return replay.replay(recording)


@pytest.mark.parametrize("layer", LAYERS)
def test_all_three_layers_together_reproduce_every_recorded_spike(recording, done, layer):
    found = replay.disagreement(done.together[layer - 1], recording, layer)
    assert found["max_dU"] <= 3e-5  # U reaches -110, where float32 is spaced by 7.6e-6
    assert found["max_dY"] <= 1e-6
    assert found["min_U"] > 1e-6  # so no rounding of float64 decides a spike
    assert (found["differing"], found["spikes"]) == (0, 500 * 256)


def test_only_1536_numbers_of_the_recorded_run_fix_the_start(recording, done):
    kept = {"layer1_U": 1, "layer2_U": 2, "layer3_U": 1, "layer3_P": 2}  # leading steps that are read
    assert sum(256 * steps for steps in kept.values()) == 1536
    spoiled = dict(recording)
    for name in [f"layer{k}_{x}" for k in LAYERS for x in "SUY"] + ["layer3_P"]:
        spoiled[name] = recording[name].copy()
        spoiled[name][kept.get(name, 0) :] = 1
    for ours, theirs in zip(done.state, replay.replay(spoiled).state, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_solved_state_is_one_that_spikes_can_leave(done):
    # nothing asked for it: sums of decayed spikes are not negative, and no trace exceeds that of a spike at every step
    for state in done.state:
        for trace in state:
            assert trace.min() > -1e-5 * max(1000, trace.max())
    neuron = lif.from_decays(0.9, 0.87, 0.9, dialect=dialects.dcll)
    assert max(state.P.max() for state in done.state) < lif.trace_gain(neuron)
    assert max(state.R.max() for state in done.state) < 10


def test_layer_2_knows_the_refractory_state_of_layer_1(recording, done):
    # two ways to the same 256 numbers that share no recorded one: U[0] of layer 1, and U[0], U[1] of layer 2
    by_layer2 = replay.sender_refractory(replay.constants(recording), done.state[1].P, done.state[1].Q)
    np.testing.assert_allclose(by_layer2, done.state[0].R, atol=2e-4)
    assert done.state[0].R.max() > 2


def test_layer_3_alone_reproduces_its_recorded_spikes_and_traces(recording, done):
    found = replay.disagreement(done.layer3, recording, 3)
    assert found["differing"] == 0 and found["max_dU"] <= 3e-5
    np.testing.assert_allclose(done.layer3.P, recording["layer3_P"], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("layer", LAYERS)
def test_from_rest_each_layer_agrees_once_its_start_has_decayed(recording, done, layer):
    trace = done.from_rest[layer - 1]
    assert replay.disagreement(trace, recording, layer)["max_dU"] > 10
    late = replay.disagreement(trace, recording, layer, replay.WASHED_OUT)
    assert late["differing"] == 0 and late["max_dU"] <= 2e-5 and late["max_dY"] <= 1e-6


def test_the_stored_float32_constants_are_the_reading_that_fits_best(recording):
    worst = {reading: max(gaps) for reading, gaps in replay.by_reading(recording).items()}
    assert min(worst, key=worst.get) == "stored"
    assert worst["decimal"] > 2 * worst["stored"]


def simulated(rng, n_in=12, n=12, steps=40):
    """A random layer in the dialect dcll after 200 steps, and what it shows in the steps that follow."""
    neuron = lif.from_decays(0.9, 0.87, 0.9, 3.0, dialect=dialects.dcll)
    W = rng.normal(size=(n, n_in)) / 200
    weights = replay.Weights(W, rng.normal(size=n) / 10)
    readout = replay.Readout(np.zeros((1, n)), np.zeros(1))
    layer = network.with_dialect(dialects.dcll, replay.Layer(replay.Dense(n_in, n), neuron, readout))
    spikes = (rng.random((200 + steps, n_in)) < 0.1).astype(float)
    runs = list(network.run((layer,), replay.Carry((weights,), network.rest((layer,))), spikes[:200]))
    state = runs[-1][0].state[0]
    (trace,) = replay.show((layer,), (weights,), (state,), spikes[200:])
    return layer, weights, state, spikes[200:], trace, np.stack([seen[0].S for _, seen in runs])


def test_traces_and_refractory_state_are_found_again_from_what_a_layer_shows(rng):
    layer, weights, state, spikes, trace, _ = simulated(rng)
    P = replay.traces_read(layer.neuron, weights, state.R, trace.U[:2], trace.S[:2])
    P, Q = replay.traces_before(layer.neuron, P, spikes)
    R = replay.refractory(layer, weights, P, Q, spikes[0], trace.U[0])
    for ours, theirs in zip((P, Q, R), state, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_the_traces_above_hold_the_refractory_state_below(rng):
    layer, _, state, _, _, sent = simulated(rng)
    above = lif.rest(layer.neuron, sent.shape[1], 1)
    for S in sent:
        above, *_ = lif.step(layer.neuron, lambda P: np.zeros(1), np.sign, above, S)
    np.testing.assert_allclose(replay.sender_refractory(layer.neuron, above.P, above.Q), state.R, rtol=1e-9, atol=1e-9)
    with pytest.raises(InputError, match="gamma: expected alpha"):
        replay.sender_refractory(layer.neuron._replace(gamma=np.array(0.5)), above.P, above.Q)


def test_a_recording_that_does_not_fit_is_refused_in_one_line(recording):
    with pytest.raises(InputError, match=r"^file: expected an array layer2_U, got none$"):
        authors.validate({name: array for name, array in recording.items() if name != "layer2_U"}, "file")
    with pytest.raises(InputError, match=r"^file layer1_W: expected shape \(256, 100\), got \(100, 256\)$"):
        authors.validate(recording | {"layer1_W": recording["layer1_W"].T}, "file")
    with pytest.raises(InputError, match=r"^file layer3_U: expected finite numbers, got nan at index \(0, 0\)$"):
        authors.validate(recording | {"layer3_U": recording["layer3_U"] * np.nan}, "file")


def test_a_run_leaves_results_arrays_and_a_figure(recording, tmp_path):
    results = harness.run(replay.EXPERIMENT, replay.Settings(), tmp_path / "new", quiet=True)
    assert replay.one_line(results).startswith("replay regression: 0 of 384000 spikes differ")
    arrays, _ = reading.read_arrays(tmp_path / "new" / "replay.npz", replay.EXPERIMENT.arrays_kind)
    np.testing.assert_array_equal(arrays["S"], arrays["S_recorded"])
    (figure,) = save_figures(tmp_path / "new", results)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["replay.npz", "replay.png", "results.json"]
