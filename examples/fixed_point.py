"""DECOLLE in fixed point, bit for bit: the integer model of examples/c/decolle_fixed.c.

Numbers are Q8.16: the integer q stands for q / 2^16, from -2^24 to 2^24 - 1; beyond these it saturates.  Products and
their sums are exact (int64, units of 2^-32).  Only `rounded` rounds: to the nearest integer, halves up, unless
`rounding` has another mode, such as those of fixed_rounding.py.

    from fixed_point import backend
    trace = backend(case.about, case.arrays)      # arrays of the trace by name; floats hold them exactly
"""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import connections
from decolle_ref.decolle.dialects import Dialect, named
from decolle_ref.decolle.synapse import Conv2d

BITS = 16
ONE = 1 << BITS
HALF = ONE // 2
MOST, LEAST = 256 * ONE - 1, -256 * ONE
SLOPES = {"fast_sigmoid": 1, "fast_sigmoid_10": 10}
SUPPORTED = (*SLOPES, "boxcar", "piecewise_linear")


def nearest(a: Array, b: Array | int) -> Array:
    """floor(a / b + 1/2) for b > 0."""
    whole: Array = (2 * a + b) // (2 * b)
    return whole


rounding: ContextVar[Callable[[Array, Array | int], Array]] = ContextVar("rounding", default=nearest)


def rounded(a: Array, b: Array | int) -> Array:
    """a / b for b > 0 as an integer."""
    return rounding.get()(a, b)


def saturate(a: Array) -> Array:
    """The nearest Q8.16 number."""
    return np.clip(a, LEAST, MOST)


def narrow(a: Array) -> Array:
    """A sum of products as a number."""
    return saturate(rounded(a, ONE))


def divide(a: Array, b: Array) -> Array:
    """a / b for b > 0."""
    return saturate(rounded(a * ONE, b))


def integers(name: str, x: Any, most: int = 256) -> Array:
    """The integers that stand for x.  Raises InputError unless all are multiples of 2^-16 from -most to below most."""
    scaled = np.asarray(x, np.float64) * ONE
    wrong = (scaled != np.floor(scaled)) | (scaled >= most * ONE) | (scaled < -most * ONE)
    if wrong.any():
        first = np.asarray(x).flat[int(np.argmax(wrong))]
        raise InputError(f"{name}: expected multiples of 2^-16 from -{most} to below {most}, got {first}")
    return scaled.astype(np.int64)


def gain(gains: str, decay: Array) -> Array:
    """1, 1 - decay, or 1 / (1 - decay)."""
    if gains == "one":
        return np.full_like(decay, ONE)
    return ONE - decay if gains == "leak" else divide(np.full_like(decay, ONE), ONE - decay)


def strength(refractory: str, gamma: Array, w: Array) -> Array:
    """delta = w, gamma w, or (1 - gamma) w."""
    if refractory == "w":
        return w
    factor: Array = gamma if refractory == "gamma_w" else ONE - gamma
    return narrow(factor * w)


