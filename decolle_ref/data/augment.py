"""Random variants of images for training: shifted, and mirrored.

>>> image = np.arange(1, 10).reshape(1, 1, 3, 3)
>>> shifted(np.random.default_rng(3), image, 1)[0, 0]
array([[0, 4, 5],
       [0, 7, 8],
       [0, 0, 0]])
>>> mirrored(np.random.default_rng(0), image)[0, 0]
array([[1, 2, 3],
       [4, 5, 6],
       [7, 8, 9]])
"""

import numpy as np

from decolle_ref._util.check import Array, count

__all__ = ["mirrored", "shifted"]


def shifted(rng: np.random.Generator, images: Array, most: int) -> Array:
    """Shift every image by its own whole numbers of pixels, from -most to most along each side.

    Parameters
    ----------
    rng
        Source of the random numbers.
    images
        (n, channels, height, width).
    most
        The largest shift in pixels, at least 0.

    Returns
    -------
    array
        Of the same shape and dtype; pixels from outside the image are 0.

    Raises
    ------
    InputError
        For a negative shift.
    """
    count("shift", most, 0)
    n, channels, *sides = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (most, most), (most, most)))
    start = rng.integers(0, 2 * most + 1, (2, n))
    rows, columns = (first[:, None] + np.arange(side) for first, side in zip(start, sides, strict=True))
    channel = np.arange(channels)[:, None, None]
    result: Array = padded[np.arange(n)[:, None, None, None], channel, rows[:, None, :, None], columns[:, None, None]]
    return result


def mirrored(rng: np.random.Generator, images: Array) -> Array:
    """Mirror every image left to right with probability 1/2.

    Parameters
    ----------
    rng
        Source of the random numbers.
    images
        (n, channels, height, width).

    Returns
    -------
    array
        Of the same shape and dtype.
    """
    flips = rng.random(len(images)) < 0.5
    return np.where(flips[:, None, None, None], images[..., ::-1], images)
