"""Adamax with one thing changed, step by step and with bounds.  [K20 Sec. 3.2]"""

from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.optim import Adamax
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.hypothesis import Inapplicable
from decolle_ref.oracle.diagnose.site import Site


@dataclass(frozen=True)
class Rule:
    """How an optimiser turns gradients into changes; the defaults are Adamax's.

    Parameters
    ----------
    beta1, beta2 : its decays, or None for those of the case
    size : "maximum", "sum", "mean" or "square": how it measures the gradient
    eps : "gradient": |g| + eps; "stored": max(...) + eps is kept; "divisor": m / (u + eps); "decayed": beta2 u + eps;
        "inside": |g + eps|; "none"
    correction : added to t in 1 - beta1^t; None for no correction
    second : whether u is divided by 1 - beta2^t
    whole : whether g counts fully in m, not times 1 - beta1
    corrects : the decay in the correction, "beta1" or "beta2"
    above, below : what is divided by u, and what u measures: "m" or "g"
    counts : "steps": t; "layers": every layer counts each update; "turns": and layer k learns after k - 1 counts
    """

    beta1: float | None = None
    beta2: float | None = None
    size: str = "maximum"
    eps: str = "gradient"
    correction: float | None = 0
    second: bool = False
    whole: bool = False
    corrects: str = "beta1"
    above: str = "m"
    below: str = "g"
    counts: str = "steps"


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
        self.earlier, self.number, self.layers = site.updates, site.number, site.layers

    def change(self, g: Array) -> Bounded:
        """m / u of one step, with the corrections."""
        self.t += 1
        a, rule = self.a, self.rule
        self.m = self._mean(exact(g))
        self.u = self._size(self.m if rule.below == "m" else exact(g))
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
        return self._corrected(a.divide(self.m if rule.above == "m" else exact(g), u))

    def _corrected(self, change: Bounded) -> Bounded:
        rule, a = self.rule, self.a
        if rule.correction is None:
            return change
        t = self.t + rule.correction
        if rule.counts != "steps":
            first = self.number if rule.counts == "turns" else 1
            t = self.earlier + self.layers * (self.t - self.earlier - 1) + first
        decay = self.beta1 if rule.corrects == "beta1" else self.beta2
        return change if t <= 0 else a.multiply(learning.correction(decay, t, a), change)

    def _mean(self, g: Bounded) -> Bounded:
        a, beta1 = self.a, self.a.derived(np.asarray(self.beta1))
        if self.rule.whole:
            return a.add(a.multiply(beta1, self.m), g)
        return learning.running_mean(a, self.m, g, beta1)

    def _size(self, g: Bounded) -> Bounded:
        a, rule = self.a, self.rule
        g = a.add(g, self.eps) if rule.eps == "inside" else g
        g = Bounded(np.abs(g.value), g.err)
        kept = a.multiply(a.derived(np.asarray(self.beta2)), self.u)
        kept = a.add(kept, self.eps) if rule.eps == "decayed" else kept
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
