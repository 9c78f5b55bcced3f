"""The profile of an implementation: the arithmetic that it declares, and how much of its state its trace has.

>>> PROFILES["float32"].quantise(np.asarray(1 + 2.0**-30))
array(1.)
>>> describe(parse({"format": "fixed", "fraction_bits": 12}))
{'name': 'unnamed', 'format': 'fixed', 'fraction_bits': 12}
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, not_negative, validate_choice
from decolle_ref.cases import schema


class Float(NamedTuple):
    """A binary floating-point format with round to nearest."""

    bits: int  # of the significand, the hidden one included
    smallest: float  # positive normal number

    @property
    def unit(self) -> float:
        """The unit roundoff u: |fl(z) - z| <= u |z|."""
        return float(2.0**-self.bits)

    @property
    def subnormal(self) -> float:
        """The smallest positive number of all."""
        return self.smallest * 2 * self.unit

    @property
    def largest(self) -> float:
        """The largest number (1 - u) 4 / smallest: as in all binary formats of IEEE 754."""
        return (1 - self.unit) * 2 / self.smallest * 2


FLOATS = {
    "float64": Float(53, 2.0**-1022),
    "float32": Float(24, 2.0**-126),
    "tf32": Float(11, 2.0**-126),  # for the factors of products only
    "bfloat16": Float(8, 2.0**-126),
    "float16": Float(11, 2.0**-14),
}
MOST_SIGMA_ERROR = 1 / 8  # with a larger one, another sigma would pass
FORMATS = ("float64", "float32", "bfloat16", "float16", "fixed")
RECORDED = ("", "float32", "bfloat16", "float16")
KEEPS = {  # what an implementation may keep in another form -> the arrays of the trace that its adapter converts
    "delta_R": ("R",),  # delta R, of either sign
    "traces_without_gain": ("Q", "P"),
    "gain_in_W": ("Q", "P", "W", "dW"),  # traces without gain, and W times the gains
}
LEVELS = ("L0", "L1", "L2")
CONVOLUTIONS = "direct", "fft"
ROUNDINGS = {"nearest": 0.5, "floor": 1.0, "stochastic": 1.0}  # the largest error of one rounding, in quanta


@dataclass(frozen=True)
class Profile:
    """The arithmetic of an implementation, and how much its trace shows.

    Parameters
    ----------
    name : as reports name it
    format : "float64", "float32", "bfloat16", "float16" or "fixed": the format of every number that is kept
    recorded : a narrower float format, if the trace shows every number rounded to it
    keeps : keys of KEEPS, joined by "+": what is kept in another form, and converted for the trace
    accumulate : "float64" or "float32": the format of the sums in matrix products, if it is another
    products : "tf32", "bfloat16" or "float16", if the factors of matrix products are rounded to it
    convolution : "direct", or "fft" if convolutions are computed by fast Fourier transforms
    flush : whether subnormal numbers become 0
    sigma_ulps : the largest error of sigma and sigma', in units of the last place of 1
    integer_bits, fraction_bits : a fixed-point number is k 2^-fraction_bits within +-2^integer_bits; it saturates
    rounding : "nearest", "floor" or "stochastic", in fixed point
    lfsr_taps, lfsr_seed : of stochastic rounding: the shift register that makes its random numbers, by its taps, the
        bits of an integer, and its first state; the bounds do not use them, but a model of the device does
    level : the trace has everything ("L2"), spikes and the weights of every step ("L1"), or spikes and the final
        weights ("L0")

    Raises
    ------
    InputError
        For an option or a number that makes no sense.
    """

    name: str = "unnamed"
    format: str = "float32"
    recorded: str = ""
    keeps: str = ""
    accumulate: str = ""
    products: str = ""
    convolution: str = "direct"
    flush: bool = False
    sigma_ulps: float = 4.0
    integer_bits: int = 8
    fraction_bits: int = 16
    rounding: str = "nearest"
    lfsr_taps: int = 0
    lfsr_seed: int = 0
    level: str = "L2"

    def __post_init__(self) -> None:
        validate_choice("profile format", self.format, FORMATS)
        validate_choice("profile recorded", self.recorded, RECORDED)
        for form in self.keeps.split("+") if self.keeps else ():
            validate_choice("profile keeps", form, KEEPS)
        validate_choice("profile accumulate", self.accumulate, ("", "float64", "float32"))
        validate_choice("profile products", self.products, ("", "tf32", "bfloat16", "float16"))
        validate_choice("profile convolution", self.convolution, CONVOLUTIONS)
        validate_choice("profile rounding", self.rounding, ROUNDINGS)
        validate_choice("profile level", self.level, LEVELS)
        count("profile integer_bits", self.integer_bits, 1)
        count("profile fraction_bits", self.fraction_bits, 1)
        for name in ("lfsr_taps", "lfsr_seed"):  # an all-zero register stays so
            count(f"profile {name}", getattr(self, name), 1 if self.rounding == "stochastic" else 0)
        not_negative("profile sigma_ulps", self.sigma_ulps)
        if self.convolution == "fft" and (self.fixed or self.level != "L2"):
            where = "in fixed point" if self.fixed else f"at level {self.level}"
            raise InputError(f"profile convolution: expected 'direct' {where}, where 'fft' has no bound, got 'fft'")
        if self.fixed:
            self._validate_fixed()
        elif self.recorded and not _holds(self.format, self.recorded):
            raise InputError(f"profile recorded: expected a narrower format than {self.format}, got {self.recorded!r}")
        if self.sigma_ulps * (self.quantum if self.fixed else 2 * FLOATS[self.format].unit) > MOST_SIGMA_ERROR:
            expected = f"expected an error below {MOST_SIGMA_ERROR} of 1"
            raise InputError(f"profile sigma_ulps: {expected}, got {self.sigma_ulps} units")

    def _validate_fixed(self) -> None:
        bits = self.integer_bits + self.fraction_bits
        if bits > FLOATS["float64"].bits - 1:
            expected = "expected at most 52, which float64 holds"
            raise InputError(f"profile integer_bits + fraction_bits: {expected}, got {bits}")
        if self.recorded:
            raise InputError(f"profile recorded: expected none for fixed point, got {self.recorded!r}")

    @property
    def fixed(self) -> bool:
        """Whether the format is fixed point."""
        return self.format == "fixed"

    @property
    def shown(self) -> str:
        """The format of the numbers in cases and traces."""
        return self.recorded or self.format

    @property
    def converted(self) -> frozenset[str]:
        """The arrays of the trace that the adapter converts from what is kept."""
        return frozenset(name for form in self.keeps.split("+") for name in KEEPS.get(form, ()))

    @property
    def quantum(self) -> float:
        """The distance of neighbouring fixed-point numbers."""
        return float(2.0**-self.fraction_bits)

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest number of the format; a float counts as unlimited."""
        if self.fixed:
            return -(2.0**self.integer_bits), 2.0**self.integer_bits - self.quantum
        return -np.inf, np.inf

    @property
    def least_divisor(self) -> float:
        """The least eps of Adamax that the format resolves: about the root of its smallest normal number."""
        if self.fixed:
            return float(2.0 ** -(self.fraction_bits // 2))
        return float(np.exp2(np.ceil(np.log2(FLOATS[self.format].smallest) / 2)))

    def ulp(self, x: Array) -> Array:
        """The distance of neighbouring numbers of the trace's format at x."""
        if self.fixed:
            return np.full(np.shape(x), self.quantum)
        shown = FLOATS[self.shown]
        _, exponent = np.frexp(np.maximum(np.abs(x), shown.smallest))  # |x| = f 2^exponent, f in [1/2, 1)
        return np.asarray(np.ldexp(1.0, exponent - shown.bits))

    def quantise(self, x: Array) -> Array:
        """The trace's nearest numbers, as float64; beyond its range infinite, or saturating in fixed point."""
        x = np.asarray(x, np.float64)
        spacing = self.ulp(x)
        nearest = np.asarray(np.clip(np.rint(x / spacing) * spacing, *self.limits))
        if self.fixed:
            return nearest
        return np.where(np.abs(nearest) > FLOATS[self.shown].largest, np.copysign(np.inf, nearest), nearest)


def _holds(wide: str, narrow: str) -> bool:
    """Whether a float format holds every number of another, and more."""
    a, b = FLOATS[wide], FLOATS[narrow]
    return a.bits > b.bits and a.subnormal <= b.subnormal and a.largest >= b.largest


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("float64", "float64"),
        Profile("float32", "float32"),
        Profile("bfloat16", "bfloat16", accumulate="float32"),
        Profile("float16", "float16", accumulate="float32"),
        Profile("tf32", "float32", products="tf32"),
        Profile("Q8.16", "fixed", integer_bits=8, fraction_bits=16),
    )
}


