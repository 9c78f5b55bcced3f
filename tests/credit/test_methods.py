"""Every method of the review on one network: they agree where theory says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.cost import Kernel, Target
from decolle_ref.credit.methods import bptt, decolle, eprop, feedback, instant, local, online, rtrl, superspike
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Paths
from decolle_ref.decolle import lif, network, readout, surrogate
from decolle_ref.decolle.objective import Objective, squared_error
from decolle_ref.decolle.synapse import Dense, Weights
from tests.support.credit import CELLS, KERNELS, SEEDS, SIZES, loss_of, make, worst

PAST_ONLY = dropped.PAST_ONLY
SPIKING = spiking.neuron(theta=0.5)
TWIN = SPIKING._replace(activity="primitive", surrogate=surrogate.logistic)


@given(CELLS, SIZES, KERNELS, st.booleans(), SEEDS)
@settings(max_examples=100)
def test_bptt_is_rtrl_on_smooth_twins(cell, sizes, kernel, local_losses, seed):
    synapses, x, cost = make(sizes, seed, kernel=kernel, local=local_losses)
    assert worst(online.gradient(rtrl.method, cell, synapses, x, cost), bptt.gradient(cell, synapses, x, cost)) < 1e-10


@given(CELLS, SIZES, KERNELS, st.booleans(), SEEDS)
@settings(max_examples=20)
def test_bptt_is_the_exact_gradient_of_the_smooth_twin(cell, sizes, kernel, local_losses, seed):
    synapses, x, cost = make(sizes, seed, steps=6, kernel=kernel, local=local_losses)
    g = bptt.gradient(cell, synapses, x, cost)
    for layer, pair in enumerate(synapses):
        for letter in "WV":
            loss = loss_of(cell, synapses, x, cost, layer, letter)
            assert gradcheck.check(loss, getattr(g[layer], letter), getattr(pair, letter), tolerance=1e-10)
            report = gradcheck.check(loss, getattr(g[layer], letter), getattr(pair, letter), "central")
            rounding = 1e-9 * (1 + float(loss(getattr(pair, letter))))  # L eps / h, with room
            assert report.error < 1e-6 or abs(report.got - report.expected) < rounding


@pytest.mark.parametrize("reset", spiking.RESETS)
def test_the_network_obeys_its_two_equations_at_every_step(reset):
    """Written out neuron by neuron, with sums over j."""
    cell = SPIKING._replace(reset=reset)
    synapses, x, _ = make((4, 3, 2), steps=25, scale=4.0)
    tape = spiking.forward(cell, synapses, x)
    assert tape.S[0].sum() > 5 and tape.S[1].sum() > 5
    for l, (W, V) in enumerate(synapses):
        below, I, U, S = (tape.x, *tape.S)[l], tape.I[l], tape.U[l], tape.S[l]
        assert not I[0].any() and not U[0].any()
        for n, b, i in np.ndindex(len(x) - 1, x.shape[1], len(W)):
            forward = sum(W[i, j] * below[n, b, j] for j in range(W.shape[1]))
            recurrent = sum(V[i, j] * S[n, b, j] for j in range(len(V)))
            assert S[n, b, i] == (U[n, b, i] >= cell.theta)
            assert I[n + 1, b, i] == pytest.approx(cell.alpha * I[n, b, i] + forward + recurrent, abs=1e-12)
            reset_by = 0 if reset == "ignore" else S[n, b, i]
            assert U[n + 1, b, i] == pytest.approx(cell.beta * U[n, b, i] + I[n, b, i] - reset_by, abs=1e-12)


def test_van_rossum_distance_of_one_spike_and_of_two():
    """0 for the same train; the kernel's energy for silence; twice that for a spike far off; and epsilon sums to 1."""
    kernel, aim = costs.double_exponential(0.005, 0.010), np.zeros((400, 1, 1))
    aim[50] = 1
    cost = costs.global_cost(1, costs.van_rossum(kernel, aim), kernel)
    k = np.arange(350)
    a, b = kernel
    epsilon = (1 - a) * (1 - b) * (a ** (k + 1) - b ** (k + 1)) / (a - b)
    assert epsilon.sum() == pytest.approx(1, rel=1e-12)
    silent = costs.value(cost, [0 * aim])
    assert costs.value(cost, [aim]) == 0
    assert silent == pytest.approx((epsilon**2).sum() / 2, rel=1e-12)
    assert costs.value(cost, [np.roll(aim, 150, axis=0)]) == pytest.approx(2 * silent, rel=1e-5)
    with pytest.raises(InputError, match="tau_rise: expected finite numbers > 0 seconds, got 0"):
        costs.double_exponential(0, 0.010)


