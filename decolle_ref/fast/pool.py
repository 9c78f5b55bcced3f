"""Pooling on arrays whose last axis is the batch.  Tested against `MaxPool` through the networks that use it.

>>> import numpy as np
>>> u = np.empty((1, 1))
>>> window_maxima(window_views(np.array([[3.0], [1.0], [4.0], [1.0]]), (1, 1, 2, 1, 2, 1)), u)
>>> u
array([[4.]])
"""

import numpy as np

from decolle_ref._util.check import Array

__all__ = ["route", "window_maxima", "window_views"]


def window_views(x: Array, windows: tuple[int, ...]) -> list[Array]:
    """x as one view for each place of the pooling window, in reading order.

    Parameters
    ----------
    x
        Contiguous, (channels x height x width, batch) or any shape with this order.
    windows
        (channels, rows, size, columns, size, batch), where there are rows x columns windows of size x size.

    Returns
    -------
    list of arrays
        size^2 views of x, (channels, rows, columns, batch) each.
    """
    tiles = x.reshape(windows)
    return [tiles[:, :, r, :, s] for r, s in np.ndindex(windows[2], windows[4])]


def window_maxima(views: list[Array], u: Array) -> None:
    """Write the entry of every window that `MaxPool.winners` picks into u.

    Parameters
    ----------
    views
        `window_views` of the potentials, at least two.
    u
        Output, (channels x rows x columns, batch).
    """
    first, second, *others = views
    u = u.reshape(first.shape)
    np.maximum(first, second, out=u)
    for other in others:
        np.maximum(u, other, out=u)


def route(views: list[Array], u: Array, du: Array, dU: list[Array], free: Array, wins: Array) -> None:
    """`MaxPool.route`: the gradient of each window goes to its largest entry, at ties to the first; 0 to the others.

    Parameters
    ----------
    views, u
        `window_views` of the potentials, at least two, and their `window_maxima`.
    du
        Gradient with respect to u, of its shape.
    dU
        Output: `window_views` of the gradient with respect to the potentials.
    free, wins
        Booleans of the size of u, overwritten.
    """
    u, du, free, wins = (x.reshape(views[0].shape) for x in (u, du, free, wins))
    free[...] = True
    for view, gradient in zip(views[:-1], dU[:-1], strict=True):
        np.equal(view, u, out=wins)
        wins &= free
        free ^= wins
        np.multiply(du, wins, out=gradient)
    np.multiply(du, free, out=dU[-1])  # some entry is the largest
