"""Every check of the core names the input that it refuses, and accepts the last value that is right."""

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.decolle import layer, lif, network, optim, readout, rule
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.objective import Objective
from decolle_ref.decolle.optim import SGD, Adamax, Moments
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import Mask
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights, validate_image

N_IN, N, N_OUT = 2, 3, 4
NAN = np.full(N_IN, np.nan)
DENSE, CONV, POOL = Dense(N_IN, N), Conv2d((1, 2, 3), 2, 2), MaxPool((1, 2, 4), 2)
ONE = Layer(DENSE, lif.neuron(), readout.sample_readout(np.random.default_rng(0), N, N_OUT))
NARROW = lif.neuron(dtype=np.float32)
WEIGHTS, CONV_WEIGHTS = Weights(np.ones((N, N_IN)), np.ones(N)), Weights(np.ones((2, 1, 2, 2)), np.ones(2))
STATE = lif.rest(ONE.neuron, N_IN, N)
SPIKES, DY, TARGET = np.ones(N_IN), np.ones(N_OUT), np.ones(N_OUT)


def rng():
    return np.random.default_rng(0)


def step(targets=None, masks=None, spikes=SPIKES, weights=WEIGHTS, state=STATE, layers=(ONE,)):
    return network.step(layers, (weights,) * len(layers), (state,) * len(layers), spikes, targets, masks)


def run(learner=None, masks=None, **changes):
    start = Carry((WEIGHTS,), (STATE,), **changes)
    return list(network.run([ONE], start, [SPIKES], [[TARGET]], learner, masks))


def taught(rate=None, opt_state=((None, None),), optimiser=None):
    rates = Weights(np.asarray(0.1), np.asarray(0.1)) if rate is None else rate
    return Learner([rates], optimiser or SGD()).validate([WEIGHTS], opt_state)


def adamax_with(**changes):
    memory = Adamax().init(WEIGHTS.W)._replace(**changes)
    return taught(opt_state=((memory, Adamax().init(WEIGHTS.b)),), optimiser=Adamax())


NEURON = {
    "w: expected finite numbers >= 0, got -1": lambda: lif.neuron(w=-1),
    "alpha: expected numbers in [0, 1), got 1": lambda: lif.from_decays(1, 0.5, 0.5),
    "beta: expected numbers in [0, 1), got 1": lambda: lif.from_decays(0.5, 1, 0.5),
    "gamma: expected numbers in [0, 1), got 1": lambda: lif.from_decays(0.5, 0.5, 1),
    "alpha as float32: expected numbers": lambda: lif.from_decays(1 - 1e-9, 0.5, 0.5, dtype=np.float32),
    "alpha, beta, gain_Q, gain_P: expected numbers or vectors of one length, got alpha (2,), beta (3,)": lambda: (
        lif.from_decays([0.5] * 2, [0.5] * 3, w=0)
    ),
    "alpha, beta, gain_Q, gain_P: expected numbers or vectors of one length, got gain_Q (2,), gain_P (3,)": lambda: (
        lif.from_decays(0.5, 0.5, w=0, gain_Q=[1] * 2, gain_P=[1] * 3)
    ),
    "gamma, w: expected numbers or vectors of one length, got gamma (2,), w (3,)": lambda: lif.from_decays(
        0.5, 0.5, [0.5] * 2, [1] * 3
    ),
    "delta as float32: expected finite": lambda: lif.from_decays(0.5, 0.5, 0.5, w=1e40, dtype=np.float32),
    "gain_Q as float32: expected finite": lambda: lif.from_decays(0.5, 0.5, w=0, dtype=np.float32, gain_Q=1e40),
    "gain_P as float32: expected finite": lambda: lif.from_decays(0.5, 0.5, w=0, dtype=np.float32, gain_P=1e40),
    "layer 7 alpha: expected finite": lambda: lif.validate(ONE.neuron._replace(alpha=NAN), N_IN, N, "layer 7"),
    "alpha: expected numbers in [0, 1), got -0.1": lambda: lif.srm_kernel(-0.1, 0.5, 9),
    "beta: expected numbers in [0, 1), got 2": lambda: lif.srm_kernel(0.5, 2, 9),
} | {
    f"layer 7 {letter}: expected shape () or ({size},), got (4,)": lambda letter=letter: lif.validate(
        ONE.neuron._replace(**{letter: np.ones(4)}), N_IN, N, "layer 7"
    )
    for letter, size in zip(lif.LIF._fields, (N_IN, N_IN, N, N, N_IN, N_IN), strict=False)
}

