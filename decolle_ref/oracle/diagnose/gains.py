"""Known mistakes in the gains with which Q and P take up what they read.  [dialects]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check import equations
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.check.recording import before, room
from decolle_ref.oracle.diagnose.changes import (
    like,
)
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site

Gain = Callable[[Site], Bounded]


def gain_of(decay: str) -> Gain:
    """The gain that belongs to a decay."""
    return lambda site: equations.gain(site, site.arithmetic, decay)


def gain_twice(decay: str) -> Gain:
    """The gain times itself."""
    return lambda site: site.arithmetic.multiply(*(gain_of(decay)(site),) * 2)


def read(site: Site, name: str) -> Array:
    """What Q or P takes up at each step."""
    if name == "Q":
        return site.spikes_in if site.layer.neuron.U_reads else equations.shifted(site.spikes_in)
    return site.trace["Q"] if site.layer.neuron.P_reads else site.before("Q")


def filtered(name: str, decay: Callable[[Site], Array], gain: Gain, x: Callable[[Site], Array] | None = None) -> Form:
    """decay * before + gain * x, with another decay, gain or x."""

    def form(site: Site) -> Bounded:
        taken = read(site, name) if x is None else like(x(site), site.trace[name])
        a = site.arithmetic
        kept = a.multiply(exact(decay(site)), before(site, a, name))
        return equations.started(site, name, a.add(kept, a.multiply(gain(site), with_room(site, name, taken))))

    return form


def with_room(site: Site, name: str, x: Array) -> Bounded:
    """What a trace takes up: the input exactly, or Q with the room of how it is recorded."""
    return exact(x) if name == "Q" else Bounded(x, room(site, site.arithmetic, "Q", x))


def where_gains(inner: Form) -> Form:
    """The form, in dialects whose gains are not 1."""

    def form(site: Site) -> Bounded:
        if site.dialect.gains == "one":
            raise Inapplicable
        return inner(site)

    return form


def inverse(decay: str) -> Gain:
    """1 / decay."""
    return lambda site: site.arithmetic.divide(exact(np.ones(())), exact(site.case[decay]))


def of_first(decay: str) -> Gain:
    """The gain of the first input."""

    def gain(site: Site) -> Bounded:
        value, err = gain_of(decay)(site)
        if value.size < 2:
            raise Inapplicable
        return Bounded(np.full_like(value, value.flat[0]), np.full_like(value, err.flat[0]))

    return gain


def other_gains(name: str, decay: str) -> list[Family]:
    """A gain that is off by one factor, or by one number."""

    def kept(site: Site) -> Array:
        return site.case[decay]

    def scaled(k: Array) -> Gain:
        return lambda site: site.arithmetic.multiply(exact(k), gain_of(decay)(site))

    def moved(k: Array) -> Gain:
        return lambda site: site.arithmetic.add(gain_of(decay)(site), exact(k))

    return [
        factor(f"{name} with another gain", lambda k: Hypothesis("", form=filtered(name, kept, scaled(k)))),
        Family(
            f"{name} with a number added to its gain",
            lambda k: Hypothesis("", form=filtered(name, kept, moved(k))),
            lambda site: np.zeros(()),
            lambda k, site: f"{float(k):.4g}",
        ),
        Family(
            f"{name} with a number added to the divisor 1 - {decay} of its gain",
            lambda k: Hypothesis("", form=where_gains(filtered(name, kept, _of_divisor(decay, k)))),
            lambda site: np.zeros(()),
            lambda k, site: f"{float(k):.4g}",
        ),
    ]


def _of_divisor(decay: str, k: Array) -> Gain:
    def gain(site: Site) -> Bounded:
        if site.dialect.gains != "inverse":
            raise Inapplicable
        a = site.arithmetic
        rest = a.subtract(exact(np.ones(())), exact(site.case[decay]))
        return a.divide(exact(np.ones(())), a.add(rest, exact(k)))

    return gain
