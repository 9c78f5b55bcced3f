"""A plot of the first failure over time, as a picture (SVG) within a page; no library is needed.

Above: what was got, and what was expected.  Below: their difference, with the bound as a band.

>>> course = Course("layer 1, b[0]", 1, np.array([1.0, 3.0]), np.ones(2), np.full(2, 0.5))
>>> plot(course).count("<polyline")
3
"""

from html import escape

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.course import Course

WIDTH, HEIGHT, LEFT, GAP = 720, 150, 80, 34  # pixels: of one panel, its left margin, and the space between panels
BAND, GOT, EXPECTED, MARK = "#c9dcef", "#b3261e", "#1f5fa8", "#777"


def plot(course: Course) -> str:
    """The plot of a course.

    Parameters
    ----------
    course : from `course.of`

    Returns
    -------
    str
        An svg element.  Numbers that are not finite are left out.
    """
    with np.errstate(all="ignore"):
        off = course.got - course.expected
    above = _panel(course, 0, "got and expected", [(course.expected, EXPECTED), (course.got, GOT)], None)
    below = _panel(course, HEIGHT + GAP, "got - expected", [(off, GOT)], course.bound)
    legend = (
        f'<text x="{LEFT}" y="12" fill="{GOT}">got</text><text x="{LEFT + 40}" y="12" fill="{EXPECTED}">expected</text>'
        f'<text x="{LEFT + 110}" y="12" fill="{MARK}">step {course.step} fails; the band is the bound</text>'
    )
    size = f'width="{LEFT + WIDTH + 20}" height="{2 * (HEIGHT + GAP) + 20}"'
    name, font = escape(course.name), 'font-size="12" font-family="sans-serif"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{name} over time" {font}>'
        f'<title>{name}</title>{legend}<g transform="translate(0 20)">{above}{below}</g></svg>'
    )


def _panel(course: Course, top: float, title: str, lines: list[tuple[Array, str]], bound: Array | None) -> str:
    """One panel: lines over the steps, and a band around 0."""
    band = [] if bound is None else [bound, -bound]
    x, (low, high) = _x(len(course.got)), _limits([*(values for values, _ in lines), *band])

    def y(values: Array) -> Array:
        return np.asarray(top + HEIGHT * ((high / 2 - values / 2) / (high / 2 - low / 2)))  # high - low may overflow

    parts = [f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>']
    if bound is not None and np.isfinite(bound).all():
        around = _points(np.concatenate([x, x[::-1]]), y(np.concatenate([bound, -bound[::-1]])))
        parts.append(f'<polygon points="{around}" fill="{BAND}" stroke="{BAND}"/>')
    at, bottom = f"{x[course.step]:.1f}", top + HEIGHT
    parts.append(f'<line x1="{at}" x2="{at}" y1="{top}" y2="{bottom}" stroke="{MARK}" stroke-dasharray="4"/>')
    for values, colour in lines:
        finite = np.isfinite(values)
        points = _points(x[finite], y(values[finite]))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    parts += [_text(LEFT - 6, place, f"{value:.4g}", "end") for value, place in ((high, top + 10), (low, bottom))]
    below = ((LEFT, "0", "start"), (LEFT + WIDTH / 2, title, "middle"), (LEFT + WIDTH, f"step {len(x) - 1}", "end"))
    return "".join([*parts, *(_text(place, bottom + 14, words, anchor) for place, words, anchor in below)])


def _x(steps: int) -> Array:
    return np.asarray(LEFT + WIDTH * np.arange(steps) / max(steps - 1, 1))


def _limits(series: list[Array]) -> tuple[float, float]:
    """The smallest and the largest finite number; around it where there is only one."""
    values = np.concatenate(series)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return (low, high) if high / 2 > low / 2 else (low - 1, high + 1)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def _points(x: Array, y: Array) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
