"""Generated digits, white on black: they replace MNIST where its files are absent.

A digit is written in four steps.  The corners of its strokes are moved at random; the corners are rounded off; the
strokes are slanted, turned and fitted to a box; and every pixel takes its grey value from its distance d to the nearest
segment,

    grey = 255 clip(radius + 1/2 - d, 0, 1)         radius and d in pixels.

The digits look like MNIST, but results on the two cannot be compared.

>>> images, labels = generate(np.random.default_rng(0), 20)
>>> images.shape, np.bincount(labels).tolist()
((20, 28, 28), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
"""

import numpy as np

from decolle_ref._util.check import Array, count

# Two ways to write each digit, from 0 to 9.  Strokes are separated by "/" and consist of corners x,y in hundredths; y
# points down.  A stroke that begins where another ends makes a sharp corner, which is not rounded off.
STROKES = (
    "55,0 20,0 5,50 20,100 75,100 95,50 80,0 45,0",  # 0
    "70,12 45,-5 15,30 15,105 70,105 85,40 70,0 40,5",
    "52,0 50,50 48,100",  # 1
    "25,25 40,18 52,0 / 52,0 52,100",
    "15,28 20,0 85,-5 90,35 10,100 / 10,100 50,94 92,98",  # 2
    "15,22 30,-2 90,0 80,50 40,105 5,100 10,72 50,85 95,100",
    "15,12 40,-5 90,0 85,42 40,47 / 40,47 95,48 100,100 40,105 10,88",  # 3
    "15,2 80,0 / 80,0 45,40 / 45,40 95,40 95,102 40,105 10,90",
    "25,0 12,58 / 12,58 50,56 92,54 / 72,10 66,60 66,100",  # 4
    "65,0 8,66 / 8,66 92,64 / 65,0 65,100",
    "25,2 85,0 / 25,2 20,45 / 20,45 50,32 95,42 92,102 40,105 10,90",  # 5
    "90,0 60,2 40,5 / 40,5 30,42 / 30,42 85,45 85,95 40,105 5,100",
    "72,0 35,12 8,60 15,103 75,108 90,60 55,45 20,60 14,80",  # 6
    "45,0 25,30 12,70 20,105 65,105 80,75 60,55 30,65 20,85",
    "12,6 50,3 88,2 / 88,2 60,45 42,100",  # 7
    "10,5 85,0 / 85,0 60,40 40,100 / 30,52 80,48",
    "80,15 50,-8 8,10 25,42 80,60 92,98 50,110 8,98 20,62 75,42 85,15",  # 8
    "50,0 15,0 12,48 80,50 85,0 45,0 / 50,47 10,48 2,103 92,103 90,47 45,47",
    "82,10 45,-8 8,15 20,55 65,52 82,15 / 82,10 80,50 70,100",  # 9
    "75,5 40,-5 12,20 25,52 70,45 80,5 / 80,5 88,60 75,108 20,98",
)

CORNER = 0.035  # standard deviation of a corner, in unit squares
SLANT = (0.12, 0.16)  # mean and standard deviation of the tangent: most writers slant to the right
TURN = 0.1  # standard deviation of the rotation, in radians
WIDTH = (0.7, 1.05)  # lowest and highest width of the digit, before it is fitted to its box
# Lowest and highest side of the box, radius of the pen and shift, in pixels of an image of 28 x 28.  Half a box, a
# radius and a shift add up to less than 13 pixels, so that the border stays black.
BOX, RADIUS, MOVE = (15.5, 18.5), (0.8, 1.6), (-1.2, 1.2)
LEAST_SIDE = 8  # in smaller images the digits cannot be distinguished


def generate(rng: np.random.Generator, n: int, side: int = 28) -> tuple[Array, Array]:
    """Images of digits in random order; each digit occurs equally often, give or take one.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Number of images, at least 1.
    side : int
        Height and width of an image in pixels, at least 8.

    Returns
    -------
    images : array of uint8, (n, side, side)
        Grey values 0 to 255.
    labels : array of uint8, (n,)
        0 to 9.

    Raises
    ------
    InputError
        If n or side is too small or not an integer.
    """
    count("n", n)
    count("side", side, LEAST_SIDE)
    labels: Array = rng.permutation(np.arange(n) % 10).astype(np.uint8)
    way = rng.integers(2, size=n)
    images = np.empty((n, side, side), np.uint8)
    for digit, k in np.ndindex(10, 2):
        chosen = np.flatnonzero((labels == digit) & (way == k))
        start, end = _place(rng, *_write(rng, STROKES[2 * digit + k], len(chosen)))
        radius = rng.uniform(*RADIUS, len(chosen))
        zoom = side / 28
        images[chosen] = ink(zoom * start, zoom * end, zoom * radius, side)
    return images, labels


