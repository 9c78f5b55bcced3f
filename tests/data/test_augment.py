import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.data.augment import mirrored, shifted


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_a_shifted_image_is_the_image_rolled_with_zeros_from_outside(most, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 256, (4, 3, 5, 6)).astype(np.uint8)
    for image, moved in zip(images, shifted(rng, images, most), strict=True):
        fits = []
        for down in range(-most, most + 1):
            for right in range(-most, most + 1):
                expected = np.zeros_like(image)
                rows, columns = slice(max(0, down), 5 + min(0, down)), slice(max(0, right), 6 + min(0, right))
                from_rows, from_columns = (
                    slice(max(0, -down), 5 - max(0, down)),
                    slice(max(0, -right), 6 - max(0, right)),
                )
                expected[:, rows, columns] = image[:, from_rows, from_columns]
                fits.append((expected == moved).all())
        assert any(fits)


def test_all_shifts_are_equally_likely_and_no_shift_changes_nothing():
    images = np.zeros((9000, 1, 3, 3), np.uint8)
    images[:, 0, 1, 1] = 1
    moved = shifted(np.random.default_rng(0), images, 1)
    counts = moved.sum(axis=0, dtype=int).ravel()
    assert counts.sum() == 9000 and abs(counts - 1000).max() < 5 * np.sqrt(1000)
    np.testing.assert_array_equal(shifted(np.random.default_rng(0), images, 0), images)
    with pytest.raises(InputError, match="shift: expected an integer >= 0, got -1"):
        shifted(np.random.default_rng(0), images, -1)


def test_half_of_the_images_are_mirrored_left_to_right():
    images = np.arange(1000 * 12).reshape(1000, 1, 3, 4)
    result = mirrored(np.random.default_rng(0), images)
    flipped = (result == images[..., ::-1]).all(axis=(1, 2, 3))
    assert ((result == images).all(axis=(1, 2, 3)) ^ flipped).all() and abs(flipped.sum() - 500) < 5 * np.sqrt(250)
