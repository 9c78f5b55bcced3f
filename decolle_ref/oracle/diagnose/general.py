"""Mistakes that any equation can have: a wrong sign, a constant factor, a lag, a mixed batch, a missing copy."""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import within
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import LAGS, edge, mapped, recursive, times
from decolle_ref.oracle.diagnose.estimates import Family, factor
from decolle_ref.oracle.diagnose.hypothesis import Hypothesis, Inapplicable, Result
from decolle_ref.oracle.diagnose.precision import rounded
from decolle_ref.oracle.diagnose.site import Site, lagged

PER_SAMPLE = ("Q", "P", "R", "U", "S", "Y", "e", "delta")
GRADIENTS = ("delta", "dW", "db")


def _sizes(name: str) -> dict[str, Callable[[Site], float]]:
    """Numbers that are forgotten or applied twice, by name."""
    sizes: dict[str, Callable[[Site], float]] = {"the number of steps": lambda site: float(len(site.spikes_in))}
    if name == "e":
        return sizes  # its own table has the means
    sizes["the batch size"] = lambda site: float(site.batch)
    if name in GRADIENTS:
        sizes |= {
            "the number of outputs": lambda site: float(site.trace["Y"].shape[-1]),
            "batch size times outputs": lambda site: float(site.trace["Y"][0].size),
            "the number of neurons": lambda site: float(site.trace["U"].shape[-1]),
            "the number of inputs": lambda site: float(site.spikes_in.shape[-1]),
        }
    return sizes


def factors(name: str) -> list[Hypothesis]:
    """Constant factors that have a name."""
    known: dict[str, Callable[[Site], float]] = {
        f"{name} with the wrong sign": lambda site: -1.0,
        f"{name} is twice too large": lambda site: 2.0,
        f"{name} is half as large": lambda site: 0.5,
    }
    if name == "e":
        del known["e with the wrong sign"], known["e is twice too large"]  # its own table names them
    for words, size in _sizes(name).items():
        known[f"{name} is divided by {words} once too often"] = lambda site, size=size: 1 / size(site)  # type: ignore[misc]
        known[f"{name} is too large by {words}"] = size
    return [Hypothesis(words, result=times(k)) for words, k in known.items()]


def _per_sample(f: Callable[[Array], Array]) -> Result:
    return mapped(lambda x, site: f(x))


def _one_for_all(x: Array) -> Array:
    return np.broadcast_to(x[:, :1], x.shape)


def batches(name: str) -> list[Hypothesis]:
    """Samples, or features, mixed up."""
    f = Hypothesis
    return [
        f(f"{name} of the first sample in all samples", result=_per_sample(_one_for_all)),
        f(
            f"{name} of the last sample in all samples",
            result=_per_sample(lambda x: np.broadcast_to(x[:, -1:], x.shape)),
        ),
        f(f"{name} has its samples in reverse order", result=_per_sample(lambda x: x[:, ::-1])),
        f(f"{name} has the samples moved on by one", result=_per_sample(lambda x: np.roll(x, 1, axis=1))),
        f(f"{name} is the mean over the batch in all samples", result=_averaged),
        f(f"{name} has its entries in reverse order", result=_per_sample(lambda x: x[..., ::-1])),
        f(f"{name} has its entries moved on by one", result=_per_sample(lambda x: np.roll(x, 1, axis=-1))),
        f(
            f"{name} has batch and entries exchanged",
            result=mapped(lambda x, site: np.swapaxes(x, 1, 2).reshape(x.shape)),
        ),
        *(f(f"{name} is 0 in all samples from number {n} on", result=_cut(n)) for n in (1, 2, 3, 4, 5, 6)),
        f(
            f"{name} is 0 in the last entry",
            result=_per_sample(lambda x: x * (np.arange(x.shape[-1]) < x.shape[-1] - 1)),
        ),
        f(f"{name} is 0 in the first entry", result=_per_sample(lambda x: x * (np.arange(x.shape[-1]) > 0))),
        f(f"{name} has an image's rows and columns exchanged", result=mapped(_rows_for_columns)),
    ]


def _averaged(made: Bounded, site: Site, got: Array) -> Bounded:
    return Bounded(*(np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape) for x in (made.value, made.err * 2)))