def parse(content: Any) -> Profile:
    """Parse a profile.

    Parameters
    ----------
    content : a name in PROFILES, a mapping of the fields of Profile, or a Profile

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        For an unknown name, key or value.
    """
    if isinstance(content, Profile):
        return content
    if isinstance(content, str):
        validate_choice("profile", content, PROFILES)
        return PROFILES[content]
    if not isinstance(content, Mapping):
        raise InputError(f"profile: expected a name or named values, got {content!r}")
    known = {field.name: type(getattr(Profile(), field.name)) for field in fields(Profile)}
    for name, value in content.items():
        validate_choice("profile key", name, known)
        kinds = (int, float) if known[name] is float else (known[name],)
        if type(value) not in kinds:
            raise InputError(f"profile {name}: expected {known[name].__name__}, got {value!r}")
    return Profile(**content)


def read(path: Path) -> Profile:
    """Read a profile.

    Parameters
    ----------
    path : a JSON file, or a name in PROFILES

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        If there is neither.
    """
    if str(path) in PROFILES:
        return PROFILES[str(path)]
    if not path.exists():
        raise InputError(f"profile: expected one of {', '.join(PROFILES)}, or a JSON file, got {str(path)!r}")
    return parse(schema.parse(path))


def describe(profile: Profile) -> dict[str, Any]:
    """The name, the format, and every field that differs from its default.

    Parameters
    ----------
    profile : the profile

    Returns
    -------
    dict
    """
    values, default = asdict(profile), asdict(Profile())
    return {name: value for name, value in values.items() if name in ("name", "format") or value != default[name]}
