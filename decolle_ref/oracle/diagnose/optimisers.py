"""Known mistakes in the optimiser: what it makes of a gradient.  [K20 Sec. 3.2]"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import (
    Part,
    only_if,
    with_case,
    with_parts,
)
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site


@dataclass(frozen=True)
class Rule:
    """How an optimiser turns gradients into changes; the defaults are Adamax's.

    Parameters
    ----------
    beta1, beta2 : its decays, or None for those of the case
    size : "maximum", "sum", "mean" or "square": how it measures the gradient
    eps : "gradient": |g| + eps; "stored": max(...) + eps is kept; "divisor": m / (u + eps); "none"
    correction : added to t in 1 - beta1^t; None for no correction
    second : whether u is divided by 1 - beta2^t
    whole : whether g counts fully in m, not times 1 - beta1
    """

    beta1: float | None = None
    beta2: float | None = None
    size: str = "maximum"
    eps: str = "gradient"
    correction: int | None = 0
    second: bool = False
    whole: bool = False


class Loop:
    """One optimiser over the steps of a site, with bounds."""

    def __init__(self, site: Site, name: str, rule: Rule) -> None:
        if not isinstance(site.optimiser, Adamax):
            raise Inapplicable
        self.a, self.rule = site.arithmetic, rule
        shape = site.trace[f"d{name}"].shape[1:]
        self.m, self.u = (exact(site.case.get(f"{x}_{name}", np.zeros(shape))) for x in "mu")
        self.beta1 = site.optimiser.beta1 if rule.beta1 is None else rule.beta1
        self.beta2 = site.optimiser.beta2 if rule.beta2 is None else rule.beta2
        self.eps, self.t = self.a.derived(np.asarray(site.optimiser.eps)), site.updates

    def change(self, g: Array) -> Bounded:
        """m / u of one step, with the corrections."""
        self.t += 1
        a, rule = self.a, self.rule
        self.m = self._mean(exact(g))
        self.u = self._size(exact(np.abs(g)))
        u = self.u
        if rule.size == "square":
            root = np.sqrt(u.value)
            u = Bounded(root, u.err / np.where(root > 0, root, 1) + a.unit * root + a.tiny)
        if rule.second:
            u = a.divide(
                u,
                a.derived(
                    np.asarray(np.sqrt(1 - self.beta2**self.t) if rule.size == "square" else 1 - self.beta2**self.t),
                    2 * self.t,
                ),
            )
        if rule.eps == "divisor" or rule.size == "square":
            u = a.add(u, self.eps)
        change = a.divide(self.m, u)
        if rule.correction is not None and self.t + rule.correction > 0:
            change = a.multiply(learning.correction(self.beta1, self.t + rule.correction, a), change)
        return change

    def _mean(self, g: Bounded) -> Bounded:
        a, beta1 = self.a, self.a.derived(np.asarray(self.beta1))
        if self.rule.whole:
            return a.add(a.multiply(beta1, self.m), g)
        return learning.running_mean(a, self.m, g, beta1)

    def _size(self, g: Bounded) -> Bounded:
        a, rule = self.a, self.rule
        kept = a.multiply(a.derived(np.asarray(self.beta2)), self.u)
        x = a.add(g, self.eps) if rule.eps == "gradient" and rule.size != "square" else g
        if rule.size == "maximum":
            made = a.maximum(kept, x)
        elif rule.size == "sum":
            made = a.add(kept, x)
        else:
            made = a.add(
                kept,
                a.multiply(a.derived(np.asarray(1 - self.beta2)), a.multiply(x, x) if rule.size == "square" else x),
            )
        return a.add(made, self.eps) if rule.eps == "stored" else made


def changed(name: str, changes: Callable[[Site], Callable[[Array], Bounded]]) -> Form:
    """W less the learning rate times the changes that a function makes of each gradient, one step after the other."""

    def form(site: Site) -> Bounded:
        change, zero = changes(site), exact(np.zeros(site.case[name].shape))
        steps = [change(g) if learns else zero for g, learns in zip(site.trace[f"d{name}"], site.learns, strict=True)]
        whole = Bounded(*(np.stack(x) for x in zip(*steps, strict=True)))
        rate = learning.rates(site, site.arithmetic, name)
        before = exact(site.trace[name])
        after = site.arithmetic.subtract(before, site.arithmetic.multiply(rate, whole))
        return pinned(site, name, after)

    return form


def pinned(site: Site, name: str, after: Bounded) -> Bounded:
    """The values after each update as those before the next; the first are the case's."""
    first = site.case[name][None]
    idle = ~site.learns.reshape(-1, *(1,) * (first.ndim - 1))
    value, err = np.where(idle, site.trace[name], after.value), np.where(idle, 0, after.err)
    rows = slice(None) if f"{name}_final" in site.trace else slice(-1)
    return Bounded(np.concatenate([first, value[rows]]), np.concatenate([0 * first, err[rows]]))


def adaptive(name: str, rule: Rule) -> Form:
    """Another rule in place of Adamax."""
    return changed(name, lambda site: Loop(site, name, rule).change)


