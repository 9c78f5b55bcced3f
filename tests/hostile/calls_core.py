"""One valid call of every public function of the core chapters, of `gradcheck` and of `data.encode`.

Each entry makes the call anew: name -> () -> (function, arguments by name).
"""

import numpy as np

from decolle_ref import (
    SGD,
    Adamax,
    Carry,
    Conv2d,
    Dense,
    Layer,
    Learner,
    MaxPool,
    Objective,
    Readout,
    Regulariser,
    Weights,
    convnet,
    dialects,
    gradcheck,
    layer,
    learner,
    lif,
    network,
    objective,
    optim,
    readout,
    rescale,
    rule,
    surrogate,
)
from decolle_ref.data import encode
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.readout import Mask

BATCH, N_IN, N, N_OUT = 5, 4, 3, 2


def a(*shape):
    """Numbers between -1 and 1 that are the same at every call."""
    return np.random.default_rng(len(shape) + sum(shape)).uniform(-1, 1, shape)


def rng():
    return np.random.default_rng(0)


def neuron():
    return lif.neuron(tau_mem=np.linspace(0.01, 0.03, N_IN))


def a_layer(n_in=N_IN, n=N, regulariser=None):
    fixed = Readout(a(N_OUT, n), a(N_OUT))
    return Layer(Dense(n_in, n), lif.neuron(), fixed, objective=Objective(regulariser=regulariser))


def weights(n_in=N_IN, n=N):
    return Weights(a(n, n_in), a(n))


def state(n_in=N_IN, n=N):
    return lif.State(a(BATCH, n_in), a(BATCH, n_in) + 1, a(BATCH, n))


def stack():
    return (a_layer(), a_layer(N, N + 1)), (weights(), weights(N, N + 1)), (state(), state(N, N + 1))


def rates():
    return Weights(np.array(0.1), np.array(0.2))


def moments():
    return tuple(Moments(0 * x, np.abs(x), 1) for x in weights())


def snapshot():
    return layer.forward(a_layer(), weights(), state(), a(BATCH, N_IN))[1]


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


CONV = Conv2d((2, 4, 4), 3, 3, padding=1)
POOL = MaxPool((3, 4, 4), 2)
NET = convnet.build((2, 4, 4), [(3, 2)], 3, padding=1, n_out=N_OUT)
OBJECTIVE = Objective(regulariser=Regulariser(0.1, 0.2))


def conv_weights():
    return Weights(a(3, 2, 3, 3), a(3))


def net_weights():
    return [conv_weights(), Weights(a(N_OUT, 12), a(N_OUT))]


def dY():
    return a(BATCH, N_OUT)


def winners():
    return POOL.winners(a(BATCH, 48))


def cubes(x):
    return (x**3).sum()


