"""The features of a case, as data: what a backend must do for it, and which two features cannot meet.

A feature is a pair (factor, value), such as ("pool", "3").  Some factors belong to the case and some to a layer.  Two
features meet in a case if one of its layers has both, where the features of the case count for every layer.

>>> impossible(("layers", "1"), ("losses", "mixed"))
'one layer has one loss'
>>> impossible(("layers", "2"), ("losses", "mixed")) is None
True
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from decolle_ref._util.check import Array
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import DIALECTS

Feature = tuple[str, str]
Pair = tuple[Feature, Feature]
LONG = 130  # steps of a long case
SHORT = 32  # steps that a short case has at most

OF_CASE: dict[str, tuple[str, ...]] = {
    "dialect": (*DIALECTS, "object"),
    "readout": ("sigma", "spikes"),
    "layers": ("1", "2", "3", "4"),
    "surrogates": ("same", "mixed"),
    "losses": ("same", "mixed"),
    "learning": ("no targets", "no updates", "sgd", "adamax", "adamax beta1"),
    "memory": ("fresh", "given"),
    "start": ("rest", "given"),
    "run": ("whole", "continued"),
    "burn-in": ("none", "some"),
    "schedule": ("constant", "given"),
    "dropout": ("none", "given"),
    "inputs": ("binary", "counts"),
    "batch": ("1", "3", "8"),
    "steps": ("short", "130"),
}
OF_LAYER: dict[str, tuple[str, ...]] = {
    "synapse": ("dense", "conv", "stride", "padding"),
    "pool": ("none", "1", "2", "3"),
    "surrogate": ("boxcar", "exponential", "fast_sigmoid", "fast_sigmoid_10", "logistic", "piecewise_linear"),
    "loss": ("squared_error", "smooth_l1", "cross_entropy"),
    "reduction": ("sum", "mean"),
    "regulariser": ("none", "lambda1", "lambda2 rate", "lambda2 membrane", "both"),
    "n_out": ("1", "batch", "other"),
}
FACTORS = OF_CASE | OF_LAYER
FEATURES: tuple[Feature, ...] = tuple((factor, value) for factor, values in FACTORS.items() for value in values)

_NO_LOSS = "without targets there is no loss to minimise"
_NO_UPDATE = "a case that does not update its weights has nothing to schedule, delay or remember"
IMPOSSIBLE: tuple[tuple[str, str, str, str, str], ...] = (  # two features that cannot meet, and why; * is any value
    ("layers", "1", "surrogates", "mixed", "one layer has one surrogate"),
    ("layers", "1", "losses", "mixed", "one layer has one loss"),
    ("synapse", "dense", "pool", "1", "a pool needs an image"),
    ("synapse", "dense", "pool", "2", "a pool needs an image"),
    ("synapse", "dense", "pool", "3", "a pool needs an image"),
    ("start", "rest", "run", "continued", "a run that continues another starts from the state where that one ended"),
    ("n_out", "1", "loss", "cross_entropy", "softmax of one output is 1, whatever the network does"),
    ("learning", "no targets", "losses", "*", _NO_LOSS),
    ("learning", "no targets", "loss", "*", _NO_LOSS),
    ("learning", "no targets", "reduction", "*", _NO_LOSS),
    ("learning", "no targets", "regulariser", "*", _NO_LOSS),
    ("learning", "no targets", "burn-in", "*", _NO_UPDATE),
    ("learning", "no targets", "schedule", "*", _NO_UPDATE),
    ("learning", "no targets", "memory", "*", _NO_UPDATE),
    ("learning", "no updates", "burn-in", "*", _NO_UPDATE),
    ("learning", "no updates", "schedule", "*", _NO_UPDATE),
    ("learning", "no updates", "memory", "*", _NO_UPDATE),
    ("learning", "sgd", "memory", "given", "SGD remembers nothing"),
    *(
        ("dialect", name, "readout", "spikes" if d.readout == "sigma" else "sigma", f"{name} reads {d.readout}")
        for name, d in DIALECTS.items()
    ),
)


def features(about: Mapping[str, Any], arrays: Mapping[str, Array]) -> frozenset[Feature]:
    """All features of a case, those of its layers included.

    Parameters
    ----------
    about : the contents of case.json
    arrays : the arrays of the case by name

    Returns
    -------
    frozenset of (factor, value)
    """
    return frozenset().union(*by_layer(about, arrays))


def by_layer(about: Mapping[str, Any], arrays: Mapping[str, Array]) -> list[frozenset[Feature]]:
    """The features that meet in each layer: those of the layer, and those of the case.

    Parameters
    ----------
    about : the contents of case.json
    arrays : the arrays of the case by name

    Returns
    -------
    list of frozenset of (factor, value)
        One per layer.
    """
    whole = {(factor, value) for factor, value in _of_case(about, arrays) if value in OF_CASE[factor]}
    return [frozenset(whole | set(_of_layer(about, layer))) for layer in about["layers"]]


def _of_case(about: Mapping[str, Any], arrays: Mapping[str, Array]) -> Iterator[Feature]:
    layers, dialect = about["layers"], about["dialect"]
    chosen = Case(dict(about), {}).dialect()
    yield "dialect", dialect if isinstance(dialect, str) else "object"
    yield "readout", chosen.readout
    yield "layers", str(len(layers))
    yield "surrogates", _variety(layer.get("surrogate", chosen.surrogate) for layer in layers)
    if about["targets"]:
        yield "losses", _variety(layer["loss"] for layer in layers)
    yield "learning", _learning(about)
    yield "start", about["initial_state"]
    yield "run", "continued" if about.get("n", 0) else "whole"
    yield "dropout", about.get("dropout", "none")
    yield "inputs", "counts" if arrays["inputs"].max(initial=0) > 1 else "binary"
    yield "batch", str(about["batch"])
    yield "steps", "short" if about["steps"] <= SHORT else str(about["steps"])
    if about["learn"]:
        yield "memory", about.get("memory", "fresh")
        yield "burn-in", "some" if about.get("burn_in", 0) else "none"
        yield "schedule", about.get("schedule", "constant")


def _variety(names: Iterator[str]) -> str:
    return "same" if len(set(names)) == 1 else "mixed"


def _learning(about: Mapping[str, Any]) -> str:
    """What becomes of the targets: nothing, gradients only, or updates by an optimiser."""
    if not about["learn"]:
        return "no updates" if about["targets"] else "no targets"
    optimiser = about.get("optimiser", {"kind": "adamax"})
    return str(optimiser["kind"]) + (" beta1" if optimiser.get("beta1") else "")


def _of_layer(about: Mapping[str, Any], layer: Mapping[str, Any]) -> Iterator[Feature]:
    conv, chosen = layer.get("conv"), Case(dict(about), {}).dialect()
    if conv is None:
        yield "synapse", "dense"
    else:
        moved = [name for name, plain in (("stride", 1), ("padding", 0)) if conv.get(name, plain) != plain]
        yield from (("synapse", name) for name in moved or ["conv"])
    yield "pool", str(layer.get("pool", "none"))
    yield "surrogate", layer.get("surrogate", chosen.surrogate)
    if layer["n_out"] == 1:
        yield "n_out", "1"
    if layer["n_out"] == about["batch"]:
        yield "n_out", "batch"
    elif layer["n_out"] > 1:
        yield "n_out", "other"
    if about["targets"]:
        yield "loss", layer["loss"]
        yield "reduction", layer["reduction"]
        yield "regulariser", _regulariser(layer)


def _regulariser(layer: Mapping[str, Any]) -> str:
    lambda1, lambda2 = layer.get("lambda1", 0), layer.get("lambda2", 0)
    if lambda1 and lambda2:
        return "both"
    if lambda2:
        return f"lambda2 {layer.get('activity', 'rate')}"
    return "lambda1" if lambda1 else "none"


def impossible(one: Feature, other: Feature) -> str | None:
    """Why two features cannot meet in a case.

    Parameters
    ----------
    one, other : features of different factors

    Returns
    -------
    str or None
        The reason, or None where they can meet.
    """
    for left, right in ((one, other), (other, one)):
        for factor, value, other_factor, other_value, why in IMPOSSIBLE:
            if left == (factor, value) and right[0] == other_factor and other_value in ("*", right[1]):
                return why
    return None


def possible_pairs() -> list[Pair]:
    """All pairs of features of two factors that can meet in a case, in the order of FEATURES.

    Returns
    -------
    list of pairs of features
    """
    pairs = combinations(FEATURES, 2)
    return [(one, other) for one, other in pairs if one[0] != other[0] and impossible(one, other) is None]


def pairs_of(layers: list[frozenset[Feature]]) -> set[Pair]:
    """The pairs of features that meet in a case.

    Parameters
    ----------
    layers : the features of each layer, from `by_layer`

    Returns
    -------
    set of pairs of features
        In the order of FEATURES.
    """
    position = {feature: k for k, feature in enumerate(FEATURES)}
    ordered = (sorted(layer, key=position.__getitem__) for layer in layers)
    return {pair for layer in ordered for pair in combinations(layer, 2) if pair[0][0] != pair[1][0]}
