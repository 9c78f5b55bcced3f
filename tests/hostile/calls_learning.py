"""One valid call of every public function that learns or runs, of `gradcheck` and of `data.encode`."""

import numpy as np

from decolle_ref import (
    SGD,
    Adamax,
    Carry,
    Dense,
    Learner,
    Weights,
    convnet,
    dialects,
    gradcheck,
    learner,
    network,
    optim,
    rescale,
)
from decolle_ref.data import encode
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.readout import Mask
from tests.hostile.arrays import (
    BATCH,
    N_IN,
    N_OUT,
    NET,
    N,
    a,
    a_layer,
    dY,
    moments,
    net_weights,
    neuron,
    rates,
    rng,
    stack,
    state,
    weights,
)


def run(weights, state, opt_state, rates, inputs, targets):
    """The last two steps' carry and snapshots of a run that learns."""
    layers, teacher = stack()[0], Learner([rates, rates])
    start = Carry(weights, state, (opt_state, tuple(teacher.init(weights))[1]))
    return list(network.run(layers, start, [inputs] * 2, [[targets] * 2] * 2, teacher))


def dropped(activity, Y):
    """The snapshots of a run with dropout."""
    layers, start = (a_layer(),), Carry((weights(),), (state(),))
    return list(network.run(layers, start, [a(BATCH, N_IN)], masks=[[Mask(activity, Y)]]))


def update(rates, opt_state, weights, dU, P):
    return Learner([rates]).update([Dense(N_IN, N)], [weights], [opt_state], [dU], [P], 0)


def cubes(x):
    return (x**3).sum()


