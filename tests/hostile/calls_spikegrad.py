"""One valid call of every public function of `spikegrad` and of `fast`.  Each entry makes the call anew."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from decolle_ref import Adamax, Carry, Dense, Layer, Learner, Weights, fast, lif, readout
from decolle_ref.decolle.optim import Moments
from decolle_ref.fast import update as fast_update
from decolle_ref.spikegrad import AveragePool, Descent, IFLayer, ann, events, network, operations, routes, snn
from decolle_ref.spikegrad.ann import Response
from decolle_ref.spikegrad.operations import Fans
from tests.hostile.arrays import (
    BATCH,
    CONV,
    N_IN,
    N_OUT,
    NET,
    N,
    a,
    a_layer,
    moments,
    net_weights,
    rates,
    state,
    weights,
)

POOL = AveragePool((2, 4, 2), 2)
DENSE = (IFLayer(Dense(N_IN, N)), IFLayer(Dense(N, N_OUT), relu=False))
FANS = [Fans(np.ones(N_IN), np.ones(N), 12), Fans(np.ones(N), np.ones(N_OUT), 6)]
EXACT = 8.0  # multiples of 1/8, which sums keep exactly
LABELS = np.arange(BATCH) % N_OUT


def w():
    """Weights of two layers, multiples of 1/8."""
    layers = weights(), weights(N, N_OUT)
    return [Weights(*(np.round(EXACT * x) / EXACT for x in layer)) for layer in layers]


def x(*shape):
    return np.round(4 * a(*shape))


def responses():
    return ann.forward(DENSE, w(), 3 * a(BATCH, N_IN))


def forward_phase():
    return snn.forward(DENSE, w(), x(N_IN))


def workers():
    return ThreadPoolExecutor(1)


def conv_layer():
    fixed = readout.Readout(a(N_OUT, CONV.n), a(N_OUT))
    return Layer(CONV, lif.neuron(), fixed)


def stepped(weights, spikes, target):
    """Three steps: after two of them a spike has reached U."""
    with workers() as pool:
        stepper = fast.NetworkStepper((conv_layer(),), BATCH, pool)
        for _ in range(3):
            stepper.step([weights], spikes, target)
        return stepper.outputs(0), stepper.read(0), stepper.buffers[0][0].gradient


def updated(weights, opt_state):
    with workers() as pool:
        stepper = fast.NetworkStepper((conv_layer(),), BATCH, pool)
        stepper.step([net_weights()[0]], a(1, BATCH, 32), a(BATCH, N_OUT))
        return stepper.update(Learner([rates()]), [weights], [opt_state], 0), weights


def learned(weights, state, opt_state, spikes, targets):
    """Six steps of one layer."""
    start = Carry([weights], [state], [opt_state])
    return fast.learn([a_layer()], start, spikes, [targets], Learner([rates()]))


def convnet_stepper(method):
    def f(**arrays):
        with workers() as pool:
            return getattr(fast.ConvnetStepper(NET, BATCH, pool, dtype=float), method)(**arrays)

    return f


def images(weights, x):
    with workers() as pool:
        return fast.convnet.outputs(NET, weights, x, pool)


def conv_moments():
    return tuple(Moments(0 * x, np.abs(x), 1) for x in net_weights()[0])


def backward_of_fast(weights, U):
    caches = fast.spikegrad.forward(DENSE, w(), x(BATCH, N_IN))[1]
    return fast.spikegrad.backward(DENSE, weights, caches, U)


CALLS = {
    "spikegrad.layers.AveragePool.drive": lambda: (POOL.drive, {"weights": POOL.weights(), "x": a(BATCH, 16)}),
    "spikegrad.layers.AveragePool.adjoint": lambda: (POOL.adjoint, {"weights": POOL.weights(), "E": a(BATCH, 4)}),
    "spikegrad.layers.AveragePool.gradient": lambda: (POOL.gradient, {"E": a(BATCH, 4), "x": a(BATCH, 16)}),
    "spikegrad.layers.AveragePool.parse": lambda: (POOL.parse, {"weights": POOL.weights()}),
    "spikegrad.learning.Descent.start": lambda: (Descent().start, {"weights": Weights(a(N, 1), np.array(0.0))}),
    "spikegrad.learning.Descent.update": lambda: (
        lambda **arrays: Descent().update(**arrays, lr=0.1, scale=1.0),
        {"weights": weights(), "v": weights(), "increment": weights()},
    ),
    "spikegrad.ann.nearest": lambda: (ann.nearest, {"x": 3 * a(BATCH, N)}),
    "spikegrad.ann.respond": lambda: (
        lambda weights, S_below: ann.respond(DENSE[0], weights, S_below),
        {"weights": w()[0], "S_below": x(BATCH, N_IN)},
    ),
    "spikegrad.ann.forward": lambda: (
        lambda weights, x: ann.forward(DENSE, weights, x),
        {"weights": w(), "x": x(BATCH, N_IN)},
    ),
    "spikegrad.ann.derivative": lambda: (lambda z: ann.derivative(DENSE[0], Response(z, z)), {"z": a(BATCH, N)}),
    "spikegrad.ann.cross_entropy": lambda: (ann.cross_entropy, {"V": a(BATCH, N_OUT), "labels": LABELS}),
    "spikegrad.ann.top_error": lambda: (
        lambda V, labels: ann.top_error(V, labels, 10.0),
        {"V": a(BATCH, N_OUT), "labels": LABELS},
    ),
    "spikegrad.ann.backward": lambda: (
        lambda weights, U: ann.backward(DENSE, weights, responses(), U),
        {"weights": w(), "U": 3 * a(BATCH, N_OUT)},
    ),
    "spikegrad.ann.increments": lambda: (
        lambda x, E: ann.increments(DENSE, x, responses(), [E, a(BATCH, N_OUT)]),
        {"x": x(BATCH, N_IN), "E": x(BATCH, N)},
    ),
    "spikegrad.network.validate": lambda: (lambda weights: network.validate(DENSE, weights), {"weights": w()}),
    "spikegrad.events.neurons": lambda: (lambda V: events.neurons(V, 1.0), {"V": a(N)}),
    "spikegrad.snn.forward": lambda: (
        lambda weights, x: snn.forward(DENSE, weights, x),
        {"weights": w(), "x": x(N_IN)},
    ),
    "spikegrad.snn.backward": lambda: (
        lambda weights, U: snn.backward(DENSE, weights, forward_phase(), U),
        {"weights": w(), "U": x(N_OUT)},
    ),
    "spikegrad.snn.derivative": lambda: (
        lambda V, total: snn.derivative(DENSE, forward_phase()._replace(V=[V, a(N_OUT)], totals=[total, a(N_OUT)])),
        {"V": a(N), "total": a(N)},
    ),
    "spikegrad.snn.increments": lambda: (
        lambda x: snn.increments(DENSE, x, forward_phase(), snn.backward(DENSE, w(), forward_phase(), 3 * a(N_OUT))),
        {"x": x(N_IN)},
    ),
    "spikegrad.snn.input_spikes": lambda: (
        lambda x: [spike.sign for spike in snn.input_spikes(x)],
        {"x": np.array([2.0, 0.0, 1.0])},
    ),
    "spikegrad.routes.fan_out": lambda: (partial(routes.fan_out, DENSE[0].synapse), {"weights": w()[0]}),
    "spikegrad.routes.fan_in": lambda: (partial(routes.fan_in, DENSE[0].synapse), {"weights": w()[0]}),
    "spikegrad.operations.operations": lambda: (
        lambda S: operations.operations(FANS, [S, a(BATCH, N_OUT)], [a(BATCH, N), a(BATCH, N_OUT)]),
        {"S": x(BATCH, N)},
    ),
    "spikegrad.operations.operations backward": lambda: (
        lambda E: operations.operations(FANS, [a(BATCH, N), a(BATCH, N_OUT)], [a(BATCH, N), E]),
        {"E": x(BATCH, N_OUT)},
    ),
    "spikegrad.operations.relative_operations": lambda: (
        lambda operations_: operations.relative_operations(network.parse("4x4-2C3-P2-10"), operations_),
        {"operations_": np.array([3.0, 5.0])},
    ),
    "spikegrad.operations.forward_bound": lambda: (
        lambda weights, arriving: operations.forward_bound(DENSE[0], weights, arriving),
        {"weights": w()[0], "arriving": np.abs(x(N_IN))},
    ),
    "spikegrad.operations.backward_bound": lambda: (
        lambda weights_above, arriving: operations.backward_bound(*DENSE, weights_above, arriving),
        {"weights_above": w()[1], "arriving": np.abs(x(N_OUT))},
    ),
    "spikegrad.operations.count_spikes": lambda: (
        lambda weights, x, U: operations.count_spikes(DENSE, weights, x, U),
        {"weights": w(), "x": x(N_IN), "U": x(N_OUT)},
    ),
    "fast.update.update_layer": lambda: (
        lambda weights, opt_state, dU, P: fast.update_layer(
            Adamax(), Dense(N_IN, N), weights, opt_state, dU, P, rates()
        ),
        {"weights": weights(), "opt_state": moments(), "dU": a(BATCH, N), "P": a(BATCH, N_IN)},
    ),
    "fast.update.adamax": lambda: (
        lambda parameter, m, u, lr: (fast_update.adamax(Adamax(), parameter, Moments(m, u, 1), lr), parameter),
        {"parameter": a(N, N_IN), "m": a(N, N_IN), "u": np.abs(a(N, N_IN)), "lr": np.array(0.1)},
    ),
    "fast.evaluation.evaluate": lambda: (
        lambda weights, spikes, state: fast.evaluate([a_layer()], [weights], spikes, [state])[1],
        {"weights": weights(), "spikes": a(6, BATCH, N_IN), "state": state()},
    ),
    "fast.learning.learn": lambda: (
        learned,
        {
            "weights": weights(),
            "state": state(),
            "opt_state": moments(),
            "spikes": a(6, BATCH, N_IN),
            "targets": a(6, BATCH, N_OUT),
        },
    ),
    "fast.stepper.NetworkStepper.step": lambda: (
        stepped,
        {"weights": net_weights()[0], "spikes": a(1, BATCH, 32), "target": a(BATCH, N_OUT)},
    ),
    "fast.stepper.NetworkStepper.update": lambda: (
        updated,
        {"weights": net_weights()[0], "opt_state": conv_moments()},
    ),
    "fast.convnet.ConvnetStepper.forward": lambda: (
        convnet_stepper("forward"),
        {"weights": net_weights(), "x": a(BATCH, 32)},
    ),
    "fast.convnet.ConvnetStepper.gradient": lambda: (
        convnet_stepper("gradient"),
        {"weights": net_weights(), "x": a(BATCH, 32), "target": a(BATCH, N_OUT)},
    ),
    "fast.convnet.outputs": lambda: (images, {"weights": net_weights(), "x": a(BATCH, 32)}),
    "fast.spikegrad.forward": lambda: (
        lambda weights, x: fast.spikegrad.forward(DENSE, weights, x)[0],
        {"weights": w(), "x": x(BATCH, N_IN)},
    ),
    "fast.spikegrad.backward": lambda: (backward_of_fast, {"weights": w(), "U": 3 * a(BATCH, N_OUT)}),
    "fast.spikegrad.step": lambda: (
        lambda weights, x, labels: fast.spikegrad.step(DENSE, weights, x, labels, 10.0, "spike"),
        {"weights": w(), "x": x(BATCH, N_IN), "labels": LABELS},
    ),
    "fast.spikegrad.accuracy": lambda: (
        lambda weights, x, labels: fast.spikegrad.accuracy(DENSE, weights, x, labels),
        {"weights": w(), "x": x(BATCH, N_IN), "labels": LABELS},
    ),
}
