"""Memory between steps, and time, of every method as functions of N neurons and T steps.  [N19 Sec. III-B, V-C]

    backpropagation through time  O(N T)     the tape of the whole sequence
    real-time recurrent learning  O(N^3)     a derivative of each neuron for each weight
    SuperSpike, e-prop            O(N^2)     an eligibility for each synapse
    local errors, DECOLLE         O(N)       traces of the inputs

One layer of N neurons with N inputs, batch 1.  Weights and inputs exist before the count starts, and the gradient that
a step returns is deleted, so only the state that the method carries from step to step is counted.  No number comes from
a formula: `tracemalloc` counts the bytes, and the exponents are slopes of straight lines through the logarithms.  Time
is measured in separate runs, without `tracemalloc`.  Python's overhead at small sizes and the cache at large sizes bend
the lines of time, so its exponents hold for the measured sizes only; the table compares them with those of the number
of operations.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import NO_FILTER, Cost
from decolle_ref.credit.methods import bptt, eprop, local, online, rtrl, superspike
from decolle_ref.credit.methods.online import Method
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.optim import SGD
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.experiments.harness import Experiment, Monitor, Report, Results, SingleStep
from decolle_ref.experiments.options import CommonSettings

KERNEL = costs.double_exponential(0.005, 0.010)
CELL = spiking.neuron()
RATE = 0.1  # input spikes per step
N_OUT = 10  # outputs of DECOLLE's readout
TOLERANCE = 0.1  # of the expected exponents

Loop = Callable[[], object]  # runs all steps; returns the state that the next step would need


class Sweep(NamedTuple):
    """The sizes at which a method is measured: so large that its arrays need more memory than the Python objects."""

    N: tuple[int, ...]
    T: tuple[int, ...]
    T_for_N: int  # steps while N varies
    N_for_T: int  # neurons while T varies


def problem(n: int, steps: int, rng: np.random.Generator) -> tuple[tuple[Synapses, ...], Array, Cost]:
    """One recurrent layer, its input spikes, and a cost with a target for the unfiltered spikes."""
    synapses = spiking.init_weights(rng, (n, n), W_scale=0.5, V_scale=0.1)
    x = (rng.random((steps, 1, n)) < RATE).astype(float)
    return synapses, x, costs.global_cost(1, costs.Target(np.full((steps, 1, n), RATE)))


def forward_method(method: Method) -> Callable[[int, int, np.random.Generator], Loop]:
    """A method of `credit.online`, whose state is an `OnlineState`; local errors have no filter."""

    def prepare(n: int, steps: int, rng: np.random.Generator) -> Loop:
        synapses, x, cost = problem(n, steps, rng)
        cost = cost._replace(kernel=NO_FILTER if method is local.method else KERNEL)

        def loop() -> object:
            carry = online.start(method, synapses, 1)
            for now in x:
                carry, _ = online.step(method, CELL, synapses, cost, carry, now)
            return carry

        return loop

    return prepare


def prepare_bptt(n: int, steps: int, rng: np.random.Generator) -> Loop:
    """Forward, then backward over the tape; the tape is the memory that the method needs."""
    synapses, x, cost = problem(n, steps, rng)
    cost = cost._replace(kernel=KERNEL)

    def loop() -> object:
        tape = spiking.forward(CELL, synapses, x)
        bptt.backward(CELL, synapses, tape, costs.dS(cost.kernel, costs.errors(cost, tape.S)))
        return tape

    return loop


def prepare_decolle(n: int, steps: int, rng: np.random.Generator) -> Loop:
    """The core's loop with SGD at every step; the memory that it needs is its carry, without the weights."""
    neuron = lif.neuron()
    layers = (network.Layer(Dense(n, n), neuron, readout.sample_readout(rng, n, N_OUT)),)
    weights = (layers[0].synapse.init_weights(rng, neuron),)
    learner = Learner([Weights(np.asarray(1e-6), np.asarray(1e-6))], SGD())
    x, goals = (rng.random((steps, n)) < RATE).astype(float), [[np.full(N_OUT, 0.1)]] * steps

    def loop() -> object:
        carry = network.Carry(weights, network.rest(layers), learner.init(weights))
        for after, _ in network.run(layers, carry, x, goals, learner):
            carry = after
        return carry._replace(weights=())

    return loop


