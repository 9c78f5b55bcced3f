"""Arrays, layers and networks for the hostile calls: small, and the same at every call."""

import numpy as np

from decolle_ref import (
    Conv2d,
    Dense,
    Layer,
    MaxPool,
    Objective,
    Readout,
    Regulariser,
    Weights,
    convnet,
    layer,
    lif,
)
from decolle_ref.decolle.optim import Moments

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