def sigma(surrogate: str, x: Array) -> Array:
    """sigma(x), with sigma(0) = 1/2."""
    m = np.abs(x)
    if surrogate == "boxcar":  # clip(x + 1/2, 0, 1)
        return np.asarray(np.clip(x + HALF, 0, ONE))
    if surrogate == "piecewise_linear":  # 1/2 +- |x| (1 - |x|/2)
        near = np.minimum(m, ONE)
        return np.asarray(HALF + np.sign(x) * narrow(near * (2 * ONE - near) // 2))
    rise = divide(x, ONE + SLOPES[surrogate] * m)
    return np.asarray(HALF + rise)  # 1/2 + x / (1 + s |x|)


def slope(surrogate: str, x: Array) -> Array:
    """sigma'(x)."""
    m = np.abs(x)
    if surrogate == "boxcar":  # 1 for -1/2 < x <= 1/2
        return np.where((x > -HALF) & (x <= HALF), ONE, 0)
    if surrogate == "piecewise_linear":  # max(0, 1 - |x|)
        return np.asarray(np.maximum(0, ONE - m))
    d: Array = ONE + SLOPES[surrogate] * m
    return rounded(np.asarray(1 << 3 * BITS), d * d)  # 1 / (1 + s |x|)^2


class Geometry(NamedTuple):
    """The input of every weight, the neurons of every pooling window, and the shape of W."""

    fan_in: Array  # (places, weights per neuron), -1 for padding
    windows: Array  # (n', neurons per window), in reading order
    shape_W: tuple[int, ...]


def geometry(about: dict[str, Any]) -> Geometry:
    """A dense layer is a convolution of a 1 x 1 image of n_in channels with a 1 x 1 kernel."""
    synapse, pool = connections(about)
    if not isinstance(synapse, Conv2d):
        return Geometry(np.arange(synapse.n_in)[None], np.arange(synapse.n)[:, None], synapse.shapes[0])
    K, stride, (C, height, width) = synapse.kernel, synapse.stride, synapse.shape
    index = np.arange(synapse.n_in).reshape(synapse.shape_in)
    margin = [(0, 0), (synapse.padding,) * 2, (synapse.padding,) * 2]
    image = np.pad(index, margin, constant_values=-1)
    fan_in = [image[:, y : y + K, x : x + K].ravel() for y, x in places(height, width, stride)]
    p = 1 if pool is None else pool.size
    neurons = np.arange(synapse.n).reshape(C, height, width)
    corners = [(c, y, x) for c in range(C) for y, x in places(height // p, width // p, p)]
    windows = [neurons[c, y : y + p, x : x + p].ravel() for c, y, x in corners]
    return Geometry(np.array(fan_in), np.array(windows), synapse.shapes[0])


def places(height: int, width: int, step: int) -> list[tuple[int, int]]:
    """(row, column) of every place, in reading order; places are `step` apart."""
    return [(step * y, step * x) for y in range(height) for x in range(width)]


class Layer:
    """One layer: its constants, its weights and its state, all integers."""

    def __init__(self, about: dict[str, Any], dialect: Dialect, arrays: dict[str, Array], batch: int) -> None:
        self.dialect, self.arrays = dialect, arrays
        self.surrogate = about.get("surrogate", dialect.surrogate)
        self.loss, self.mean = about["loss"], about["reduction"] == "mean"
        if self.surrogate not in SUPPORTED:
            raise NotImplementedError(f"surrogate: expected one of {', '.join(SUPPORTED)}, got {self.surrogate}")
        if self.loss == "cross_entropy":
            raise NotImplementedError("loss: expected squared_error or smooth_l1, got cross_entropy")
        if about.get("lambda1", 0) or about.get("lambda2", 0):
            raise NotImplementedError("lambda1, lambda2: expected 0 in fixed point, got more")
        self.fan_in, self.windows, self.shape_W = geometry(about)
        self.W, self.b = arrays["W"].reshape(self.shape_W[0], -1), arrays["b"]
        self.gain_Q, self.gain_P = (gain(dialect.gains, arrays[x]) for x in ("beta", "alpha"))
        self.delta_R = strength(dialect.refractory, arrays["gamma"], arrays["w"])
        sizes = {"P": about["n_in"], "Q": about["n_in"], "R": about["n"]}
        self.P, self.Q, self.R = (arrays.get(f"{x}0", np.zeros((batch, n), np.int64)) for x, n in sizes.items())
        self.m_W, self.u_W = (arrays.get(x, np.zeros_like(arrays["W"])).reshape(self.W.shape) for x in ("m_W", "u_W"))
        self.m_b, self.u_b = (arrays.get(x, np.zeros_like(self.b)) for x in ("m_b", "u_b"))

    def spike(self, U: Array) -> Array:
        """S = 1 if U >= 0, or U > 0, else 0."""
        return np.where(U > 0 if self.dialect.threshold == "above" else U >= 0, ONE, 0)

    def inputs_of_weights(self, P: Array) -> Array:
        """The input of every weight at every place, 0 for padding: (B, places, weights per neuron)."""
        return np.where(self.fan_in >= 0, P[:, self.fan_in], 0)

    def dropped(self, place: str, t: int, x: Array) -> Array:
        """x times the factors of dropout, if the case has any at this place."""
        if "mask" not in self.arrays or place != self.dialect.dropout:
            return x
        return narrow(self.arrays["mask"][t] * x)

    def forward(self, S_in: Array, t: int) -> dict[str, Array]:
        """One step up to the readout; `advance` then replaces the old state by the new one."""
        at, d = self.arrays, self.dialect
        self.new_Q = narrow(at["beta"] * self.Q + self.gain_Q * S_in)
        self.new_P = narrow(at["alpha"] * self.P + self.gain_P * (self.new_Q if d.P_reads == "new_Q" else self.Q))
        P, Q = (self.new_P, self.new_Q) if d.U_reads == "new_P" else (self.P, self.Q)
        drive = np.einsum("ok,bpk->bop", self.W, self.inputs_of_weights(P)) + self.b[:, None] * ONE
        U = narrow(drive.reshape(self.R.shape) - self.delta_R * self.R)
        rank = sigma(self.surrogate, U) if d.pooling == "pool_S" else U
        self.winners = self.windows[np.arange(len(self.windows)), rank[:, self.windows].argmax(axis=-1)]  # (B, n')
        u = np.take_along_axis(U, self.winners, axis=1)
        S = self.spike(u)
        activity = S if d.readout == "spikes" else sigma(self.surrogate, u)
        Y = narrow(self.dropped("before_G", t, activity) @ at["G"].T + at["c"] * ONE)
        Y = self.dropped("after_G", t, Y)
        return {"Q": Q, "P": P, "R": self.R, "U": U, "S": S, "Y": Y}

    def local_gradients(self, row: dict[str, Array], t: int) -> dict[str, Array]:
        """The error of this step and the gradients."""
        d = saturate(row["Y"] - self.arrays["target"][t])
        d = np.clip(d, -ONE, ONE) if self.loss == "smooth_l1" else d
        e = rounded(d, d.size) if self.mean else d
        u = np.take_along_axis(row["U"], self.winners, axis=1)
        delta = np.zeros_like(row["U"])
        back = self.dropped("before_G", t, narrow(self.dropped("after_G", t, e) @ self.arrays["G"]))
        error = narrow(back * slope(self.surrogate, u))
        np.put_along_axis(delta, self.winners, error, axis=1)
        per_channel = delta.reshape(len(delta), len(self.b), -1)  # (B, channels, places)
        dW = narrow(np.einsum("bop,bpk->ok", per_channel, self.inputs_of_weights(row["P"])))
        db = saturate(per_channel.sum(axis=(0, 2)))
        W = self.W.reshape(self.shape_W)
        return {"e": e, "delta": delta, "dW": dW.reshape(self.shape_W), "db": db, "W": W, "b": self.b}

    def learn(self, row: dict[str, Array], adamax: tuple[int, int] | None, factor: Array | None) -> None:
        """One update of W and b by SGD or Adamax, with beta1 = 0, so that m is the gradient."""
        rate_W, rate_b, dW = self.arrays["rate_W"], self.arrays["rate_b"], row["dW"].reshape(self.W.shape)
        if adamax is not None:
            self.m_W, self.m_b = dW, row["db"]
        rate_W = rate_W if rate_W.ndim == 1 else rate_W.reshape(self.W.shape)
        if factor is not None:
            rate_W, rate_b = narrow(factor * rate_W), narrow(factor * rate_b)
        self.W, self.u_W = update(self.W, self.u_W, dW, rate_W, adamax)
        self.b, self.u_b = update(self.b, self.u_b, row["db"], rate_b, adamax)

    def advance(self, U: Array) -> None:
        """Replace the old state by the new one; R[n+1] = gamma R[n] + S[n]."""
        self.P, self.Q = self.new_P, self.new_Q
        self.R = narrow(self.arrays["gamma"] * self.R + self.spike(U) * ONE)


def update(W: Array, u: Array, g: Array, lr: Array, adamax: tuple[int, int] | None) -> tuple[Array, Array]:
    """sgd: W - lr g;  adamax with (beta2, eps): u <- max(beta2 u, |g| + eps), W - lr g / u  (beta1 = 0, so m = g)."""
    if adamax is not None:
        beta2, eps = adamax
        u = np.maximum(narrow(beta2 * u), saturate(np.abs(g) + eps))
        g = divide(g, u)
    return narrow(W * ONE - lr * g), u


def optimiser(about: dict[str, Any]) -> tuple[int, int] | None:
    """(beta2, eps) of Adamax, or None for SGD."""
    settings = about.get("optimiser", {"kind": "adamax"})
    if not about["learn"] or settings["kind"] == "sgd":
        return None
    beta2, eps = (int(integers(x, settings.get(x, default))) for x, default in (("beta2", 0.95), ("eps", 1e-8)))
    if settings.get("beta1", 0) != 0 or eps <= 0:
        raise NotImplementedError("optimiser: expected beta1 = 0 and eps of at least 2^-16, got others")
    return beta2, eps


def layers(about: dict[str, Any], arrays: dict[str, Array]) -> list[Layer]:
    """The layers of a case, with integer arrays.  Raises NotImplementedError for unsupported cases."""
    if about["dialect"] is None or about["constants"] != "decay":
        raise NotImplementedError('case: expected a dialect and "constants": "decay", got others')
    choice = about["dialect"]
    dialect = named(choice) if isinstance(choice, str) else Dialect("custom", **choice)
    stack = []
    for k, layer in enumerate(about["layers"], start=1):
        raw = {name: x for name, x in arrays.items() if name.startswith(f"layer{k}_")}
        parsed = {name.split("_", 1)[1]: integers(name, x) for name, x in raw.items()}
        stack.append(Layer(layer, dialect, parsed, about["batch"]))
    return stack


def backend(about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """Run a case; returns the arrays of its trace by name, time first."""
    stack, adamax = layers(about, arrays), optimiser(about)
    inputs = integers("inputs", arrays["inputs"], 32768)  # counts may exceed the range of numbers
    schedule = integers("schedule", arrays["schedule"]) if "schedule" in arrays else [None] * len(inputs)
    series: dict[str, list[Array]] = {}
    for t, S_in in enumerate(inputs):
        for k, layer in enumerate(stack, start=1):
            row = layer.forward(S_in, t)
            if about["targets"]:
                row |= layer.local_gradients(row, t)
            if about["learn"] and about.get("n", 0) + t >= about.get("burn_in", 0):
                layer.learn(row, adamax, schedule[t])
            layer.advance(row["U"])
            S_in = row["S"]
            for name, x in row.items():
                series.setdefault(f"layer{k}_{name}", []).append(x)
    trace = {name: np.stack(rows) for name, rows in series.items()} | dict(ends(stack, adamax is not None))
    return {name: (array / ONE).astype(about["dtype"]) for name, array in trace.items()}


def ends(stack: list[Layer], adamax_state: bool) -> Iterator[tuple[str, Array]]:
    """The end of the run, from which the next case may start."""
    for k, layer in enumerate(stack, start=1):
        for name in ("W", "b", "P", "Q", "R", *(("m_W", "m_b", "u_W", "u_b") if adamax_state else ())):
            array = getattr(layer, name)
            yield f"layer{k}_{name}_final", array.reshape(layer.shape_W) if name.endswith("W") else array


backend.profile = {  # type: ignore[attr-defined]
    "name": "Q8.16",
    "format": "fixed",
    "integer_bits": 8,
    "fraction_bits": 16,
    "rounding": "nearest",
    "level": "L2",
}