def _write(rng: np.random.Generator, way: str, n: int) -> tuple[Array, Array]:
    """(start, end) of the segments of n digits, each (n, segments, 2), in unit squares."""
    corners = [np.array([c.split(",") for c in stroke.split()], float) / 100 for stroke in way.split("/")]
    lines = [round_off(c + rng.normal(0, CORNER, (n, *c.shape))) for c in corners]
    return np.concatenate([x[:, :-1] for x in lines], 1), np.concatenate([x[:, 1:] for x in lines], 1)


def round_off(corners: Array, times: int = 2) -> Array:
    """Lines with every inner corner cut off, which approaches a quadratic B-spline (Chaikin's algorithm).

    Parameters
    ----------
    corners : array, (n, points, 2)
    times : int
        How often the corners are cut.

    Returns
    -------
    array, (n, more points, 2)
    """
    for _ in range(times):
        before, here, after = corners[:, :-2], corners[:, 1:-1], corners[:, 2:]
        cut = np.stack([(before + 3 * here) / 4, (3 * here + after) / 4], 2).reshape(len(here), 2 * here.shape[1], 2)
        corners = np.concatenate([corners[:, :1], cut, corners[:, -1:]], 1)
    return corners


def _place(rng: np.random.Generator, start: Array, end: Array) -> tuple[Array, Array]:
    """The segments slanted, turned and fitted to a box near the middle, in pixels of an image of 28 x 28."""
    n = len(start)
    slant, turn, width = rng.normal(*SLANT, n), rng.normal(0, TURN, n), rng.uniform(*WIDTH, n)
    across = np.stack([width * np.cos(turn), width * np.sin(turn)], 1)[:, None]  # the image of (1, 0)
    down = np.stack([-slant - np.sin(turn), np.cos(turn)], 1)[:, None]  # the image of (0, 1)
    first, last = (x[..., :1] * across + x[..., 1:] * down for x in (start, end))
    low, high = np.minimum(first, last).min(1, keepdims=True), np.maximum(first, last).max(1, keepdims=True)
    scale = rng.uniform(*BOX, (n, 1, 1)) / (high - low).max(2, keepdims=True)
    shift = 14 + rng.uniform(*MOVE, (n, 1, 2)) - scale * (low + high) / 2
    return first * scale + shift, last * scale + shift


def ink(start: Array, end: Array, radius: Array, side: int) -> Array:
    """Grey values of n drawings.  The point of a segment that is nearest to a pixel's centre p is start + t d, where

        d = end - start        t = clip((p - start).d / |d|^2, 0, 1)

    Parameters
    ----------
    start, end : array, (n, segments, 2)
        x and y of the ends of the segments, in pixels.
    radius : array, (n,)
        Radius of the pen, in pixels.
    side : int
        Height and width of an image in pixels.

    Returns
    -------
    array of uint8, (n, side, side)
    """
    pixel = np.arange(side, dtype=np.float32) + np.float32(0.5)
    nearest = np.full((len(start), side, side), np.inf, np.float32)
    for a, d in zip(start.swapaxes(0, 1), (end - start).swapaxes(0, 1), strict=True):
        (ax, ay), (dx, dy) = a.T.astype(np.float32)[:, :, None, None], d.T.astype(np.float32)[:, :, None, None]
        x, y = pixel - ax, pixel[:, None] - ay  # (n, 1, side), (n, side, 1): the grid is their sum
        t = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
        np.minimum(nearest, (x - t * dx) ** 2 + (y - t * dy) ** 2, out=nearest)
    grey = np.clip(radius[:, None, None] + 0.5 - np.sqrt(nearest), 0, 1)
    return np.rint(255 * grey).astype(np.uint8)
