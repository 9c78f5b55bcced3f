"""Find the dialect that made a trace: its name, or the axes that reproduce the trace, or the nearest misses.

>>> from decolle_ref.cases import description, simulation
>>> about = {"dialect": "dcll", "dtype": "float64", "constants": "decay", "steps": 20, "batch": 2, "targets": False}
>>> layer = {"n_in": 6, "n": 5, "n_out": 1, "loss": "squared_error", "reduction": "sum"}
>>> about |= {"layers": [layer], "initial_state": "rest", "learn": False}
>>> rng = np.random.default_rng(0)
>>> arrays = {name: rng.uniform(0.5, 0.8, shape) for name, shape in description.shapes(about).items()}
>>> case = Case(about, arrays | {"inputs": rng.integers(0, 2, (20, 2, 6)), "layer1_b": -np.full(5, 20.0)})
>>> trace = simulation.simulate(case)
>>> print(str(identify(case, about, {"layer1_U": trace["layer1_U"]})).splitlines()[0])
consistent with: dcll
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, finite
from decolle_ref.cases.blocks import Blocks
from decolle_ref.cases.case import Case
from decolle_ref.cases.comparison import LAGS, Deviation, Fit
from decolle_ref.cases.evidence import Hypothesis
from decolle_ref.cases.recording import ROUNDINGS, Decays
from decolle_ref.decolle.dialects import AXES, DIALECTS, Dialect

RESETS = {"gamma_w": "at once", "w": "one step later"}
"""With gamma = alpha: V[n+1] = alpha (V[n] - w S[n]) + ... by delta = gamma w, alpha V[n] - w S[n] + ... by w."""


class Match(NamedTuple):
    """A hypothesis that explains every layer."""

    hypothesis: Hypothesis
    dialects: tuple[str, ...]  # the named dialects that agree with it
    lag: int  # by how many steps the trace was recorded late
    fits: tuple[Fit, ...]  # one per observed layer

    @property
    def distance(self) -> tuple[int, int, int]:
        """The lag, the sum of the offsets between variables, and the number of factors that the match concedes."""
        offsets = sum(abs(offset) for fit in self.fits for offset in fit.offsets.values())
        factors = sum(factor != 1 for fit in self.fits for factor in fit.factors.values())
        return abs(self.lag), offsets, factors


class Miss(NamedTuple):
    """A named dialect, and the layer (from 1) and place at which the trace leaves it."""

    dialect: str
    layer: int
    deviation: Deviation


class Rounding(NamedTuple):
    """What explains a float64 trace up to rounding: constants in float32, or, if none are named, numbers in float32."""

    constants: tuple[str, ...]
    hypothesis: Hypothesis
    dialects: tuple[str, ...]


@dataclass(frozen=True)
class Identification:
    """The hypotheses that explain a trace; `str` gives the answer in plain lines.

    Parameters
    ----------
    matches : tuple of Match
        The hypotheses that explain the trace, nearest first.
    misses : tuple of Miss
        The named dialects that do not, nearest first.
    rounding : Rounding or None
        Where nothing matches a float64 trace: which constants, rounded to float32, would explain it.
    subtracts_threshold : bool
        Whether w = -b and gamma = alpha in the case, so that each spike takes the threshold off the membrane.
    layers : int
        The number of recorded layers.  Those above a layer whose spikes the trace does not show are not compared.
    """

    matches: tuple[Match, ...]
    misses: tuple[Miss, ...]
    rounding: Rounding | None = None
    subtracts_threshold: bool = False
    layers: int = 0

    @property
    def best(self) -> tuple[Match, ...]:
        """The matches that concede least."""
        return tuple(match for match in self.matches if match.distance == self.matches[0].distance)

    @property
    def dialects(self) -> tuple[str, ...]:
        """The named dialects among the best matches; if those concede a lag, the dialects among all matches."""
        if not self.matches:
            return ()
        matches = self.best if self.matches[0].lag == 0 else self.matches
        return tuple(name for name in DIALECTS if any(name in match.dialects for match in matches))

    @property
    def resets(self) -> tuple[str, ...]:
        """When a spike takes the threshold off the membrane: the conventions of the best matches, among `RESETS`.

        Empty where the case does not subtract its threshold.
        """
        found = {match.hypothesis.refractory for match in self.best if self.subtracts_threshold}
        return tuple(name for option, name in RESETS.items() if option in found)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def identify(case: Case, about: Mapping[str, Any], recorded: Mapping[str, Array]) -> Identification:
    """Try every combination of axes, and lags of up to two steps, on each layer of a trace.

    Parameters
    ----------
    case : Case
        Weights, constants and inputs; its dialect is ignored.
    about : mapping
        The content of trace.json, as `read_states` returns it.
    recorded : mapping of str to array
        Any subset of Q, P, R, U, S of layer 1 and of the layers above it, (steps, batch, n_in or n), by the names of
        their files; S has the width of the layer, which is smaller than n where it pools.

    Returns
    -------
    Identification

    Raises
    ------
    InputError
        Where trace and case do not fit, where the case learns or does not start at rest, or for numbers that are not
        finite.
    """
    _validate(case, about)
    recorded = {name: finite(f"trace {name}", array) for name, array in recorded.items()}
    with np.errstate(all="ignore"):  # numbers near the end of the range may overflow; these match nothing
        return _search(case, about, recorded)


def _search(case: Case, about: Mapping[str, Any], recorded: Mapping[str, Array]) -> Identification:
    """All hypotheses and lags, on a checked trace."""
    blocks = Blocks(case, recorded)
    first = blocks.recording(0, about["dtype"])
    lags = [lag for lag in LAGS if abs(lag) <= about["steps"] // 4]
    misses: dict[str, Miss] = {}
    matches: list[Match] = []
    subtracts = first.subtracts_threshold()
    for shown in ("before", "after") if subtracts else ("before",):
        if not matches:
            tried = [(h, lag) for h in _hypotheses(first.decays, shown) for lag in lags]
            found, missed = blocks.explain(tried, about["dtype"])
            matches = [
                Match(h, _names(h), lag, fits) for (h, lag), fits in found.items() if any(fit.offsets for fit in fits)
            ]
            for (h, lag), miss in missed.items():
                for name in _names(h) if lag == 0 and shown == "before" else ():
                    misses[name] = min(misses.get(name, Miss(name, *miss)), Miss(name, *miss), key=_farness)
    matched = {name for match in matches for name in match.dialects}
    nearest = sorted((miss for miss in misses.values() if miss.dialect not in matched), key=_farness)
    rounding = None if matches else _rounding(blocks, about["dtype"])
    matches.sort(key=lambda match: match.distance)
    return Identification(tuple(matches), tuple(nearest), rounding, subtracts, len(first.recorded))


def _rounding(blocks: Blocks, dtype: str) -> Rounding | None:
    """The constants whose rounding to float32 explains a float64 trace that nothing else explains."""
    if dtype != "float64":
        return None
    every = [(h, 0) for h in _hypotheses(blocks.recording(0, "float32").decays)]
    near = sorted(blocks.explain(every, "float32")[0], key=lambda h_lag: not _names(h_lag[0]))
    for constants in ROUNDINGS:
        for h, _ in blocks.explain(near, dtype, constants)[0]:
            return Rounding(constants, h, _names(h))
    return Rounding((), near[0][0], _names(near[0][0])) if near else None


def _farness(miss: Miss) -> tuple[int, float]:
    """Smallest for the trace that follows the dialect through most layers, and there in most entries."""
    return -miss.layer, -miss.deviation.agreeing


def _validate(case: Case, about: Mapping[str, Any]) -> None:
    for key in ("steps", "batch"):
        if about[key] != case.about[key]:
            raise InputError(f"trace: expected {key} = {case.about[key]} as in the case, got {about[key]}")
    expected, got = ([(layer["n_in"], layer["n"]) for layer in x["layers"]] for x in (case.about, about))
    if expected != got:
        raise InputError(f"trace: expected layers (n_in, n) {expected} as in the case, got {got}")
    if case.about["learn"] or case.about["initial_state"] != "rest":
        raise InputError("case: expected one that starts at rest and does not learn, got another")


def _hypotheses(decays: list[Decays], shown: str = "before") -> list[Hypothesis]:
    shared = [name for name in decays[0] if all(name in layer for layer in decays)]
    axes = product(shared, AXES["gains"], (2, 1, 0), AXES["refractory"], AXES["threshold"])
    return [Hypothesis(*options)._replace(shown=shown) for options in axes]


def _names(h: Hypothesis) -> tuple[str, ...]:
    """The named dialects that agree with a hypothesis."""
    return tuple(name for name, dialect in DIALECTS.items() if _agrees(dialect, h))


def _agrees(dialect: Dialect, h: Hypothesis) -> bool:
    decay = "given" in (dialect.decay, h.decay) or dialect.decay == h.decay
    return decay and (dialect.gains, dialect.delay, dialect.refractory, dialect.threshold) == h[1:5]


def _lines(identification: Identification) -> Iterator[str]:
    dialects, matches = identification.dialects, identification.matches
    if dialects:
        yield f"consistent with: {' or '.join(dialects)}"
    elif matches:
        yield "no named dialect, but these axes reproduce the trace:"
    else:
        yield "none of these: no dialect and no combination of axes reproduces the trace"
    if identification.rounding:
        yield f"  hint: {_rounding_hint(identification.rounding)}"
    best = identification.best
    for match in ([match for match in best if match.dialects] or best)[:3]:
        yield f"  {_axes(match.hypothesis)}{_concessions(match)}"
    if identification.resets:
        shown = f"; U was recorded {best[0].hypothesis.shown} that" if "at once" in identification.resets else ""
        yield f"  a spike subtracts the threshold {' or '.join(identification.resets)}{shown}"
    for k in range(len(best[0].fits) if best else identification.layers, identification.layers):
        yield f"  layer {k + 1} was not compared: the trace does not show the spikes that reach it"
    others = {(name, match.lag) for match in matches for name in match.dialects if name not in dialects}
    for name, lag in sorted(others):
        yield f"  not to be told apart from {name} recorded {_steps(lag)}"
    for miss in () if dialects else identification.misses:
        d = miss.deviation
        got, expected = _told_apart(d.got, d.expected)
        yield (
            f"  {miss.dialect}: parts in layer {miss.layer} at step {d.step}, {d.variable} of (sample, unit) "
            f"{d.unit}: got {got}, expected {expected}; {100 * d.agreeing:.1f} % of {d.variable} agree"
        )


def _rounding_hint(rounding: Rounding) -> str:
    who = " or ".join(rounding.dialects) or _axes(rounding.hypothesis)
    if rounding.constants:
        return f"with {', '.join(rounding.constants)} rounded to float32, it is consistent with {who}"
    return f"up to the rounding of float32 it is consistent with {who}, but it says float64"


def _told_apart(x: float, y: float) -> tuple[str, str]:
    """Both numbers with six digits, or with as many more as show two digits of their difference."""
    size, difference = max(abs(x), abs(y)), abs(x - y)
    shared = np.log10(size / difference) if 0 < difference < np.inf else 0.0
    digits = int(np.clip(np.ceil(shared) + 2, 6, 17))
    return f"{x:.{digits}g}", f"{y:.{digits}g}"


def _axes(h: Hypothesis) -> str:
    return f"decay {h.decay}, gains {h.gains}, delay {h.delay}, refractory {h.refractory}, spikes {h.threshold}"


def _concessions(match: Match) -> str:
    notes = [f"recorded {_steps(match.lag)}"] if match.lag else []
    for k, fit in enumerate(match.fits, start=1):
        notes += [f"layer {k} {x} {_steps(offset)} against U" for x, offset in fit.offsets.items() if offset]
        notes += [f"layer {k} {x} times {factor:.6g}" for x, factor in fit.factors.items() if factor != 1]
    return f" ({'; '.join(notes)})" if notes else ""


def _steps(lag: int) -> str:
    return "at the same step" if lag == 0 else f"{abs(lag)} step{'s' * (abs(lag) > 1)} {'late' if lag > 0 else 'early'}"
