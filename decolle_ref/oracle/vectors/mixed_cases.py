"""Random cases of the whole format: every feature of `features` may meet every other.

`configuration` chooses the features and sizes of a case, `mixed_case` adds its arrays.  With `plain`, the case needs no
exp, no regulariser and no beta1, so that simple fixed-point hardware can run it.

>>> about = configuration(0)
>>> about["steps"] <= 32 or about["steps"] == 130
True
"""

from typing import Any

import numpy as np

from decolle_ref.cases import width
from decolle_ref.decolle.dialects import AXES, DIALECTS
from decolle_ref.decolle.objective import LOSSES, REDUCTIONS
from decolle_ref.oracle.vectors.exactness import ADAMAX
from decolle_ref.oracle.vectors.features import LONG, OF_LAYER
from decolle_ref.oracle.vectors.properties import About, Arrays, Pair
from decolle_ref.oracle.vectors.random_cases import conv, dense, random_case

BATCHES = 1, 3, 8
PLAIN_SURROGATES = "boxcar", "fast_sigmoid", "fast_sigmoid_10", "piecewise_linear"
PLAIN_LOSSES = "squared_error", "smooth_l1"
RARELY = 0.15  # the share of long cases


def configuration(seed: int | list[int], plain: bool = False) -> About:
    """The contents of case.json for a seed, apart from the shapes of its arrays.

    Parameters
    ----------
    seed : an integer, or several
    plain : without exp, regularisers and beta1

    Returns
    -------
    dict
    """
    rng = np.random.default_rng(seed)
    about: About = {"dialect": _dialect(rng), "batch": int(rng.choice(BATCHES))}
    depth = int(rng.integers(1, 5))
    about["layers"] = _stack(rng, depth, about["batch"], plain)
    about["steps"] = LONG if rng.random() < RARELY else int(rng.integers(4, 9)) + 3 * depth
    about |= {"targets": True, "learn": True, "optimiser": _optimiser(rng, plain)}
    about |= _start(rng)
    learning = rng.random()
    if learning < 0.2:
        about["targets"], about["learn"] = learning < 0.1, False
        kept = {"burn_in", "memory", "schedule", "updates", "optimiser"}
        about = {key: x for key, x in about.items() if key not in kept}
    elif about["optimiser"]["kind"] == "sgd":
        about = {key: x for key, x in about.items() if key not in ("memory", "updates")}
    return about


def _dialect(rng: np.random.Generator) -> str | dict[str, str]:
    names = list(DIALECTS)
    chosen = int(rng.integers(len(names) + 2))  # an object twice as often: it has many options
    if chosen < len(names):
        return names[chosen]
    return {axis: "given" if axis == "decay" else str(rng.choice(list(options))) for axis, options in AXES.items()}


def _optimiser(rng: np.random.Generator, plain: bool) -> dict[str, Any]:
    """SGD, or Adamax; its numbers are multiples of 2^-10, which most formats hold."""
    kind = int(rng.integers(2 if plain else 3))
    return {"kind": "sgd"} if kind == 0 else ADAMAX | {"beta1": 0.5 * (kind == 2), "beta2": 0.9375, "eps": 2.0**-10}


def _start(rng: np.random.Generator) -> dict[str, Any]:
    """Where the case starts, and when it learns: each choice is made half of the time."""
    given, continued, waits, remembers, scheduled, drops = rng.random(6) < 0.5
    n = int(rng.integers(5, 10)) if given and continued else 0
    start: dict[str, Any] = {"initial_state": "given" if given else "rest", "n": n}
    start["burn_in"] = n + int(rng.integers(1, 4)) if waits else 0
    if remembers:
        start |= {"memory": "given", "updates": int(rng.integers(1, 6))}
    start |= {"schedule": "given" if scheduled else "constant", "dropout": "given" if drops else "none"}
    return start


