"""Generated digits: strokes of a pen in place of MNIST where its files are absent.  White on black, no files needed.

A digit is written in four steps: the corners of its strokes are moved a little, the pen cuts the corners, the whole is
slanted, turned and fitted to a box, and every pixel takes its grey value from its distance d to the nearest segment,

    grey = 255 clip(radius + 1/2 - d, 0, 1)         radius and d in pixels.

Made to look like MNIST, but results on the two do not compare.
"""

import numpy as np

from decolle_ref._util.check import Array, count

# Two ways to write each digit: strokes, parted by "/", of corners x,y in hundredths, y pointing down.  Where a stroke
# begins at the end of another the pen turns sharply.
DIGITS = (
    (
        "55,0 20,0 5,50 20,100 75,100 95,50 80,0 45,0",
        "70,12 45,-5 15,30 15,105 70,105 85,40 70,0 40,5",
    ),
    (
        "52,0 50,50 48,100",
        "25,25 40,18 52,0 / 52,0 52,100",
    ),
    (
        "15,28 20,0 85,-5 90,35 10,100 / 10,100 50,94 92,98",
        "15,22 30,-2 90,0 80,50 40,105 5,100 10,72 50,85 95,100",
    ),
    (
        "15,12 40,-5 90,0 85,42 40,47 / 40,47 95,48 100,100 40,105 10,88",
        "15,2 80,0 / 80,0 45,40 / 45,40 95,40 95,102 40,105 10,90",
    ),
    (
        "25,0 12,58 / 12,58 50,56 92,54 / 72,10 66,60 66,100",
        "65,0 8,66 / 8,66 92,64 / 65,0 65,100",
    ),
    (
        "25,2 85,0 / 25,2 20,45 / 20,45 50,32 95,42 92,102 40,105 10,90",
        "90,0 60,2 40,5 / 40,5 30,42 / 30,42 85,45 85,95 40,105 5,100",
    ),
    (
        "72,0 35,12 8,60 15,103 75,108 90,60 55,45 20,60 14,80",
        "45,0 25,30 12,70 20,105 65,105 80,75 60,55 30,65 20,85",
    ),
    (
        "12,6 50,3 88,2 / 88,2 60,45 42,100",
        "10,5 85,0 / 85,0 60,40 40,100 / 30,52 80,48",
    ),
    (
        "80,15 50,-8 8,10 25,42 80,60 92,98 50,110 8,98 20,62 75,42 85,15",
        "50,0 15,0 12,48 80,50 85,0 45,0 / 50,47 10,48 2,103 92,103 90,47 45,47",
    ),
    (
        "82,10 45,-8 8,15 20,55 65,52 82,15 / 82,10 80,50 70,100",
        "75,5 40,-5 12,20 25,52 70,45 80,5 / 80,5 88,60 75,108 20,98",
    ),
)

# How much the writing varies.  Deviations:
CORNER = 0.035  # of a corner, in unit squares
SLANT = (0.12, 0.16)  # (mean, deviation) of the tangent: most hands lean to the right
TURN = 0.1  # radians
# (lowest, highest):
WIDTH = (0.7, 1.05)  # of the digit, before it is fitted to its box
# In pixels of an image of 28 x 28.  Half a box, a radius and a move stay within the 13 pixels that have no border.
BOX, RADIUS, MOVE = (15.5, 18.5), (0.8, 1.6), (-1.2, 1.2)
LEAST_SIDE = 8  # below this no digit can be told from another


def generate(rng: np.random.Generator, n: int, side: int = 28) -> tuple[Array, Array]:
    """(images (n, side, side) in 0..255, labels (n,) in 0..9), uint8, every digit equally often (+- 1), shuffled.

    Raises InputError if n is not an integer >= 1 or side not an integer >= 8.
    """
    count("n", n)
    count("side", side, LEAST_SIDE)
    labels: Array = rng.permutation(np.arange(n) % 10).astype(np.uint8)
    way = rng.integers(2, size=n)
    images = np.empty((n, side, side), np.uint8)
    for digit, k in np.ndindex(10, 2):
        chosen = np.flatnonzero((labels == digit) & (way == k))
        start, end = place(rng, *write(rng, DIGITS[digit][k], len(chosen)))
        radius = rng.uniform(*RADIUS, len(chosen))
        zoom = side / 28
        images[chosen] = ink(zoom * start, zoom * end, zoom * radius, side)
    return images, labels


def write(rng: np.random.Generator, way: str, n: int) -> tuple[Array, Array]:
    """(start, end) of the segments of n digits, each (n, segments, 2), in unit squares."""
    corners = [np.array([c.split(",") for c in stroke.split()], float) / 100 for stroke in way.split("/")]
    lines = [round_off(c + rng.normal(0, CORNER, (n, *c.shape))) for c in corners]
    return np.concatenate([x[:, :-1] for x in lines], 1), np.concatenate([x[:, 1:] for x in lines], 1)


def round_off(corners: Array, times: int = 2) -> Array:
    """Lines (n, points, 2) with every inner corner cut off, twice: close to a quadratic B-spline (Chaikin)."""
    for _ in range(times):
        before, here, after = corners[:, :-2], corners[:, 1:-1], corners[:, 2:]
        cut = np.stack([(before + 3 * here) / 4, (3 * here + after) / 4], 2).reshape(len(here), 2 * here.shape[1], 2)
        corners = np.concatenate([corners[:, :1], cut, corners[:, -1:]], 1)
    return corners


def place(rng: np.random.Generator, start: Array, end: Array) -> tuple[Array, Array]:
    """The same segments slanted, turned and fitted to a box near the middle, in pixels of an image of 28 x 28."""
    n = len(start)
    slant, turn, width = rng.normal(*SLANT, n), rng.normal(0, TURN, n), rng.uniform(*WIDTH, n)
    across = np.stack([width * np.cos(turn), width * np.sin(turn)], 1)[:, None]  # where (1, 0) goes
    down = np.stack([-slant - np.sin(turn), np.cos(turn)], 1)[:, None]  # and (0, 1)
    first, last = (x[..., :1] * across + x[..., 1:] * down for x in (start, end))
    low, high = np.minimum(first, last).min(1, keepdims=True), np.maximum(first, last).max(1, keepdims=True)
    scale = rng.uniform(*BOX, (n, 1, 1)) / (high - low).max(2, keepdims=True)
    shift = 14 + rng.uniform(*MOVE, (n, 1, 2)) - scale * (low + high) / 2
    return first * scale + shift, last * scale + shift


def ink(start: Array, end: Array, radius: Array, side: int) -> Array:
    """Grey values (n, side, side), uint8, of a pen of `radius` (n,) along n times the same number of segments.

    The point of a segment nearest to p is start + t (end - start), where with d = end - start
    t = clip((p - start).d / |d|^2, 0, 1).
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