METHODS: dict[str, Callable[[int, int, np.random.Generator], Loop]] = {
    "DECOLLE": prepare_decolle,
    "local errors": forward_method(local.method),
    "SuperSpike": forward_method(superspike.method),
    "e-prop": forward_method(eprop.method),
    "RTRL": forward_method(rtrl.method),
    "BPTT": prepare_bptt,
}
OPERATIONS = {"RTRL": 4}  # exponent in N of the number of operations of a step; it is 2 for all other methods
EXPECTED = {  # exponents of bytes in N and in T
    "DECOLLE": (1, 0),
    "local errors": (1, 0),
    "SuperSpike": (2, 0),
    "e-prop": (2, 0),
    "RTRL": (3, 0),
    "BPTT": (1, 1),
}
LINEAR, SQUARE, CUBE = (512, 724, 1024, 1448, 2048), (64, 128, 256, 512), (8, 16, 32, 48)
STEPS = (16, 32, 64, 128, 256)
SWEEPS = {
    "DECOLLE": Sweep(LINEAR, STEPS, 4, 64),
    "local errors": Sweep(LINEAR, STEPS, 4, 64),
    "SuperSpike": Sweep(SQUARE, STEPS, 4, 64),
    "e-prop": Sweep(SQUARE, STEPS, 4, 64),
    "RTRL": Sweep(CUBE, STEPS, 4, 12),
    "BPTT": Sweep((32, 64, 128, 256, 512), STEPS, 64, 64),
}


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Within the block, the yielded function returns the bytes in use by all objects created inside it."""
    already = tracemalloc.is_tracing()
    gc.freeze()  # the collector then skips all older objects at every count
    if not already:
        tracemalloc.start()

    def alive() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    try:
        yield alive
    finally:
        if not already:
            tracemalloc.stop()
        gc.unfreeze()


def bytes_kept(loop: Loop) -> int:
    """Bytes of the state that a run returns, counted after it while nothing else of the run is left.

    The smallest of three counts, because other threads of the process may allocate memory meanwhile.
    """
    loop()  # a first call, in which Python and NumPy set up their caches
    return min(_bytes_kept_once(loop) for _ in range(3))


def _bytes_kept_once(loop: Loop) -> int:
    with counting() as alive:
        before = alive()
        carried = loop()  # the reference keeps the state alive while it is counted
        after = alive()
        del carried
    return after - before


def seconds(loop: Loop, budget: float) -> float:
    """Processor time of the shortest of at least two runs, because other processes only make a run longer."""
    times: list[float] = []
    while len(times) < 2 or sum(times) < budget:
        start = time.process_time()
        loop()
        times.append(time.process_time() - start)
    return min(times)


def exponent(size: Array | list[int] | tuple[int, ...], y: Array | list[float] | list[int]) -> float:
    """p of y ~ size^p: the slope of the straight line through (log size, log y) by least squares."""
    return float(np.polyfit(np.log(size), np.log(y), 1)[0])


def measure(name: str, sweep: Sweep, seed: int, budget: float, tick: Callable[[str], None]) -> dict[str, Any]:
    """Bytes and seconds of one method at every point of its sweep."""
    points: dict[str, Any] = {
        "N": list(sweep.N),
        "T": list(sweep.T),
        "T_for_N": sweep.T_for_N,
        "N_for_T": sweep.N_for_T,
    }
    axes = {"N": [(n, sweep.T_for_N) for n in sweep.N], "T": [(sweep.N_for_T, steps) for steps in sweep.T]}
    for axis, sizes in axes.items():
        times, sizes_in_bytes = [], []
        for n, steps in sizes:
            loop = METHODS[name](n, steps, np.random.default_rng(seed))
            sizes_in_bytes.append(bytes_kept(loop))
            times.append(seconds(loop, budget))
            tick(f"{name}, N = {n}, T = {steps}")
        points |= {f"bytes_by_{axis}": sizes_in_bytes, f"seconds_by_{axis}": times}
    return points


def fit(points: dict[str, Any]) -> dict[str, float]:
    """The four exponents of one method."""
    pairs = ((unit, axis) for unit in ("bytes", "seconds") for axis in "NT")
    return {f"{unit}_{axis}": exponent(points[axis], points[f"{unit}_by_{axis}"]) for unit, axis in pairs}


def shortened(sweep: Sweep) -> Sweep:
    """The smaller half of a sweep."""
    return sweep._replace(N=sweep.N[:3], T=sweep.T[:3])


class Scaling(SingleStep):
    """The run: it measures memory and time of every method over its sweep."""

    tick_name = "size"

    def __init__(self, settings: CommonSettings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings = settings
        self.sweeps = {name: shortened(sweep) if settings.quick else sweep for name, sweep in SWEEPS.items()}
        self.parts = sum(len(sweep.N) + len(sweep.T) for sweep in self.sweeps.values())

    def compute(self, monitor: Monitor) -> Report:
        """All measurements, and the exponents fitted to them."""
        seed, budget = self.settings.seed, 0.02 if self.settings.quick else 0.2
        measured = {name: measure(name, sweep, seed, budget, monitor.tick) for name, sweep in self.sweeps.items()}
        exponents = {name: fit(points) for name, points in measured.items()}
        within = (
            abs(exponents[name][f"bytes_{axis}"] - p) <= TOLERANCE
            for name, pair in EXPECTED.items()
            for axis, p in zip("NT", pair, strict=True)
        )
        return {
            "measured": measured,
            "exponents": exponents,
            "asked": {name: {"bytes_N": in_N, "bytes_T": in_T} for name, (in_N, in_T) in EXPECTED.items()},
            "within": all(within),
        }, {}


def table(results: Results) -> str:
    """The exponents as a table in Markdown: fitted, and in brackets expected; for time, those of operations."""
    lines = [
        "| method | bytes in N | bytes in T | time of a step in N | time of a run in T |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, p in results["exponents"].items():
        expected = results["asked"][name] | {"seconds_N": OPERATIONS.get(name, 2), "seconds_T": 1}
        cells = [f"{round(p[key], 2) + 0:.2f} ({expected[key]})" for key in expected]
        lines.append(" | ".join([f"| {name}", *cells]) + " |")
    return "\n".join(lines)


def one_line(results: Results) -> str:
    """The result in one line."""
    p = results["exponents"]
    memory = ", ".join(f"{name} {p[name]['bytes_N']:.2f}" for name in ("DECOLLE", "SuperSpike", "RTRL"))
    verdict = "all within" if results["within"] else "NOT all within"
    return (
        f"scaling: exponents of memory in N: {memory}; BPTT in T {p['BPTT']['bytes_T']:.2f}; "
        f"{verdict} {TOLERANCE:g} of those expected"
    )


EXPERIMENT = Experiment(
    name="scaling",
    summary="measured memory and time of every method against N and T [N19 Sec. III-B]",
    group="experiments",
    settings=CommonSettings,
    make=Scaling,
    one_line=one_line,
    table=table,
)
