"""The vectors for sizes and ranges: a large network, a long run, very large and very small numbers.

Numbers that are only large for floating point leave the range of a fixed-point format, where they must saturate: the
cases become vectors for saturation as soon as they are quantised.
"""

from collections.abc import Callable, Iterator

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.vectors.properties import Arrays, Vector, array, case, claims, layers, lively, shows
from decolle_ref.oracle.vectors.random_cases import dense, random_case, vector, with_arrays

LIMIT = 256  # of Q8.16, beyond which it saturates


def large(dtype: str) -> Iterator[Vector]:
    """Three learning layers of 64 neurons, 300 inputs, 8 samples, 130 steps."""
    pair = random_case(240, dense(300, 64, 64, 64, n_out=8), "decolle-nonorm", rate=0.1, steps=130, batch=8)
    columns = claims(
        "weights of the inputs from the 257th on that move",
        lambda t, a: (t["layer1_W_final"] != a["layer1_W"])[:, 256:].any(axis=0).all(),
    )
    late = claims(
        "weights of all layers that move after step 100",
        lambda t, a: all((t[f"layer{k}_W"][100] != t[f"layer{k}_W_final"]).any() for k in (1, 2, 3)),
    )
    samples = claims("an error in all samples", lambda t, a: t["layer3_delta"].any(axis=(0, 2)).all())
    why = "sums cut off after 256 terms, samples from the fifth on left out, state or learning lost after step 100"
    yield vector(dtype, "large", why, pair, lively, columns, late, samples)


def ranges(dtype: str) -> Iterator[Vector]:
    """Large potentials, large outputs, small traces."""
    pair = with_arrays(
        random_case(250, dense(6, 5, 4)), W=lambda W: 1000 * W, b=lambda b: 1000 * b, rate_W=lambda r: 1000 * r
    )
    far = _beyond("U", 1000)
    yield vector(dtype, "range-U", "a potential clamped, or NaN from a large one", pair, far, _moving)
    stack = [*dense(6, 5, surrogate="logistic"), *dense(5, 4, surrogate="exponential")]
    pair = with_arrays(random_case(251, stack, steps=16), W=lambda W: 800 * W, b=lambda b: 800 * b)
    why = "exp that overflows, where sigma is 0 or 1 and sigma' is 0"
    yield vector(dtype, "range-exp", why, pair, _beyond("U", 800), shows((layers(surrogate="boxcar"), "delta")))
    pair = with_arrays(random_case(252, dense(6, 5, 4), steps=16), W=lambda W: 8 * W, b=lambda b: 8 * b)
    pair = layers(surrogate="logistic").apply(*pair)
    slopes = claims("slopes below 1e-4 and above 1e-2", lambda t, a: _spread(t["layer1_U"], a))
    yield vector(dtype, "range-logistic", "a slope far from the threshold taken for 0", pair, slopes, _moving)
    for loss in ("squared_error", "smooth_l1"):
        pair = with_arrays(random_case(253, dense(6, 5, 4, loss=loss), steps=16), G=lambda G: 100 * G)
        why = "a readout or an error that is clamped, or clipped where it is not"
        id = f"range-Y-{loss}".replace("_", "-")
        yield vector(dtype, id, why, pair, _beyond("Y", 100), lively, _moving)
    pair = random_case(254, dense(6, 5, 4, loss="cross_entropy", n_out=4), "decolle", steps=16)
    pair = with_arrays(pair, G=lambda G: 240 * np.sign(G))
    wide = claims("outputs from -200 to 200", lambda t, a: np.ptp(t["layer1_Y"], axis=-1).max() > 400)
    yield vector(dtype, "range-softmax", "softmax that overflows", pair, _beyond("Y", 200), wide, lively, _moving)
    pair = random_case(256, dense(6, 5, 4, loss="cross_entropy"), "decolle", steps=16)
    pair = with_arrays(pair, c=lambda c: c - 900)
    low = claims("outputs below -800", lambda t, a: t["layer1_Y"].max() < -800)
    yield vector(
        dtype, "range-softmax-low", "softmax that is 0 / 0 where all outputs are low", pair, low, lively, _moving
    )
    pair = random_case(255, dense(6, 5), steps=40, burn_in=25)
    pair = with_arrays(pair, inputs=lambda x: x * (np.arange(40) < 4)[:, None, None].astype("u1"))
    small = claims("0 < P < 1e-6 with a gradient", lambda t, a: _small(t, 1e-6))
    flushed = shows((array("inputs", lambda x: 0 * x), "P W_final"))
    yield vector(dtype, "range-P", "small traces pruned or flushed to 0", pair, small, flushed)


def saturation(dtype: str) -> Iterator[Vector]:
    """Traces, potentials and weights beyond 256, the range of Q8.16."""
    pair = random_case(260, dense(6, 5, 4), "decolle-base", most=1, initial_state="given", steps=16)
    pair = with_arrays(
        pair, inputs=lambda x: 100 * x, gamma=1 - 2.0**-14, R0=LIMIT - 0.5, W=lambda W: 4 * W, w=lambda w: w / 1024
    )
    sizes = [_beyond(x, LIMIT) for x in ("Q", "P", "R", "U")]
    why = "in fixed point, a trace or a potential that wraps round and does not saturate"
    yield vector(dtype, "saturation-traces", why, pair, *sizes)
    sums = claims("terms beyond 256 with a sum below it", lambda t, a: _cancels(t, a))
    pair = random_case(261, dense(6, 5), steps=16)
    pair = with_arrays(pair, W=lambda W: W * 0 + 180 * (-1.0) ** np.arange(6), b=lambda b: 20 * b)
    why = "in fixed point, a partial sum that wraps round"
    yield vector(dtype, "saturation-sums", why, pair, sums)
    pair = random_case(262, dense(6, 5), initial_state="given", steps=16, burn_in=1)
    pair = with_arrays(
        pair,
        inputs=lambda x: 0 * x,
        alpha=1 - 2.0**-10,
        P0=2.0**-8,
        Q0=0.0,
        W=lambda W: np.where(W > 0, LIMIT - 0.25, -LIMIT + 0.25),
        target=lambda x: 100 * np.sign(x),
        rate_W=0.5,
    )
    still = shows((case(burn_in=16), "W_final"))
    why = "in fixed point, a weight that wraps round and does not saturate"
    yield vector(dtype, "saturation-weights", why, pair, _beyond("W_final", LIMIT), still)


def _moving(vector: Vector, reference: Arrays) -> None:
    """Some weights of every layer move."""
    shows((case(learn=False), "W_final"))(vector, reference)


def _beyond(name: str, limit: float) -> Callable[[Vector, Arrays], None]:
    """Some number of this name, in layer 1, is beyond the limit."""
    return claims(f"{name} beyond {limit}", lambda t, a: (abs(t[f"layer1_{name}"]) > limit).any())


def _spread(U: Array, arrays: Arrays) -> bool:
    return bool((abs(U) > 9.3).any() and (abs(U) < 4).any())


def _small(t: Arrays, limit: float) -> bool:
    P, dW = t["layer1_P"], t["layer1_dW"]
    small = ((P > 0) & (P < limit)).all(axis=1)  # (T, n_in), in all samples
    return bool((dW.any(axis=1) & small).any())


def _cancels(t: Arrays, arrays: Arrays) -> bool:
    """Some potential within the range of Q8.16, in whose sum the positive terms alone are beyond it."""
    positive = t["layer1_P"] @ np.maximum(arrays["layer1_W"], 0).T
    return bool(((positive > LIMIT) & (abs(t["layer1_U"]) < LIMIT)).any())
