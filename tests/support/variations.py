"""The valid ways to compute the equations, and the operations in the number format of a profile."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Variation:
    """The choices that an implementation is free to make."""

    name: str = "plain"
    sums: str = "pairwise"  # pairwise, forward, reversed, fortran, batch_last
    fused: str = ""  # multiply-add with one rounding: in a filter of the "decay" or the "input" product
    wide: bool = False  # sums of products in a wider format, with one rounding
    bias: str = "last"  # last: (W P + b) - delta R; first: the sum starts from b; refractory: W P + (b - delta R)
    gain: str = "product"  # the gain 1 / (1 - decay) times x; "quotient": x / (1 - decay)
    by_output: bool = False  # G^T e sums the outputs from left to right
    by_sample: bool = False  # gradients sum the samples from left to right
    rate: str = "last"  # lr (m / u); "first": (lr / u) m
    slope: str = "direct"  # sigma' by its own formula; "sigma": s (1 - s); "quotient": (G^T e) / (1 + |U|) / (1 + |U|)
    share: str = "product"  # (Y - target) (1 / N); "quotient": (Y - target) / N
    softmax: str = "direct"  # exp / sum; "log": exp of the log-softmax


VALID_VARIANTS = {
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
    """A random mixture: every field from one of the variations."""
    picks = np.random.default_rng([seed, 61]).choice(list(VALID_VARIANTS.values()), len(fields(Variation)) - 1)
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
        power = self.fit(1.0)
        for _ in range(t):
            power = self.times(power, x)
        return power

    def factor(self, x):
        """x as a factor of a matrix product."""
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
        total = ORDERS[order](np.asarray(terms, self.kind))
        if start is not None:  # the sum starts from it
            total = ORDERS["forward"](np.concatenate([self._start(start, terms), terms], axis=-1).astype(self.kind))
        return self.fit(total)

    @staticmethod
    def _start(start, terms):
        return np.broadcast_to(np.asarray(start), terms.shape[:-1])[..., None]

    def _fused(self, a, b, start):
        """start + a_1 b_1 + a_2 b_2 ..., one rounding each, to the format of the sum."""
        total = np.broadcast_to(np.asarray(start, np.float64), a.shape[:-1])
        for j in range(a.shape[-1]):
            exact = a[..., j].astype(self.wide) * b[..., j] + total
            total = self.fit(exact) if self.profile.fixed else exact.astype(self.kind).astype(np.float64)
        return total


def _forward(x):
    total = x[..., 0]
    for j in range(1, x.shape[-1]):
        total = total + x[..., j]
    return total


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