CALLS = {
    "decolle.optim.SGD.update": lambda: (
        lambda parameter, g, lr: SGD().update(parameter, g, None, lr)[0],
        {"parameter": a(N), "g": a(N) + 1, "lr": np.array(0.1)},
    ),
    "decolle.optim.Adamax.update": lambda: (
        lambda parameter, g, opt_state, lr: Adamax().update(parameter, g, opt_state, lr)[0],
        {"parameter": a(N), "g": a(N) + 1, "opt_state": Moments(a(N), np.abs(a(N)), 1), "lr": np.array(0.1)},
    ),
    "decolle.optim.SGD.init": lambda: (SGD().init, {"parameter": a(N)}),
    "decolle.optim.Adamax.init": lambda: (Adamax().init, {"parameter": a(N)}),
    "decolle.optim.stepwise": lambda: (
        lambda factor: optim.stepwise((2,), factor)(3),
        {"factor": np.array(0.5)},
    ),
    "decolle.optim.validate_arrays": lambda: (
        lambda parameter, g: [optim.validate_arrays(parameter, g), parameter, g],
        {"parameter": a(N), "g": a(N) + 1},
    ),
    "decolle.optim.update_each": lambda: (
        lambda arrays, gradients: optim.update_each(SGD(), arrays, gradients, [None], [np.array(0.1)])[0],
        {"arrays": [a(N)], "gradients": [a(N) + 1]},
    ),
    "decolle.learner.update_layer": lambda: (
        lambda **arrays: learner.update_layer(Adamax(), Dense(N_IN, N), learning_rate=rates(), **arrays),
        {"weights": weights(), "opt_state": moments(), "dU": a(BATCH, N), "P": a(BATCH, N_IN)},
    ),
    "decolle.learner.Learner": lambda: (
        lambda rates: Learner([rates]).learning_rates,
        {"rates": rates()._replace(W=np.abs(a(N, 1)))},
    ),
    "decolle.learner.Learner.validate": lambda: (
        lambda opt_state, rates: Learner([rates]).validate([weights()], [opt_state]),
        {"opt_state": moments(), "rates": rates()},
    ),
    "decolle.learner.Learner.init": lambda: (
        lambda weights: Learner([rates()]).init([weights]),
        {"weights": rates()._replace(W=a(N, 1))},
    ),
    "decolle.learner.Learner.update": lambda: (
        update,
        {"rates": rates(), "opt_state": moments(), "weights": weights(), "dU": a(BATCH, N), "P": a(BATCH, N_IN)},
    ),
    "decolle.network.validate": lambda: (
        lambda weights: network.validate(stack()[0], weights),
        {"weights": stack()[1]},
    ),
    "decolle.network.validate_state": lambda: (
        lambda state: network.validate_state(stack()[0], state),
        {"state": stack()[2]},
    ),
    "decolle.network.step": lambda: (
        lambda **arrays: network.step(stack()[0], **arrays),
        {"weights": stack()[1], "state": stack()[2], "spikes": a(BATCH, N_IN), "targets": [dY(), dY()]},
    ),
    "decolle.network.run": lambda: (
        run,
        {
            "weights": stack()[1],
            "state": stack()[2],
            "opt_state": moments(),
            "rates": rates(),
            "inputs": a(BATCH, N_IN),
            "targets": dY(),
        },
    ),
    "decolle.network.run masks": lambda: (
        dropped,
        {"activity": 1 + np.abs(a(BATCH, N)), "Y": 1 + np.abs(a(BATCH, N_OUT))},
    ),
    "decolle.rescale.rescale": lambda: (
        lambda weights: rescale.rescale(neuron(), weights, dialects.paper, dialects.dcll),
        {"weights": weights()},
    ),
    "decolle.convnet.relu": lambda: (convnet.relu, {"u": a(BATCH, N)}),
    "decolle.convnet.forward": lambda: (
        lambda **x: convnet.forward(NET, **x).Y,
        {"weights": net_weights(), "x": a(BATCH, 32)},
    ),
    "decolle.convnet.loss": lambda: (
        lambda **x: convnet.loss(NET, **x),
        {"weights": net_weights(), "x": a(BATCH, 32), "target": dY()},
    ),
    "decolle.convnet.gradient": lambda: (
        lambda **x: convnet.gradient(NET, **x),
        {"weights": net_weights(), "x": a(BATCH, 32), "target": dY()},
    ),
    "decolle.convnet.backward": lambda: (
        lambda weights, dY: convnet.backward(NET, weights, convnet.forward(NET, net_weights(), a(BATCH, 32)), dY),
        {"weights": net_weights(), "dY": dY()},
    ),
    "decolle.convnet.parse": lambda: (lambda weights: convnet.parse(NET, weights), {"weights": net_weights()}),
    "decolle.convnet.init": lambda: (
        lambda weights: convnet.init(Adamax(), [weights]),
        {"weights": rates()._replace(W=a(N, 1))},
    ),
    "decolle.convnet.update": lambda: (
        lambda weights, gradients: convnet.update(SGD(), weights, gradients, [None, None], 0.1)[0],
        {"weights": [weights()], "gradients": [Weights(a(N, N_IN) + 1, a(N) + 1)]},
    ),
    "gradcheck.complex_step": lambda: (
        lambda x, v: gradcheck.complex_step(cubes, x, v),
        {"x": a(BATCH, N), "v": a(BATCH, N) + 1},
    ),
    "gradcheck.central": lambda: (lambda x, v: gradcheck.central(cubes, x, v), {"x": a(N, 1), "v": a(N, 1) + 1}),
    "gradcheck.taylor_rate": lambda: (
        lambda gradient, x, v: gradcheck.taylor_rate(cubes, gradient, x, v),
        {"gradient": a(N, 2), "x": a(N, 2), "v": a(N, 2) + 1},
    ),
    "gradcheck.check": lambda: (
        lambda gradient, x: gradcheck.check(cubes, gradient, x),
        {"gradient": 3 * a(N, 2), "x": a(N, 2)},
    ),
    "data.encode.poisson": lambda: (
        lambda input_rate_hz: encode.poisson(rng(), input_rate_hz, 50, N),
        {"input_rate_hz": 100 + 300 * np.abs(a(N))},
    ),
    "data.encode.poisson_steps": lambda: (
        lambda input_rate_hz: encode.poisson_steps(rng(), input_rate_hz),
        {"input_rate_hz": 100 + 300 * np.abs(a(N))},
    ),
}
