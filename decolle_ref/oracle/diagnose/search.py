"""Which mistakes explain the equations that do not hold?

Every equation that fails is explained on its own, because each is evaluated on the implementation's own numbers.  The
mistakes are tried in this order, and the search ends where some are consistent with the numbers:

1. one mistake by name, 2. one mistake with a number that is estimated from the trace, 3. two mistakes by name.

All mistakes of the first two stages that fit are reported, since one trace may not tell them apart.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice

import numpy as np

from decolle_ref._util.verdict import within
from decolle_ref.oracle.check import ends, residual
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.check.residual import Failure, Slot, Verdict
from decolle_ref.oracle.diagnose.estimates import Family, fitted
from decolle_ref.oracle.diagnose.explanation import Cause, Explanation, together
from decolle_ref.oracle.diagnose.hypotheses import FAMILIES, HYPOTHESES
from decolle_ref.oracle.diagnose.hypothesis import (
    EVIDENCE,
    Hypothesis,
    Inapplicable,
    both,
    consistent,
    differs,
    evidence,
    value,
)
from decolle_ref.oracle.diagnose.places import places
from decolle_ref.oracle.diagnose.recording import explained_together
from decolle_ref.oracle.diagnose.site import Site, sites
from decolle_ref.oracle.diagnose.windows import meets, part
from decolle_ref.oracle.trace import ORDER, UPDATE, Trace

PAIRED = 26  # the first hypotheses of each equation that are tried in pairs
PAIRED_UPDATES = 14  # of W and b, which are computed step by step
ROOM = 3  # times the bound, for an estimated number: the implementation may need further roundings for it
NUMBERS = 20_000_000  # the most numbers that are computed for the pairs of one equation
STATES = {"Q": "state", "P": "state", "R": "state", "W": "weights", "b": "biases"}


def explain(trace: Trace, failure: Failure) -> list[str]:
    """The mistakes that the numbers of the failing equation are consistent with.

    Parameters
    ----------
    trace : the trace that failed, of level L2
    failure : from its verdict; names the layer and the equation

    Returns
    -------
    list of str
        In words; each holds at all steps of all layers in which the equation fails.
    """
    verdict = ends.check(trace, residual.check(trace))
    slots = {slot.layer: slot for slot in verdict.slots if slot.equation == failure.equation}
    found = explained(failure.equation, sites(trace), slots, [failure.layer])
    return [str(cause) for cause in found.causes]


def explain_all(trace: Trace, verdict: Verdict | None = None) -> list[Explanation]:
    """Explain every equation that does not hold, the one that fails first before the others.

    Parameters
    ----------
    trace : of level L2
    verdict : of the residual check, or None to run it

    Returns
    -------
    list of Explanation
    """
    verdict = residual.check(trace) if verdict is None else verdict
    failing, at, made = dict(by_equation(verdict.slots)), sites(trace), []
    slots: dict[str, dict[int, Slot]] = {}
    for slot in verdict.slots:
        slots.setdefault(slot.equation, {})[slot.layer] = slot
    with np.errstate(all="ignore"):
        recorded = explained_together(at, slots, failing)
    if recorded is not None:
        made.append(recorded)
        failing = {x: layers for x, layers in failing.items() if x not in recorded.equations}
    made += [explained(equation, at, slots[equation], layers) for equation, layers in failing.items()]
    return together(made)


def by_equation(slots: Iterable[Slot]) -> list[tuple[str, list[int]]]:
    """The equations that fail, in the order of their first failures, each with the layers in which it fails.

    Parameters
    ----------
    slots : of a verdict

    Returns
    -------
    list of (equation, layers)
    """
    first: dict[str, tuple[int, int, int]] = {}
    layers: dict[str, list[int]] = {}
    for slot in slots:
        steps = np.flatnonzero((~slot.holds).reshape(len(slot.got), -1).any(axis=1))
        if len(steps):
            key = int(steps[0]), slot.layer, ORDER.index(slot.equation) if slot.equation in ORDER else len(ORDER)
            first[slot.equation] = min(key, first.get(slot.equation, key))
            layers.setdefault(slot.equation, []).append(slot.layer)
    return [(equation, layers[equation]) for equation in sorted(first, key=first.__getitem__)]


def explained(equation: str, at: Sequence[Site], slots: dict[int, Slot], layers: Sequence[int]) -> Explanation:
    """One equation in all layers in which it fails.

    Parameters
    ----------
    equation : its name
    at : all layers
    slots : the equation in every layer, by number
    layers : in which it fails

    Returns
    -------
    Explanation
    """
    tried = 0
    causes: list[Cause] = []
    with np.errstate(all="ignore"):
        small = part(at[layers[0] - 1], slots[layers[0]])
        for stage in (HYPOTHESES.get(equation, ()), FAMILIES.get(equation, ()), _pairs(equation, *small)):
            for each in stage:
                tried += 1
                if small[1] is not slots[layers[0]] and not _possible(each, *small):
                    continue
                cause = fits(each, at, slots, layers)
                if cause is not None and cause.name not in [other.name for other in causes]:
                    causes.append(cause)
            if causes:
                break
        if not causes:
            causes += _start(equation, slots, layers)
    return Explanation((equation,), tuple(layers), tuple(causes), tried, _places(slots, layers))


def fits(each: Hypothesis | Family, at: Sequence[Site], slots: dict[int, Slot], layers: Sequence[int]) -> Cause | None:
    """The cause, if the hypothesis is consistent with every layer in which the equation fails.

    Parameters
    ----------
    each : a hypothesis, or a family whose number is estimated in each layer
    at : all layers
    slots : the equation in every layer, by number
    layers : in which it fails

    Returns
    -------
    Cause or None
    """
    details, shown = [], 0
    for number in layers:
        site, slot = at[number - 1], slots[number]
        try:
            hypothesis = fitted(each, site, slot) if isinstance(each, Family) else each
            made = value(hypothesis, site, slot)
            if isinstance(each, Family):
                made = Bounded(made.value, ROOM * made.err)
            if not consistent(made, slot):
                return None
            shown += evidence(hypothesis, made, slot)
        except Inapplicable:
            return None
        details.append(hypothesis.detail(site) if hypothesis.detail else "")
    if hypothesis.mistakes > 1 and shown < EVIDENCE:
        return None
    others = [number for number in slots if number not in layers and not isinstance(each, Family)]
    shows = [number for number in others if _would_show(each, at[number - 1], slots[number])]  # type: ignore[arg-type]
    if shows:
        details.append(f"in layer {', '.join(map(str, layers))}, not in layer {', '.join(map(str, shows))}")
    words = "; ".join(part for part in [details[0], *details[len(layers) :]] if part)
    return Cause(each.name, words, hypothesis.mistakes)


def _would_show(hypothesis: Hypothesis, site: Site, slot: Slot) -> bool:
    """Whether a mistake would have moved the numbers of a layer in which the equation holds."""
    try:
        made = value(hypothesis, site, slot)
    except Inapplicable:
        return False
    return bool((differs(made, slot) & ~within(slot.got, made.value, made.err)).any())


def _possible(each: Hypothesis | Family, site: Site, slot: Slot) -> bool:
    """Whether a part of the first failing layer does not exclude the mistake."""
    if isinstance(each, Hypothesis) and each.whole:
        return True
    try:
        hypothesis = fitted(each, site, slot) if isinstance(each, Family) else each
        made = value(hypothesis, site, slot)
        return meets(Bounded(made.value, ROOM * made.err), slot)
    except Inapplicable:
        return False


def _pairs(equation: str, site: Site, slot: Slot) -> Iterator[Hypothesis]:
    """Two mistakes of one equation, each of which would change the numbers of the first failing layer."""
    most = PAIRED_UPDATES if equation in UPDATE else PAIRED
    table = (each for each in HYPOTHESES.get(equation, ()) if not each.whole and _matters(each, site, slot))
    singles = list(islice(table, most))
    affordable = NUMBERS // max(slot.got.size, 1)
    for number, (one, other) in enumerate(combinations(singles, 2)):
        if number >= affordable:
            return
        try:
            yield both(one, other)
        except Inapplicable:
            continue


def _matters(hypothesis: Hypothesis, site: Site, slot: Slot) -> bool:
    try:
        return bool(differs(value(hypothesis, site, slot), slot).any())
    except Inapplicable:
        return False


def _start(equation: str, slots: dict[int, Slot], layers: Sequence[int]) -> list[Cause]:
    """A state that is wrong at the first step alone."""
    alone = all(slots[number].holds[1:].all() and not slots[number].holds[0].all() for number in layers)
    if equation not in STATES or not alone:
        return []
    name = f"{equation} starts from another {STATES[equation]} than the case does"
    return [Cause(name, "such as one left over from an earlier run")]


def _places(slots: dict[int, Slot], layers: Sequence[int]) -> str:
    """The places of the failures, if they are the same in all failing layers."""
    words = {places(slots[number]) for number in layers}
    return words.pop() if len(words) == 1 else ""
