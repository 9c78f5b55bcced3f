"""A dense DECOLLE network in any number format: correct in many ways, or wrong in one.

    make(profile, variation) -> backend(about, arrays)

Every operation is followed by a rounding to the profile's format; arrays are float64 and hold numbers of the format.
A `Variation` says in which of the permitted ways the equations are computed; oracle_planted.py has the forbidden ones.
"""

from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.surrogate import SURROGATES

SIGMAS = SURROGATES | {name: option.value for name, option in AXES["surrogate"].items()}


@dataclass(frozen=True)
class Variation:
    """What an implementation is free to choose; the defaults are the plain one."""

    name: str = "plain"
    sums: str = "pairwise"  # pairwise, forward, reversed, fortran, batch_last
    fused: str = ""  # multiply-add with one rounding: the "decay" or the "input" product of a filter, and all else
    wide: bool = False  # sums of products in a wider format, with one rounding
    bias: str = "last"  # last: (W P + b) - delta R; first: where the sum starts; refractory: W P + (b - delta R)
    gain: str = "product"  # of the inverse gains; or "quotient": x / (1 - decay)
    by_output: bool = False  # G^T e adds up one output after the other
    by_sample: bool = False  # gradients add up one sample after the other
    rate: str = "last"  # lr (m / u); "first": (lr / u) m
    slope: str = "direct"  # sigma' by its own formula; "sigma": s (1 - s); "quotient": (G^T e) / (1 + |U|) / (1 + |U|)
    share: str = "product"  # of the mean: (Y - target) (1 / N); "quotient": (Y - target) / N
    softmax: str = "direct"  # exp / sum; "log": exp of the log-softmax


WHEATS = {
    variation.name: variation
    for variation in (
        Variation(),
        Variation("forward sums", sums="forward"),
        Variation("reversed sums", sums="reversed"),
        Variation("column by column", sums="fortran"),
        Variation("batch last", sums="batch_last"),
        Variation("fused with the decay", fused="decay"),
        Variation("fused with the input", fused="input"),
        Variation("wider accumulator", wide=True),
        Variation("bias first", bias="first"),
        Variation("bias joined with R", bias="refractory"),
        Variation("gain as a quotient", gain="quotient"),
        Variation("G^T e output by output", by_output=True),
        Variation("gradients sample by sample", by_sample=True),
        Variation("lr / u first", rate="first"),
        Variation("sigma' from sigma", slope="sigma"),
        Variation("sigma' as a quotient", slope="quotient"),
        Variation("mean as a quotient", share="quotient"),
        Variation("softmax by its logarithm", softmax="log"),
    )
}


def mixed(seed):
    """Several liberties taken at once: every field from one of the variations."""
    picks = np.random.default_rng([seed, 61]).choice(list(WHEATS.values()), len(fields(Variation)) - 1)
    taken = {field.name: getattr(pick, field.name) for field, pick in zip(fields(Variation)[1:], picks, strict=True)}
    return Variation(f"mixed {seed}", **taken)


