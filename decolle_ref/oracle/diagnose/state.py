"""Known mistakes in the traces of the input: Q and P, and other decays and starts of all states.  [K20 Eq. 1]"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check import equations
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.check.recording import before
from decolle_ref.oracle.diagnose.changes import (
    equation,
    lags,
    like,
    of_trace,
    only_if,
    with_case,
    with_dialect,
    with_layer,
    with_parts,
    with_trace,
)
from decolle_ref.oracle.diagnose.estimates import Family, percent
from decolle_ref.oracle.diagnose.gains import (
    filtered,
    gain_of,
    gain_twice,
    inverse,
    of_first,
    other_gains,
    read,
    where_gains,
    with_room,
)
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site, lagged
from decolle_ref.oracle.profile import PROFILES

DECAYS = {"Q": "beta", "P": "alpha"}
OTHER = {"alpha": "beta", "beta": "alpha"}


def decayed_after(name: str) -> Form:
    """decay * (before + gain * x): what comes in decays at once."""

    def form(site: Site) -> Bounded:
        a = site.arithmetic
        taken = a.multiply(gain_of(DECAYS[name])(site), with_room(site, name, read(site, name)))
        whole = a.add(before(site, a, name), taken)
        return equations.started(site, name, a.multiply(exact(site.case[DECAYS[name]]), whole))

    return form


def other_gain(option: str) -> Edit:
    """The gains of another dialect."""
    return only_if(lambda site: site.dialect.gains != option, with_dialect(gains=option))


def decays(name: str, decay: str) -> list[Hypothesis | Family]:
    """Another decay of Q, P or R: known ones first, then estimates."""
    known: dict[str, Callable[[Array], Array]] = {
        f"{name} does not decay": np.ones_like,
        f"{name} forgets what was left of it": np.zeros_like,
        f"{name} decays by 1 - {decay}": lambda x: 1 - x,
        f"{name} decays twice in a step": lambda x: x * x,
        f"{name} decays once in two steps": np.sqrt,
        f"{name} decays by 1 - dt/tau for exp(-dt/tau)": lambda x: 1 + np.log(x),
        f"{name} decays by exp(-dt/tau) for 1 - dt/tau": lambda x: np.exp(x - 1),
        f"{name} decays by the {decay} of the first entry everywhere": lambda x: np.full_like(x, x.flat[0]),
        f"{name} decays by the mean {decay} everywhere": lambda x: np.full_like(x, x.mean()),
        f"{name} decays by {decay} in reverse order": lambda x: x[::-1],
        f"{name} decays by {decay} rounded to bfloat16": PROFILES["bfloat16"].quantise,
        f"{name} decays by {decay} rounded to float32": PROFILES["float32"].quantise,
    }
    edits = [Hypothesis(words, with_case(**{decay: _of(decay, f)})) for words, f in known.items()]
    if name in DECAYS:  # the same, where the gain still belongs to the right decay
        edits += [Hypothesis(words, form=filtered(name, _of(decay, f), gain_of(decay))) for words, f in known.items()]
    return [*edits, *estimated(name, decay)]


def _of(decay: str, f: Callable[[Array], Array]) -> Callable[[Site], Array]:
    return lambda site: np.asarray(f(site.case[decay]))


def estimated(name: str, decay: str) -> list[Hypothesis | Family]:
    """Decays that are estimated: all off by one factor, one number for all, one number for each."""

    def changed(new: Callable[[Array, Site], Array]) -> list[Callable[[Array], Hypothesis]]:
        makers = [lambda theta: Hypothesis("", with_case(**{decay: lambda site: new(theta, site)}))]
        if name in DECAYS:
            kept = gain_of(decay)
            makers += [lambda theta: Hypothesis("", form=filtered(name, lambda site: new(theta, site), kept))]
        return makers

    def example(theta: Array, site: Site) -> str:
        return f"{theta.flat[0]:.6g} for {site.case[decay].flat[0]:.6g} at the first"

    def in_percent(theta: Array, site: Site) -> str:
        right = float(site.case[decay].flat[0])
        return f"{percent(theta, site)}: {float(theta) * right:.6g} for {right:.6g}"

    one_factor = changed(lambda theta, site: theta * site.case[decay])
    one_number = changed(lambda theta, site: np.full_like(site.case[decay], float(theta)))
    each = changed(lambda theta, site: theta)
    words = f"{name} decays by another number than {decay}"
    return [
        *(Family(words, make, lambda site: np.ones(()), in_percent) for make in one_factor),
        *(
            Family(f"{name} decays by one number everywhere", make, lambda site: site.case[decay].mean(), example)
            for make in one_number
        ),
        *(Family(words, make, lambda site: site.case[decay], example, each=True) for make in each),
    ]


def starts(name: str) -> list[Hypothesis]:
    """Another state at the start; the steps after it follow from the trace's own numbers."""

    def form(start: Callable[[Site], Array]) -> Form:
        def started(site: Site) -> Bounded:
            if site.layer.neuron.U_reads and name != "R":
                case = site.case | {f"{name}0": like(start(site), site.trace[name][0])}
                return equation(name, with_parts(case=lambda site: case))(site)
            value, err = equation(name)(site)
            value[0] = like(start(site), site.trace[name][0])
            return Bounded(value, err)

        return started

    def given(site: Site, other: str = name) -> Array:
        if f"{other}0" not in site.case:
            raise Inapplicable
        return site.case[f"{other}0"]

    made = [
        Hypothesis(f"{name} starts at 0, not from the given state", form=form(lambda site: 0 * given(site)), whole=True)
    ]
    if name in DECAYS:
        other = "P" if name == "Q" else "Q"
        made += [
            Hypothesis(f"{name} starts from the given {other}", form=form(lambda site: given(site, other)), whole=True),
        ]
    return made