SYNAPSE = {
    "n_in: expected an integer >= 1, got 0": lambda: Dense(0, 1),
    "n: expected an integer >= 1, got 0": lambda: Dense(1, 0),
    "P: expected shape (..., 2), got (3,)": lambda: DENSE.gradient(np.ones(N), np.ones(3)),
    "dU: expected shape (5, 3), got (4, 3)": lambda: DENSE.gradient(np.ones((4, N)), np.ones((5, N_IN))),
    "dU: expected shape (..., 3), got (2,)": lambda: DENSE.adjoint(WEIGHTS, np.ones(N_IN)),
    "W: expected shape (3, 2), got (2,)": lambda: DENSE.adjoint(Weights(np.ones(2), WEIGHTS.b), np.ones(N)),
    "b: expected shape (3,), got (2,)": lambda: DENSE.parse(Weights(WEIGHTS.W, np.ones(2))),
    "layer 7 b: expected finite": lambda: DENSE.validate(
        Weights(WEIGHTS.W, np.full(N, np.nan)), np.dtype(float), "layer 7"
    ),
    "layer 7 b: expected shape (2,), got (1,)": lambda: CONV.validate(
        Weights(CONV_WEIGHTS.W, np.ones(1)), np.dtype(float), "layer 7"
    ),
    "layer 7 b: expected float32, as the neuron": lambda: CONV.validate(
        Weights(CONV_WEIGHTS.W.astype(np.float32), CONV_WEIGHTS.b), np.dtype(np.float32), "layer 7"
    ),
    "W as float32: expected finite": lambda: DENSE.init_weights(rng(), NARROW, scale=1e45),
    "b as float32: expected finite": lambda: DENSE.init_weights(rng(), NARROW, bias=1e45),
    "shape_in: expected (channels, height, width), got (1, 2)": lambda: Conv2d((1, 2), 1, 1),
    "shape_in height: expected an integer >= 1, got 0": lambda: Conv2d((1, 0, 1), 1, 1),
    "shape channels: expected an integer >= 1, got 0": lambda: validate_image("shape", (0, 1, 1)),
    "shape height: expected an integer >= 1, got 0": lambda: validate_image("shape", (1, 0, 1)),
    "shape width: expected an integer >= 1, got 0": lambda: validate_image("shape", (1, 1, 0)),
    "channels: expected an integer >= 1, got 0": lambda: Conv2d((1, 2, 2), 0, 1),
    "kernel: expected an integer >= 1, got 0": lambda: Conv2d((1, 2, 2), 1, 0),
    "stride: expected an integer >= 1, got 0": lambda: Conv2d((1, 2, 2), 1, 1, stride=0),
    "padding: expected an integer >= 0, got -1": lambda: Conv2d((1, 2, 2), 1, 1, padding=-1),
    "kernel: expected at most 4, the side of the padded image, got 5": lambda: Conv2d((1, 2, 9), 1, 5, padding=1),
    "P: expected shape (..., 6), got (5,)": lambda: CONV.drive(CONV_WEIGHTS, np.ones(5)),
    "dU: expected shape (..., 4), got (5,)": lambda: CONV.adjoint(CONV_WEIGHTS, np.ones(5)),
}

POOLS = {
    "shape: expected (channels, height, width), got (1, 2)": lambda: MaxPool((1, 2), 1),
    "size: expected an integer >= 1, got 0": lambda: MaxPool((1, 2, 2), 0),
    "x: expected shape (..., 8), got (7,)": lambda: POOL.winners(np.ones(7)),
    "x: expected shape (..., 8), got (9,)": lambda: POOL.pick(np.ones(9), np.array([0, 2])),
    "dU: expected shape (..., 2), got (3,)": lambda: POOL.route(np.ones(3), np.array([0, 2])),
    "winners: expected integers from 0 to 7, got 8": lambda: POOL.route(np.ones(2), np.array([0, 8])),
    "winners: expected integers from 0 to 7, got -1": lambda: POOL.pick(np.ones(8), np.array([-1, 7])),
}

