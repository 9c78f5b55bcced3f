"""Changes of an equation: of its operands, as edits of a site, and of its result.

Edits take, for each name, a function of the site.  A change that makes no sense for a layer raises Inapplicable.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import Layer
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.check.residual import EQUATIONS
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable, Result
from decolle_ref.oracle.diagnose.site import Site, lagged

Part = Callable[[Site], Any]
LAGS = {1: "one step late", -1: "one step early", 2: "two steps late", -2: "two steps early"}


# Edits of the operands


def with_parts(**parts: Part) -> Edit:
    """Other parts of the operands: spikes_in, learns, optimiser, updates."""
    return lambda site: replace(site, **{name: part(site) for name, part in parts.items()})


def with_case(**arrays: Part) -> Edit:
    """Other arrays of the case."""
    return with_parts(case=lambda site: site.case | {name: f(site) for name, f in arrays.items()})


def with_trace(**arrays: Part) -> Edit:
    """Other arrays of the trace."""
    return with_parts(trace=lambda site: site.trace | {name: f(site) for name, f in arrays.items()})


def with_layer(**parts: Callable[[Layer], Any]) -> Edit:
    """Other parts of the layer."""
    return with_parts(layer=lambda site: site.layer._replace(**{name: f(site.layer) for name, f in parts.items()}))


def with_dialect(**options: str) -> Edit:
    """Another dialect: one or more axes changed."""
    return with_parts(dialect=lambda site: replace(site.dialect, **options))


def with_surrogate(**parts: Any) -> Edit:
    """Another `spike`, `primitive` or `derivative`."""
    return with_layer(surrogate=lambda layer: replace(layer.surrogate, **parts))


def with_objective(**parts: Any) -> Edit:
    """Another loss, reduction or regulariser."""
    return with_layer(objective=lambda layer: replace(layer.objective, **parts))


def only_if(condition: Callable[[Site], bool], edit: Edit) -> Edit:
    """The edit, where the condition holds; else it makes no sense."""

    def edited(site: Site) -> Site:
        if not condition(site):
            raise Inapplicable
        return edit(site)

    return edited


# Arrays of the trace


def of_trace(name: str, lag: int = 0) -> Part:
    """An array of the trace, `lag` steps earlier."""
    return lambda site: lagged(site.trace[name], lag)


def nothing(name: str) -> Part:
    """Zeros like an array of the trace."""
    return lambda site: np.zeros_like(site.trace[name])


def like(x: Array, right: Array) -> Array:
    """x, which must have the shape of the right array."""
    if np.shape(x) != np.shape(right):
        raise Inapplicable
    return np.asarray(x)


# Hypotheses of several steps


def lags(words: str, edit: Callable[[int], Edit], steps: Sequence[int] = tuple(LAGS)) -> list[Hypothesis]:
    """One operand late or early; `words` stands before "one step late"."""
    return [Hypothesis(f"{words} {LAGS[lag]}", edit(lag), unknown=edge(lag)) for lag in steps]


def edge(lag: int) -> tuple[int, ...]:
    """The steps at which a lag lacks numbers; the first, where states are pinned, too."""
    return tuple(range(lag + 1)) if lag > 0 else (0, *range(lag, 0))


# Changes of the result


def times(factor: Callable[[Site], float]) -> Result:
    """The result times a number; one rounding unless that is a power of two."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        k = float(factor(site))
        if not np.isfinite(k):
            raise Inapplicable
        if np.frexp(k)[0] in (0.5, -0.5) or k == 0:
            return Bounded(k * made.value, abs(k) * made.err)
        return site.arithmetic.multiply(site.arithmetic.derived(np.asarray(k)), made)

    return result


def mapped(f: Callable[[Array, Site], Array]) -> Result:
    """Another arrangement of the entries of the result; it rounds nothing."""
    return lambda made, site, got: Bounded(*(like(f(x, site), got) for x in made))


def recursive(decay: float) -> Result:
    """The result plus `decay` times that of the step before, as the trace has it."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        before = np.concatenate([np.zeros_like(got[:1]), got[:-1]])
        return site.arithmetic.add(made, site.arithmetic.multiply(exact(np.asarray(decay)), exact(before)))

    return result


# Forms


def equation(name: str, edit: Edit = lambda site: site) -> Form:
    """An equation of the specification on edited operands."""

    def form(site: Site) -> Bounded:
        return EQUATIONS[name](edit(site), site.arithmetic)

    return form


def plus(form: Form, sign: float = 1.0) -> Result:
    """The result plus a further term, in any order of the sums."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        value, err = form(site)
        return site.arithmetic.gathered(made, Bounded(sign * value, err))

    return result