class Machine:
    """Operations in the number format of a profile."""

    def __init__(self, profile, variation):
        self.profile, self.variation = profile, variation
        narrow = profile.format == "float64"
        self.kind = np.float64 if narrow or profile.fixed else np.float32  # of sums of products
        if not narrow and not profile.fixed and profile.accumulate == "float64":
            self.kind = np.float64
        self.wide = np.longdouble if narrow else np.float64

    def fit(self, x):
        """The nearest number of the format."""
        if self.profile.format == "float64":
            return np.asarray(x, np.float64)
        if self.profile.format == "float32":
            return np.asarray(x, np.float32).astype(np.float64)
        return self.profile.quantise(np.asarray(x, np.float64))

    def add(self, a, b):
        return self.fit(a + b)

    def times(self, a, b):
        return self.fit(a * b)

    def over(self, a, b):
        return self.fit(a / b)

    def total(self, a, b, c):
        """a b + c: two roundings, or fused in a wider format and one."""
        if not self.variation.fused:
            return self.add(self.times(a, b), c)
        return self.fit(np.asarray(a, self.wide) * b + c)

    def power(self, x, t):
        """x^t, product by product."""
        found = self.fit(1.0)
        for _ in range(t):
            found = self.times(found, x)
        return found

    def factor(self, x):
        """As matrix products take it."""
        if self.profile.products != "tf32":
            return x
        significand, exponent = np.frexp(x)
        return np.ldexp(np.rint(significand * 2.0**11) / 2.0**11, exponent)

    def dot(self, a, b, order="", start=None):
        """The sum of a b over the last axis, in the order given or that of the variation."""
        return self._sum(*np.broadcast_arrays(self.factor(a), self.factor(b)), order, start)

    def sum(self, x, order=""):
        """The sum of x over the last axis."""
        return self._sum(x, np.ones_like(x), order)

    def _sum(self, a, b, order="", start=None):
        order = order or self.variation.sums
        if self.variation.wide:
            return self.fit((a.astype(self.wide) * b).sum(axis=-1) + (0 if start is None else start))
        if self.variation.fused:
            return self.fit(self._fused(a, b, 0.0 if start is None else start))
        terms = self.fit(a * b) if self.profile.fixed else a.astype(self.kind) * b.astype(self.kind)
        found = ORDERS[order](np.asarray(terms, self.kind))
        if start is not None:  # the sum starts from it
            found = ORDERS["forward"](np.concatenate([self._start(start, terms), terms], axis=-1).astype(self.kind))
        return self.fit(found)

    @staticmethod
    def _start(start, terms):
        return np.broadcast_to(np.asarray(start), terms.shape[:-1])[..., None]

    def _fused(self, a, b, start):
        """start + a_1 b_1 + a_2 b_2 ..., one rounding each, to the format of the sum."""
        found = np.broadcast_to(np.asarray(start, np.float64), a.shape[:-1])
        for j in range(a.shape[-1]):
            exact = a[..., j].astype(self.wide) * b[..., j] + found
            found = self.fit(exact) if self.profile.fixed else exact.astype(self.kind).astype(np.float64)
        return found


def _forward(x):
    found = x[..., 0]
    for j in range(1, x.shape[-1]):
        found = found + x[..., j]
    return found


def _pairwise(x):
    half = x.shape[-1] // 2
    return x[..., 0] if half == 0 else _pairwise(x[..., :half]) + _pairwise(x[..., half:])


ORDERS = {
    "forward": _forward,
    "pairwise": _pairwise,
    "reversed": lambda x: _forward(x[..., ::-1]),
    "fortran": lambda x: np.einsum("...j->...", np.asfortranarray(x)),
    "batch_last": lambda x: np.ascontiguousarray(np.moveaxis(x, -1, 0)).sum(axis=0),
}


def make(profile, variation=WHEATS["plain"], planted=None):
    """A backend; `planted` changes every layer before it runs."""

    def backend(about, arrays):
        machine = Machine(profile, variation)
        layers = [_layer(machine, about, arrays, k) for k in range(len(about["layers"]))]
        rows = [{} for _ in layers]
        for of in layers if planted else ():
            planted(of)
        for n in range(about["steps"]):
            spikes = np.asarray(arrays["inputs"][n], np.float64)
            for of, row in zip(layers, rows, strict=True):
                of.now = about.get("n", 0) + n
                seen = of.step(of, spikes, of.target[n])
                of.state, of.last = seen.pop("after"), seen
                of.learn(of, seen)
                for name, x in seen.items():
                    row.setdefault(name, []).append(np.array(x))
                spikes = seen["S"]
        found = {f"layer{k}_{name}": np.stack(x) for k, row in enumerate(rows, 1) for name, x in row.items()}
        ends = {f"layer{k}_{x}_final": getattr(of, x) for k, of in enumerate(layers, 1) for x in "Wb"}
        return found | ends if about["learn"] else found

    return backend


