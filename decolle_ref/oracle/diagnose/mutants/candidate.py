"""A small implementation of DECOLLE in any number format, in which a mistake can be planted.

A `Mutant` replaces some of the layer's operations: each by a function of the layer, the right operation, and the
operation's arguments.  Everything else stays right.  Every number that is kept is rounded once to the profile's format.

    candidate(profile, mutant) -> backend(about, arrays) -> arrays of the trace
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.cases import Case
from decolle_ref.decolle.layer import regularisers
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.diagnose.mutants.mutant import Mutant, Operation
from decolle_ref.oracle.profile import Profile

Call = Callable[[dict[str, Any], dict[str, Array]], dict[str, Array]]


class Layer:
    """One layer: its constants, its state and its operations."""

    def __init__(self, case: Case, k: int, profile: Profile, mutants: tuple[Mutant, ...]) -> None:
        self.fit, self.mutants = profile.quantise, mutants
        prefix = f"layer{k + 1}_"
        self.case = {
            name.removeprefix(prefix): np.asarray(x, np.float64)
            for name, x in case.arrays.items()
            if name.startswith(prefix)
        }
        self.layer, self.about = case.network()[k], case.about
        self.neuron = self.layer.neuron
        self.dialect = dialect = case.dialect()
        gain, strength = dialect.value("gains"), dialect.value("refractory")
        self.alpha, self.beta, self.gamma = (self.case[x] for x in ("alpha", "beta", "gamma"))
        self.gain_Q, self.gain_P = self.fit(gain(self.beta)), self.fit(gain(self.alpha))
        self.strength = self.fit(strength(self.gamma) * self.case["w"])
        batch, n_in, n = case.about["batch"], len(self.alpha), len(self.gamma)
        rest = {"P": np.zeros((batch, n_in)), "Q": np.zeros((batch, n_in)), "R": np.zeros((batch, n))}
        self.state = {x: self.call("start", self.case.get(f"{x}0", zero)) for x, zero in rest.items()}
        self.schedule = np.asarray(case.arrays.get("schedule", np.ones(case.about["steps"])), np.float64)
        self.W, self.b = self.case["W"], self.case["b"]
        learner = case.learner()
        self.optimiser = learner.optimiser if learner else None
        self.burn_in = self.call("begin", learner.burn_in if learner else 0)
        self.memory = {x: self.case.get(x, np.zeros_like(self.case[x[-1]])) for x in ("m_W", "u_W", "m_b", "u_b")}
        self.t = int(case.about.get("updates", 0)) if case.about.get("memory") == "given" else 0
        self.rows: list[dict[str, Array]] = []
        self.row: dict[str, Array] = {}  # of this step, as far as it has come
        self.n = 0
        self.inputs: list[Array] = []

    def call(self, name: str, *args: Any) -> Any:
        """An operation, with the mutants that replace it."""
        operation: Operation = getattr(self, name)
        for mutant in self.mutants:
            if name in mutant.operations:
                operation = _bound(mutant.operations[name], self, operation)
        return operation(*args)

    def earlier(self, name: str, steps: int = 1) -> Array | None:
        """What was recorded some steps ago, or None."""
        return self.rows[-steps][name] if len(self.rows) >= steps else None

    # The operations.  [K20 Eq. 1-4]

    def start(self, x: Array) -> Array:
        """The state at the start."""
        return x

    def begin(self, step: int) -> int:
        """The first step that learns."""
        return step

    def hear(self, x: Array) -> Array:
        """The spikes that come in."""
        return x

    def Q(self, Q: Array, x: Array) -> Array:
        """beta Q + g_Q x."""
        return np.asarray(self.beta * Q + self.gain_Q * x)

    def P(self, P: Array, Q: Array) -> Array:
        """alpha P + g_P Q."""
        return np.asarray(self.alpha * P + self.gain_P * Q)

    def reads(self, old: Array, new: Array) -> Array:
        """The Q that P reads."""
        return new if self.neuron.P_reads else old

    def R(self, R: Array, S: Array) -> Array:
        """gamma R + S."""
        return np.asarray(self.gamma * R + S)

    def U(self, W: Array, b: Array, P: Array, R: Array) -> Array:
        """W P + b - delta R."""
        return np.asarray(self.layer.synapse.drive(Weights(W, b), P) - self.strength * R)

    def S(self, u: Array) -> Array:
        """Theta(u)."""
        return np.asarray(self.layer.surrogate.spike(u), np.float64)

    def winners(self, U: Array) -> Array:
        """The winner of each window of the pool."""
        assert self.layer.pool is not None
        return self.layer.pool.winners(self.layer.pool_key(U))

    def Y(self, u: Array, S: Array) -> Array:
        """G a + c."""
        a = self.fit(self.layer.surrogate.primitive(u)) if self.layer.activity == "primitive" else S
        return np.asarray(self.call("read", a))

    def read(self, a: Array) -> Array:
        """G a + c, with dropout before or after G."""
        return np.asarray((a * self.mask().activity @ self.case["G"].T + self.case["c"]) * self.mask().Y)

    def mask(self) -> Mask:
        """The factors of dropout at this step."""
        factors = self.case.get("mask")
        return KEEP if factors is None else Mask(**{self.dialect.value("dropout"): factors[self.n]})

    def e(self, Y: Array, target: Array) -> Array:
        """dL/dY."""
        return self.layer.objective.error(Y, target)

    def slope(self, u: Array) -> Array:
        """sigma'(u)."""
        return self.fit(self.layer.surrogate.derivative(u))

    def back(self, e: Array) -> Array:
        """G^T e."""
        return np.asarray((e * self.mask().Y) @ self.case["G"] * self.mask().activity)

    def penalty(self, u: Array, U: Array) -> tuple[Array, Array]:
        """dL/du and dL/dU of the regularisers after the pool and before it."""
        of_u, of_U = regularisers(self.layer)
        rate = self.layer.rate_of(self.layer.surrogate)
        return (
            np.zeros_like(u) if of_u is None else of_u.derivative(u, rate),
            np.zeros_like(U) if of_U is None else of_U.derivative(U, rate),
        )

    def delta(self, e: Array, U: Array, u: Array, winners: Array | None) -> Array:
        """(G^T e) sigma'(u), with the regularisers, at the winners of a pool."""
        after, before = self.call("penalty", u, U)
        delta = self.call("back", e) * self.call("slope", u) + after
        if self.layer.pool is not None and winners is not None:
            delta = self.layer.pool.route(delta, winners)
        return np.asarray(delta + before)

    def dW(self, delta: Array, P: Array) -> Array:
        """delta_i P_j, summed over the batch."""
        return self.layer.synapse.gradient(delta, P).W

    def db(self, delta: Array, P: Array) -> Array:
        """delta_i, summed over the batch."""
        return self.layer.synapse.gradient(delta, P).b

    def change(self, g: Array, rate: Array, name: str) -> Array:
        """lr g, or Adamax's change."""
        if not isinstance(self.optimiser, Adamax):
            return rate * g
        m, u = self.call("moments", g, name)
        self.memory[f"m_{name}"], self.memory[f"u_{name}"] = self.fit(m), self.fit(u)
        return np.asarray(rate * self.call("correct", self.t) * self.call("ratio", self.fit(m), self.fit(u)))

    def moments(self, g: Array, name: str) -> tuple[Array, Array]:
        """m and u after one more gradient."""
        o = self.optimiser
        assert isinstance(o, Adamax)
        m, u = self.memory[f"m_{name}"], self.memory[f"u_{name}"]
        return o.beta1 * m + (1 - o.beta1) * g, np.maximum(o.beta2 * u, np.abs(g) + o.eps)

    def correct(self, t: int) -> float:
        """1 / (1 - beta1^t)."""
        assert isinstance(self.optimiser, Adamax)
        return float(1 / (1 - self.optimiser.beta1**t))

    def ratio(self, m: Array, u: Array) -> Array:
        """m / u."""
        return np.asarray(m / u)

    def learns(self, n: int) -> bool:
        """Whether a step learns."""
        return bool(self.about["learn"]) and n >= self.burn_in

    # One step

    def step(self, x: Array, n: int) -> Array:
        """One step: the spikes out."""
        self.inputs.append(x)
        self.n, fit, old = n, self.fit, self.state
        Q = fit(self.call("Q", old["Q"], self.call("hear", x)))
        P = fit(self.call("P", old["P"], self.call("reads", old["Q"], Q)))
        read = (P, Q) if self.neuron.U_reads else (old["P"], old["Q"])
        row = self.row = {"P": read[0], "Q": read[1], "R": old["R"], "W": self.W, "b": self.b}
        row["U"] = fit(self.call("U", self.W, self.b, row["P"], row["R"]))
        pool = self.layer.pool
        winners = None if pool is None else np.asarray(self.call("winners", row["U"]))
        u = row["U"] if pool is None or winners is None else pool.pick(row["U"], winners)
        row["S"] = self.call("S", u)
        row["Y"] = fit(self.call("Y", u, row["S"]))
        own = row["S"] if pool is None else self.call("S", row["U"])
        self.state = {"P": P, "Q": Q, "R": fit(self.call("R", old["R"], own))}
        if self.about["targets"]:
            self.local(row, u, winners, n)
        self.rows.append(row)
        if self.call("learns", n + self.about.get("n", 0)):
            self.update()
        return row["S"]

    def local(self, row: dict[str, Array], u: Array, winners: Array | None, n: int) -> None:
        """The learning signals of the step."""
        fit = self.fit
        row["e"] = fit(self.call("e", row["Y"], self.call("goal", n)))
        row["delta"] = fit(self.call("delta", row["e"], row["U"], u, winners))
        row["dW"] = fit(self.call("dW", row["delta"], row["P"]))
        row["db"] = fit(self.call("db", row["delta"], row["P"]))

    def goal(self, n: int) -> Array:
        """The target of a step."""
        return np.asarray(self.case["target"][n])

    def update(self) -> None:
        """One update of W and b from the last row."""
        self.t += 1
        for name in "Wb":
            rate, g = self.call("rate", name), self.call("learned", name)
            setattr(self, name, self.fit(getattr(self, name) - self.call("change", g, rate, name)))

    def rate(self, name: str) -> Array:
        """The learning rate of W or b, with the factor of the schedule."""
        return np.asarray(self.fit(self.schedule[self.n] * self.case[f"rate_{name}"]))

    def learned(self, name: str) -> Array:
        """The gradient that an update follows."""
        return np.asarray(self.rows[-1][f"d{name}"])


