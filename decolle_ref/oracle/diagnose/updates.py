"""Known mistakes in the updates of W and b.  [K20 Sec. 3.2]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.adamax import Rule
from decolle_ref.oracle.diagnose.changes import (
    edge,
    like,
    of_trace,
    plus,
    with_case,
    with_parts,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.optimisers import adaptive, pinned, rules
from decolle_ref.oracle.diagnose.site import Site, lagged


def _rate(name: str, f: Callable[[Site], Array]) -> Edit:
    return with_case(**{f"rate_{name}": lambda site: f(site)})


def _rate_of(name: str, other: str) -> Callable[[Site], Array]:
    """The learning rate of the other array, where that is one number, or one for each neuron or input."""

    def rate(site: Site) -> Array:
        theirs, right = site.case[f"rate_{other}"], site.case[f"rate_{name}"]
        if np.ptp(theirs) == 0:
            return np.full_like(right, theirs.flat[0])
        if name == "b":
            return like(theirs, right)
        return theirs.reshape(-1, *(1,) * (site.case["W"].ndim - 1))

    return rate


def _learns(f: Callable[[Array], Array]) -> Edit:
    return with_parts(learns=lambda site: f(site.learns))


def _later(steps: int) -> Callable[[Array], Array]:
    def learns(x: Array) -> Array:
        if not x.any() or (steps < 0 and x.all()):
            raise Inapplicable
        return np.arange(len(x)) >= int(x.argmax()) + steps

    return learns


def _only(step: int, kept: bool) -> Callable[[Array], Array]:
    """Without the first (0) or the last (-1) update, or every second one left out."""

    def learns(x: Array) -> Array:
        if not x.any():
            raise Inapplicable
        places, changed = np.flatnonzero(x), x.copy()
        changed[places[1::2] if kept else places[step]] = False
        return changed

    return learns


def _moves(site: Site, name: str) -> Array:
    """The steps after which the trace shows another W or b than before."""
    x, after = site.trace[name], site.trace.get(f"{name}_final")
    x = x if after is None else np.concatenate([x, after[None]])
    moves = np.flatnonzero((np.diff(x, axis=0) != 0).reshape(len(x) - 1, -1).any(axis=1))
    return moves if len(moves) else np.array([len(site.learns)])


def _as_seen(name: str, start: bool) -> Edit:
    """Learning that begins with the first change of the trace, or ends with its last one."""

    def learns(site: Site) -> Array:
        moves, steps = _moves(site, name), np.arange(len(site.learns))
        made = steps >= moves[0] if start else site.learns & (steps <= moves[-1])
        if made.all() or np.array_equal(made, site.learns):  # learning at every step has a name of its own
            raise Inapplicable
        return np.asarray(made)

    return with_parts(learns=learns)


def _seen(name: str, place: int) -> Callable[[Site], str]:
    return lambda site: f"its {'last' if place else 'first'} update follows step {_moves(site, name)[place]}"


def _weights_before(name: str, rated: bool) -> Callable[[Array], Form]:
    """k W, or k times the learning rate times W, at the steps that learn."""

    def of(k: Array) -> Form:
        def form(site: Site) -> Bounded:
            rate = site.case[f"rate_{name}"] if rated else 1.0
            change = exact(float(k) * rate * site.trace[name])
            zero = exact(0 * site.case[name][None])
            shifted = pinned(site, name, change)
            idle = np.concatenate([[True], ~site.learns])[: len(shifted.value)].reshape(
                -1, *(1,) * (change.value.ndim - 1)
            )
            return Bounded(
                np.where(idle, zero.value, shifted.value), shifted.err + site.arithmetic.unit * np.abs(shifted.value)
            )

        return form

    return of


def steps(name: str) -> list[Hypothesis]:
    """Updates at other steps, or from the gradients of other steps."""
    gradient = f"d{name}"
    return [
        Hypothesis(f"{name} does not learn", with_parts(learns=lambda site: np.zeros_like(site.learns))),
        Hypothesis(f"{name} learns before burn_in", _learns(np.ones_like)),
        Hypothesis(f"{name} starts to learn one step late", _learns(_later(1))),
        Hypothesis(f"{name} starts to learn one step early", _learns(_later(-1))),
        Hypothesis(f"{name}: the last update is lost", _learns(_only(-1, False))),
        Hypothesis(
            f"{name} learns from another step on",
            _as_seen(name, True),
            detail=_seen(name, 0),
            whole=True,
        ),
        Hypothesis(f"{name} stops learning too soon", _as_seen(name, False), detail=_seen(name, -1), whole=True),
        Hypothesis(f"{name}: every second update is lost", _learns(_only(0, True))),
        Hypothesis(
            f"{name} learns from the gradient of the step before",
            with_trace(**{gradient: of_trace(gradient, 1)}),
            unknown=edge(1),
        ),
        Hypothesis(
            f"{name} learns from the gradient of the step after, or is recorded after its update",
            with_trace(**{gradient: of_trace(gradient, -1)}),
            unknown=edge(-1),
        ),
    ]


def rates(name: str, other: str) -> list[Hypothesis]:
    """Other learning rates."""
    rate = f"rate_{name}"
    return [
        Hypothesis(f"{name} moves uphill", _rate(name, lambda site: -site.case[rate])),
        Hypothesis(f"{name} moves twice as far", _rate(name, lambda site: 2 * site.case[rate])),
        Hypothesis(f"{name} moves half as far", _rate(name, lambda site: site.case[rate] / 2)),
        Hypothesis(f"{name} learns at the rate of {other}", _rate(name, _rate_of(name, other)), whole=True),
        Hypothesis(
            f"{name} learns at one rate everywhere, that of the first entry",
            _rate(name, lambda site: np.full_like(site.case[rate], site.case[rate].flat[0])),
        ),
        Hypothesis(
            f"{name} learns at one rate everywhere, the mean",
            _rate(name, lambda site: np.full_like(site.case[rate], site.case[rate].mean())),
        ),
        Hypothesis(
            f"{name} learns at the rate of the first column in all columns",
            _rate(name, lambda site: np.broadcast_to(site.case[rate][..., :1], site.case[rate].shape)),
        ),
        Hypothesis(
            f"{name} learns at the rate of the entry before",
            _rate(name, lambda site: np.roll(site.case[rate], 1, axis=-1)),
        ),
        Hypothesis(f"{name} learns at its rates in reverse order", _rate(name, lambda site: site.case[rate][::-1])),
        Hypothesis(
            f"{name} learns at a rate per neuron, not per input",
            _rate(name, lambda site: like(site.case[rate], site.case["b"])[:, None]),
        ),
        Hypothesis(
            f"{name} learns at its rate divided by the batch size",
            _rate(name, lambda site: site.case[rate] / site.batch),
        ),
        Hypothesis(
            f"{name} learns at its rate times the batch size", _rate(name, lambda site: site.case[rate] * site.batch)
        ),
    ]


def schedules(name: str) -> list[Hypothesis]:
    """Other factors of the learning rate."""

    def hypothesis(words: str, f: Callable[[Array], Array]) -> Hypothesis:
        def schedule(site: Site) -> Array:
            if site.schedule is None:
                raise Inapplicable
            return f(site.schedule)

        return Hypothesis(f"{name}, where the schedule of the learning rate {words}", with_parts(schedule=schedule))

    def by_update(words: str, start: Callable[[Site], int]) -> Hypothesis:
        def schedule(site: Site) -> Array:
            if site.schedule is None:
                raise Inapplicable
            return np.asarray(
                site.schedule[np.clip(start(site) + np.cumsum(site.learns) - 1, 0, len(site.schedule) - 1)]
            )

        words = f"{name}, where the schedule of the learning rate is read by the number of {words}"
        return Hypothesis(words, with_parts(schedule=schedule))

    return [
        hypothesis("is left out", np.ones_like),
        by_update("the update", lambda site: site.updates),
        by_update("the update in this run", lambda site: 0),
        hypothesis("is one step late", lambda x: lagged(x, 1)),
        hypothesis("is one step early", lambda x: lagged(x, -1)),
        hypothesis("acts twice", lambda x: x * x),
        hypothesis("stays at its first factor", lambda x: np.full_like(x, x[0])),
    ]


def estimated(name: str) -> list[Family]:
    """Numbers of the update that are estimated."""
    rate = f"rate_{name}"
    return [
        factor(
            f"{name} learns at another rate", lambda k: Hypothesis("", _rate(name, lambda site: k * site.case[rate]))
        ),
        Family(
            f"{name} shrinks at each update: weight decay",
            lambda k: Hypothesis("", result=plus(_weights_before(name, False)(k))),
            lambda site: np.zeros(()),
            lambda k, site: f"by {-float(k):.4g} of itself",
        ),
        Family(
            f"{name} shrinks at each update by its learning rate times a number: weight decay",
            lambda k: Hypothesis("", result=plus(_weights_before(name, True)(k))),
            lambda site: np.zeros(()),
            lambda k, site: f"{-float(k):.4g}",
        ),
        Family(
            f"{name}: Adamax corrects its bias with another t",
            lambda k: Hypothesis("", form=adaptive(name, Rule(correction=float(k)))),
            lambda site: np.full((), 0.5),
            lambda k, site: f"t + {float(k):.4g}",
        ),
        Family(
            f"{name}: Adamax with another beta2",
            lambda k: Hypothesis("", form=adaptive(name, Rule(beta2=float(k)))),
            lambda site: np.full((), 0.93),
            lambda k, site: f"about {float(k):.4g}",
        ),
        Family(
            f"{name}: Adamax with another beta1",
            lambda k: Hypothesis("", form=adaptive(name, Rule(beta1=float(k)))),
            lambda site: np.full((), 0.7),
            lambda k, site: f"about {float(k):.4g}",
        ),
    ]


def _table(name: str, other: str) -> list[Hypothesis | Family]:
    return [*steps(name), *rates(name, other), *schedules(name), *rules(name), *estimated(name)]


W = _table("W", "b")
b = _table("b", "W")