def _filter(name: str, source: str) -> list[Hypothesis | Family]:
    decay = DECAYS[name]
    other = OTHER[decay]
    form = Hypothesis
    return [
        form(f"{name} decays with {other}", form=filtered(name, lambda site: site.case[other], gain_of(decay))),
        form(
            f"{name} decays with {other}, and takes its gain from it",
            form=where_gains(filtered(name, lambda site: site.case[other], gain_of(other))),
        ),
        form(f"{name} decays with gamma", form=filtered(name, lambda site: _gamma(site), gain_of(decay))),
        form(f"{name} without its gain", other_gain("one")),
        form(f"{name} with the gain 1 - {decay}", other_gain("leak")),
        form(f"{name} with the gain 1 / (1 - {decay})", other_gain("inverse")),
        form(
            f"{name} with the gain 1 / {decay}",
            form=where_gains(filtered(name, lambda site: site.case[decay], inverse(decay))),
        ),
        form(
            f"{name} with the gain {decay}",
            form=filtered(name, lambda site: site.case[decay], lambda site: exact(site.case[decay])),
        ),
        form(
            f"{name} with the gain of the first input in all inputs",
            form=filtered(name, lambda site: site.case[decay], of_first(decay)),
        ),
        *other_gains(name, decay),
        form(
            f"{name} with the gain that belongs to {other}",
            form=filtered(name, lambda site: site.case[decay], gain_of(other)),
        ),
        form(f"{name} with its gain twice", form=filtered(name, lambda site: site.case[decay], gain_twice(decay))),
        form(f"{name} lets {source} decay at once", form=decayed_after(name)),
        form(
            f"{name} does not take up {source}",
            form=filtered(name, lambda site: site.case[decay], gain_of(decay), lambda site: 0 * read(site, name)),
        ),
        *starts(name),
    ]


def _gamma(site: Site) -> Array:
    gamma = site.case["gamma"]
    return gamma if np.ptp(gamma) == 0 else like(gamma, site.case["alpha"])


def _hears(f: Callable[[Array], Array]) -> Edit:
    return with_parts(spikes_in=lambda site: f(site.spikes_in))


def _mixed(x: Array) -> Array:
    """The first sample's for all."""
    return np.repeat(x[:, :1], x.shape[1], axis=1)


def _transmitted_below(site: Site) -> Array:
    if site.below is None:
        raise Inapplicable
    return like(site.below.spikes_in, site.spikes_in)


Q: list[Hypothesis | Family] = [
    *_filter("Q", "its input")[:2],
    *lags("Q hears its input", lambda lag: with_parts(spikes_in=lambda site: lagged(site.spikes_in, lag))),
    *_filter("Q", "its input")[2:],
    Hypothesis("Q takes every count of spikes for one", _hears(lambda x: np.minimum(x, 1))),
    Hypothesis("Q takes at most 255 spikes", _hears(lambda x: np.minimum(x, 255))),
    Hypothesis("Q takes at most 127 spikes", _hears(lambda x: np.minimum(x, 127))),
    Hypothesis("Q takes every count of spikes modulo 256", _hears(lambda x: x % 256)),
    Hypothesis("Q takes every count of spikes modulo 128", _hears(lambda x: (x + 128) % 256 - 128)),
    Hypothesis("Q hears the input of the first sample in all samples", _hears(_mixed)),
    Hypothesis("Q hears the samples in reverse order", _hears(lambda x: x[:, ::-1])),
    Hypothesis("Q hears its inputs in reverse order", _hears(lambda x: x[..., ::-1])),
    Hypothesis(
        "Q hears the mean over the batch", _hears(lambda x: np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape))
    ),
    Hypothesis("Q hears the input of the layer below", with_parts(spikes_in=_transmitted_below)),
    Hypothesis("Q hears the input backwards in time", _hears(lambda x: x[::-1]), whole=True),
    *decays("Q", "beta"),
]


def _other_Q(lag: int) -> Edit:
    """Q of another step, unless that is old for new Q or new for old."""
    same = {-1: 0, 1: 1}.get(lag)
    return only_if(lambda site: site.layer.neuron.P_reads != same, with_trace(Q=of_trace("Q", lag)))


P: list[Hypothesis | Family] = [
    *_filter("P", "Q")[:2],
    Hypothesis(
        "P reads old for new Q, or new for old",
        with_layer(neuron=lambda layer: layer.neuron._replace(P_reads=1 - layer.neuron.P_reads)),
        unknown=(0,),
    ),
    *lags("P reads Q", _other_Q),
    *_filter("P", "Q")[2:],
    Hypothesis(
        "P takes up the input and leaves Q out",
        form=filtered("P", lambda site: site.case["alpha"], gain_of("alpha"), lambda site: read(site, "Q")),
    ),
    *decays("P", "alpha"),
]