READOUT = {
    "n: expected an integer >= 1, got 0": lambda: readout.sample_readout(rng(), 0, 1),
    "n_out: expected an integer >= 1, got 0": lambda: readout.sample_readout(rng(), 1, 0),
    "amplitude: expected finite numbers > 0, got 0": lambda: readout.sample_readout(rng(), 1, 1, 0),
    "G as float32: expected finite": lambda: readout.sample_readout(rng(), 1, 1, 1e45, np.float32),
    "dtype: expected float32 or float64, got float16": lambda: readout.sample_readout(rng(), 1, 1, dtype=np.float16),
    "p: expected numbers in [0, 1), got 1": lambda: readout.sample_mask(rng(), 1, "Y", (1,)),
    "p: expected at most 255/256, got 0.999": lambda: readout.sample_mask(rng(), 0.999, "Y", (1,)),
    "q: expected numbers in [0, 1), got -1": lambda: readout.drop_count("q", -1),
    "dtype: expected float32 or float64, got int64": lambda: readout.sample_mask(rng(), 0.5, "Y", (1,), np.int64),
    "layer 7 G: expected shape (0, 3), got ()": lambda: readout.validate(
        ONE.readout._replace(G=np.asarray(1.0)), N, np.dtype(float), "layer 7"
    ),
    "layer 7 G: expected shape (4, 3), got (4, 2)": lambda: readout.validate(
        ONE.readout._replace(G=np.ones((4, 2))), N, np.dtype(float), "layer 7"
    ),
    "layer 7 c: expected finite": lambda: readout.validate(ONE.readout._replace(c=NAN), N, np.dtype(float), "layer 7"),
    "layer 7 c: expected float32, as the neuron": lambda: readout.validate(
        ONE.readout._replace(G=np.ones((4, 3), np.float32)), N, np.dtype(np.float32), "layer 7"
    ),
    "mask of Y at step 0: expected finite": lambda: readout.parse_mask(Mask(Y=np.inf), ONE.readout, (N,), "mask"),
    "mask of activity at step 5: expected to broadcast to (3,), got (2,)": lambda: readout.parse_mask(
        Mask(np.ones(2)), ONE.readout, (N,), "mask", 5
    ),
}

LEARNING = {
    "U: expected shape (..., 3), got (2,)": lambda: rule.error_signal(
        ONE.readout, logistic, Objective(), DY, np.ones(2)
    ),
    "dY: expected shape (4,), got (3,)": lambda: rule.error_signal(
        ONE.readout, logistic, Objective(), np.ones(3), np.ones(N)
    ),
    "parameter: expected an array of numbers, got dtype <U1": lambda: SGD().init("a"),
    "parameter: expected an array of numbers, got dtype <U2": lambda: Adamax().init("ab"),
    "lr: expected an array of numbers": lambda: SGD().update(np.ones(2), np.ones(2), None, "a"),
    "update: expected floats of one dtype and of shape (2,), got float64 of shape (3,)": lambda: SGD().update(
        np.ones(2), np.ones(3), None, np.asarray(0.1)
    ),
    "update: expected floats of one dtype and of shape (3,), got float64 of shape (2,)": lambda: Adamax().update(
        np.ones(3), np.ones(2), Adamax().init(np.ones(3)), np.asarray(0.1)
    ),
    "update: expected floats of one dtype and of shape (2,), got float64 of shape (4,)": lambda: Adamax().update(
        np.ones(2), np.ones(2), Moments(np.ones(4), np.ones(2), 0), np.asarray(0.1)
    ),
    "update: expected floats of one dtype and of shape (2,), got float64 of shape (5,)": lambda: Adamax().update(
        np.ones(2), np.ones(2), Moments(np.ones(2), np.ones(5), 0), np.asarray(0.1)
    ),
    "update: expected floats of one dtype and of shape (), got float of shape ()": lambda: optim.validate_arrays(1.0),
    "update: expected floats of one dtype and of shape (1,), got int64": lambda: optim.validate_arrays(
        np.ones(1, np.int64)
    ),
    "update: expected floats of one dtype and of shape (1,), got float32": lambda: optim.validate_arrays(
        np.ones(1), np.ones(1, np.float32)
    ),
    "beta1: expected a number in [0, 1), got -0.1": lambda: Adamax(beta1=-0.1),
    "beta1: expected a number in [0, 1), got 1": lambda: Adamax(beta1=1),
    "eps: expected finite numbers > 0, got 0": lambda: Adamax(eps=0),
    "factor: expected finite numbers > 0, got 0": lambda: optim.stepwise((), 0),
    "boundary: expected an integer >= 0, got -1": lambda: optim.stepwise((0, -1), 0.5),
    "burn_in: expected an integer >= 0, got -1": lambda: Learner([], burn_in=-1),
    "layer 2 bias learning rate: expected finite numbers >= 0, got -1": lambda: Learner(
        [Weights(0.1, 0.1), Weights(0.1, -1)]
    ),
    "learning_rates: expected one per layer (1), got 2": lambda: Learner([WEIGHTS] * 2, SGD()).validate(
        [WEIGHTS], ((None, None),)
    ),
    "opt_state: expected one per layer (1), got 2": lambda: taught(opt_state=((None, None),) * 2),
    "layer 1 opt_state: expected one of W and one of b, got list": lambda: taught(opt_state=([None, None],)),
    "layer 1 opt_state: expected one of W and one of b, got tuple": lambda: taught(opt_state=((None,),)),
    "layer 1 opt_state of W: expected None, got int": lambda: taught(opt_state=((1, None),)),
    "layer 1 opt_state of b: expected None, got int": lambda: taught(opt_state=((None, 1),)),
    "layer 1 opt_state of W: expected Moments, got NoneType": lambda: taught(optimiser=Adamax()),
    "layer 1 opt_state of W t: expected an integer >= 0, got -1": lambda: adamax_with(t=-1),
    "layer 1 opt_state of W m: expected finite": lambda: adamax_with(m=NAN),
    "layer 1 opt_state of W u: expected shape (3, 2), got (2,)": lambda: adamax_with(u=np.ones(2)),
    "layer 1 opt_state of W u: expected float64, as": lambda: adamax_with(u=np.ones((3, 2), np.float32)),
    "layer 1 learning rate of W as float32: expected finite": lambda: Learner([Weights(1e45, 0.1)], SGD()).validate(
        [Weights(*np.ones((2, 1), np.float32))], ((None, None),)
    ),
    "layer 1 learning rate of b: expected to broadcast to (3,), got (2,)": lambda: taught(
        Weights(np.ones(()), np.ones(2))
    ),
}