@pytest.mark.parametrize("reset", spiking.RESETS)
def test_with_spikes_too_the_two_routes_agree_to_rounding(reset):
    cell = SPIKING._replace(reset=reset)
    synapses, x, cost = make((6, 5, 4), steps=40, scale=4.0, kernel=Kernel(0.5, 0.8))
    assert spiking.forward(cell, synapses, x).S[-1].sum() > 10
    assert worst(online.gradient(rtrl.method, cell, synapses, x, cost), bptt.gradient(cell, synapses, x, cost)) < 1e-10


@given(st.tuples(*[st.booleans()] * 4).map(lambda kept: Paths(*kept)), SIZES, KERNELS, SEEDS)
def test_a_gradient_without_some_paths_is_exact_where_they_carry_what_was_recorded(keep, sizes, kernel, seed):
    synapses, x, cost = make(sizes, seed, kernel=kernel)
    tape = spiking.forward(TWIN, synapses, x)
    g = bptt.gradient(TWIN, synapses, x, cost, keep)
    for layer, pair in enumerate(synapses):
        for letter in "WV":

            def loss(matrix, layer=layer, letter=letter):
                changed = list(synapses)
                changed[layer] = changed[layer]._replace(**{letter: matrix})
                return costs.value(cost, dropped.frozen_forward(TWIN, changed, tape, keep)) + 0 * matrix.sum()

            assert gradcheck.check(loss, getattr(g[layer], letter), getattr(pair, letter), tolerance=1e-10)


@pytest.mark.parametrize("activity", spiking.ACTIVITIES)
@pytest.mark.parametrize(
    ("method", "keep"),
    [
        (rtrl.method, Paths()),
        (eprop.method, PAST_ONLY._replace(reset=True)),
        (eprop.without_reset, PAST_ONLY),
        (superspike.method, PAST_ONLY),
        (instant.method, PAST_ONLY._replace(past=False)),
    ],
    ids=lambda p: getattr(p, "name", ""),
)
def test_every_method_follows_the_paths_it_says_and_no_other(method, keep, activity):
    cell = SPIKING._replace(activity=activity)
    synapses, x, cost = make((6, 5, 4), steps=30, scale=4.0, kernel=Kernel(0.5, 0.8), local=True)
    assert worst(online.gradient(method, cell, synapses, x, cost), bptt.gradient(cell, synapses, x, cost, keep)) < 1e-12


def test_online_superspike_is_the_forward_derivative_without_reset():
    """One layer, no V: nothing else is left out, so RTRL of the network with its reset detached is the same."""
    synapses, x, cost = make((8, 3), steps=50, scale=4.0, kernel=Kernel(0.8, 0.9))
    synapses = tuple(layer._replace(V=np.zeros_like(layer.V)) for layer in synapses)
    exact = online.gradient(rtrl.method, SPIKING._replace(reset="detach"), synapses, x, cost)
    ours = online.gradient(superspike.method, SPIKING, synapses, x, cost)
    assert np.abs(ours[0].W - exact[0].W).max() < 1e-12 * np.abs(exact[0].W).max()


def test_eprop_without_reset_is_eprop_of_the_network_whose_reset_is_a_constant_to_the_gradient():
    """Bit for bit; up to rounding it is SuperSpike, whose P has no index i.  With the reset the numbers are others."""
    synapses, x, cost = make((6, 5, 4), steps=40, scale=4.0, kernel=Kernel(0.5, 0.8), local=True)
    ours = online.gradient(eprop.without_reset, SPIKING, synapses, x, cost)
    detached = online.gradient(eprop.method, SPIKING._replace(reset="detach"), synapses, x, cost)
    for (W, V), (detached_W, detached_V) in zip(ours, detached, strict=True):
        assert np.abs(W).max() > 0 and (W == detached_W).all() and (V == detached_V).all()
    assert worst(ours, online.gradient(superspike.method, SPIKING, synapses, x, cost)) < 1e-12
    assert worst(ours, online.gradient(eprop.method, SPIKING, synapses, x, cost)) > 0.01


def test_local_errors_are_superspike_without_a_filter():
    synapses, x, cost = make((6, 5, 4), steps=30, local=True)
    assert worst(*(online.gradient(m, SPIKING, synapses, x, cost) for m in (local.method, superspike.method))) < 1e-12
    with pytest.raises(InputError, match="kernel: expected none, as local errors keep no past of E"):
        online.gradient(local.method, SPIKING, synapses, x, cost._replace(kernel=Kernel(0.5, 0.5)))


def core_layer(n_in, n, rng, neuron, triple=surrogate.logistic, n_out=2):
    read = readout.sample_readout(rng, n, n_out, 2.0)
    layer = network.Layer(Dense(n_in, n), neuron, read, triple, Objective(squared_error, "sum"))
    return layer, Weights(rng.normal(0, 0.4, (n, n_in)), rng.normal(0, 0.3, n) - 0.3)


