"""Known mistakes in the regularisers, as they reach delta = dL/dU.  [K20 Eq. 4]"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import Regulariser
from decolle_ref.decolle.surrogate import Surrogate, logistic
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.diagnose.changes import (
    only_if,
    with_case,
    with_layer,
    with_objective,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.readout import TRIPLES
from decolle_ref.oracle.diagnose.site import Site


def has_regulariser(site: Site) -> bool:
    """Whether the layer has a regulariser."""
    return site.layer.objective.regulariser is not None


Part = Callable[[Site, Array], Array]


def regularised(change: Callable[[Regulariser, Site], Regulariser]) -> Edit:
    """Another regulariser, where there is one."""

    def edit(site: Site) -> Site:
        regulariser = site.layer.objective.regulariser
        assert regulariser is not None
        return with_objective(regulariser=change(regulariser, site))(site)

    return only_if(has_regulariser, edit)


class Free(Regulariser):
    """A regulariser whose factors may be negative."""

    def __post_init__(self) -> None:
        """Accept any factors."""


def factors(first: Callable[[Site], float], second: Callable[[Site], float]) -> Edit:
    """lambda1 and lambda2 times these numbers."""
    return regularised(lambda r, site: Free(first(site) * r.lambda1, second(site) * r.lambda2, r.activity))


def _once(site: Site) -> float:
    return 1.0


def _scales() -> list[Hypothesis]:
    sizes: dict[str, Callable[[Site], float]] = {
        "is missing": lambda site: 0.0,
        "has the wrong sign": lambda site: -1.0,
        "counts twice": lambda site: 2.0,
        "counts half": lambda site: 0.5,
        "is summed over the batch, not averaged": lambda site: float(site.batch),
        "is summed over the neurons, not averaged": lambda site: float(site.u.shape[-1]),
        "is summed over batch and neurons, not averaged": lambda site: float(site.batch * site.u.shape[-1]),
        "is averaged over the batch once too often": lambda site: 1 / site.batch,
    }
    made = []
    for words, k in sizes.items():
        made += [
            Hypothesis(f"delta, where the regulariser of lambda1 {words}", factors(k, _once)),
            Hypothesis(f"delta, where the regulariser of lambda2 {words}", factors(_once, k)),
        ]
        if words != "is missing":  # which has its own name
            made.append(Hypothesis(f"delta, where each regulariser {words}", factors(k, k)))
    return made


def _reads(surrogate: Surrogate) -> Edit:
    return only_if(has_regulariser, with_layer(rate_of=lambda layer: lambda own: surrogate))


def _place(name: str) -> Edit:
    return only_if(
        lambda site: has_regulariser(site) and site.layer.pool is not None, with_layer(lambda1_on=lambda layer: name)
    )


def _penalties_on_U(first: bool, second: bool) -> Form:
    """Each regulariser on U before the pool (True) or on the winners (False)."""

    def form(site: Site) -> Bounded:
        pool, regulariser = site.layer.pool, site.layer.objective.regulariser
        if pool is None or regulariser is None:
            raise Inapplicable
        bare = with_objective(regulariser=None)(site)
        delta = learning.delta(bare, site.arithmetic)
        zero = with_trace(e=lambda site: np.zeros_like(site.trace["e"]))(site)
        halves = (first, replace(regulariser, lambda2=0.0)), (second, replace(regulariser, lambda1=0.0))
        for on_U, part in halves:
            term = with_objective(regulariser=part)(zero)
            if on_U:
                term = _free_of_readout(with_layer(pool=lambda layer: None)(term))
            else:
                term = with_layer(lambda1_on=lambda layer: "u")(term)
            delta = site.arithmetic.gathered(delta, learning.delta(term, site.arithmetic))
        return delta

    return form


def _free_of_readout(site: Site) -> Site:
    """The layer as if its readout had one weight 0 for each neuron."""
    outputs, n = len(site.case["G"]), site.trace["U"].shape[-1]
    return with_case(G=lambda site: np.zeros((outputs, n)))(site)


def _neurons(site: Site) -> float:
    """The number of entries that the regulariser of lambda1 averages over, per sample."""
    return float((site.trace["U"] if _acts_before(site) else site.u).shape[-1])


def _acts_before(site: Site) -> bool:
    return site.layer.pool is not None and site.layer.lambda1_on == "U"


def _rate(site: Site) -> Surrogate:
    return site.layer.rate_of(site.layer.surrogate)


def loud(site: Site, x: Array) -> Array:
    """Where the regulariser of lambda1 acts."""
    return np.asarray(x + 0.01 > 0)


def slope(site: Site, u: Array) -> Array:
    """The slope of the activity that the regulariser of lambda2 reads."""
    regulariser = site.layer.objective.regulariser
    reads_rate = regulariser is not None and regulariser.activity == "rate"
    return _rate(site).derivative(u) if reads_rate else np.ones_like(u)


def activity(site: Site, u: Array) -> Array:
    """The activity that the regulariser of lambda2 reads."""
    regulariser = site.layer.objective.regulariser
    reads_rate = regulariser is not None and regulariser.activity == "rate"
    return _rate(site).primitive(u) if reads_rate else u


def quiet(axes: tuple[int, ...] | None = None, goal: float = 0.1) -> Part:
    """Where the mean activity over these axes is below a goal; over those of the right equation for None."""

    def where(site: Site, u: Array) -> Array:
        regulariser = site.layer.objective.regulariser
        right = (1, 2) if regulariser is not None and regulariser.activity == "rate" else (2,)
        return np.asarray(activity(site, u).mean(axis=axes or right, keepdims=True) < goal)

    return where


def penalised(first: Part = loud, silent: Part | None = None, second: Part = slope) -> Form:
    """delta with other regularisers: lambda1 / N first(U) - lambda2 / N silent(u) second(u)."""
    where = silent or quiet()

    def form(site: Site) -> Bounded:
        pool, regulariser, u = site.layer.pool, site.layer.objective.regulariser, site.u
        if regulariser is None:
            raise Inapplicable
        before = _acts_before(site)
        x = site.trace["U"] if before else u
        one = regulariser.lambda1 / x[0].size * first(site, x)
        two = -regulariser.lambda2 / u[0].size * where(site, u) * second(site, u)
        after = two + (0 if before else one)
        term = after if pool is None else pool.route(np.asarray(after, np.float64), site.winners)
        term = term + one if before else term
        a = site.arithmetic
        err = 16 * (a.unit * np.abs(term) + a.tiny + a.step) + 16 * a.unit * regulariser.lambda2 / u[0].size
        bare = learning.delta(with_objective(regulariser=None)(site), a)
        return a.gathered(bare, Bounded(np.asarray(term), np.asarray(err)))

    return form


regularisers: list[Hypothesis | Family] = [
    Hypothesis("delta without the regularisers", only_if(has_regulariser, with_objective(regulariser=None))),
    *_scales(),
    Hypothesis(
        "delta, where the regulariser reads U for its rate",
        regularised(lambda r, site: replace(r, activity="membrane")),
    ),
    Hypothesis(
        "delta, where the regulariser reads sigma(U) for U", regularised(lambda r, site: replace(r, activity="rate"))
    ),
    Hypothesis("delta, where the regulariser's rate is the logistic function", _reads(logistic)),
    *(
        Hypothesis(f"delta, where the regulariser's rate is the primitive of {name}", _reads(other))
        for name, other in TRIPLES.items()
        if name != "logistic"
    ),
    Hypothesis(
        "delta, where the regulariser's rate is the layer's own sigma",
        only_if(has_regulariser, with_layer(rate_of=lambda layer: lambda own: own)),
    ),
    Hypothesis("delta, where the regulariser of lambda1 reads U before the pool", form=_penalties_on_U(True, False)),
    Hypothesis("delta, where the regulariser of lambda1 reads U after the pool", _place("u")),
    Hypothesis("delta, where the regulariser of lambda2 reads U before the pool", form=_penalties_on_U(False, True)),
    Hypothesis("delta, where both regularisers read U before the pool", form=_penalties_on_U(True, True)),
    Hypothesis(
        "delta, where the regulariser of lambda2 acts above its goal, too",
        form=penalised(silent=lambda site, u: np.ones_like(u)),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda1 acts where U > 0, without the 0.01",
        form=penalised(first=lambda site, x: x > 0),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda1 acts where U > 0.01, for -0.01",
        form=penalised(first=lambda site, x: x > 0.01),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 divides the sum of the windows by all neurons",
        form=penalised(silent=lambda site, u: quiet(goal=0.1 * site.trace["U"].shape[-1] / u.shape[-1])(site, u)),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 takes the mean of all neurons, before the pool",
        form=penalised(silent=lambda site, u: quiet()(site, site.trace["U"])),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda1 acts everywhere", form=penalised(first=lambda site, x: np.ones_like(x))
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 takes the mean of each sample", form=penalised(silent=quiet((2,)))
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 takes the mean of each neuron", form=penalised(silent=quiet((1,)))
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 takes the mean over batch and neurons",
        form=penalised(silent=quiet((1, 2))),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 looks at each neuron in each sample",
        form=penalised(silent=lambda site, u: activity(site, u) < 0.1),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 has another goal, 0.01", form=penalised(silent=quiet(goal=0.01))
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 has the slope of the layer's own sigma",
        form=penalised(second=lambda site, u: site.layer.surrogate.derivative(u)),
    ),
    Hypothesis(
        "delta, where the regulariser of lambda2 has no slope", form=penalised(second=lambda site, u: np.ones_like(u))
    ),
    Hypothesis(
        "delta, where the regulariser of lambda1 is summed over the neurons, not averaged", factors(_neurons, _once)
    ),
    factor(
        "delta, where the regularisers have another factor",
        lambda k: Hypothesis("", factors(lambda site: float(k), lambda site: float(k))),
    ),
    factor("delta, where lambda1 has another factor", lambda k: Hypothesis("", factors(lambda site: float(k), _once))),
    factor("delta, where lambda2 has another factor", lambda k: Hypothesis("", factors(_once, lambda site: float(k)))),
]
