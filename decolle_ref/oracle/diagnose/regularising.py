"""Known mistakes in the regularisers, as they reach delta = dL/dU.  [K20 Eq. 4]"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from decolle_ref.decolle.objective import Regulariser
from decolle_ref.decolle.surrogate import Surrogate, logistic
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    only_if,
    with_case,
    with_layer,
    with_objective,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family, percent
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.readout import TRIPLES
from decolle_ref.oracle.diagnose.site import Site


def has_regulariser(site: Site) -> bool:
    """Whether the layer has a regulariser."""
    return site.layer.objective.regulariser is not None


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


def _always(site: Site) -> Bounded:
    """The regulariser of lambda2 without its relu: it pushes at all steps."""
    regulariser = site.layer.objective.regulariser
    if regulariser is None or site.layer.pool is not None:
        raise Inapplicable
    made = learning.delta(regularised(lambda r, site: replace(r, lambda2=0.0))(site), site.arithmetic)
    return site.arithmetic.gathered(made, _below(site, regulariser))


def _below(site: Site, regulariser: Regulariser) -> Bounded:
    rate, a = site.layer.rate_of(site.layer.surrogate), site.arithmetic
    slope = rate.derivative(site.u) if regulariser.activity == "rate" else np.ones_like(site.u)
    each = a.multiply(a.derived(np.asarray(-regulariser.lambda2)), a.derived(np.asarray(1 / site.u[0].size)))
    return a.multiply(each, a.function(lambda x: x, exact(slope), 0.0))


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
    Hypothesis("delta, where the regulariser of lambda2 acts above its goal, too", form=_always),
    Family(
        "delta, where the regularisers have another factor",
        lambda k: Hypothesis("", factors(lambda site: float(k), lambda site: float(k))),
        lambda site: np.ones(()),
        percent,
    ),
    Family(
        "delta, where lambda1 has another factor",
        lambda k: Hypothesis("", factors(lambda site: float(k), _once)),
        lambda site: np.ones(()),
        percent,
    ),
    Family(
        "delta, where lambda2 has another factor",
        lambda k: Hypothesis("", factors(_once, lambda site: float(k))),
        lambda site: np.ones(()),
        percent,
    ),
]