@pytest.mark.parametrize("activity", spiking.ACTIVITIES)
def test_local_errors_are_the_rule_of_decolle(activity):
    """The core's neuron with gamma = beta, delta = 1, b = -theta is the neuron of the review."""
    rng = np.random.default_rng(3)
    neuron = lif.from_decays(SPIKING.beta, SPIKING.alpha, SPIKING.beta, w=1.0)  # the letters change places
    triple = SPIKING.surrogate
    if activity == "primitive":
        triple = surrogate.replace(triple, spike=triple.primitive)
    layers, weights = zip(*(core_layer(m, n, rng, neuron, triple) for m, n in ((6, 5), (5, 4))), strict=True)
    layers = [layer._replace(activity="spike") for layer in layers]  # [N19 Eq. 14] reads out S
    weights = [w._replace(W=w.W * 3, b=np.full_like(w.b, -SPIKING.theta)) for w in weights]
    x, goal = (rng.random((40, 1, 6)) < 0.4).astype(float), rng.normal(size=(40, 1, 2))
    ours = [np.zeros_like(w.W) for w in weights]
    carry = network.Carry(tuple(weights), network.rest(layers, (1,)))
    for _, snapshots in network.run(layers, carry, x, [[y, y] for y in goal]):
        ours = [g + s.dU.T @ s.P for g, s in zip(ours, snapshots, strict=True)]
    synapses = [spiking.Synapses(w.W, np.zeros((len(w.b),) * 2)) for w in weights]
    cost = costs.Cost(tuple(Target(goal, layer.readout.G) for layer in layers))
    theirs = online.gradient(local.method, SPIKING._replace(activity=activity), synapses, x, cost)
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a - b.W).max() < 1e-11 * np.abs(b.W).max()


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.0, 0.7, 2.0]), st.integers(1, 12), SEEDS)
def test_decolle_is_rtrl_of_the_local_loss_but_for_the_reset(n_in, n, w, steps, seed):
    """Nothing is missing where delta = 0, and exactly the reset term otherwise."""
    rng = np.random.default_rng(seed)
    triple = surrogate.replace(surrogate.logistic, spike=surrogate.logistic.primitive)
    layer, weights = core_layer(n_in, n, rng, lif.neuron(tau_ref=0.004, w=w), triple)
    x, target = rng.random((steps, 1, n_in)), rng.normal(size=(1, 2))

    def last(weights):
        carry = network.Carry((weights,), network.rest([layer], (1,)))
        return last_loss(layer, weights, carry.state[0], x, target)

    r, carry = decolle.rest(layer, 1), network.Carry((weights,), network.rest([layer], (1,)))
    for _, (snapshot,) in network.run([layer], carry, x, [[target]] * steps):
        r, split = decolle.step(layer, r, snapshot)
    exact = decolle.total(split)
    assert gradcheck.check(lambda W: last(weights._replace(W=W)), exact.W, weights.W, tolerance=1e-10)
    assert gradcheck.check(lambda b: last(weights._replace(b=b)), exact.b, weights.b, tolerance=1e-10)
    if w == 0 or steps == 1:
        assert not split.reset.W.any() and not split.reset.b.any()
    else:
        assert split.reset.W.any() or split.reset.b.any()


def last_loss(layer, weights, state, x, target):
    """L at the last step as a function of the weights, R and all."""
    for spikes in x:
        state, snapshot = network.forward(layer, weights, state, spikes)
    return network.local_gradients(layer, snapshot, target).loss


def test_direct_feedback_reaches_hidden_layers_and_alignment_goes_layer_by_layer(rng):
    errors, sigma_prime = [rng.normal(size=(2, n)) for n in (5, 4, 3)], [rng.random((2, n)) for n in (5, 4, 3)]
    G, H = feedback.sample_alignment(rng, (5, 4, 3)), feedback.sample_direct(rng, (5, 4, 3))
    down = feedback.alignment(G)(errors, sigma_prime)
    e2 = errors[1] + (sigma_prime[2] * errors[2]) @ G[1]
    np.testing.assert_allclose(down[1], e2)
    np.testing.assert_allclose(down[0], errors[0] + (sigma_prime[1] * e2) @ G[0])
    np.testing.assert_allclose(feedback.direct(H)(errors, sigma_prime)[0], errors[0] + errors[2] @ H[0])
    assert down[2] is errors[2] and feedback.local_errors(errors, sigma_prime) is errors
    with pytest.raises(InputError, match="H: expected 2 matrices, one per hidden layer, got 1"):
        feedback.direct(H[:1])(errors, sigma_prime)
    with pytest.raises(InputError, match=r"G 1: expected shape \(4, 5\), got \(5, 4\)"):
        feedback.alignment([g.T for g in G])(errors, sigma_prime)


