"""One valid call of every public function of the core chapters, up to the layer.

Each entry makes the call anew: name -> () -> (function, arguments by name).
"""

from functools import partial

import numpy as np

from decolle_ref import (
    Dense,
    Objective,
    Regulariser,
    layer,
    lif,
    objective,
    readout,
    rule,
    surrogate,
)
from decolle_ref.decolle.readout import Mask
from tests.hostile.arrays import (
    BATCH,
    CONV,
    N_IN,
    N_OUT,
    POOL,
    N,
    a,
    a_layer,
    conv_weights,
    dY,
    neuron,
    rng,
    state,
    weights,
    winners,
)

OBJECTIVE = Objective(regulariser=Regulariser(0.1, 0.2))

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
    "decolle.readout.parse_mask": lambda: (
        lambda activity, Y: readout.parse_mask(Mask(activity, Y), a_layer().readout, (BATCH, N), "mask"),
        {"activity": a(BATCH, N), "Y": a(BATCH, N_OUT)},
    ),
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
}


def of_surrogate(f):
    return lambda x: f(x), {"x": 2 * a(BATCH, N)}


def of_loss(f):
    return f, {"Y": dY(), "target": dY() + 1}


for s in (*surrogate.SURROGATES.values(), surrogate.identity):
    for part in ("derivative", "primitive", "spike"):
        CALLS[f"decolle.surrogate.{s.name}.{part}"] = partial(of_surrogate, getattr(s, part))
for loss in objective.LOSSES.values():
    for part in ("terms", "slope"):
        CALLS[f"decolle.objective.{loss.name}.{part}"] = partial(of_loss, getattr(loss, part))
