"""A badge: a small picture (SVG) with a label and a message, for a page or a README.

>>> badge("DECOLLE", "passed", "passed").startswith('<svg xmlns="http://www.w3.org/2000/svg" width="')
True
"""

from html import escape

from decolle_ref.oracle.verdict import Run

COLOURS = {"passed": "#2a7d2e", "not covered": "#9a6700", "failed": "#b3261e"}
GREY = "#555"
LABEL = "DECOLLE"
PER_CHARACTER, MARGIN, HEIGHT = 6.6, 12, 20  # pixels


def of(run: Run) -> str:
    """The badge of a run: its verdict, how many vectors passed, and in which arithmetic.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    str
        An SVG document.
    """
    return badge(LABEL, f"{run.verdict} {len(run.passed)}/{len(run.outcomes)} {arithmetic(run)}", run.verdict)


def arithmetic(run: Run) -> str:
    """The number format and the level of a run, in short.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    str
        Such as "float32 L2".
    """
    profile = run.backend.profile
    number_format = f"Q{profile.integer_bits}.{profile.fraction_bits}" if profile.fixed else profile.format
    return f"{number_format} {profile.level}"


def badge(label: str, message: str, verdict: str) -> str:
    """A badge.

    Parameters
    ----------
    label, message : its left and its right text
    verdict : a key of COLOURS; anything else is grey

    Returns
    -------
    str
        An SVG document.
    """
    widths = [round(PER_CHARACTER * len(part)) + MARGIN for part in (label, message)]
    whole, name, colour = sum(widths), escape(f"{label}: {message}"), COLOURS.get(verdict, GREY)
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{width - MARGIN}">{escape(part)}</text>'
        for x, width, part in zip((MARGIN / 2, widths[0] + MARGIN / 2), widths, (label, message), strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" role="img" aria-label="{name}">'
        f'<title>{name}</title><rect width="{widths[0]}" height="{HEIGHT}" fill="#333"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="{HEIGHT}" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    )
