"""The vectors for every choice of a case: dialect, surrogate, loss, convolution, regulariser, optimiser.

Each family makes a random lively network with one choice, and proves that another choice would move its trace.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from decolle_ref.decolle.dialects import AXES, DIALECTS, Dialect
from decolle_ref.decolle.objective import LOSSES, REDUCTIONS
from decolle_ref.oracle.vectors.exactness import ADAMAX
from decolle_ref.oracle.vectors.properties import (
    Arrays,
    Property,
    Vector,
    array,
    axes,
    case,
    claims,
    each,
    layers,
    lively,
    shows,
)
from decolle_ref.oracle.vectors.random_cases import conv, dense, exact_vector, on_grid, random_case, vector, with_arrays

SURROGATES = ("boxcar", "exponential", "fast_sigmoid", "fast_sigmoid_10", "logistic", "piecewise_linear")


def dialects(dtype: str) -> Iterator[Vector]:
    """Every dialect, and every axis of it."""
    for k, (name, d) in enumerate(DIALECTS.items()):
        other = {axis: _other(axis, d) for axis in AXES}
        moves = {
            "P_reads": "P U",
            "U_reads": "P U",
            "gains": "Q P",
            "refractory": "U",
            "readout": "Y",
            "surrogate": "delta",
        }
        proof = shows(*((axes(**{axis: other[axis]}), names) for axis, names in moves.items()))
        why = f"one axis of the dialect {name} taken from another: old or new Q or P, gains, delta, readout, sigma'"
        pair = random_case(100 + k, dense(6, 5, 4, surrogate=None), name, batch=(3, 8, 5, 1, 2)[k])
        yield vector(dtype, f"dense-{name}", why, pair, lively, proof)


def surrogates(dtype: str) -> Iterator[Vector]:
    """Every surrogate."""
    for name in SURROGATES:
        proof = shows(*((layers(surrogate=other), "Y delta dW") for other in SURROGATES if other != name))
        why = "another surrogate, a factor in its slope, sigma not 1/2 at threshold"
        yield vector(dtype, f"surrogate-{name}", why, random_case(120, dense(6, 5, surrogate=name)), lively, proof)


def losses(dtype: str) -> Iterator[Vector]:
    """Every loss and reduction."""
    for name in LOSSES:
        for reduction in REDUCTIONS:
            others = [(layers(loss=other), "e dW") for other in LOSSES if other != name]
            other = next(x for x in REDUCTIONS if x != reduction)
            pair = random_case(130, dense(6, 5, 4, loss=name, reduction=reduction, n_out=4), batch=3, steps=16)
            why = "another loss, sum for mean or mean over the wrong axes, softmax of targets that do not sum to 1"
            proof = shows(*others, (layers(reduction=other), "e delta dW db"))
            yield vector(dtype, f"loss-{name}-{reduction}".replace("_", "-"), why, pair, proof, _loss_claim(name))


def _loss_claim(name: str) -> Property:
    """The targets that a loss needs, so that another loss moves the trace."""
    if name == "cross_entropy":
        return claims("targets that do not sum to 1", lambda t, a: (abs(a["layer1_target"].sum(-1) - 1) > 0.1).any())
    far = claims("differences of more than 1", lambda t, a: (abs(t["layer1_Y"] - a["layer1_target"]) > 1).any())
    near = claims("differences of less than 1", lambda t, a: (abs(t["layer1_Y"] - a["layer1_target"]) < 1).any())
    return each(far, near)


def convolutions(dtype: str) -> Iterator[Vector]:
    """Images: strides, padding, channels, pooling."""
    turned = array("layer1_W", lambda W: W[..., ::-1, ::-1].copy()), "U"
    crossed = array("layer1_W", lambda W: W.swapaxes(-1, -2).copy()), "U"
    swapped = array("layer1_W", lambda W: W.swapaxes(0, 1).copy()), "U"
    stack = [conv((2, 7, 5), 2, 3, stride=2, padding=1), *dense(24, 4)]
    why = "a kernel turned round or transposed, channels swapped, rows for columns, stride or padding off by one"
    pair = random_case(140, stack, steps=16)
    yield vector(dtype, "conv-stride-padding", why, pair, lively, shows(turned, crossed, swapped))
    stack = [conv((1, 7, 6), 2, 2, pool=2), conv((2, 3, 2), 2, 2, padding=1, pool=2)]
    why = "a window that is not full pooled all the same, R kept per window and not per neuron, average for maximum"
    pair = with_arrays(random_case(141, stack, "decolle", steps=16, batch=3), b=-0.9)
    last = claims(
        "neurons outside all windows to spike", lambda t, a: t["layer1_R"].reshape(16, -1, 2, 6, 5)[..., 4].any()
    )
    yield vector(dtype, "conv-pool-leftover", why, pair, lively, last)
    why = "of several largest U in a window not the first chosen, or the error shared among them"
    pair = on_grid(random_case(142, [conv((1, 5, 5), 2, 2, pool=2, n_out=2)], rate=0.25, batch=2), 142)
    pair = with_arrays(pair, W=0.25, b=-0.5)
    yield exact_vector(dtype, "conv-pool-ties", why, pair, claims("ties that matter", _ties_matter))
    stack = [conv((1, 6, 6), 2, 3, pool=2, surrogate=None), *dense(8, 3, surrogate=None)]
    why = "old or new Q or P, gains or delta of another dialect, in a layer with pooling"
    proof = shows((axes(P_reads="old_Q"), "P U"), (axes(gains="one"), "Q P"), (axes(refractory="w"), "U"))
    pair = with_arrays(random_case(143, stack, "dcll", steps=16), b=-1.2)
    yield vector(dtype, "conv-pool-dcll", why, pair, lively, proof)


def _ties_matter(t: Arrays, arrays: Arrays) -> bool:
    """In some window two neurons tie for the largest U, read different P, and only the first gets an error."""
    U, delta = (t[f"layer1_{x}"].reshape(-1, 2, 4, 4)[:, :, :2, :2].reshape(-1, 2, 4) for x in ("U", "delta"))
    P = t["layer1_P"].reshape(-1, 5, 5)
    read = np.stack([P[:, y : y + 2, x : x + 2].reshape(-1, 4) for y in (0, 1) for x in (0, 1)], axis=1)
    top = U == U.max(axis=-1, keepdims=True)
    first = top.argmax(axis=-1)
    for n, c in np.argwhere(top.sum(axis=-1) > 1):
        others = [i for i in np.flatnonzero(top[n, c]) if (read[n, i] != read[n, first[n, c]]).any()]
        if others and delta[n, c, first[n, c]] != 0 and not delta[n, c, others].any():
            return True
    return False


def dynamics(dtype: str) -> Iterator[Vector]:
    """The refractory term, the delay between layers, the regularisers."""
    for name in ("paper", "dcll"):
        pair = with_arrays(random_case(210, dense(6, 5), name), w=lambda w: 4 * w, b=0.3)
        no = [(array(letter, np.zeros_like), names) for letter, names in (("w", "U S"), ("gamma", "R U"))]
        other = "gamma_w" if name == "paper" else "w"
        why = "refractoriness left out, for one step only, or decayed before it acts where it is not"
        yield vector(dtype, f"refractory-{name}", why, pair, shows(*no, (axes(refractory=other), "U")), lively)
    for k, (name, d) in enumerate(DIALECTS.items()):
        pulse = np.arange(12)[:, None, None] == 0
        pair = random_case(211 + k, dense(4, 4, 4, 4), name, steps=12, targets=False, learn=False)
        pair = with_arrays(pair, inputs=lambda x, pulse=pulse: np.where(pulse, 1, 0 * x).astype("u1"), W=abs, b=-1e-3)
        arrives = claims(f"layer k to spike first at step {d.delay} k", _first_at(d.delay))
        yield vector(dtype, f"delay-{name}", "a step too many or too few between layers", pair, arrives)
    pair = with_arrays(random_case(217, dense(6, 5, 4, lambda1=0.5, lambda2=0.8, activity="rate")), b=-0.8)
    off = [(layers(lambda1=0.0), "delta dW"), (layers(lambda2=0.0), "delta dW")]
    why = "a regulariser left out, or of the other activity, or summed where it is averaged"
    yield vector(dtype, "regulariser-rate", why, pair, shows(*off, (layers(activity="membrane"), "delta")), lively)
    pair = layers(activity="membrane").apply(*pair)
    yield vector(dtype, "regulariser-membrane", why, pair, shows(*off, (layers(activity="rate"), "delta")), lively)


def regularisers(dtype: str) -> Iterator[Vector]:
    """Both regularisers in every dialect, with and without a pool: what they read and where they act."""
    for k, (name, d) in enumerate(DIALECTS.items()):
        both: dict[str, Any] = {"lambda1": 0.5, "lambda2": 0.8}
        both |= {"surrogate": "fast_sigmoid" if d.surrogate == "logistic" else None}  # whose primitive is another
        moves = [(layers(lambda1=0.0), "delta dW"), (layers(lambda2=0.0), "delta dW")]
        moves += [(axes(regulariser_reads=_other("regulariser_reads", d)), "delta")]
        why = "a regulariser that reads the primitive of the surrogate for the logistic function, or the reverse"
        stack = dense(6, 5, 4, **both)
        for pool in ("", "-pool"):
            pair = with_arrays(random_case(230 + k, stack, name, steps=16, batch=3), b=-2.5, W=lambda W: 2 * W)
            yield vector(dtype, f"regulariser{pool}-{name}", why, pair, shows(*moves), lively)
            moves += [(axes(regulariser_place=_other("regulariser_place", d)), "delta")]
            why = "the first regulariser before the pool or after it, where it is the other way round"
            stack = [conv((1, 7, 6), 2, 2, pool=2, **both), *dense(12, 4, **both)]


def _other(axis: str, dialect: Dialect) -> str:
    """An option that the dialect does not choose."""
    return next(option for option in AXES[axis] if option != getattr(dialect, axis))


def _first_at(delay: int) -> Callable[[Arrays, Arrays], bool]:
    """Layer k of three spikes first at step delay k."""

    def holds(t: Arrays, arrays: Arrays) -> bool:
        active = [t[f"layer{k}_S"].any(axis=(1, 2)) for k in (1, 2, 3)]
        return all(a.any() and a.argmax() == k * delay for k, a in enumerate(active, start=1))

    return holds


def learning(dtype: str) -> Iterator[Vector]:
    """Every optimiser, and cases that do not learn."""
    sgd, momentum, large_eps = {"kind": "sgd"}, ADAMAX | {"beta1": 0.5}, ADAMAX | {"eps": 2.0**-6}
    beta2 = [ADAMAX | {"beta2": x} for x in (0.5, 0.99)]
    for id, optimiser, others, why in (
        ("sgd", sgd, [ADAMAX], "the wrong optimiser, or one rate for all inputs"),
        ("adamax", ADAMAX, [sgd, *beta2], "beta2 wrong; a mean where the maximum belongs"),
        ("adamax-momentum", momentum, [ADAMAX], "beta1 left out, or its bias not corrected"),
        ("adamax-defaults", {"kind": "adamax"}, beta2, "other defaults, or the settings of the case before this one"),
        ("adamax-eps", large_eps, [ADAMAX], "eps left out, or added elsewhere"),
    ):
        off = [(case(optimiser=other), "W b W_final") for other in others]
        rates = array("rate_W", lambda r: r[::-1].copy()), "W"
        yield vector(dtype, id, why, random_case(220, dense(6, 5, 4), optimiser=optimiser), shows(*off, rates), lively)
    pair = random_case(223, dense(6, 5, 4), optimiser=momentum, updates=5)
    why = "a bias correction that counts earlier updates, though the optimiser's memory is fresh"
    yield vector(dtype, "fresh-memory", why, pair, shows((case(optimiser=ADAMAX), "W b W_final")), lively)
    pair = random_case(221, dense(6, 5, 4), targets=False, learn=False)
    yield vector(dtype, "no-targets", "a target expected where there is none", pair, lively)
    pair = random_case(222, dense(6, 5, 4), learn=False)
    still = claims(
        "gradients, and weights that stay",
        lambda t, a: t["layer1_dW"].any() and (t["layer1_W_final"] == a["layer1_W"]).all(),
    )
    yield vector(dtype, "no-learning", "weights that move though the case does not learn", pair, still)