def _stack(rng: np.random.Generator, depth: int, batch: int, plain: bool) -> list[About]:
    """Convolutions below, dense layers above; the settings of all layers are the same, or their own."""
    images, mixed = int(rng.integers(0, min(depth, 2) + 1)), rng.random() < 0.6
    shape, stack, shared = _image(rng), [], _settings(rng, batch, plain)
    n_in = int(rng.integers(4, 9))
    for k in range(depth):
        settings = _settings(rng, batch, plain) if mixed and k else shared
        layer = _convolution(rng, shape, settings) if k < images else None
        layer = layer or dense(n_in, int(rng.integers(4, 8)), **settings)[0]
        stack.append(layer)
        n_in, shape = width(layer), _shape(layer)
    return stack


def _image(rng: np.random.Generator) -> tuple[int, int, int]:
    channels, height, width = (int(x) for x in rng.integers((1, 7, 7), (3, 10, 10)))
    return channels, height, width


def _convolution(rng: np.random.Generator, shape: tuple[int, int, int], settings: About) -> About | None:
    """A convolution with a pool of 1, 2 or 3, or without; None where the image is too small."""
    kernel, stride, padding, pool = (int(x) for x in rng.integers((2, 1, 0, 0), (4, 3, 2, 4)))
    if min(shape[1:]) + 2 * padding < kernel:
        return None
    layer = conv(shape, 2, kernel, stride, padding, **settings)
    if pool and min(_shape(layer)[1:]) >= pool:
        layer["pool"] = pool
    return layer


def _shape(layer: About) -> tuple[int, int, int]:
    """(channels, height, width) of what a convolution transmits; (0, 0, 0) of a dense layer."""
    if "conv" not in layer:
        return 0, 0, 0
    of, pool = layer["conv"], layer.get("pool", 1)
    sides = ((of[x] + 2 * of["padding"] - of["kernel"]) // of["stride"] + 1 for x in ("height", "width"))
    height, width = (side // pool for side in sides)
    return of["channels"], height, width


def _settings(rng: np.random.Generator, batch: int, plain: bool) -> About:
    surrogates, losses = (PLAIN_SURROGATES, PLAIN_LOSSES) if plain else (OF_LAYER["surrogate"], tuple(LOSSES))
    loss, n_out = str(rng.choice(losses)), int(rng.choice((1, batch, 2 + int(rng.integers(3)))))
    settings: About = {"surrogate": str(rng.choice(surrogates)), "loss": loss}
    settings |= {"reduction": str(rng.choice(REDUCTIONS)), "n_out": max(n_out, 2) if loss == "cross_entropy" else n_out}
    terms = str(rng.choice(("none",) if plain else OF_LAYER["regulariser"]))
    if terms in ("lambda1", "both"):
        settings["lambda1"] = 0.5
    if terms.startswith("lambda2") or terms == "both":
        settings |= {"lambda2": 0.75, "activity": terms.split()[-1] if " " in terms else "rate"}
    return settings


def mixed_case(seed: list[int], plain: bool = False) -> Pair:
    """A case with the features of `configuration`, and its arrays.

    Parameters
    ----------
    seed : integers
    plain : as in `configuration`

    Returns
    -------
    about, arrays
    """
    about = dict(configuration(seed, plain))
    stack, dialect = about.pop("layers"), about.pop("dialect")
    counts = np.random.default_rng([*seed, 1]).random() < 0.5
    about, arrays = random_case([*seed, 2], stack, dialect, most=5 if counts else 1, **about)
    return about, _quietened(about, arrays)


def _quietened(about: About, arrays: Arrays) -> Arrays:
    """The arrays; where the second regulariser reads a rate, with a bias so low that it acts."""
    quiet = dict(arrays)
    for k, layer in enumerate(about["layers"], start=1):
        if layer.get("lambda2") and layer["activity"] == "rate":
            quiet |= {f"layer{k}_b": arrays[f"layer{k}_b"] - 2.5, f"layer{k}_W": 2 * arrays[f"layer{k}_W"]}
    return quiet