CALLS = {
    "decolle.surrogate.at_threshold": lambda: (surrogate.at_threshold, {"u": a(BATCH, N)}),
    "decolle.surrogate.above_threshold": lambda: (surrogate.above_threshold, {"u": a(BATCH, N)}),
    "decolle.surrogate.magnitude": lambda: (surrogate.magnitude, {"x": a(BATCH, N)}),
    "decolle.surrogate.normalised": lambda: (
        surrogate.normalised(surrogate.fast_sigmoid).primitive,
        {"x": a(BATCH, N)},
    ),
    "decolle.surrogate.sharpened": lambda: (surrogate.sharpened(surrogate.boxcar, 2.0).derivative, {"x": a(BATCH, N)}),
    "decolle.lif.neuron": lambda: (
        lif.neuron,
        {x: np.abs(a(N)) + 0.01 for x in ("tau_mem", "tau_syn", "tau_ref", "w")},
    ),
    "decolle.lif.from_decays": lambda: (
        lif.from_decays,
        {x: np.abs(a(N)) * 0.9 + 0.01 for x in ("alpha", "beta", "gamma", "w", "gain_Q", "gain_P")},
    ),
    "decolle.lif.validate": lambda: (
        lambda **constants: lif.validate(neuron()._replace(**constants), N_IN, N, "layer 1"),
        {"alpha": np.abs(a(N_IN)), "delta": np.abs(a(N))},
    ),
    "decolle.lif.srm_kernel": lambda: (
        lambda alpha, beta: lif.srm_kernel(alpha, beta, 9),
        {"alpha": np.array(0.9), "beta": np.array(0.8)},
    ),
    "decolle.lif.validate_state": lambda: (
        lif.validate_state,
        {"state": state(), "n_in": N_IN, "n": N, "batch": (BATCH,), "name": "layer 1"},
    ),
    "decolle.synapse.Dense.gradient": lambda: (Dense(N_IN, N).gradient, {"dU": a(BATCH, N), "P": a(BATCH, N_IN)}),
    "decolle.synapse.Dense.init_weights": lambda: (
        lambda scale, bias: Dense(N_IN, N).init_weights(rng(), neuron(), scale, bias),
        {"scale": np.array(1.0), "bias": np.array(0.1)},
    ),
    "decolle.synapse.Conv2d.init_weights": lambda: (
        lambda scale, bias: CONV.init_weights(rng(), lif.neuron(), scale, bias),
        {"scale": np.array(1.0), "bias": np.array(0.1)},
    ),
    "decolle.synapse.Dense.adjoint": lambda: (Dense(N_IN, N).adjoint, {"weights": weights(), "dU": a(BATCH, N)}),
    "decolle.synapse.Dense.parse": lambda: (Dense(N_IN, N).parse, {"weights": weights()}),
    "decolle.synapse.Dense.validate": lambda: (
        Dense(N_IN, N).validate,
        {"weights": weights(), "dtype": np.dtype(float), "name": "layer 1"},
    ),
    "decolle.synapse.Conv2d.drive": lambda: (CONV.drive, {"weights": conv_weights(), "P": a(BATCH, 32)}),
    "decolle.synapse.Conv2d.gradient": lambda: (CONV.gradient, {"dU": a(BATCH, 48), "P": a(BATCH, 32)}),
    "decolle.synapse.Conv2d.adjoint": lambda: (CONV.adjoint, {"weights": conv_weights(), "dU": a(BATCH, 48)}),
    "decolle.synapse.Conv2d.parse": lambda: (CONV.parse, {"weights": conv_weights()}),
    "decolle.synapse.Conv2d.validate": lambda: (
        CONV.validate,
        {"weights": conv_weights(), "dtype": np.dtype(float), "name": "layer 1"},
    ),
    "decolle.pool.MaxPool.winners": lambda: (
        lambda x: POOL.pick(np.asarray(x), POOL.winners(x)),  # a place has no NaN, but its entry has
        {"x": a(BATCH, 48)},
    ),
    "decolle.pool.MaxPool.pick": lambda: (POOL.pick, {"x": a(BATCH, 48), "winners": winners()}),
    "decolle.pool.MaxPool.route": lambda: (POOL.route, {"dU": a(BATCH, 12), "winners": winners()}),
    "decolle.readout.sample_readout": lambda: (
        lambda amplitude: readout.sample_readout(rng(), N, N_OUT, amplitude),
        {"amplitude": np.array(1.0)},
    ),
    "decolle.readout.sample_mask": lambda: (
        lambda p: readout.sample_mask(rng(), p, "Y", (N,)),
        {"p": np.array(0.5)},
    ),
    "decolle.readout.drop_count": lambda: (lambda p: readout.drop_count("p", p), {"p": np.array(0.5)}),
    "decolle.readout.validate": lambda: (
        readout.validate,
        {"readout": a_layer().readout, "n": N, "dtype": np.dtype(float), "name": "layer 1"},
    ),
    "decolle.objective.softmax": lambda: (objective.softmax, {"Y": dY()}),
    "decolle.objective.log_softmax": lambda: (objective.log_softmax, {"Y": dY()}),
    "decolle.objective.Objective.value": lambda: (
        lambda U, Y, target: OBJECTIVE.value(U, Y, target, surrogate.logistic),
        {"U": a(BATCH, N), "Y": dY(), "target": dY() + 1},
    ),
    "decolle.objective.Objective.loss_of": lambda: (Objective().loss_of, {"Y": dY(), "target": dY() + 1}),
    "decolle.objective.Objective.error": lambda: (Objective().error, {"Y": dY(), "target": dY() + 1}),
    "decolle.objective.Objective.penalty": lambda: (
        lambda U: OBJECTIVE.penalty(U, surrogate.boxcar),
        {"U": a(BATCH, N)},
    ),
    "decolle.objective.Regulariser.value": lambda: (
        lambda U: Regulariser(0.1, 0.2, "membrane").value(U, surrogate.logistic),
        {"U": a(BATCH, N)},
    ),
    "decolle.objective.Regulariser.derivative": lambda: (
        lambda U: Regulariser(0.1, 0.2, "membrane").derivative(U, surrogate.logistic),
        {"U": a(BATCH, N)},
    ),
    "decolle.rule.error_signal": lambda: (
        lambda dY, U: rule.error_signal(a_layer().readout, surrogate.boxcar, OBJECTIVE, dY, U),
        {"dY": dY(), "U": a(BATCH, N)},
    ),
    "decolle.rule.gradient": lambda: (
        lambda dU, P: rule.gradient(Dense(N_IN, N), dU, P),
        {"dU": a(BATCH, N), "P": a(BATCH, N_IN)},
    ),
    "decolle.layer.local_loss": lambda: (
        lambda **arrays: layer.local_loss(a_layer(), **arrays),
        {"weights": weights(), "P": a(BATCH, N_IN), "R": a(BATCH, N), "target": dY()},
    ),
    "decolle.layer.frozen_error_loss": lambda: (
        lambda **arrays: layer.frozen_error_loss(a_layer(), **arrays),
        {"weights": weights(), "P": a(BATCH, N_IN), "R": a(BATCH, N), "dY": dY()},
    ),
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

for s in (*surrogate.SURROGATES.values(), surrogate.identity):
    for part in ("derivative", "primitive", "spike"):
        CALLS[f"decolle.surrogate.{s.name}.{part}"] = lambda f=getattr(s, part): (
            lambda x: f(x),
            {"x": a(BATCH, N) * 2},
        )
for loss in objective.LOSSES.values():
    for part in ("terms", "slope"):
        CALLS[f"decolle.objective.{loss.name}.{part}"] = lambda f=getattr(loss, part): (
            f,
            {"Y": dY(), "target": dY() + 1},
        )
