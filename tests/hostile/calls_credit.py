"""One valid call of every public function of `credit`.  Each entry makes the call anew."""

import numpy as np

from decolle_ref.credit import cost as costs
from decolle_ref.credit import spike_time
from decolle_ref.credit.audit import derivation, dropped, hypotheses, report
from decolle_ref.credit.cost import Cost, Kernel, Target
from decolle_ref.credit.methods import bptt, feedback, online, superspike
from decolle_ref.credit.methods import decolle as dropped_by_decolle
from decolle_ref.credit.neuron import continuous, rate, rnn, spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.credit.spike_time.network import Spikes
from tests.hostile.arrays import BATCH, N_IN, N_OUT, N, a, a_layer, rng, snapshot

T = 6
KERNEL = Kernel(0.5, 0.6)
CELL = spiking.neuron()


def synapses():
    return [Synapses(a(N, N_IN), a(N, N)), Synapses(a(N_OUT, N), a(N_OUT, N_OUT))]


def x():
    return (a(T, BATCH, N_IN) > 0).astype(float)


def goal():
    return a(T, BATCH, N_OUT)


def S():
    return [a(T, BATCH, N), a(T, BATCH, N_OUT)]


def matrices():
    return [a(N, N_IN), a(N_OUT, N)]


def record():
    return rate.forward(rate.tanh, matrices(), a(BATCH, N_IN))


def rnn_record():
    return rnn.forward(rate.tanh, synapses(), a(T, BATCH, N_IN))


def of_rates(method, **extra):
    return lambda: (
        lambda dL_dy, **arrays: method(rate.tanh, *arrays.values(), record(), dL_dy=dL_dy),
        {**extra, "dL_dy": a(BATCH, N_OUT)},
    )


def gradient_of(method):
    def f(synapses, x, goal, G):
        cost = Cost((None, Target(goal, G)))
        if method is bptt:
            return bptt.gradient(CELL, [synapses, Synapses(a(N_OUT, N), a(N_OUT, N_OUT))], x, cost)
        return online.gradient(method, CELL, [synapses, Synapses(a(N_OUT, N), a(N_OUT, N_OUT))], x, cost)

    return lambda: (f, {"synapses": synapses()[0], "x": x(), "goal": a(T, BATCH, 3), "G": a(3, N_OUT)})


def compared(synapses, x, goal):
    return dropped.compare(
        CELL, [synapses, Synapses(a(N_OUT, N), a(N_OUT, N_OUT))], x, Cost((None, Target(goal))), "superspike", "bptt"
    )


def z(*shape):
    return np.exp(a(*shape))


def W():
    return 2 + a(N, N_IN)


def spikes():
    return spike_time.fire(W(), z(BATCH, N_IN))


def sampled():
    return derivation.sample_network(rng(), derivation.OBLONG)


def checked(W2):
    """A derivation that answers with these numbers for W2, and with zeros where layers have other sizes."""

    def answer(p):
        square = len({len(W) for W in p.W}) == 1
        return {"W2": W2 if square else np.zeros_like(p.W[1])}

    return derivation.check(answer, rng(), tolerance=1e6)


