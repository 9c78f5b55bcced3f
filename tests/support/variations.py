"""The valid ways to compute the equations, and the operations in the number format of a profile."""

from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.fft

from decolle_ref.oracle.profile import FLOATS

KINDS = {"float64": np.float64, "float32": np.float32, "float16": np.float16}


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
    exp: str = "direct"  # "exp2": 2^(x log2 e)
    sigma: str = "formula"  # "table": sigma and sigma' with two bits less
    constants: str = "step by step"  # "at once": in float64, with one rounding
    ties: str = "first"  # "last": of several neurons in a pool whose sigma is equal, though U is not
    convolution: str = "im2col"  # "places": the sum of one place of the kernel after the other; "fft"
    keeps: str = ""  # as in the profile
    inside: bool = False  # the computation is in a wider format than the trace
    flush: bool = False  # subnormal numbers are 0
    split: bool = False  # the run is stopped in the middle, and resumed from what it stored

    def declared(self, profile):
        """The profile of an implementation with these choices, or None where the format does not allow them."""
        if self.inside:
            if profile.format not in WIDER or profile.products:
                return None
            profile = replace(profile, format=WIDER[profile.format], recorded=profile.format, accumulate="")
        if profile.fixed and (self.flush or self.convolution == "fft"):
            return None
        return replace(profile, keeps=self.keeps, flush=self.flush, convolution=FFT.get(self.convolution, "direct"))


WIDER = {"float32": "float64", "bfloat16": "float32", "float16": "float32"}
FFT = {"fft": "fft"}


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
        Variation("blocked sums", sums="blocked"),
        Variation("exp by powers of two", exp="exp2"),
        Variation("sigma from a table", sigma="table"),
        Variation("constants rounded once", constants="at once"),
        Variation("the last of equal sigmas", ties="last"),
        Variation("convolution place by place", convolution="places"),
        Variation("convolution by FFT", convolution="fft"),
        Variation("delta R kept", keeps="delta_R"),
        Variation("P and Q kept without gain", keeps="traces_without_gain"),
        Variation("gains folded into W", keeps="gain_in_W"),
        Variation("delta R kept, and gains folded into W", keeps="delta_R+gain_in_W"),
        Variation("a wider format inside", inside=True),
        Variation("flush to zero", flush=True),
        Variation("split in two runs", split=True),
    )
}


PLAIN = {"inside": False, "flush": False, "convolution": "im2col"}  # what every format allows


def mixed(seed, profile):
    """A random mixture: every field from one of the variations."""
    picks = np.random.default_rng([seed, 61]).choice(list(VALID_VARIANTS.values()), len(fields(Variation)) - 1)
    taken = {field.name: getattr(pick, field.name) for field, pick in zip(fields(Variation)[1:], picks, strict=True)}
    variation = Variation(f"mixed {seed}", **taken)
    return variation if variation.declared(profile) else replace(variation, **PLAIN)


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
        x = np.asarray(x, np.float64)
        kind = KINDS.get(self.profile.format)
        rounded = replace(self.profile, recorded="").quantise(x) if kind is None else x.astype(kind).astype(np.float64)
        return (
            np.where(np.abs(rounded) < FLOATS[self.profile.format].smallest, 0, rounded)
            if self.profile.flush
            else rounded
        )

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

    def exp(self, x):
        """exp(x), by exp2 in one variation."""
        return self.fit(np.exp2(self.times(x, self.fit(np.log2(np.e)))) if self.variation.exp == "exp2" else np.exp(x))

    def looked_up(self, x):
        """A value of sigma or sigma', which a table holds with two bits less."""
        step = 4 * float(self.profile.quantum if self.profile.fixed else 2 * FLOATS[self.profile.format].unit)
        return self.fit(np.rint(x / step) * step) if self.variation.sigma == "table" else x

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

    def correlated(self, image, kernel):
        """sum_r kernel_r image_(y+r) for all y, by Fourier transforms of the last two axes."""
        kind, sides = self.kind, [2 ** int(np.ceil(np.log2(side))) for side in image.shape[-2:]]
        spectra = (scipy.fft.fft2(x.astype(kind), sides) for x in (image, kernel))
        a, b = spectra
        return scipy.fft.ifft2(a * np.conj(b)).real.astype(np.float64)

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
    "blocked": lambda x: _forward(np.stack([_forward(x[..., i : i + 3]) for i in range(0, x.shape[-1], 3)], axis=-1)),
    "reversed": lambda x: _forward(x[..., ::-1]),
    "fortran": lambda x: np.einsum("...j->...", np.asfortranarray(x)),
    "batch_last": lambda x: np.ascontiguousarray(np.moveaxis(x, -1, 0)).sum(axis=0),
}
