"""What is said of results: which numbers they have, their mean and spread, and a table of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decolle_ref.experiments import summary
from decolle_ref.experiments.harness import Headline
from tests.support.walks import WALKS

ABOUT = {"experiment": "walks", "comparable": True, "versions": {"numpy": "2"}}
ROUNDING = 2.0**-53


def results(seed, **content):
    return {**ABOUT, "settings": {"seed": seed, "length": 5}, **content}


def sweep_results(points, **changes):
    """The results of a sweep over `length`, with one number x."""
    numbers = {length: {"x": {"values": x, **summary.statistics(x)}} for length, x in points.items()}
    rows = [
        {"settings": {"length": length}, "seeds": list(range(len(x))), "headline": numbers[length]}
        for length, x in points.items()
    ]
    varied = {"length": list(points), "seed": list(range(max(map(len, points.values()))))}
    return {**ABOUT, "varied": varied, "what": "error", "unit": "%", "points": rows} | changes


def test_numbers_are_all_numbers_and_rectangular_lists_of_them_by_their_path():
    content = {
        "error": 0.5,
        "count": 3,
        "epochs": {"loss": [1.0, 2.0], "rates": [[1, 2], [3, 4]]},
        "layers": [{"error": 1.0}, {"error": 2.0}],
        "gaps": [1.5, None],
        "text": "no number",
        "names": ["a", "b"],
        "right": True,
        "missing": None,
        "ragged": [[1, 2], [3]],
        "empty": [],
    }
    found = {path: x.tolist() for path, x in summary.numbers(results(0, **content)).items()}
    assert found == {
        "error": 0.5,
        "count": 3,
        "epochs.loss": [1.0, 2.0],
        "epochs.rates": [[1, 2], [3, 4]],
        "layers[0].error": 1.0,
        "layers[1].error": 2.0,
        "gaps[0]": 1.5,
        "ragged[0]": [1, 2],
        "ragged[1]": [3],
    }


@given(arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 3)), elements=st.floats(-1e6, 1e6)))
def test_the_spread_squared_is_the_mean_squared_difference_of_two_seeds_over_two(values):
    """Over all pairs of different seeds: it needs no mean, so it is another formula for the same number."""
    n = len(values)
    found = summary.statistics(values.tolist())
    variance = ((values[:, None] - values[None]) ** 2).sum(axis=(0, 1)) / (2 * n * (n - 1))
    size = np.abs(values).max(initial=0)
    np.testing.assert_allclose(np.square(found["spread"]), variance, rtol=64 * ROUNDING, atol=256 * ROUNDING * size**2)
    np.testing.assert_allclose(found["mean"], values.sum(axis=0) / n, rtol=0, atol=16 * ROUNDING * size)


def test_one_value_has_no_spread():
    assert summary.statistics([2.0]) == {"mean": 2.0, "spread": None}


def test_a_point_has_what_all_results_share_in_one_shape():
    a = results(0, error=1.0, curve=[1.0, 2.0], only=1.0, layers=[1.0, 2.0])
    b = results(4, error=3.0, curve=[3.0, 2.0], layers=[1.0, 2.0, 3.0])
    point = summary.point(replace(WALKS, headline=lambda r: Headline("", "", {"e": r["error"]})), [a, b])
    assert point["seeds"] == [0, 4] and set(point["numbers"]) == {"error", "curve"}
    assert point["headline"] == {"e": {"values": [1.0, 3.0], "mean": 2.0, "spread": pytest.approx(2**0.5)}}
    assert point["numbers"]["curve"]["mean"] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("content", "first"),
    (
        ({"curve": [1.0], "a": 1.0, "b": {"c": 2}, "d": 3, "e": 4}, {"a": 1.0, "b.c": 2.0, "d": 3.0}),
        ({"mse": [1.0, 2.0]}, {"mse[0]": 1.0, "mse[1]": 2.0}),
        ({"text": "none"}, {}),
    ),
)
def test_without_a_headline_the_first_numbers_come_first(content, first):
    assert summary.headline(WALKS, results(0, **content)).numbers == first


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    (
        (9.123, 1.234, "9.1 +- 1.2"),
        (0.010236, 0.0035, "0.0102 +- 0.0035"),
        (1234.5, 210.0, "1234 +- 210"),
        (1.5e9, 2e7, "1.5e+09 +- 2.0e+07"),
        (2e-9, 1e-9, "2e-09 +- 1.0e-09"),
        (0.12345678, None, "0.1235"),
        (100.0, 0.0, "100 +- 0"),
    ),
)
def test_a_mean_is_written_as_finely_as_its_spread(mean, spread, text):
    assert summary.with_spread(mean, spread) == text


def test_the_table_has_a_row_for_every_point_and_a_gap_where_one_has_no_such_number():
    several = sweep_results({5: [1.0, 3.0], 8: [7.0]})
    assert summary.table(several).splitlines() == [
        "walks, error (%): mean +- standard deviation over the seeds",
        "",
        "| length | seeds | x |",
        "| --- | --- | --- |",
        "| 5 | 2 | 2.0 +- 1.4 |",
        "| 8 | 1 | 7 |",
    ]
    several["points"][1]["headline"] = {}
    assert summary.table(several).endswith("| 8 | 1 |  |")


def test_the_line_of_a_sweep_says_mean_and_spread_or_where_the_extremes_are():
    line = summary.sweep_line(sweep_results({5: [1.0, 3.0]}))
    assert line == "walks: 2 seeds, error x 2.0 +- 1.4 %"
    line = summary.sweep_line(sweep_results({5: [1.0, 3.0], 8: [6.0, 8.0], 9: [4.0, 4.0]}, comparable=False))
    extremes = "x 2.0 +- 1.4 % (length 5) to 7.0 +- 1.4 % (length 8)"
    assert line == f"walks: 3 points of 2 seeds, error {extremes} (quick: not comparable)"
