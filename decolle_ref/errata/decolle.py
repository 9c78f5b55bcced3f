"""Kaiser, Mostafa, Neftci: Synaptic Plasticity Dynamics for Deep Continuous Local Learning.  [K20]"""

from itertools import pairwise

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import lif, network, readout, rule
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.surrogate import Function, logistic
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.errata.entry import EXACT, derivative, deviations, erratum

__all__ = ["ENTRIES"]

CELL = lif.from_decays(alpha=0.9, beta=0.8, gamma=0.7)


def _record(drive: Function, x: Array, spike: Function = logistic.spike, reset: bool = True) -> tuple[Array, Array]:
    """U and S of one neuron with the input x (T,), from rest; without `reset`, R follows the input as printed."""
    state, steps = lif.rest(CELL, 1, 1), []
    for x_n in x[:, None]:
        new_state, _, U, S = lif.step(CELL, drive, spike, state, x_n)
        steps.append((U[0], S[0]))
        state = new_state if reset else new_state._replace(R=CELL.gamma * state.R + x_n)
    U, S = np.array(steps).T
    return U, S


@erratum(
    tag="K20 Eq. 1 (R)",
    kind="misprint",
    title="whose spikes make a neuron refractory",
    printed="R_i^l[n+1] = gamma R_j^l[n] + S_j^(l-1)[n]",
    meant="R_i^l[n+1] = gamma R_i^l[n] + S_i^l[n]",
    why='The text says that R "resets and inhibits the neuron after it has emitted a spike": its own spike `S_i^l`, '
    "not that of an input j.",
    measures="Interval between spikes under a constant drive b without input, against the smallest k with `delta "
    "gamma^(k-1) / (1 - gamma^k) <= b`: relative deviation.",
)
def refractory() -> tuple[float, float]:
    """Intervals between spikes from the recurrence and from its periodic solution.  [K20 Eq. 1]"""
    b, delta, gamma = 0.35, float(CELL.delta), float(CELL.gamma)
    interval = next(k for k in range(1, 100) if delta * gamma ** (k - 1) / (1 - gamma**k) <= b)
    trains = [_record(lambda P: P + b, np.zeros(60), reset=reset)[1] for reset in (False, True)]
    return deviations(interval, *(np.diff(np.flatnonzero(S))[-1] for S in trains))


@erratum(
    tag="K20 Eq. 1 (Q)",
    kind="misprint",
    title="the height of Q's jump",
    printed="for each incoming spike, the trace Q undergoes a jump of height W_ij",
    meant="Q_j jumps by 1; W_ij weighs P_j in U_i",
    why="The equation itself reads `Q_j[n+1] = beta Q_j[n] + S_j[n]`, and `Q_j` has no index i. With both, a spike "
    "would be weighed twice.",
    measures="Potential that one spike causes (W = 0.3), against `W_ij eps[n]`, eps the closed form of the two "
    "decays: relative deviation.",
)
def jump() -> tuple[float, float]:
    """The PSP with W applied twice, and once.  [K20 Eq. 1]"""
    W, one_spike = 0.3, np.eye(40)[0]
    expected = W * lif.srm_kernel(float(CELL.alpha), float(CELL.beta), 40)
    return deviations(
        expected, *(_record(lambda P: W * P, x, spike=np.zeros_like)[0] for x in (W * one_spike, one_spike))
    )


@erratum(
    tag="K20 Eq. 1 (tau)",
    kind="misprint",
    title="the time constant of the membrane",
    printed="alpha = exp(-dt / tau_refm)",
    meant="alpha = exp(-dt / tau_mem)",
    why="The time constants named elsewhere are tau_mem, tau_syn and tau_ref; tau_ref belongs to gamma.",
    measures="Time constant with which P fades long after a spike (tau_mem = 20, tau_syn = 7.5, tau_ref = 2.86 ms; "
    "tau_refm read as tau_ref), against tau_mem: relative deviation.",
)
def membrane() -> tuple[float, float]:
    """The tail of P with alpha from tau_ref, and from tau_mem.  [K20 Eq. 1]"""
    tau_mem, tau_ref, dt = 0.020, 0.00286, 0.001

    def tail(tau: float) -> float:
        cell = lif.neuron(tau_mem=tau, tau_syn=0.0075, tau_ref=tau_ref, dt=dt)
        *_, before, last = lif.srm_kernel(float(cell.alpha), float(cell.beta), 400)
        return float(dt / np.log(before / last))

    return deviations(tau_mem, printed=tail(tau_ref), meant=tail(tau_mem))