def _layer(m, about, arrays, k):
    """Constants, state and operations of layer k."""
    lead = f"layer{k + 1}_"
    own = {name.removeprefix(lead): x.astype(np.float64) for name, x in arrays.items() if name.startswith(lead)}
    one, dialect = about["layers"][k], Case(about, arrays).dialect()
    of = SimpleNamespace(m=m, about=one, new_P=dialect.P_reads == "new_Q", new_U=dialect.U_reads == "new_P", **own)
    of.sigma = one.get("surrogate", dialect.surrogate)
    of.reads_spikes, of.at = dialect.readout == "spikes", dialect.threshold == "at_or_above"
    of.gain_Q, of.gain_P = (_gain(m, dialect.gains, x) for x in (of.beta, of.alpha))
    of.strength = {"w": lambda: of.w, "gamma_w": lambda: m.times(of.gamma, of.w)}.get(
        dialect.refractory, lambda: m.times(m.fit(1 - of.gamma), of.w)
    )()
    B, sizes = about["batch"], {"P": one["n_in"], "Q": one["n_in"], "R": one["n"]}
    of.state = tuple(own.get(f"{x}0", np.zeros((B, size))) for x, size in sizes.items())
    of.N = B if one["loss"] == "cross_entropy" else B * one["n_out"]
    of.N = of.N if one["reduction"] == "mean" else 1
    of.G_back, of.burn_in, of.learns, of.count = of.G, about.get("burn_in", 0), about["learn"], 0
    of.optimiser = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8} | about.get("optimiser", {})
    of.memory = {x: (np.zeros_like(own[x]), np.zeros_like(own[x])) for x in "Wb"}
    of.step, of.learn, of.slope, of.eligible, of.gradient = step, learn, slope, (lambda of, seen: seen["P"]), gradient
    of.hear, of.error, of.bias, of.last = (lambda of, x: x), error, (lambda of: of.b), None
    return of


def _gain(m, option, decay):
    """What the input of a filter is multiplied by, or divided by."""
    if option == "one":
        return lambda x: x
    leak = m.fit(1 - decay)
    if option == "leak":
        return lambda x: (leak, x)
    return (lambda x: m.over(x, leak)) if m.variation.gain == "quotient" else (lambda x: (m.over(1.0, leak), x))


def filtered(of, decay, before, gain, x):
    """decay before + g x."""
    m, into = of.m, gain(x)
    if not isinstance(into, tuple):
        return m.total(decay, before, into)
    if m.variation.fused == "input":
        return m.total(*into, m.times(decay, before))
    return m.total(decay, before, m.times(*into))


def step(of, x, target):
    """One step: what is written down, and the state after it."""
    m, (P, Q, R) = of.m, of.state
    Q_new = filtered(of, of.beta, Q, of.gain_Q, of.hear(of, x))
    P_new = filtered(of, of.alpha, P, of.gain_P, Q_new if of.new_P else Q)
    read = (P_new, Q_new) if of.new_U else (P, Q)
    U = membrane(of, read[0], R)
    S = ((U >= 0) if of.at else (U > 0)).astype(np.float64)
    Y = m.add(m.dot(of.G, (S if of.reads_spikes else sigma(of, U))[:, None, :]), of.c)
    seen = dict(zip("PQRUSY", (*read, R, U, S, Y), strict=True)) | {"W": of.W, "b": of.b}
    seen |= {"e": of.error(of, Y, target)}
    seen |= {"delta": backward(of, seen)}
    dW, db = of.gradient(of, seen)
    return seen | {"dW": dW, "db": db, "after": (P_new, Q_new, m.total(of.gamma, R, S))}


def membrane(of, P, R):
    """U = W P + b - delta R."""
    m, W, P = of.m, of.W, P[:, None, :]
    if m.variation.bias == "refractory":
        return m.add(m.dot(W, P), m.total(-of.strength, R, of.bias(of)))
    drive = m.dot(W, P, start=of.bias(of)) if m.variation.bias == "first" else m.add(m.dot(W, P), of.bias(of))
    return m.total(-of.strength, R, drive)


def sigma(of, U):
    """sigma(U), operation by operation."""
    m = of.m
    if of.sigma == "logistic":
        z = m.fit(np.exp(-np.abs(U)))
        return m.over(np.where(U < 0, z, 1.0), m.add(1.0, z))
    if of.sigma == "fast_sigmoid":
        return m.add(0.5, m.over(U, m.add(1.0, np.abs(U))))
    return m.fit(SIGMAS[of.sigma].primitive(U))