def _bound(replacement: Operation, layer: Layer, right: Operation) -> Operation:
    return lambda *args: replacement(layer, right, *args)


def candidate(profile: Profile, *mutants: Mutant) -> Call:
    """A backend with the mistakes of these mutants, or a right one.

    Parameters
    ----------
    profile : the format of all numbers that are kept
    mutants : the mistakes

    Returns
    -------
    function
        (contents of case.json, arrays by name) -> arrays of the trace by name.
    """

    def backend(about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
        case = Case(about, arrays)
        with np.errstate(all="ignore"):  # a mutant may divide by 0, or overflow
            layers = [Layer(case, k, profile, mutants) for k in range(len(about["layers"]))]
            for n in range(about["steps"]):
                spikes = np.asarray(arrays["inputs"][n], np.float64)
                for layer in layers:
                    spikes = layer.step(spikes, n)
        return _recorded(layers, mutants)

    return backend


def _recorded(layers: list[Layer], mutants: tuple[Mutant, ...]) -> dict[str, Array]:
    trace: dict[str, Array] = {}
    for k, layer in enumerate(layers, start=1):
        rows = {name: [row[name] for row in layer.rows] for name in layer.rows[0]}
        for mutant in mutants:
            if mutant.record is not None:
                mutant.record(layer, rows)
        trace |= {f"layer{k}_{name}": np.stack(row) for name, row in rows.items()}
        if layer.about["learn"]:
            trace |= {f"layer{k}_W_final": layer.W, f"layer{k}_b_final": layer.b}
    return trace
