"""Notebook 08: images and events.  A convolution, the gradient of its weights, a pool's errors, frames of events."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data import events, moving_bar
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.teach.task import Slip, Task


def _draw_image(rng: np.random.Generator) -> tuple[Any, ...]:
    W, b, P = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4), rng.exponential(size=(2, 6, 7))
    return W, b, P, int(rng.integers(1, 3))


def _drive(W: Array, b: Array, P: Array, padding: int) -> Array:
    synapse = Conv2d((len(P), P.shape[1], P.shape[2]), len(W), W.shape[2], padding=padding)
    return np.asarray(synapse.drive(Weights(W, b), P.ravel()).reshape(synapse.shape))


def _padded(P: Array, p: int) -> Array:
    return np.pad(P, ((0, 0), (p, p), (p, p)))


def _windows(P: Array, k: int, p: int) -> Array:
    """(channels, rows, columns, k, k)."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(_padded(P, p), (k, k), axis=(1, 2)))


def _drive_by_loops(W: Array, b: Array, P: Array, padding: int) -> Array:
    x, k = _padded(P, padding), W.shape[2]
    U = np.zeros((len(W), x.shape[1] - k + 1, x.shape[2] - k + 1))
    for o, y, z in np.ndindex(U.shape):
        U[o, y, z] = (W[o] * x[:, y : y + k, z : z + k]).sum() + b[o]
    return U


CONV_DRIVE = Task(
    "conv_drive",
    _drive,
    _draw_image,
    slips=(
        Slip(
            "kernel turned round",
            lambda W, b, P, padding: _drive(W[:, :, ::-1, ::-1], b, P, padding),
            "The kernel is not flipped here: r and s count in the same direction as y and x.",
        ),
        Slip(
            "rows for columns",
            lambda W, b, P, padding: _drive(W.swapaxes(2, 3), b, P, padding),
            "Rows and columns of the kernel are exchanged.",
        ),
        Slip(
            "without the padding",
            lambda W, b, P, padding: _drive(W, b, P, 0),
            "The image grows by `padding` zeros at each border before the window moves over it.",
        ),
        Slip(
            "without the bias",
            lambda W, b, P, padding: _drive(W, 0 * b, P, padding),
            "Every output channel has its bias b_o.",
        ),
        Slip(
            "bias in the window",
            lambda W, b, P, padding: _drive(W, b * W[0].size, P, padding),
            "The bias is added once per place, not once per entry of the window.",
        ),
        Slip(
            "mean over the input channels",
            lambda W, b, P, padding: _drive(W / W.shape[1], b, P, padding),
            "The sum runs over all input channels; it is not a mean.",
        ),
        Slip(
            "wrong sign",
            lambda W, b, P, padding: -_drive(W, b, P, padding),
            "A positive weight makes the potential larger.",
        ),
    ),
    forms=(
        _drive_by_loops,
        lambda W, b, P, padding: np.einsum("ocrs,cyxrs->oyx", W, _windows(P, W.shape[2], padding)) + b[:, None, None],
        lambda W, b, P, padding: (
            np.tensordot(W, _windows(P, W.shape[2], padding), ((1, 2, 3), (0, 3, 4))) + b.reshape(-1, 1, 1)
        ),
    ),
)


def _draw_gradient(rng: np.random.Generator) -> tuple[Any, ...]:
    padding = int(rng.integers(1, 3))
    P = rng.exponential(size=(2, 6, 7))
    return rng.normal(size=(4, 4 + 2 * padding, 5 + 2 * padding)), P, 3, padding


def _gradient(dU: Array, P: Array, kernel: int, padding: int) -> Array:
    synapse = Conv2d((len(P), P.shape[1], P.shape[2]), len(dU), kernel, padding=padding)
    return synapse.gradient(dU.ravel(), P.ravel()).W


def _gradient_by_loops(dU: Array, P: Array, kernel: int, padding: int) -> Array:
    x, dW = _padded(P, padding), np.zeros((len(dU), len(P), kernel, kernel))
    for o, c, r, s in np.ndindex(dW.shape):
        rows, columns = dU.shape[1:]
        dW[o, c, r, s] = (dU[o] * x[c, r : r + rows, s : s + columns]).sum()
    return dW


CONV_GRADIENT = Task(
    "conv_gradient",
    _gradient,
    _draw_gradient,
    slips=(
        Slip(
            "mean over the places",
            lambda dU, P, kernel, padding: _gradient(dU, P, kernel, padding) / dU[0].size,
            "Every place adds its share to the gradient: a sum, not a mean.",
        ),
        Slip(
            "transposed",
            lambda dU, P, kernel, padding: _gradient(dU, P, kernel, padding).swapaxes(0, 1),
            "The first axis of W belongs to the output channel o, the second to the input channel c.",
        ),
        Slip(
            "rows for columns",
            lambda dU, P, kernel, padding: _gradient(dU, P, kernel, padding).swapaxes(2, 3),
            "Rows and columns of the kernel are exchanged.",
        ),
        Slip(
            "wrong sign",
            lambda dU, P, kernel, padding: -_gradient(dU, P, kernel, padding),
            "The task asks for the gradient, which points uphill.",
        ),
        Slip(
            "the last place only",
            lambda dU, P, kernel, padding: (
                dU[:, -1, -1, None, None, None] * _padded(P, padding)[:, -kernel:, -kernel:][None]
            ),
            "Every place overwrites the one before: use += in the loop.",
        ),
    ),
    forms=(
        _gradient_by_loops,
        lambda dU, P, kernel, padding: np.einsum("oyx,cyxrs->ocrs", dU, _windows(P, kernel, padding)),
    ),
)


