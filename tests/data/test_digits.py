import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.data import digits

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 40), st.integers(digits.LEAST_SIDE, 40))
def test_images_are_grey_bytes_on_black_and_labels_are_balanced(seed, n, side):
    images, labels = digits.generate(np.random.default_rng(seed), n, side)
    assert images.shape == (n, side, side) and labels.shape == (n,)
    assert images.dtype == labels.dtype == np.uint8
    counts = np.bincount(labels, minlength=10)
    assert counts.size == 10 and counts.max() - counts.min() <= 1
    # a line passes at most 1/2 pixel from some pixel's centre, which then has 255 (radius + 1/2 - 1/2)
    assert images.max(axis=(1, 2)).min() >= np.floor(255 * min(1, digits.RADIUS[0] * side / 28))


@given(seeds, st.integers(1, 30))
def test_the_border_stays_black(seed, n):
    images, _ = digits.generate(np.random.default_rng(seed), n)
    images[:, 1:-1, 1:-1] = 0
    assert not images.any()


def test_the_same_seed_draws_the_same_digits_and_another_one_others():
    first, again, other = (digits.generate(np.random.default_rng(seed), 30) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[1], other[1])


def test_no_two_digits_are_the_same(rng):
    images, labels = digits.generate(rng, 1000)
    assert len(np.unique(images.reshape(1000, -1), axis=0)) == 1000
    assert len(np.unique(labels[:20])) > 2  # shuffled, not sorted


def test_a_digit_is_about_20_by_20_in_28_by_28(rng):
    images, _ = digits.generate(rng, 500)
    heights, widths = ((images.any(axis) != 0).sum(1) for axis in (2, 1))
    larger = np.maximum(heights, widths)
    low, high = np.array(digits.BOX) + 2 * np.array(digits.RADIUS)  # the box of the line and the pen on both sides
    assert low - 1 <= larger.min() and larger.max() <= high + 2  # soft by half a pixel, cut into whole ones
    assert 18 < larger.mean() < 22


def test_a_pen_leaves_the_grey_of_its_distance():
    """A line from (2.5, 3.5) to (5.5, 3.5) passes through pixel centres: d is 0, 1, 2 above it and to its left."""
    start, end = np.array([[[2.5, 3.5]]]), np.array([[[5.5, 3.5]]])
    (image,) = digits.ink(start, end, np.array([1.0]), 8)
    expected = np.zeros((8, 8))
    expected[3, 2:6] = 1.0
    expected[[2, 4], 2:6] = 0.5
    expected[3, [1, 6]] = 0.5
    expected[np.ix_([2, 4], [1, 6])] = 1.5 - np.sqrt(2)  # round ends
    np.testing.assert_array_equal(image, np.rint(255 * expected))


def test_a_crossing_is_as_bright_as_its_nearest_line():
    a, b = np.array([[[1.0, 1.0]]]), np.array([[[7.0, 6.0]]])
    c, d = np.array([[[7.0, 2.0]]]), np.array([[[1.0, 5.0]]])
    radius = np.array([0.8])
    both = digits.ink(np.concatenate([a, c], 1), np.concatenate([b, d], 1), radius, 8)
    np.testing.assert_array_equal(both, np.maximum(digits.ink(a, b, radius, 8), digits.ink(c, d, radius, 8)))


def test_rounding_off_keeps_ends_and_lines_and_shortens_corners():
    corner = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]])
    once = digits.round_off(corner, 1)
    np.testing.assert_array_equal(once, [[[0, 0], [0.75, 0], [1, 0.25], [1, 1]]])
    straight = digits.round_off(np.array([[[0.0, 0.0], [1.0, 1.0]]]))
    np.testing.assert_array_equal(straight, [[[0, 0], [1, 1]]])


def test_a_larger_image_is_the_same_digits_drawn_finer():
    """Four pixels of the image of double side and one of the other differ by the softness of the pen's edge alone."""
    small, fine = (digits.generate(np.random.default_rng(4), 20, side)[0].astype(float) for side in (28, 56))
    means = fine.reshape(20, 28, 2, 28, 2).mean(axis=(2, 4))
    assert np.abs(means - small).mean() < 0.05 * 255
    assert np.corrcoef(means.ravel(), small.ravel())[0, 1] > 0.98


def accuracy_of_least_squares(n_train, n_test):
    (x, y), (x_test, y_test) = (digits.generate(np.random.default_rng(s), n) for s, n in ((1, n_train), (2, n_test)))
    flat, flat_test = (np.column_stack([i.reshape(len(i), -1) / 255, np.ones(len(i))]) for i in (x, x_test))
    W = np.linalg.lstsq(flat, np.eye(10)[y], rcond=None)[0]
    return ((flat_test @ W).argmax(1) == y_test).mean()


def test_a_linear_classifier_gets_most_digits_right_but_not_all():
    assert 0.8 < accuracy_of_least_squares(2000, 500) < 0.95  # 0.882


@pytest.mark.parametrize(
    ("n", "side", "message"),
    [
        (0, 28, "n: expected an integer >= 1, got 0"),
        (-3, 28, "n: expected an integer >= 1, got -3"),
        (2.0, 28, r"n: expected an integer >= 1, got 2\.0"),
        (True, 28, "n: expected an integer >= 1, got True"),
        (10, 7, "side: expected an integer >= 8, got 7"),
        (10, "28", "side: expected an integer >= 8, got '28'"),
    ],
)
def test_unusable_numbers_are_named(n, side, message, rng):
    with pytest.raises(InputError, match=f"^{message}$"):
        digits.generate(rng, n, side)
