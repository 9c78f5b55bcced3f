"""Which dialect made this trace?  Names it, or the axes that reproduce it, or where the nearest ones part from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case
from decolle_ref.cases.evidence import LAGS, Deviation, Evidence, Fit, Hypothesis, examine, later
from decolle_ref.decolle.dialects import AXES, DIALECTS, Dialect


class Match(NamedTuple):
    """A hypothesis that explains every layer."""

    hypothesis: Hypothesis
    dialects: tuple[str, ...]  # the named dialects that agree with it
    lag: int  # the trace was recorded this many steps late
    fits: tuple[Fit, ...]  # one per observed layer

    @property
    def distance(self) -> tuple[int, int, int]:
        """How much has to be conceded: a lag, offsets between variables, factors."""
        offsets = sum(abs(o) for fit in self.fits for o in fit.offsets.values())
        factors = sum(f != 1 for fit in self.fits for f in fit.factors.values())
        return abs(self.lag), offsets, factors


class Miss(NamedTuple):
    """A named dialect, and the layer (from 1) and place at which the trace leaves it."""

    dialect: str
    layer: int
    deviation: Deviation


@dataclass(frozen=True)
class Verdict:
    """What the trace says."""

    matches: tuple[Match, ...]  # nearest first
    misses: tuple[Miss, ...]  # named dialects that fail, nearest first

    @property
    def best(self) -> tuple[Match, ...]:
        """The matches that concede least."""
        return tuple(m for m in self.matches if m.distance == self.matches[0].distance)

    @property
    def dialects(self) -> tuple[str, ...]:
        """The dialects that concede least; where a lag is conceded, all that differ by lags only: the class."""
        if not self.matches:
            return ()
        pool = self.best if self.matches[0].lag == 0 else self.matches
        return tuple(name for name in DIALECTS if any(name in m.dialects for m in pool))

    def __str__(self) -> str:
        return "\n".join(_sentences(self))


def identify(case: Case, about: Mapping[str, Any], recorded: Mapping[str, Array]) -> Verdict:
    """Try every combination of axes, and lags of up to two steps, on each layer of a trace.

    case gives weights, constants and inputs (its dialect is ignored); about and recorded are a trace's description
    and arrays, as `simulate.read_states` returns them.  Raises InputError where trace and case do not fit, or where
    the case learns or does not start at rest.
    """
    _comparable(case, about)
    layers = _Layers(case, recorded, float(np.finfo(about["dtype"]).eps))
    matches: list[Match] = []
    misses: dict[str, Miss] = {}
    for h in _hypotheses(layers.decays):
        names = _names(h)
        for lag in (lag for lag in LAGS if abs(lag) <= about["steps"] // 4):
            outcome = _follow(layers, h, lag)
            if isinstance(outcome, list):
                matches.append(Match(h, names, lag, tuple(outcome)))
            elif lag == 0:
                for name in names:
                    _keep_nearest(misses, Miss(name, *outcome))
    named = {name for match in matches for name in match.dialects}
    failed = [miss for miss in misses.values() if miss.dialect not in named]
    return Verdict(
        tuple(sorted(matches, key=lambda m: m.distance)),
        tuple(sorted(failed, key=lambda m: (-m.layer, -m.deviation.agreeing))),
    )


def _comparable(case: Case, about: Mapping[str, Any]) -> None:
    for key in ("steps", "batch"):
        if about[key] != case.about[key]:
            raise InputError(f"trace: expected {key} = {case.about[key]} as in the case, got {about[key]}")
    sizes = [(layer["n_in"], layer["n"]) for layer in case.about["layers"]]
    found = [(layer["n_in"], layer["n"]) for layer in about["layers"]]
    if sizes != found:
        raise InputError(f"trace: expected layers (n_in, n) {sizes} as in the case, got {found}")
    if any("conv" in layer for layer in case.about["layers"]):
        raise InputError("case: expected layers where every input reaches every neuron, got a convolution")
    if case.about["learn"] or case.about["initial_state"] != "rest":
        raise InputError("case: expected one that starts at rest and does not learn, got another")


def _decays(case: Case) -> list[dict[str, tuple[Array, Array, Array]]]:
    """Per layer: what each decay formula makes of the case's constants."""
    layers = range(1, len(case.about["layers"]) + 1)
    if case.about["constants"] == "decay":
        names = ("alpha", "beta", "gamma")
        return [{"given": _constants(case, k, names)} for k in layers]
    dt, names = case.about["dt"], ("tau_mem", "tau_syn", "tau_ref")
    result = []
    for k in layers:
        taus = _constants(case, k, names)
        options = {"exp": tuple(AXES["decay"]["exp"].value(tau, dt) for tau in taus)}
        if all((tau > dt).all() for tau in taus):
            options["euler"] = tuple(AXES["decay"]["euler"].value(tau, dt) for tau in taus)
        result.append(options)
    return result


def _constants(case: Case, k: int, names: tuple[str, ...]) -> Any:
    return tuple(case.arrays[f"layer{k}_{name}"].astype(float) for name in names)


def _hypotheses(decays: list[dict[str, tuple[Array, Array, Array]]]) -> Iterator[Hypothesis]:
    shared = [name for name in decays[0] if all(name in layer for layer in decays)]
    axes = product(shared, AXES["gains"], (2, 1, 0), AXES["refractory"], AXES["threshold"])
    return (Hypothesis(*options) for options in axes)