@given(st.sampled_from(sorted(dropped.RULES)), st.sampled_from(sorted(dropped.RULES)), SEEDS)
def test_method_and_omitted_terms_add_up_to_the_reference(method, reference, seed):
    synapses, x, cost = make((5, 4, 3), seed, local=True)
    G = feedback.sample_alignment(np.random.default_rng(seed), (4, 3))
    comparison = dropped.compare(TWIN, synapses, x, cost, method, reference, feedback.alignment(G))
    assert dropped.remainder(comparison) < 1e-10


def test_every_term_matters_and_has_its_row_in_the_account():
    synapses, x, cost = make((6, 5, 4), steps=20, kernel=Kernel(0.5, 0.5))
    comparison = dropped.compare(TWIN, synapses, x, cost, "instant")
    sizes = {t.name: np.linalg.norm(dropped.flat(t.gradient)) for t in comparison.terms}
    assert sizes.pop("feedback") == 0 and min(sizes.values()) > 0 and set(sizes) == set(Paths._fields)
    text = dropped.account(comparison, "instant", "rtrl")
    assert all(f"+ {name}" in text for name in Paths._fields) and "+ feedback" not in text


def broken(**change):
    synapses, x, cost = make((4, 3, 2))
    return {"cell": SPIKING, "synapses": synapses, "x": x, "cost": cost} | change


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (broken(cell=SPIKING._replace(alpha=1.0)), r"alpha: expected numbers in \[0, 1\), got 1.0"),
        (broken(cell=SPIKING._replace(beta=-0.1)), r"beta: expected numbers in \[0, 1\), got -0.1"),
        (broken(cell=SPIKING._replace(reset="zero")), "reset: expected one of through, detach, ignore, got 'zero'"),
        (broken(x=np.zeros((5, 4))), r"x: expected shape \(steps, batch, n_in\) with steps >= 1, got \(5, 4\)"),
        (broken(x=np.full((9, 2, 4), np.nan)), "x: expected finite numbers, got nan at index"),
        (broken(x=np.zeros((9, 2, 5))), r"layer 1 W: expected shape \(3, 5\), got \(3, 4\)"),
        (broken(x=np.zeros((0, 2, 4))), r"with steps >= 1, got \(0, 2, 4\)"),
        (
            broken(synapses=[spiking.Synapses(np.zeros((0, 4)), np.zeros((0, 0)))]),
            r"layer 1 W: expected shape \(1, 4\)",
        ),
        (
            broken(synapses=tuple(s._replace(W=s.W.astype("f4")) for s in make((4, 3, 2))[0])),
            "layer 1 W: expected float64",
        ),
        (broken(cell=SPIKING._replace(theta=np.nan)), "theta: expected a number, or inf for no spikes, got nan"),
        (broken(synapses=()), "synapses: expected at least one layer, got none"),
        (broken(cost=costs.Cost((None,))), r"cost: expected one target per layer \(2\), got 1"),
        (broken(cost=costs.global_cost(2, Target(np.zeros((9, 2, 3))))), r"layer 2 goal: expected shape \(9, 2, 2\)"),
        (broken(cost=broken()["cost"]._replace(kernel=Kernel(1.0, 0.0))), r"kernel rise: expected numbers in \[0, 1\)"),
    ],
)
@pytest.mark.parametrize("route", [bptt.gradient, lambda *a: online.gradient(rtrl.method, *a)], ids=["bptt", "rtrl"])
def test_what_cannot_run_is_refused_in_one_line(route, given_, message):
    with pytest.raises(InputError, match=message):
        route(*given_.values())


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
def test_a_gradient_that_is_not_finite_is_named():
    synapses, x, cost = make((3, 3), steps=60)
    wild = [synapses[0]._replace(V=synapses[0].V * 1e30)]
    cell = TWIN._replace(surrogate=surrogate.Surrogate("line", np.ones_like, lambda u: u, np.inf))
    with pytest.raises(InputError, match=r"bptt: dL/dW of layer 1 \(are the recurrent weights too large\?\): expected"):
        bptt.gradient(cell, wild, x, cost)


def test_time_constants_become_decays():
    cell = spiking.neuron(tau_mem=0.010, tau_syn=0.005, dt=0.001)
    assert cell.beta == pytest.approx(np.exp(-0.1)) and cell.alpha == pytest.approx(np.exp(-0.2))
    with pytest.raises(InputError, match="tau_syn: expected finite numbers > 0 seconds, got 0"):
        spiking.neuron(tau_syn=0.0)