def _draw_pool(rng: np.random.Generator) -> tuple[Any, ...]:
    rows, columns = 4, 6
    U = rng.normal(size=(rows, columns))
    U[:2, :2] = 0.5  # a tie of four
    U[2:, 2:4] = [[-1.0, 0.25], [0.25, -2.0]]  # a tie of two
    return U, rng.normal(size=(rows // 2, columns // 2))


def _route(U: Array, du: Array) -> Array:
    pool = MaxPool((1, *U.shape), 2)
    return np.asarray(pool.route(du.ravel(), pool.winners(U.ravel())).reshape(U.shape))


def _route_by_loops(U: Array, du: Array) -> Array:
    dU = np.zeros(U.shape)
    for y, x in np.ndindex(du.shape):
        window = U[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        r, s = divmod(int(window.argmax()), 2)
        dU[2 * y + r, 2 * x + s] = du[y, x]
    return dU


def _route_at_once(U: Array, du: Array) -> Array:
    rows, columns = du.shape
    tiles = U.reshape(rows, 2, columns, 2).swapaxes(1, 2).reshape(rows, columns, 4)
    wins = np.arange(4) == tiles.argmax(axis=2)[:, :, None]
    return np.asarray((wins * du[:, :, None]).reshape(rows, columns, 2, 2).swapaxes(1, 2).reshape(U.shape))


def _to_largest(U: Array, du: Array) -> Array:
    """All that are largest in their window get the error."""
    highest = U.reshape(len(du), 2, -1, 2).max(axis=(1, 3)).repeat(2, 0).repeat(2, 1)
    return np.asarray(du.repeat(2, 0).repeat(2, 1) * (highest == U))


POOL_ERROR = Task(
    "pool_error",
    _route,
    _draw_pool,
    slips=(
        Slip(
            "to all four",
            lambda U, du: du.repeat(2, 0).repeat(2, 1),
            "Only the largest of the four has an influence on what is passed on.",
        ),
        Slip(
            "shared by all four",
            lambda U, du: du.repeat(2, 0).repeat(2, 1) / 4,
            "This is the rule of a mean over the window. With a maximum, only the largest entry gets the error.",
        ),
        Slip(
            "to all that tie",
            _to_largest,
            "If several entries are equal, only the first in reading order wins.",
        ),
        Slip(
            "to the last that ties",
            lambda U, du: _route(U[::-1, ::-1], du[::-1, ::-1])[::-1, ::-1],
            "If several entries are equal, the first in reading order wins, not the last.",
        ),
        Slip(
            "to the smallest",
            lambda U, du: _route(-U, du),
            "The winner is the largest potential of the window.",
        ),
        Slip(
            "to the largest magnitude",
            lambda U, du: _route(np.abs(U), du),
            "The winner is the largest potential, with its sign.",
        ),
        Slip(
            "wrong sign",
            lambda U, du: -_route(U, du),
            "The winner gets the error as it is.",
        ),
    ),
    forms=(_route_by_loops, _route_at_once),
)


def _draw_events(rng: np.random.Generator) -> tuple[Any, ...]:
    side, steps, n = 5, 4, 60
    x, y, p = rng.integers(side, size=n), rng.integers(side, size=n), rng.integers(2, size=n)
    t = np.sort(rng.integers(1000 * steps + 700, size=n))
    for each in (x, y, p, t):
        each[1] = each[0]  # two events in one bin
    return x, y, p, t, side, steps


def _bins(x: Array, y: Array, p: Array, t: Array, side: int, steps: int) -> Array:
    recording = np.zeros(len(t), events.EVENT)
    recording["x"], recording["y"], recording["p"], recording["t"] = x, y, p, t
    return moving_bar.frames(recording, side, steps).reshape(steps, 2, side, side)


def _bins_by_loop(x: Array, y: Array, p: Array, t: Array, side: int, steps: int) -> Array:
    counts = np.zeros((steps, 2, side, side))
    for j in range(len(t)):
        if t[j] < 1000 * steps:
            counts[t[j] // 1000, p[j], y[j], x[j]] += 1
    return counts


def _bins_by_bincount(x: Array, y: Array, p: Array, t: Array, side: int, steps: int) -> Array:
    early, shape = t < 1000 * steps, (steps, 2, side, side)
    place = np.ravel_multi_index((t[early] // 1000, p[early], y[early], x[early]), shape)
    return np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)


BIN_EVENTS = Task(
    "bin_events",
    _bins,
    _draw_events,
    slips=(
        Slip(
            "1 for any number",
            lambda *a: np.minimum(_bins(*a), 1),
            "Two events of one pixel may fall into one bin. With counts[index] += 1 NumPy adds only once for equal "
            "indices: use np.add.at, or a loop.",
        ),
        Slip(
            "x and y exchanged",
            lambda *a: _bins(*a).swapaxes(2, 3),
            "The order of the axes is step, polarity, row, column, and the row is y.",
        ),
        Slip(
            "polarities exchanged",
            lambda *a: _bins(*a)[:, ::-1],
            "Events with p = 0 belong to index 0 of the second axis.",
        ),
        Slip(
            "polarities summed",
            lambda *a: _bins(*a).sum(axis=1),
            "The two polarities are two channels of the frame.",
        ),
        Slip(
            "one frame",
            lambda *a: _bins(*a).sum(axis=0),
            "Each millisecond has a frame of its own.",
        ),
        Slip(
            "dark events subtracted",
            lambda *a: _bins(*a) * np.array([-1, 1])[:, None, None],
            "Frames count events of both polarities upwards.",
        ),
    ),
    forms=(_bins_by_loop, _bins_by_bincount),
)

TASKS = (CONV_DRIVE, CONV_GRADIENT, POOL_ERROR, BIN_EVENTS)