def _cut(n: int) -> Result:
    def cut(x: Array) -> Array:
        if x.shape[1] <= n:
            raise Inapplicable
        return x * (np.arange(x.shape[1]) < n)[:, None]

    return _per_sample(cut)


def _rows_for_columns(x: Array, site: Site) -> Array:
    shapes = [getattr(site.layer.synapse, name, None) for name in ("shape", "shape_in")]
    for shape in shapes:
        if shape is not None and int(np.prod(shape)) == x.shape[-1]:
            return np.swapaxes(x.reshape(*x.shape[:-1], *shape), -1, -2).reshape(x.shape)
    raise Inapplicable


def _same_row(made: Bounded, site: Site, got: Array) -> Bounded:
    """The last row at all steps, which is not simply the first one kept."""
    if len(got) < 3 or not got.any() or within(got[-1], made.value[0], made.err[0]).all():
        raise Inapplicable
    return exact(np.broadcast_to(got[-1:], got.shape))


def _clip(made: Bounded, site: Site, got: Array) -> Bounded:
    low, high = float(got.min()), float(got.max())
    reached = ((made.value > high) | (made.value < low)).sum()
    if not low < high or reached < 2 or len(np.unique(got)) < 4:
        raise Inapplicable
    return site.arithmetic.clip(made, low, high)


def _clipped_at(site: Site, name: str) -> str:
    return f"to [{site.trace[name].min():.6g}, {site.trace[name].max():.6g}]"


def _wrapped(made: Bounded, site: Site, got: Array) -> Bounded:
    """Two's complement that wraps round: off by whole multiples of the range, which the clipped value may hide."""
    low, high = site.profile.limits
    if not np.isfinite(high):
        raise Inapplicable
    turns = np.round((got - made.value) / (high - low + site.profile.quantum))
    return Bounded(made.value + turns * (high - low + site.profile.quantum), made.err)


def table(name: str) -> list[Hypothesis | Family]:
    """The mistakes that the equation of this name can have as any other can."""
    made: list[Hypothesis | Family] = [
        Hypothesis(f"{name} is 0 everywhere", result=times(lambda site: 0.0)),
        Hypothesis(f"{name} shows one row at all steps: it is recorded without a copy", result=_same_row, whole=True),
        *(
            Hypothesis(f"{name} is recorded, or computed, {words}", result=_shifted(lag), unknown=edge(lag))
            for lag, words in LAGS.items()
        ),
        *factors(name),
        Hypothesis(f"{name} is added to that of the step before", result=recursive(1.0)),
        Hypothesis(f"{name} without its sign", result=_unsigned),
        Hypothesis(
            f"{name} is never negative",
            result=lambda made, site, got: site.arithmetic.maximum(made, exact(np.zeros(()))),
        ),
        Hypothesis(f"{name} is clipped", result=_clip, detail=lambda site: _clipped_at(site, name), whole=True),
        Hypothesis(f"{name} wraps round beyond the range of the format", result=_wrapped),
        *rounded(name),
    ]
    if name == "e":  # its own table has limits
        made = [each for each in made if each.name != "e is clipped"]
    if name in PER_SAMPLE:
        made += batches(name)
    if name in ("dW", "db", "W", "b"):
        made += [
            Hypothesis(f"{name} has its rows in reverse order", result=mapped(lambda x, site: x[:, ::-1]), whole=True)
        ]
    if name in ("W", "b"):
        return made
    return [
        *made,
        factor(f"{name} is off by a constant factor", lambda k: Hypothesis("", result=_times(k))),
        Family(
            f"{name} keeps a part of that of the step before",
            lambda k: Hypothesis("", result=recursive(float(k))),
            lambda site: np.zeros(()),
            lambda k, site: f"{float(k):.4g} of it",
        ),
    ]


def _times(k: Array) -> Result:
    return lambda made, site, got: site.arithmetic.multiply(site.arithmetic.derived(k), made)


def _shifted(lag: int) -> Result:
    return lambda made, site, got: Bounded(*(lagged(x, lag) for x in made))


def _unsigned(made: Bounded, site: Site, got: Array) -> Bounded:
    return Bounded(np.abs(made.value), made.err)