def _names(h: Hypothesis) -> tuple[str, ...]:
    return tuple(name for name, dialect in DIALECTS.items() if _agrees(dialect, h))


def _agrees(dialect: Dialect, h: Hypothesis) -> bool:
    decay = "given" in (dialect.decay, h.decay) or dialect.decay == h.decay
    rest = (dialect.gains, dialect.delay, dialect.refractory, dialect.threshold)
    return decay and rest == h[1:]


class _Layers:
    """The evidence of each layer; above the first it depends on whose spikes are taken for its input."""

    def __init__(self, case: Case, recorded: Mapping[str, Array], eps: float) -> None:
        self._case, self._recorded, self._eps = case, recorded, eps
        self.decays = _decays(case)
        self._known: dict[tuple[Any, ...], Evidence] = {}
        if not self._own(0):
            raise InputError("trace: expected at least one of Q, P, R, U, S of layer 1, got none")

    def __len__(self) -> int:
        observed = [bool(self._own(k)) for k in range(len(self.decays))]
        return (*observed, False).index(False)

    def evidence(self, k: int, h: Hypothesis, lag: int) -> Evidence | None:
        """Layer k (from 0) of a trace recorded `lag` steps late, or None where what drives it is not known."""
        key = (k, lag, *self._taken_from(k, h, lag))
        if key not in self._known:
            below = self.evidence(k - 1, h, lag) if k else None
            inputs = below.spikes(h) if below else self._case.inputs.astype(float) if k == 0 else None
            if inputs is None:
                return None
            W, b, w = (self._case.arrays[f"layer{k + 1}_{x}"].astype(float) for x in ("W", "b", "w"))
            on_time = {name: later(array, -lag) for name, array in self._own(k).items()}
            self._known[key] = Evidence(W, b, w, self.decays[k], inputs, on_time, self._eps)
        return self._known[key]

    def _taken_from(self, k: int, h: Hypothesis, lag: int) -> tuple[Any, ...]:
        """What of `h` the input of layer k depends on: spikes read off U or R, or predicted where they are missing."""
        if k == 0:
            return ()
        return tuple(h) if lag < 0 else (h.decay, h.threshold)

    def _own(self, k: int) -> dict[str, Array]:
        names = {x: f"layer{k + 1}_{x}" for x in "QPRUS"}
        return {x: self._recorded[name] for x, name in names.items() if name in self._recorded}


def _follow(layers: _Layers, h: Hypothesis, lag: int) -> list[Fit] | tuple[int, Deviation]:
    """Examine the layers from the bottom up: the fits, or the layer and place of the first deviation."""
    fits: list[Fit] = []
    for k in range(len(layers)):
        layer = layers.evidence(k, h, lag)
        if layer is None:
            break
        found = examine(layer, h)
        if isinstance(found, Deviation):
            return k + 1, found
        fits.append(found)
    return fits


def _keep_nearest(misses: dict[str, Miss], miss: Miss) -> None:
    known = misses.get(miss.dialect)
    if known is None or (miss.layer, miss.deviation.agreeing) > (known.layer, known.deviation.agreeing):
        misses[miss.dialect] = miss


def _sentences(verdict: Verdict) -> Iterator[str]:
    if verdict.dialects:
        yield f"consistent with: {' or '.join(verdict.dialects)}"
    elif verdict.matches:
        yield "no named dialect, but these axes reproduce the trace:"
    else:
        yield "none of these: no dialect and no combination of axes reproduces the trace"
    for match in ([m for m in verdict.best if m.dialects] or verdict.best)[:3]:
        yield f"  {_axes(match.hypothesis)}{_concessions(match)}"
    others = {(name, m.lag) for m in verdict.matches for name in m.dialects if name not in verdict.dialects}
    for name, lag in sorted(others):
        yield f"  not to be told apart from {name} recorded {_steps(lag)}"
    if not verdict.dialects:
        for miss in verdict.misses:
            d = miss.deviation
            yield (
                f"  {miss.dialect}: parts in layer {miss.layer} at step {d.step}, {d.variable} of (sample, unit) "
                f"{d.unit}: got {d.got:.6g}, expected {d.expected:.6g}; {100 * d.agreeing:.1f} % of {d.variable} agree"
            )


def _axes(h: Hypothesis) -> str:
    return f"decay {h.decay}, gains {h.gains}, delay {h.delay}, refractory {h.refractory}, spikes {h.threshold}"


def _concessions(match: Match) -> str:
    notes = [f"recorded {_steps(match.lag)}"] if match.lag else []
    for k, fit in enumerate(match.fits, start=1):
        notes += [f"layer {k} {x} {_steps(o)} against U" for x, o in fit.offsets.items() if o]
        notes += [f"layer {k} {x} times {f:.6g}" for x, f in fit.factors.items() if f != 1]
    return f" ({'; '.join(notes)})" if notes else ""


def _steps(lag: int) -> str:
    return "at the same step" if lag == 0 else f"{abs(lag)} step{'s' * (abs(lag) > 1)} {'late' if lag > 0 else 'early'}"
