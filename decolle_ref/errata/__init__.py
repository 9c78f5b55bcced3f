"""Executable errata: misprints and open points found in the three papers, each with a check that proves it.

The printed form (of an open point: one of its readings) fails its check, and the form that is meant passes.  The
second calls this package's own functions wherever there are any, so that the check guards the package as well.

Read `entry` first, then `decolle` [K20], `review_neuron`, `review_gradients`, `review_superspike`, `review_spiketime`
[N19] and `spikegrad` [T19], which hold one `Erratum` per entry.  Public: `ERRATA` lists all entries, `table` and `page`
print them, `write_page` writes docs/errata.md.

>>> entry = ERRATA[0]
>>> entry.tag, entry.title
('K20 Eq. 1 (R)', 'whose spikes make a neuron refractory')
>>> printed, meant = entry.check()
>>> printed > entry.tolerance >= meant
True
"""

import textwrap
from pathlib import Path

from decolle_ref._util import store
from decolle_ref.errata import decolle, review_gradients, review_neuron, review_spiketime, review_superspike, spikegrad
from decolle_ref.errata.entry import Erratum

__all__ = ["ERRATA", "Erratum", "page", "table", "write_page"]

_PAPERS = (decolle, review_neuron, review_gradients, review_superspike, review_spiketime, spikegrad)
ERRATA: tuple[Erratum, ...] = sum((module.ENTRIES for module in _PAPERS), ())

INTRO = """\
# Errata, executable

This page lists the places that were found where the three papers cannot be followed to the letter: misprints, and open
points that have two readings. There may be others. Each has a check. The printed form (or the first reading) fails it,
and the form that is meant (or the other reading) passes; `decolle-ref errata` measures both numbers again.

K20 is Kaiser, Mostafa, Neftci (arXiv:1811.10766, numbering of the preprint), N19 is Neftci, Mostafa, Zenke
(arXiv:1901.09948), and T19 is Thiele, Bichler, Dupret (arXiv:1906.00851).

All three were read in copies that a machine made of the papers, and were not compared with the papers' own pages.
"Printed" means printed in the copy: some misprints, such as a lost point or a wrong index, may be the copy's and not
the paper's. The checks show that the printed form is wrong, not who made the mistake. The copy of T19 has no formulas,
so its entries are points that the words leave open.
"""


def table() -> str:
    """One line per erratum: tag, kind, error of the printed form, error of the form that is meant, title.

    Returns
    -------
    lines of text, the first of which names the columns
    """
    head = ("where", "what", "printed", "meant", "title")
    rows = [head, *((e.tag, e.kind, *_numbers(e), e.title) for e in ERRATA)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def page() -> str:
    """The page docs/errata.md: every erratum with its two forms, the reason and both numbers.

    Returns
    -------
    Markdown
    """
    return "\n".join([INTRO, *map(_section, ERRATA)])


def write_page(path: str | Path) -> None:
    """Write the page to a file.

    Parameters
    ----------
    path : of the file
    """
    store.write_text(Path(path), page())


def _section(e: Erratum) -> str:
    first, second = ("printed", "meant") if e.kind == "misprint" else ("one reading", "the other")
    printed, meant = _numbers(e)
    return (
        f"## {e.tag}: {e.title}\n\n"
        f"{_indented(first, e.printed)}\n{_indented(second, e.meant)}\n\n"
        f"{_filled(f'{e.kind.capitalize()}. {e.why}')}\n\n"
        f"{_filled(e.measures)}\n{first.capitalize()}: **{printed}**; {second}: **{meant}**.\n"
    )


def _indented(label: str, formula: str) -> str:
    """`    label    formula`, with further lines of the formula below its first."""
    first, *further = formula.split("\n")
    return "\n".join([f"    {label:<13}{first}", *(f"{'':17}{line}" for line in further)])


def _filled(text: str) -> str:
    return textwrap.fill(text, width=118, break_long_words=False, break_on_hyphens=False)


def _numbers(e: Erratum) -> tuple[str, str]:
    printed, meant = e.check()
    return e.show(printed), e.show(meant)