def momentum(name: str, decay: float) -> Form:
    """SGD with momentum: the change is decay times the last one plus g."""

    def changes(site: Site) -> Callable[[Array], Bounded]:
        last = exact(np.zeros(site.case[name].shape))

        def change(g: Array) -> Bounded:
            nonlocal last
            last = site.arithmetic.add(
                site.arithmetic.multiply(site.arithmetic.derived(np.asarray(decay)), last), exact(g)
            )
            return last

        return change

    return changed(name, changes)


def sign(name: str) -> Form:
    """The learning rate times the sign of the gradient."""
    return changed(name, lambda site: lambda g: exact(np.sign(g)))


def _adamax(change: Callable[[Adamax], Adamax | SGD]) -> Edit:
    def changed(site: Site) -> Adamax | SGD:
        if not isinstance(site.optimiser, Adamax):
            raise Inapplicable
        return change(site.optimiser)

    return with_parts(optimiser=changed)


def _fresh(name: str) -> Edit:
    """The optimiser's state forgotten at the start."""
    names = [f"{x}_{name}" for x in "mu"]

    def forgotten(x: str) -> Part:
        return lambda site: 0 * site.case[x]

    return only_if(lambda site: names[0] in site.case, with_case(**{x: forgotten(x) for x in names}))


def _sizes(name: str) -> list[Hypothesis]:
    """Another size of the gradient, with eps at any place."""
    sizes = {"a sum, beta2 u + |g|": "sum", "a mean, beta2 u + (1 - beta2) |g|": "mean"}
    return [
        Hypothesis(f"{name}: Adamax whose u is {words}", form=adaptive(name, Rule(size=size, eps=eps)))
        for words, size in sizes.items()
        for eps in ("gradient", "stored", "divisor", "none")
    ]


def rules(name: str) -> list[Hypothesis]:
    """Other optimisers and mistakes in Adamax."""
    known = {
        "Adamax without its maximum": Rule(beta2=0.0),
        "Adamax without the correction of its bias": Rule(correction=None),
        "Adamax corrects its bias with t - 1: t starts at 0": Rule(correction=-1),
        "Adamax corrects its bias with t + 1: t starts at 2": Rule(correction=1),
        "Adamax corrects the bias of u, too": Rule(second=True),
        "Adamax without beta1": Rule(beta1=0.0),
        "Adamax with beta1 = 0.9": Rule(beta1=0.9),
        "Adamax with beta1 = 0.9, without the correction of its bias": Rule(beta1=0.9, correction=None),
        "Adamax with beta2 = 0.999": Rule(beta2=0.999),
        "Adamax with beta2 = 0.99": Rule(beta2=0.99),
        "Adamax whose gradient counts fully in m, not times 1 - beta1": Rule(whole=True),
        "Adamax without eps": Rule(eps="none"),
        "Adamax whose eps is added to u after the maximum, and kept": Rule(eps="stored"),
        "Adamax whose eps is added to the divisor, m / (u + eps)": Rule(eps="divisor"),
        "RMSprop for Adamax, or Adam without corrections": Rule(size="square", correction=None),
        "Adam for Adamax": Rule(size="square", second=True),
        "Adam for Adamax, with beta1 = 0.9": Rule(size="square", second=True, beta1=0.9),
        "Adam for Adamax, with beta1 = 0.9 and beta2 = 0.999": Rule(size="square", second=True, beta1=0.9, beta2=0.999),
    }
    return [
        Hypothesis(f"{name}: SGD for Adamax", _adamax(lambda adamax: SGD())),
        *(Hypothesis(f"{name}: {words}", form=adaptive(name, rule)) for words, rule in known.items()),
        *_sizes(name),
        Hypothesis(
            f"{name}: Adamax with beta1 and beta2 exchanged",
            _adamax(lambda x: replace(x, beta1=x.beta2, beta2=x.beta1)),
        ),
        Hypothesis(f"{name}: Adamax for SGD", _sgd(lambda sgd: Adamax())),
        Hypothesis(f"{name}: momentum of 0.9 in SGD", only_if(_is_sgd, lambda site: site), momentum(name, 0.9)),
        Hypothesis(f"{name}: momentum of 0.5 in SGD", only_if(_is_sgd, lambda site: site), momentum(name, 0.5)),
        Hypothesis(f"{name} moves by the sign of the gradient", form=sign(name)),
        Hypothesis(f"{name}: the optimiser's state at the start is forgotten", _fresh(name)),
        Hypothesis(f"{name}: the number of updates at the start is forgotten", with_parts(updates=lambda site: 0)),
        Hypothesis(
            f"{name}: the optimiser's state and number of updates at the start are forgotten",
            lambda site: _fresh(name)(with_parts(updates=lambda site: 0)(site)),
        ),
    ]


def _is_sgd(site: Site) -> bool:
    return isinstance(site.optimiser, SGD)


def _sgd(change: Callable[[SGD], Adamax]) -> Edit:
    return only_if(_is_sgd, with_parts(optimiser=lambda site: change(SGD())))