@erratum(
    tag="K20 Eq. 1 (Theta)",
    kind="misprint",
    title="when a neuron spikes",
    printed="the neurons spike (S_i^l[n] = 1) when U_i^l[n] = 0",
    meant="S_i^l[n] = 1 when U_i^l[n] >= 0",
    why="In discrete time U steps over the threshold and is hardly ever equal to it; Theta is called a step function.",
    measures="Share of the steps with U >= 0 at which the neuron does not spike, under random input.",
    tolerance=EXACT,
)
def threshold() -> tuple[float, float]:
    """Missed spikes with Theta(u) = [u = 0] and with Theta(u) = [u >= 0].  [K20 Eq. 1]"""
    x = np.random.default_rng(0).poisson(0.2, 200).astype(float)

    def missed(spike: Function) -> float:
        U, S = _record(lambda P: 0.15 * P - 1, x, spike)
        return float((S[U >= 0] == 0).mean())

    return missed(lambda u: (u == 0).astype(float)), missed(logistic.spike)


@erratum(
    tag="K20 Eq. 3",
    kind="misprint",
    title="the error of the squared loss, without G",
    printed="dL/dS_i = error_i = Y_i - Yhat_i",
    meant="dL/dS_i = sum_k G_ki (Y_k - Yhat_k)",
    why='`Y_k = sum_i G_ki sigma(U_i)`, so G is in the chain rule; the text says so: "the error is randomized '
    'as a consequence of the random local readout". As printed there would have to be as many outputs as neurons.',
    measures="dL/dW of one layer with as many outputs as neurons, against the complex step of the local loss: "
    "relative deviation.",
)
def projection() -> tuple[float, float]:
    """The rule with G = 1, and with the readout's own G.  [K20 Eq. 3]"""
    rng = np.random.default_rng(0)
    random = readout.sample_readout(rng, n=4, n_out=4, amplitude=2.0)
    layer = network.Layer(Dense(3, 4), CELL, random, objective=Objective(reduction="sum"))
    w = Weights(rng.normal(0, 1, (4, 3)), rng.normal(0, 1, 4))
    P, R, target = rng.random(3), rng.random(4), rng.normal(0, 1, 4)
    U = layer.synapse.drive(w, P) - CELL.delta * R
    dY = layer.objective.error(readout.output(random, logistic.primitive(U)), target)
    expected = derivative(lambda W: network.local_loss(layer, w._replace(W=W), P, R, target), w.W)

    def dW(G: Array) -> Array:
        dU = rule.error_signal(random._replace(G=G), logistic, layer.objective, dY, U)
        return rule.gradient(layer.synapse, dU, P).W

    return deviations(expected, printed=dW(np.eye(4)), meant=dW(random.G))


@erratum(
    tag="K20 Eq. 4",
    kind="open point",
    title="what the second regulariser averages",
    printed="lambda1 <relu(U_i + 0.01)> + lambda2 relu(0.1 - <U_i>)",
    meant="lambda1 <relu(U_i + 0.01)> + lambda2 relu(0.1 - <sigma(U_i)>)",
    why="As printed, the first term is 0 only if every U is below -0.01, the second only if the mean U is above 0.1: "
    "no layer can satisfy both, and between the two values they pull the mean in opposite directions. A minimum firing "
    "rate is a bound on sigma(U), and the public codes have it there: in 2018 sigma is the logistic surrogate, in 2020 "
    "the logistic function whatever the surrogate. 2018 takes the first term of U before pooling, 2020 after it. "
    'The package offers both readings, as `activity="membrane"` and `"rate"`, and the rest as axes of the dialect.',
    measures="Smallest value of the sum of the two terms (lambda1 = lambda2 = 1) over layers of equal U in -5..5; by "
    "Jensen's inequality, unequal U do no better as printed.",
)
def regularisers() -> tuple[float, float]:
    """The least penalty of any layer, with the mean of U and with the mean of sigma(U).  [K20 Eq. 4]"""
    layers = np.linspace(-5, 5, 1001)[:, None]

    def least(activity: str) -> float:
        terms = Regulariser(lambda1=1.0, lambda2=1.0, activity=activity)
        return min(float(terms.value(U, logistic)) for U in layers)

    return least("membrane"), least("rate")


@erratum(
    tag="K20 Sec. 3.2 (Adamax)",
    kind="misprint",
    title="the second decay of Adamax",
    printed="beta_2 = 95",
    meant="beta_2 = 0.95",
    why="`u <- max(beta_2 u, |g|)` is a maximum that must fade. The paper writes other fractions as .5 or .01, so "
    "the point may have been lost.",
    measures="Distance that a weight moves in 50 updates under a constant gradient, against 50 learning rates: "
    "relative deviation.",
    tolerance=1e-6,  # of order eps / |g|
)
def adamax() -> tuple[float, float]:
    """50 updates by hand with beta2 = 95, and by the package's Adamax.  [K20 Sec. 3.2]"""
    g, lr, optimiser = np.ones(1), np.array(1e-3), Adamax(beta2=0.95)
    W, opt_state = np.zeros(1), optimiser.init(g)
    by_hand, u = np.zeros(1), np.zeros(1)
    for _ in range(50):
        W, opt_state = optimiser.update(W, g, opt_state, lr)
        u = np.maximum(95 * u, np.abs(g) + optimiser.eps)
        by_hand = by_hand - lr * g / u
    return deviations(-50 * lr * g, printed=by_hand, meant=W)