CALLS = {
    "credit.neuron.continuous.dU_dt": lambda: (
        lambda U, I: continuous.dU_dt(U, I, 0.01),
        {"U": a(BATCH, N), "I": a(BATCH, N) + 1},
    ),
    "credit.neuron.continuous.dI_dt": lambda: (lambda I: continuous.dI_dt(I, 0.01), {"I": a(BATCH, N)}),
    "credit.neuron.continuous.psp": lambda: (lambda t: continuous.psp(t, 0.01, 0.005), {"t": a(BATCH, N) / 20}),
    "credit.neuron.continuous.firing_rate": lambda: (lambda I: continuous.firing_rate(I, 0.01), {"I": 4 * a(BATCH, N)}),
    "credit.neuron.rate.forward": lambda: (
        lambda W, x: rate.forward(rate.tanh, W, x),
        {"W": matrices(), "x": a(BATCH, N_IN)},
    ),
    "credit.neuron.rate.backpropagation": of_rates(
        lambda f, W, record, dL_dy: rate.backpropagation(f, [a(N, N_IN), W], record, dL_dy), W=a(N_OUT, N)
    ),
    "credit.neuron.rate.feedback_alignment": of_rates(rate.feedback_alignment, G=[a(N_OUT, N)]),
    "credit.neuron.rate.direct_feedback_alignment": of_rates(rate.direct_feedback_alignment, H=[a(N_OUT, N)]),
    "credit.neuron.rate.local_errors": lambda: (
        lambda G, target, dL_dy: rate.local_errors(rate.tanh, G, record(), target, dL_dy),
        {"G": [a(N_OUT, N)], "target": a(BATCH, N_OUT), "dL_dy": a(BATCH, N_OUT)},
    ),
    "credit.neuron.rate.gradient": lambda: (
        lambda dL_da: rate.gradient([dL_da, a(BATCH, N_OUT)], record()),
        {"dL_da": a(BATCH, N)},
    ),
    "credit.neuron.rnn.forward": lambda: (
        lambda synapses, x: rnn.forward(rate.tanh, synapses, x),
        {"synapses": synapses(), "x": a(T, BATCH, N_IN)},
    ),
    "credit.neuron.rnn.bptt": lambda: (
        lambda synapses, dL_dy: rnn.bptt(rate.tanh, synapses, rnn_record(), dL_dy),
        {"synapses": synapses(), "dL_dy": goal()},
    ),
    "credit.neuron.rnn.rtrl": lambda: (
        lambda synapses, dL_dy: rnn.rtrl(rate.tanh, synapses, rnn_record(), dL_dy),
        {"synapses": synapses(), "dL_dy": goal()},
    ),
    "credit.neuron.spiking.validate": lambda: (
        lambda synapses, x: spiking.validate(CELL, synapses, x),
        {"synapses": synapses(), "x": x()},
    ),
    "credit.neuron.spiking.spikes": lambda: (lambda U: spiking.spikes(CELL, U), {"U": 3 * a(BATCH, N)}),
    "credit.neuron.spiking.sigma_prime": lambda: (lambda U: spiking.sigma_prime(CELL, U), {"U": a(BATCH, N)}),
    "credit.neuron.spiking.forward": lambda: (
        lambda synapses, x: spiking.forward(CELL, synapses, x),
        {"synapses": synapses(), "x": x()},
    ),
    "credit.neuron.spiking.parse_gradient": lambda: (
        lambda gradient: spiking.parse_gradient(gradient, "bptt"),
        {"gradient": [Synapses(a(N, N_IN), np.array(0.5))]},
    ),
    "credit.neuron.continuous.gain": lambda: (continuous.gain, {"tau_mem": np.array(0.01), "dt": np.array(0.001)}),
    "credit.neuron.spiking.neuron": lambda: (
        lambda **times: spiking.neuron(**times)[:3],
        {"tau_mem": np.array(0.01), "tau_syn": np.array(0.005), "dt": np.array(0.001), "theta": np.array(1.0)},
    ),
    "credit.neuron.spiking.init_weights": lambda: (
        lambda W_scale, V_scale: spiking.init_weights(rng(), (N_IN, N), W_scale, V_scale),
        {"W_scale": np.array(1.0), "V_scale": np.array(0.5)},
    ),
    "credit.methods.feedback.sample_alignment": lambda: (
        lambda scale: feedback.sample_alignment(rng(), (N, N_OUT), scale),
        {"scale": np.array(1.0)},
    ),
    "credit.methods.feedback.sample_direct": lambda: (
        lambda scale: feedback.sample_direct(rng(), (N, N_OUT), scale),
        {"scale": np.array(1.0)},
    ),
    "credit.cost.double_exponential": lambda: (
        costs.double_exponential,
        {"tau_rise": np.array(0.005), "tau_decay": np.array(0.01)},
    ),
    "credit.cost.filtered": lambda: (lambda S: costs.filtered(KERNEL, S), {"S": a(T, BATCH, N)}),
    "credit.cost.van_rossum": lambda: (
        lambda target_spikes: costs.van_rossum(KERNEL, target_spikes),
        {"target_spikes": x()},
    ),
    "credit.cost.error": lambda: (
        lambda G, y: costs.error(Target(goal(), G), y, 2),
        {"G": a(N_OUT, N), "y": a(BATCH, N)},
    ),
    "credit.cost.value": lambda: (
        lambda goal, G, S: costs.value(Cost((Target(goal, G),), KERNEL), S),
        {"goal": goal(), "G": a(N_OUT, N), "S": S()[:1]},
    ),
    "credit.cost.errors": lambda: (
        lambda goal, G, S: costs.errors(Cost((Target(goal, G),), KERNEL), S),
        {"goal": goal(), "G": a(N_OUT, N), "S": S()[:1]},
    ),
    "credit.cost.dS": lambda: (lambda errors: costs.dS(KERNEL, errors), {"errors": S()[:1]}),
    "credit.cost.validate": lambda: (
        lambda goal, G: costs.validate(Cost((None, Target(goal, G))), [N, N_OUT], T, BATCH),
        {"goal": a(T, BATCH, 3), "G": a(3, N_OUT)},
    ),
    "credit.methods.bptt.gradient": gradient_of(bptt),
    "credit.methods.online.gradient": gradient_of(superspike.method),
    "credit.methods.feedback.alignment": lambda: (
        lambda G: feedback.alignment(G)([a(BATCH, N), a(BATCH, N_OUT)], [a(BATCH, N), a(BATCH, N_OUT)]),
        {"G": [a(N_OUT, N)]},
    ),
    "credit.methods.feedback.direct": lambda: (
        lambda H: feedback.direct(H)([a(BATCH, N), a(BATCH, N_OUT)], []),
        {"H": [a(N_OUT, N)]},
    ),
    "credit.spike_time.decision.winner": lambda: (spike_time.winner, {"z": z(BATCH, N)}),
    "credit.spike_time.decision.loss": lambda: (spike_time.loss, {"z": z(BATCH, N), "target": np.arange(BATCH) % N}),
    "credit.spike_time.decision.error": lambda: (spike_time.error, {"z": z(BATCH, N), "target": np.arange(BATCH) % N}),
    "credit.spike_time.decision.weight_sum": lambda: (spike_time.weight_sum, {"W": a(N, N_IN)}),
    "credit.spike_time.decision.weight_sum_gradient": lambda: (spike_time.weight_sum_gradient, {"W": a(N, N_IN)}),
    "credit.spike_time.network.encode": lambda: (spike_time.encode, {"t": a(BATCH, N_IN)}),
    "credit.spike_time.network.validate": lambda: (
        lambda W, z: spike_time.validate([W, a(N_OUT, N)], z),
        {"W": W(), "z": z(BATCH, N_IN)},
    ),
    "credit.spike_time.network.fire": lambda: (lambda W, z: spike_time.fire(W, z)[:2], {"W": W(), "z": z(BATCH, N_IN)}),
    "credit.spike_time.network.forward": lambda: (
        lambda W, z: [s[:2] for s in spike_time.forward([W, a(N_OUT, N) + 2], z)],
        {"W": W(), "z": z(BATCH, N_IN)},
    ),
    "credit.spike_time.network.derivatives": lambda: (
        lambda W, z, spikes_z, I, C: spike_time.derivatives(W, z, Spikes(spikes_z, I, C)),
        {"W": W(), "z": z(BATCH, N_IN), **dict(zip(("spikes_z", "I", "C"), spikes(), strict=True))},
    ),
    "credit.spike_time.network.margin": lambda: (spike_time.margin, {"W": W(), "z": z(BATCH, N_IN)}),
    "credit.spike_time.network.backward": lambda: (
        lambda W, z, dz: spike_time.backward([W], z, spike_time.forward([W], z), dz),
        {"W": W(), "z": z(BATCH, N_IN), "dz": a(BATCH, N)},
    ),
    "credit.spike_time.simulation.potential": lambda: (spike_time.potential, {"W": W(), "t": a(N_IN), "at": a(7)}),
    "credit.spike_time.simulation.simulate": lambda: (spike_time.simulate, {"w": 2 + a(N_IN), "t": a(N_IN)}),
    "credit.audit.derivation.check": lambda: (checked, {"W2": a(5, 5)}),
    "credit.audit.dropped.compare": lambda: (compared, {"synapses": synapses()[0], "x": x(), "goal": goal()}),
    "credit.audit.dropped.relative_error": lambda: (dropped.relative_error, {"a": a(N), "b": a(N) + 1}),
    "credit.audit.dropped.cosine": lambda: (dropped.cosine, {"a": a(N), "b": a(N) + 1}),
    "credit.audit.dropped.flat": lambda: (dropped.flat, {"gradient": [Synapses(a(N, N_IN), np.array(0.5))]}),
    "credit.audit.report.worst_entry": lambda: (
        lambda got, exact: report.worst_entry({"W1": got}, {"W1": exact}),
        {"got": a(N, N_IN), "exact": 2 * a(N, N_IN)},
    ),
    "credit.audit.hypotheses.scaled": lambda: (
        lambda array: hypotheses.scaled(sampled()[1], {"W1": array}),
        {"array": a(N, N_IN)},
    ),
    "credit.methods.decolle.step": lambda: (
        lambda r, P, U, dU: dropped_by_decolle.step(a_layer(), r, snapshot()._replace(P=P, U=U, dU=dU)),
        {"r": dropped_by_decolle.rest(a_layer(), BATCH), "P": a(BATCH, N_IN), "U": a(BATCH, N), "dU": a(BATCH, N)},
    ),
}
