"""The page docs/coverage.md: which two features meet in which vector.

>>> cell(7), cell(None)
('07', '··')
"""

from collections.abc import Iterator

from decolle_ref.oracle.vectors import release
from decolle_ref.oracle.vectors.features import (
    FACTORS,
    FEATURES,
    IMPOSSIBLE,
    Feature,
    Pair,
    by_layer,
    pairs_of,
    possible_pairs,
)
from decolle_ref.oracle.vectors.pairs import PLAIN, pairs
from decolle_ref.oracle.vectors.properties import Vector

HEAD = """# Which features meet in which vector

Many mistakes show only where two features of a case meet: a pool and a regulariser, a given state and a burn-in. The
vectors `pairs-01` to `pairs-{count:02}` are chosen so that **every two features that can meet do so in at least one of
them** ({pairs:,} pairs; vectors version {version}). The other vectors of `decolle-ref oracle list`, and the fresh cases
of each run, meet many of these pairs again. This page is written by `decolle-ref oracle coverage > docs/coverage.md`.

Two features meet in a vector if one of its layers has both; features of the whole case count for each of its layers.

## The features

Each has a number, by which the table below knows it.

| factor | number and value |
| --- | --- |
"""
TABLE = """
## Where they meet

Row and column are the numbers of two features, and the entry is the number of the first vector in which they meet: 07
is `pairs-07`. Two dots stand for two features that cannot meet.

```text
"""
REASONS = """```

## What cannot meet

| features | why |
| --- | --- |
"""
VECTORS = """
## The vectors

Those from the first to `pairs-{plain:02}` need no exp, no regulariser and no beta1, so that fixed point can run them.

| vector | steps | features |
| --- | --- | --- |
"""


def page() -> str:
    """The whole page.

    Returns
    -------
    str
    """
    vectors = list(pairs("float64"))
    first = where(vectors)
    head = HEAD.format(count=len(vectors), pairs=len(possible_pairs()), version=release.VERSION)
    parts = [head, *_features(), TABLE, *_matrix(first), REASONS, *_reasons(), VECTORS.format(plain=len(PLAIN))]
    return "".join([*parts, *map(_vector, vectors)])


def where(vectors: list[Vector]) -> dict[Pair, int]:
    """The number, from 1, of the first vector in which two features meet.

    Parameters
    ----------
    vectors : the vectors

    Returns
    -------
    dict of pair of features to int
    """
    first: dict[Pair, int] = {}
    for number, vector in enumerate(vectors, start=1):
        for pair in pairs_of(by_layer(vector.about, vector.arrays)):
            first.setdefault(pair, number)
    return first


def cell(number: int | None) -> str:
    """An entry of the table.

    Parameters
    ----------
    number : of a vector, or None

    Returns
    -------
    str
    """
    return "··" if number is None else f"{number:02}"


def _number(feature: Feature) -> str:
    return f"{FEATURES.index(feature) + 1:02}"


def _features() -> Iterator[str]:
    for factor, values in FACTORS.items():
        yield f"| {factor} | {', '.join(f'{_number((factor, value))} {value}' for value in values)} |\n"


def _matrix(first: dict[Pair, int]) -> Iterator[str]:
    """A triangle: each feature with those before it that belong to another factor."""
    numbers = [_number(feature) for feature in FEATURES]
    yield "   | " + " ".join(numbers[: -len(FACTORS["n_out"])]) + "\n"
    for k, feature in enumerate(FEATURES):
        before = [other for other in FEATURES[:k] if other[0] != feature[0]]
        if before:
            yield f"{numbers[k]} | " + " ".join(cell(first.get((other, feature))) for other in before) + "\n"


def _reasons() -> Iterator[str]:
    for factor, value, other, other_value, why in IMPOSSIBLE:
        what = other if other_value == "*" else f"{other} {other_value}"
        yield f"| {factor} {value}, {what} | {why} |\n"


def _vector(vector: Vector) -> str:
    words = vector.why.partition("here ")[2]
    return f"| `{vector.id}` | {vector.about['steps']} | {words} |\n"