@erratum(
    tag="K20 Sec. 4.2 (weights)",
    kind="misprint",
    title="the number of tunable weights",
    printed="3528 tunable weights and 72 biases",
    meant="57232 tunable weights and 72 biases",
    why="7 x 7 kernels for 16, 24 and 32 channels: 3528 = 49 (16 + 24 + 32) leaves out that every output channel "
    "has one kernel for each input channel (1, 16, 24). The 72 biases are right.",
    measures="Number of weights, against the sizes of the three arrays of kernels: relative deviation.",
    tolerance=EXACT,
)
def weights() -> tuple[float, float]:
    """Count the kernels of three convolutions.  [K20 Sec. 4.2]"""
    count = sum(np.zeros((n_out, n_in, 7, 7)).size for n_in, n_out in pairwise((1, 16, 24, 32)))
    return deviations([count], printed=[3528], meant=[57232])


@erratum(
    tag="K20 Sec. 4.2 (steps)",
    kind="open point",
    title="how often the conventional network is updated",
    printed="trained in the same regime by performing 500 BP steps for each batch",
    meant="trained in the same regime: 450 steps for each batch, one for every update of DECOLLE",
    why="The same paragraph counts 450 updates per mini-batch: one at each of the 500 steps of 1 ms after a burn-in of "
    "50. The regime is the same only if burn-in counts for both networks or for none. The package makes 450 steps.",
    measures="Number of steps per batch, against the number of updates of DECOLLE in 500 steps: relative deviation.",
    tolerance=EXACT,
)
def steps() -> tuple[float, float]:
    """500 and 450 steps, against the updates that the loop over time counts.  [K20 Sec. 4.2]"""
    layer = network.Layer(Dense(1, 1), CELL, readout.Readout(np.ones((1, 1)), np.zeros(1)))
    weights = (Weights(np.ones((1, 1)), np.zeros(1)),)
    learner = Learner([Weights(np.zeros(()), np.zeros(()))], burn_in=50)
    start = network.Carry(weights, network.rest([layer]), learner.init(weights))
    *_, (end, _) = network.run([layer], start, np.zeros((500, 1)), np.zeros((500, 1, 1)), learner)
    return deviations([end.updates], printed=[500], meant=[450])


@erratum(
    tag="K20 Table 2, Fig. 4 (dropout)",
    kind="open point",
    title="where dropout acts",
    printed="a local classifier is attached to every layer and followed by dropout (Fig. 4)",
    meant="spiking non-linearity, Dropout(p=.5), Dense (Table 2)",
    why='The caption has dropout after the classifier, on Y; the table has it before, on the activity. "To prevent '
    'over-reliance on one particular neuron" (Sec. 4.2) fits the second: the first drops outputs, not neurons. The '
    "package offers both, as an axis of the dialects.",
    measures="Share of the outputs Y_k that dropout sets to 0, of a layer with 20 active neurons, over 200 steps.",
    tolerance=EXACT,
)
def dropout() -> tuple[float, float]:
    """Outputs lost with dropout after G, and before it.  [K20 Table 2]"""
    rng, n, n_out, n_steps = np.random.default_rng(0), 20, 11, 200
    fixed, activity = readout.sample_readout(rng, n, n_out), logistic.primitive(rng.normal(0, 1, (n_steps, n)))

    def lost(place: str, size: int) -> float:
        mask = readout.sample_mask(rng, 0.5, place, (n_steps, size))
        return float((readout.output(fixed, activity, mask) == 0).mean())

    return lost("Y", n_out), lost("activity", n)


@erratum(
    tag="K20 Sec. 4.3 (pixels)",
    kind="misprint",
    title="how many pixels are summed",
    printed="128 x 128 to 32 x 32: events from 4 neighboring pixels were summed",
    meant="events from 16 neighbouring pixels, 4 x 4, are summed",
    why="128 / 32 = 4 in each direction.",
    measures="Share of the events that are lost when every pixel sends one.",
    tolerance=EXACT,
)
def pixels() -> tuple[float, float]:
    """Events lost by summing 2 x 2 of every 4 x 4 pixels, and by summing all of them.  [K20 Sec. 4.3]"""
    events = np.ones((32, 4, 32, 4))  # (row, row inside, column, column inside)
    return float(1 - events[:, :2, :, :2].sum() / events.sum()), float(1 - events[:, :4, :, :4].sum() / events.sum())


ENTRIES = (refractory, jump, membrane, threshold, projection, regularisers, adamax, weights, steps, dropout, pixels)