LAYERS = {
    "P: expected shape (..., 2), got (3,)": lambda: layer.local_loss(ONE, WEIGHTS, np.ones(3), np.ones(N), TARGET),
    "R: expected shape (5, 3), got (3,)": lambda: layer.local_loss(
        ONE, WEIGHTS, np.ones((5, N_IN)), np.ones(N), TARGET
    ),
    "dY: expected shape (4,), got (3,)": lambda: layer.frozen_error_loss(
        ONE, WEIGHTS, np.ones(N_IN), np.ones(N), np.ones(3)
    ),
    "weights: expected one per layer (1), got 2": lambda: network.step([ONE], [WEIGHTS] * 2, [STATE], SPIKES),
    "state: expected one per layer (1), got 2": lambda: network.step([ONE], [WEIGHTS], [STATE] * 2, SPIKES),
    "spikes: expected shape (..., 2), got (3,)": lambda: step(spikes=np.ones(3)),
    "layer 1 W: expected shape (3, 2), got (2,)": lambda: step(weights=WEIGHTS._replace(W=np.ones(2))),
    "layer 1 b: expected float64, as": lambda: step(weights=WEIGHTS._replace(b=np.ones(N, np.float32))),
    "layer 1 P: expected shape (2,), got (3,)": lambda: step(state=STATE._replace(P=np.ones(3))),
    "layer 1 Q: expected shape (2,), got (3,)": lambda: step(state=STATE._replace(Q=np.ones(3))),
    "layer 1 R: expected shape (3,), got (2,)": lambda: step(state=STATE._replace(R=np.ones(2))),
    "layer 2 W: expected float32, as": lambda: step(layers=(ONE, ONE._replace(neuron=NARROW))),
    "target: expected an array of numbers": lambda: step(["a"]),
    "masks at step 0: expected one per layer (1), got 2": lambda: step(masks=[readout.KEEP] * 2),
    "layer 1 mask at step 0: expected a Mask, got float": lambda: step(masks=[1.0]),
    "n: expected an integer >= 0, got -1": lambda: run(n=-1),
    "layer 1 alpha: expected finite": lambda: network.validate(
        [ONE._replace(neuron=ONE.neuron._replace(alpha=NAN))], [WEIGHTS]
    ),
    "updates: expected an integer >= 0, got -1": lambda: run(updates=-1),
    "layer 1 mask at step 5: expected a Mask, got float": lambda: run(masks=[[1.0]], n=5),
    "masks at step 6: expected one per layer (1), got 0": lambda: run(masks=[[]], n=6),
    "state: expected one per layer (1), got 3": lambda: network.validate_state([ONE], [STATE] * 3),
    "layer 1 Q: expected float64, as": lambda: network.validate_state(
        [ONE], [STATE._replace(Q=np.zeros(N_IN, np.float32))]
    ),
}

REFUSALS = [
    (text, call) for table in (NEURON, SYNAPSE, POOLS, READOUT, LEARNING, LAYERS) for text, call in table.items()
]


@pytest.mark.parametrize(("text", "call"), REFUSALS, ids=[text for text, _ in REFUSALS])
def test_every_refusal_names_the_input(text, call):
    with pytest.raises(InputError) as refusal:
        call()
    assert str(refusal.value).startswith(text)


def test_the_last_values_that_are_right_are_accepted():
    assert Conv2d((1, 2, 3), 1, 2).shape == (1, 1, 2) and MaxPool((1, 2, 2), 2).n == 1
    assert lif.srm_kernel(0, 0, 4).tolist() == [0, 0, 1, 0] and lif.from_decays(0, 0, 0).alpha == 0
    assert readout.drop_count("p", 255 / 256) == 255 and readout.drop_count("p", 0) == 0
    assert (Adamax(beta1=0, beta2=0).beta2, optim.stepwise((0,), 0.5)(0)) == (0, 0.5)
    assert Learner([Weights(0, 0)], SGD(), burn_in=0).burn_in == 0
    lif.validate(lif.neuron([0.01], [0.02], [0.03]), N_IN, N, "layer 1")
    taught()
    adamax_with(t=0)
