"""Neftci, Mostafa, Zenke: Surrogate Gradient Learning in Spiking Neural Networks; the neuron.  [N19 Eq. 1-5]"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses
from decolle_ref.decolle import lif
from decolle_ref.errata.entry import deviations, erratum

__all__ = ["ENTRIES"]

ALPHA = float(np.exp(-1 / 5))  # tau_syn = 5 dt
BETA = float(np.exp(-1 / 10))  # tau_mem = 10 dt
STEPS = 60


def _one_layer(W: Array) -> tuple[Synapses]:
    return (Synapses(W, np.zeros((len(W), len(W)))),)


def _potential(current: float) -> Array:
    """U under a constant current from step 1 on, by Eq. 5 without spikes: no synaptic decay, an input at every step."""
    cell = Neuron(alpha=0.0, beta=BETA, theta=np.inf)
    return spiking.forward(cell, _one_layer(np.array([[current]])), np.ones((STEPS, 1, 1))).U[0][1:, 0, 0]


def _charging(RI: float) -> Array:
    """R I (1 - exp(-t / tau_mem)): the solution of Eq. 1 from rest, at the steps of `_potential`."""
    return RI * (1 - np.exp(-np.arange(STEPS - 1) / 10))


@erratum(
    tag="N19 Eq. 3",
    kind="misprint",
    title="the sign of the input",
    printed="dU/dt = -1/tau_mem ((U - U_rest) + R I) + S (U_rest - theta)",
    meant="dU/dt = -1/tau_mem ((U - U_rest) - R I) + S (U_rest - theta)",
    why="Eq. 1 has + R I, and a positive current must drive the neuron towards its threshold.",
    measures="U under a constant current, in steps that are exact for it, against `R I (1 - exp(-t / tau_mem))`: "
    "relative deviation.",
)
def sign_of_the_input() -> tuple[float, float]:
    """Charging by - R I and by + R I.  [N19 Eq. 1, 3]"""
    RI = 0.5
    return deviations(_charging(RI), *(_potential(sign * (1 - BETA) * RI) for sign in (-1, 1)))


@erratum(
    tag="N19 Eq. 4",
    kind="misprint",
    title="which layer's spikes come through W",
    printed="I^(l)[n+1] = alpha I^(l)[n] + W^(l) S^(l)[n] + V^(l) S^(l)[n]",
    meant="I^(l)[n+1] = alpha I^(l)[n] + W^(l) S^(l-1)[n] + V^(l) S^(l)[n]",
    why="Eq. 2 has `S^(l-1)` in the feed-forward term. As printed, nothing that enters the network ever has an effect.",
    measures="Current that one input spike causes in a silent neuron, against `W exp(-t / tau_syn)`, the solution "
    "of Eq. 2: relative deviation.",
)
def layer_below() -> tuple[float, float]:
    """A synapse whose input is its own neuron, and one whose input is the layer below.  [N19 Eq. 2, 4]"""
    W, x = np.array([[0.7]]), np.eye(STEPS)[0].reshape(STEPS, 1, 1)
    tape = spiking.forward(Neuron(ALPHA, BETA, theta=np.inf), _one_layer(W), x)
    printed = np.zeros_like(x)
    for n in range(STEPS - 1):
        printed[n + 1] = ALPHA * printed[n] + tape.S[0][n] @ W.T
    expected = 0.7 * np.exp(-np.arange(STEPS - 1) / 5).reshape(-1, 1, 1)
    return deviations(expected, printed[1:], tape.I[0][1:])


@erratum(
    tag="N19 Eq. 5",
    kind="open point",
    title="the gain of the input",
    printed="U[n+1] = beta U[n] + I[n] - S[n]",
    meant="U[n+1] = beta U[n] + (1 - beta) I[n] - S[n], where Eq. 1 or 3 is to be solved",
    why='The step is to "express Equation (3)", but against that equation its input has the gain `1 / (1 - beta)`, '
    "which depends on the time step. The gain only rescales W and V, so the package keeps the printed form, and "
    "gives it the input `(1 - beta) I` where it is compared with the continuous neuron.",
    measures="U under a constant current, against `R I (1 - exp(-t / tau_mem))` with tau_mem = 10 steps: relative "
    "deviation.",
)
def gain() -> tuple[float, float]:
    """Charging by I and by (1 - beta) I at each step.  [N19 Eq. 5]"""
    RI = 0.05
    return deviations(_charging(RI), printed=_potential(RI), meant=_potential((1 - BETA) * RI))


@erratum(
    tag="N19 Eq. 4, 5 with K20 Eq. 1 (names)",
    kind="open point",
    title="alpha and beta change places between the papers",
    printed="alpha, beta in N19\nalpha, beta in K20",
    meant="alpha = exp(-dt/tau_syn), beta = exp(-dt/tau_mem) in N19\n"
    "alpha = exp(-dt/tau_mem), beta = exp(-dt/tau_syn) in K20",
    why="Each paper is consistent; together they are not. The potential that a spike causes is symmetric in the two "
    "decays, so a test of its shape does not notice the exchange; a test of the reset does, for the reset decays with "
    "the membrane.",
    measures="U of the neuron of N19 with smooth spikes, with the letters or the time constants of K20, against that "
    "of K20 with `gamma = exp(-dt/tau_mem)`, `delta = 1`, `b = -theta`: relative deviation.",
)
def names() -> tuple[float, float]:
    """The same letters in both papers, and the same time constants.  [N19 Eq. 4, 5; K20 Eq. 1]"""
    rng = np.random.default_rng(0)
    k20 = lif.from_decays(alpha=BETA, beta=ALPHA, gamma=BETA)
    n19 = Neuron(alpha=ALPHA, beta=BETA, activity="primitive")
    W, x = rng.normal(0.2, 0.5, (3, 5)), rng.poisson(0.3, (STEPS, 1, 5)).astype(float)
    state, expected = lif.rest(k20, 5, 3, (1,)), []
    for x_n in x:
        state, _, U, _ = lif.step(k20, lambda P: P @ W.T - n19.theta, n19.surrogate.primitive, state, x_n)
        expected.append(U)

    def potential(cell: Neuron) -> Array:
        return spiking.forward(cell, _one_layer(W), x).U[0] - cell.theta

    return deviations(expected, printed=potential(n19._replace(alpha=BETA, beta=ALPHA)), meant=potential(n19))


ENTRIES = (sign_of_the_input, layer_below, gain, names)