def slope(of, seen):
    """sigma'(U), operation by operation."""
    m, U = of.m, seen["U"]
    if of.sigma == "logistic" and m.variation.slope == "sigma":
        s = sigma(of, U)
        return m.times(s, m.add(1.0, -s))
    if of.sigma == "logistic":
        z = m.fit(np.exp(-np.abs(U)))
        q = m.over(1.0, m.add(1.0, z))
        return m.times(m.times(z, q), q)
    if of.sigma == "fast_sigmoid":
        q = m.over(1.0, m.add(1.0, np.abs(U)))
        return m.times(q, q)
    return m.fit(SIGMAS[of.sigma].derivative(U))


def error(of, Y, target):
    """e = dL/dY."""
    m, loss = of.m, of.about["loss"]
    d = m.add(softmax(m, Y, target) if loss == "cross_entropy" else Y, -target)
    d = np.clip(d, -1, 1) if loss == "smooth_l1" else d
    if of.N == 1:
        return d
    return m.over(d, of.N) if m.variation.share == "quotient" else m.times(d, m.fit(1 / of.N))


def softmax(m, Y, target):
    """softmax(Y) (sum of the target)."""
    shifted = m.add(Y, -Y.max(axis=-1, keepdims=True))
    total = m.sum(m.fit(np.exp(shifted)))[:, None]
    p = m.over(m.fit(np.exp(shifted)), total)
    if m.variation.softmax == "log":
        p = m.fit(np.exp(m.add(shifted, -m.fit(np.log(total)))))
    return m.times(p, m.sum(target)[:, None])


def backward(of, seen):
    """delta = (G^T e) sigma'(U), plus the regularisers'."""
    m, U = of.m, seen["U"]
    back = m.dot(of.G_back.T, seen["e"][:, None, :], "forward" if m.variation.by_output else "")
    if m.variation.slope == "quotient" and of.sigma == "fast_sigmoid" and of.slope is slope:
        d = m.add(1.0, np.abs(U))
        found = m.over(back, d * d) if m.profile.fixed else m.over(m.over(back, d), d)  # or one rounding too many
    else:
        found = m.times(back, of.slope(of, seen))
    active, silent = (m.fit(of.about.get(x, 0.0)) for x in ("lambda1", "lambda2"))
    share = m.fit(1 / U.size)
    if active:
        found = m.add(found, m.times(active, share) * (U + m.fit(0.01) > 0))
    if silent:
        found = m.add(found, -m.times(m.times(silent, share), quiet(of, seen)))
    return found


def quiet(of, seen):
    """The slope of the mean activity where that is below 0.1, else 0."""
    m, U = of.m, seen["U"]
    if of.about.get("activity") == "membrane":
        mean = m.times(m.sum(U), m.fit(1 / U.shape[-1]))[:, None]
        return np.broadcast_to(mean < m.fit(0.1), U.shape).astype(np.float64)
    mean = m.times(m.sum(sigma(of, U).ravel()), m.fit(1 / U.size))
    return slope(of, seen) * (mean < m.fit(0.1))


def gradient(of, seen):
    """dW = sum of delta P over the batch, db = sum of delta."""
    m, order, delta = of.m, "forward" if of.m.variation.by_sample else "", seen["delta"].T
    return m.dot(delta[:, None, :], of.eligible(of, seen).T, order), m.sum(delta, order)


def learn(of, seen):
    """W and b by the optimiser."""
    if not of.learns or of.now < of.burn_in:
        return
    of.count += 1
    for x in "Wb":
        g, rate = seen[f"d{x}"], getattr(of, f"rate_{x}")
        setattr(of, x, descended(of, x, getattr(of, x), g, rate))


def descended(of, x, theta, g, rate):
    """theta - lr g, or theta - (lr / (1 - beta1^t)) m / u."""
    m = of.m
    if of.optimiser["kind"] == "sgd":
        return m.total(-rate, g, theta)
    beta1, beta2, eps = (m.fit(of.optimiser[x]) for x in ("beta1", "beta2", "eps"))
    mean, u = of.memory[x]
    mean = g if beta1 == 0 else m.total(beta1, mean, m.times(m.add(1.0, -beta1), g))
    u = np.maximum(m.times(beta2, u), m.add(np.abs(g), eps))
    of.memory[x] = mean, u
    rate = rate if beta1 == 0 else m.over(rate, m.add(1.0, -m.power(beta1, of.count)))
    if m.variation.rate == "first":
        return m.total(-m.over(rate, u), mean, theta)
    return m.total(-rate, m.over(mean, u), theta)
