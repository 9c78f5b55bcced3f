"""A run as one page of HTML: the verdict, every vector, and plots of the failures.  It needs no other file.

>>> page("A title", "<p>text</p>").splitlines()[0]
'<!doctype html>'
"""

from html import escape

from decolle_ref.oracle import badges, svg, verdict
from decolle_ref.oracle.runner import Outcome
from decolle_ref.oracle.verdict import Run

STYLE = """body { font-family: sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
pre { background: #f6f6f6; padding: .6rem; white-space: pre-wrap }
td, th { text-align: left; padding: .15rem .8rem .15rem 0 }
.fail { color: #b3261e } .pass { color: #2a7d2e } svg { max-width: 100%; height: auto }"""


def page(title: str, body: str) -> str:
    """A whole page.

    Parameters
    ----------
    title : plain text
    body : HTML

    Returns
    -------
    str
    """
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def text(run: Run) -> str:
    """The page of a run.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    str
        HTML.
    """
    title = f"DECOLLE oracle: {run.backend.name}"
    bad = [outcome for outcome in run.outcomes if run.failed(outcome)]
    parts = [f"<h1>{escape(title)}</h1>", badges.of(run), f"<pre>{escape(verdict.summary(run))}</pre>"]
    if bad:
        parts += ["<h2>Failures</h2>", *(_failure(outcome, first=outcome is bad[0]) for outcome in bad)]
    parts += ["<h2>All vectors</h2>", "<table><tr><th>vector</th><th>result</th><th>it guards against</th></tr>"]
    parts += [_row(run, outcome) for outcome in run.outcomes]
    return page(title, "\n".join([*parts, "</table>"]))


def _failure(outcome: Outcome, first: bool) -> str:
    """The report of a vector that failed and its plot; only the first one is open."""
    plot = (
        "" if outcome.course is None else f"<p>{escape(outcome.course.name)}, over time</p>{svg.plot(outcome.course)}"
    )
    opened = " open" if first else ""
    return f"<details{opened}><summary>{escape(outcome.id)}</summary><pre>{escape(str(outcome))}</pre>{plot}</details>"


def _row(run: Run, outcome: Outcome) -> str:
    style = "fail" if run.failed(outcome) else "pass" if outcome.status == "pass" else "other"
    cells = f'<td>{escape(outcome.id)}</td><td class="{style}">{outcome.status}</td><td>{escape(outcome.why)}</td>'
    return f"<tr>{cells}</tr>"
