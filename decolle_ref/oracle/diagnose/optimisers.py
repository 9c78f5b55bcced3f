"""Known mistakes in the optimiser: what it makes of a gradient.  [K20 Sec. 3.2]"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.adamax import Loop, Rule
from decolle_ref.oracle.diagnose.changes import (
    Part,
    only_if,
    with_case,
    with_parts,
)
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site


def changed(name: str, changes: Callable[[Site], Callable[[Array], Bounded]], every: bool = False) -> Form:
    """W less the learning rate times the changes that a function makes of each gradient, one step after the other.

    every: it also sees the gradients of steps that do not learn.
    """

    def form(site: Site) -> Bounded:
        change, zero = changes(site), exact(np.zeros(site.case[name].shape))
        steps = [
            change(g) if learns or every else zero
            for g, learns in zip(site.trace[f"d{name}"], site.learns, strict=True)
        ]
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


def collecting(name: str, counts: bool) -> Form:
    """Adamax whose memory, and perhaps t, also goes on in steps that do not learn."""

    def changes(site: Site) -> Callable[[Array], Bounded]:
        loop, steps = Loop(site, name, Rule()), iter(site.learns)

        def change(g: Array) -> Bounded:
            t, made, learns = loop.t, loop.change(g), next(steps)
            loop.t = loop.t if learns or counts else t
            return made

        return change

    return changed(name, changes, every=True)


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


def _memories(name: str) -> list[Hypothesis]:
    """Another memory of Adamax: at the start, or from steps that do not learn."""
    m, u = f"m_{name}", f"u_{name}"

    def memory(f: Callable[[Site], dict[str, Array]]) -> Edit:
        return only_if(lambda site: m in site.case, with_parts(case=lambda site: site.case | f(site)))

    return [
        Hypothesis(
            f"{name}: m and u of the given memory are exchanged",
            memory(lambda site: {m: site.case[u], u: site.case[m]}),
        ),
        Hypothesis(f"{name}: m of the given memory is forgotten", memory(lambda site: {m: 0 * site.case[m]})),
        Hypothesis(f"{name}: u of the given memory is forgotten", memory(lambda site: {u: 0 * site.case[u]})),
        Hypothesis(f"{name}: Adamax collects m and u in the burn-in", form=collecting(name, False), whole=True),
        Hypothesis(f"{name}: Adamax collects m, u and t in the burn-in", form=collecting(name, True), whole=True),
    ]


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
        "Adamax corrects its bias with beta2 for beta1": Rule(corrects="beta2"),
        "Adamax whose t grows with every layer": Rule(counts="turns"),
        "Adamax whose t grows by the number of layers at each step": Rule(counts="layers"),
        "Adamax divides the gradient, not m, by u": Rule(above="g"),
        "Adamax whose u is the maximum with |m|, not |g|": Rule(below="m"),
        "Adamax whose eps is added to the decayed u": Rule(eps="decayed"),
        "Adamax whose eps stands inside the magnitude, |g + eps|": Rule(eps="inside"),
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
        *_memories(name),
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
