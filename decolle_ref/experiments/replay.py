"""The authors' recorded run of the regression, replayed step for step in the `dcll` dialect.  [K20 Sec. 4.1]

The replay of the networks that they trained on MNIST is in `replay_mnist`.

The recording starts in the middle: their script showed the same 500 steps of input again and again, reset no state, and
recorded one more showing with learning off.  What each layer carried over is P, Q, R before step 0:

    layer  P, Q                                        R                               taken from the recording
      1    one earlier showing of the input, from rest delta R = W P[0] + b - U[0]     256 numbers: U[0]
      2    W P[n] = U[n] - b + delta R[n], n = 0 and 1 sum_k gamma^k S[-k], by layer 3 512 numbers: U[0], U[1]
      3    P[0], P[1]                                  delta R = W P[0] + b - U[0]     768 numbers: P[0], P[1], U[0]

R of layer 2 takes nothing of its own: layer 3's P and Q are filters of the same spikes.  So 1,536 recorded numbers fix
as many unknowns, with no equation to spare: no fit.  U[0] of every layer and U[1] of layer 2, and the spikes there,
then agree by construction.  The other 382,976 values of U and of S are predicted, by three layers that run together,
driven by the 500 inputs and their own spikes alone.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.data import authors, mnist
from decolle_ref.data.authors import N
from decolle_ref.decolle import dialects, lif, network
from decolle_ref.decolle.lif import LIF, State
from decolle_ref.decolle.network import Carry, Layer, Network
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.experiments import replay_mnist
from decolle_ref.experiments.harness import Experiment, Monitor, Report, Results, Run, SingleStep
from decolle_ref.experiments.replay_mnist import ReplayMnist, Settings

LAYERS = 3
WASHED_OUT = 300  # from here on an unknown start no longer shows: 0.9^300 = 2e-14
READINGS = ("stored", "float32", "euler", "decimal")


class Trace(NamedTuple):
    """What one layer showed, step by step."""

    P: Array  # (STEPS, n_in), as U read it
    U: Array  # (STEPS, N)
    S: Array  # (STEPS, N)
    Y: Array  # (STEPS, 1)


class Replay(NamedTuple):
    """Three ways to run the recorded network again."""

    state: tuple[State, ...]  # before step 0, solved from the recording
    together: tuple[Trace, ...]  # all layers from that state, driven by the input alone
    from_rest: tuple[Trace, ...]  # each layer alone from rest, driven by the recorded spikes of the one below
    layer3: Trace  # alone from its solved state, driven by the recorded spikes of layer 2


def replay(recording: dict[str, Array]) -> Replay:
    """Replay data.authors.regression(), a run of [K20 Sec. 4.1], in float64."""
    net, weights = build(recording)
    state, rest = solve(recording, net, weights), network.rest(net)
    drive = [recording[name] for name in ("input_spikes", "layer1_S", "layer2_S")]
    alone = [(net[k : k + 1], weights[k : k + 1], rest[k : k + 1], drive[k]) for k in range(LAYERS)]
    return Replay(
        state,
        together=show(net, weights, state, drive[0]),
        from_rest=tuple(show(*one)[0] for one in alone),
        layer3=show(net[2:], weights[2:], state[2:], drive[2])[0],
    )


def constants(recording: dict[str, Array], reading: str = "stored") -> LIF:
    """The neuron all layers share, from the recorded float32 numbers, read in one of four ways.

    stored:  alpha, beta, gamma as stored; g_P = tau_m/dt and g_Q = tau_s/dt as stored.  This is what their code
             multiplied by, and fits best: stored tau_m/dt is 1/(1 - alpha) rounded to float32.
    float32: alpha, beta, gamma as stored; g = 1/(1 - decay)
    euler:   alpha = 1 - dt/tau_m, beta = 1 - dt/tau_s; g = 1/(1 - decay)
    decimal: 0.9, 0.87, 0.9; g = 1/(1 - decay)
    """
    validate_choice("reading", reading, READINGS)
    names = ("alpha", "beta", "gamma", "w_refractory", "tau_m_over_dt", "tau_s_over_dt")
    alpha, beta, gamma, w, tau_m, tau_s = (float(recording[name].item()) for name in names)
    if reading == "euler":
        alpha, beta = 1 - 1 / tau_m, 1 - 1 / tau_s
    if reading == "decimal":
        alpha, beta, gamma = (round(decay, 6) for decay in (alpha, beta, gamma))
    gain_Q, gain_P = (tau_s, tau_m) if reading == "stored" else (None, None)
    return lif.from_decays(alpha, beta, gamma, w, dialect=dialects.dcll, gain_Q=gain_Q, gain_P=gain_P)


def build(recording: dict[str, Array], reading: str = "stored") -> tuple[Network, tuple[Weights, ...]]:
    """The recorded network in the dialect `dcll`, in float64."""
    neuron = constants(recording, reading)
    layers, weights = [], []
    for k in range(LAYERS):
        W, b, G, c = (recording[f"layer{k + 1}_{letter}"].astype(np.float64) for letter in "WbGc")
        layers.append(network.with_dialect(dialects.dcll, Layer(Dense(W.shape[1], N), neuron, Readout(G, c))))
        weights.append(Weights(W, b))
    return tuple(layers), tuple(weights)


def solve(recording: dict[str, Array], net: Network, weights: tuple[Weights, ...]) -> tuple[State, ...]:
    """P, Q, R of every layer before step 0, from 1,536 recorded numbers: the table above.

    The spikes of the first two steps, which running backwards needs, are not read: layer 1's are replayed, layer 2's
    are Theta of its U[0] and U[1].
    """
    x, U1, U2, U3, P3 = (recording[k] for k in ("input_spikes", "layer1_U", "layer2_U", "layer3_U", "layer3_P"))
    S2 = net[1].surrogate.spike(U2[:2])
    P, Q = carried_over(net[0].neuron, x)
    first = State(P, Q, refractory(net[0], weights[0], P, Q, x[0], U1[0]))
    S1 = show(net[:1], weights[:1], (first,), x[:2])[0].S
    P, Q = traces_before(net[2].neuron, P3[:2].astype(np.float64), S2)
    third = State(P, Q, refractory(net[2], weights[2], P, Q, S2[0], U3[0]))
    R = sender_refractory(net[2].neuron, P, Q)
    P, Q = traces_before(net[1].neuron, traces_read(net[1].neuron, weights[1], R, U2[:2], S2), S1)
    return first, State(P, Q, R), third


def carried_over(neuron: LIF, spikes_in: Array) -> tuple[Array, Array]:
    """P and Q after one showing of `spikes_in` from rest: the showings before it have decayed by 0.9^500 = 1e-23."""
    state = lif.rest(neuron, spikes_in.shape[1], spikes_in.shape[1])  # U and S are not looked at: set to zero
    for x in spikes_in.astype(np.float64):
        state, _, _, _ = lif.step(neuron, np.zeros_like, np.zeros_like, state, x)
    return state.P, state.Q


def traces_before(neuron: LIF, P: Array, spikes_in: Array) -> tuple[Array, Array]:
    """P and Q before step 0 from the P that U read at steps 0 and 1: the recursions run backwards.

    Q[1] = (P[1] - alpha P[0]) / g_P,  Q[n-1] = (Q[n] - g_Q S^in[n]) / beta,  P[-1] = (P[0] - g_P Q[0]) / alpha
    """
    Q1 = (P[1] - neuron.alpha * P[0]) / neuron.gain_P
    Q0 = (Q1 - neuron.gain_Q * spikes_in[1]) / neuron.beta
    return (P[0] - neuron.gain_P * Q0) / neuron.alpha, (Q0 - neuron.gain_Q * spikes_in[0]) / neuron.beta


def traces_read(neuron: LIF, weights: Weights, R: Array, U: Array, S: Array) -> Array:
    """P at steps 0 and 1 from U there: W P[n] = U[n] - b + delta R[n], with R[1] = gamma R[0] + S[0].

    W must be square; layer 2's has condition number 2,600, which float64 can spare.
    """
    drive = U - weights.b + neuron.delta * np.stack([R, neuron.gamma * R + S[0]])
    return np.asarray(np.linalg.solve(weights.W, drive.T).T)


def refractory(layer: Layer, weights: Weights, P: Array, Q: Array, spikes_in: Array, U: Array) -> Array:
    """delta R = W P[0] + b - U[0]."""
    _, snapshot = network.forward(layer, weights, State(P, Q, np.zeros_like(U, dtype=np.float64)), spikes_in)
    return np.asarray((snapshot.U - U) / layer.neuron.delta)


def sender_refractory(neuron: LIF, P: Array, Q: Array) -> Array:
    """R = sum_k gamma^k S[-k] of the neurons whose spikes P and Q filter, for gamma = alpha.

    Q = g_Q sum_k beta^k S[-k] and P = g_P g_Q sum_k (alpha^(k+1) - beta^(k+1)) / (alpha - beta) S[-k], hence
    alpha R = (alpha - beta) P / (g_P g_Q) + beta Q / g_Q.  Raises InputError for gamma != alpha.
    """
    if abs(neuron.gamma - neuron.alpha) > 1e-6:
        raise InputError(f"gamma: expected alpha = {neuron.alpha}, as in the recorded run, got {neuron.gamma}")
    by_P = (neuron.alpha - neuron.beta) * P / (neuron.gain_P * neuron.gain_Q)
    return np.asarray((by_P + neuron.beta * Q / neuron.gain_Q) / neuron.alpha)


def show(net: Network, weights: tuple[Weights, ...], state: tuple[State, ...], spikes: Array) -> tuple[Trace, ...]:
    """Run the layers together from `state`, driven by `spikes` alone; one Trace per layer."""
    steps = [snapshots for _, snapshots in network.run(net, Carry(weights, state), spikes)]
    return tuple(Trace(*(np.stack([getattr(s[k], x) for s in steps]) for x in Trace._fields)) for k in range(len(net)))


def disagreement(trace: Trace, recording: dict[str, Array], layer: int, first: int = 0) -> dict[str, Any]:
    """From step `first` on: spikes that differ, the largest |dU| and |dY|, and our smallest |U|."""
    S, U, Y = (recording[f"layer{layer}_{x}"][first:] for x in "SUY")
    return {
        "layer": layer,
        "from_step": first,
        "spikes": S.size,
        "differing": int(np.count_nonzero(trace.S[first:] != S)),
        "max_dU": float(np.abs(trace.U[first:] - U).max()),
        "max_dY": float(np.abs(trace.Y[first:] - Y).max()),
        "min_U": float(np.abs(trace.U[first:]).min()),
    }


def by_reading(recording: dict[str, Array]) -> dict[str, list[float]]:
    """Largest |dU| of each layer, the network running together from its solved state, for each of READINGS."""
    largest = {}
    for reading in READINGS:
        net, weights = build(recording, reading)
        traces = show(net, weights, solve(recording, net, weights), recording["input_spikes"])
        largest[reading] = [disagreement(t, recording, k)["max_dU"] for k, t in enumerate(traces, 1)]
    return largest


def report(recording: dict[str, Array], done: Replay) -> dict[str, Any]:
    """The contents of results.json."""
    by_layer2 = sender_refractory(constants(recording), done.state[1].P, done.state[1].Q)
    return {
        "solved_numbers": [N, 2 * N, 3 * N],
        "together": [disagreement(t, recording, k) for k, t in enumerate(done.together, 1)],
        "from_rest": [disagreement(t, recording, k, WASHED_OUT) for k, t in enumerate(done.from_rest, 1)],
        "layer3_alone": disagreement(done.layer3, recording, 3),
        "layer3_max_dP": float(np.abs(done.together[2].P - recording["layer3_P"]).max()),
        "layer1_R_by_layer2_max_difference": float(np.abs(by_layer2 - done.state[0].R).max()),
        "max_dU_by_reading": by_reading(recording),
    }


class Replays(SingleStep):
    """The only step replays the recording."""

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.recording = authors.regression()

    def compute(self, monitor: Monitor) -> Report:
        """All comparisons with the recording, and U and S of both."""
        done = replay(self.recording)
        monitor.tick()
        return report(self.recording, done), arrays(self.recording, done)


def arrays(recording: dict[str, Array], done: Replay) -> dict[str, Array]:
    """The arrays that the figure needs: U and S recorded and replayed, U from rest; (LAYERS, STEPS, N)."""
    recorded = {f"{x}_recorded": np.stack([recording[f"layer{k + 1}_{x}"] for k in range(LAYERS)]) for x in "US"}
    ours = {"U": [t.U for t in done.together], "S": [t.S.astype(np.uint8) for t in done.together]}
    ours["U_from_rest"] = [t.U for t in done.from_rest]
    return recorded | {name: np.stack(layers) for name, layers in ours.items()}


def make(settings: Settings, workers: ThreadPoolExecutor, data: Any = None) -> Run[Any]:
    """The replay of the chosen recording."""
    return (ReplayMnist if settings.recording == "mnist" else Replays)(settings, workers, data)


def one_line(results: Results) -> str:
    """The result in one line."""
    if results["settings"]["recording"] == "mnist":
        return replay_mnist.one_line(results)
    layers = results["together"]
    differing, spikes = sum(k["differing"] for k in layers), sum(k["spikes"] for k in layers)
    gaps = ", ".join(f"{k['max_dU']:.1e}" for k in layers)
    return f"replay regression: {differing} of {spikes} spikes differ from the authors' recording, max |dU| {gaps}"


EXPERIMENT = Experiment(
    name="replay",
    summary="replay the authors' own recording step by step, or their trained networks on MNIST",
    settings=Settings,
    make=make,
    one_line=one_line,
    group="experiments",
    example="regression",
    download=mnist.download,
    cuts_batches=True,
)
