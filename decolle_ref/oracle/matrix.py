"""Several backends in one run: read from a TOML file, and shown in one table, with a badge for each.

>>> print(markdown([Row("mine", None, "no such program")]), end="")
| backend | verdict | passed | failed | not supported | arithmetic | features | pairs |
| --- | --- | --- | --- | --- | --- | --- | --- |
| ![mine](mine.svg) mine | could not be run: no such program | | | | | | |
"""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from decolle_ref._util import store
from decolle_ref._util.check import InputError, file_name, validate_choice
from decolle_ref.oracle import backends, badges, html, runner, toml_table, verdict
from decolle_ref.oracle import profile as profiles
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.vectors import catalogue
from decolle_ref.oracle.verdict import Run

KEYS = ("backend", "program", "profile", "timeout", "expected")
COLUMNS = ("backend", "verdict", "passed", "failed", "not supported", "arithmetic", "features", "pairs")


class Row(NamedTuple):
    """One backend of the matrix.

    Parameters
    ----------
    name : of its table in the TOML file
    run : all outcomes, or None where it could not be run
    problem : why not, in one line
    """

    name: str
    run: Run | None
    problem: str = ""

    @property
    def verdict(self) -> str:
        """The verdict in a word, or why there is none."""
        return f"could not be run: {self.problem}" if self.run is None else self.run.verdict


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Read which backends to run.

    Parameters
    ----------
    path : a TOML file with one table [backends.NAME] for each: `backend` (MODULE:OBJECT, FILE.py:OBJECT or an
        installed name) or `program` (a list of words); optional `profile` (a name, a JSON file or a table), `timeout`
        (seconds, of programs) and `expected` (a file of expected failures)

    Returns
    -------
    dict of str to dict
        The keys of every backend by its name.

    Raises
    ------
    InputError
        If the file is missing or has anything else in it.
    """
    expected = "tables [backends.NAME]"
    table = toml_table.read(path, "backends", expected)
    if not table:
        raise InputError(f"{path}: expected {expected}, got none")
    for name, keys in table.items():
        file_name("name of a backend", name)
        _validate(f"{path} {name}", keys)
    return table


def _validate(where: str, keys: Any) -> None:
    if not isinstance(keys, dict) or ("backend" in keys) == ("program" in keys):
        raise InputError(f"{where}: expected either backend or program, got {keys!r}")
    for key in keys:
        validate_choice(f"{where} key", key, KEYS)
    words = keys.get("program", [keys.get("backend")])
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise InputError(f"{where}: expected a name, or a program as a list of words, got {words!r}")


def run(table: Mapping[str, Mapping[str, Any]], seed: int, only: str = "") -> Iterator[Row]:
    """Run every backend on the vectors of its profile, with one seed.

    Parameters
    ----------
    table : from `read`
    seed : of the fresh vectors
    only : a part of the ids of the vectors to run

    Yields
    ------
    Row
        One per backend; one that cannot be run does not stop the others.
    """
    for name, keys in table.items():
        try:
            backend = _backend(keys)
            expected = runner.read_expected(Path(keys["expected"])) if "expected" in keys else {}
            vectors = catalogue.select(backend.profile, seed, only)
            yield Row(name, Run(backend, tuple(runner.run(backend, vectors, expected)), seed, bool(only)))
        except InputError as problem:
            yield Row(name, None, str(problem))


def _backend(keys: Mapping[str, Any]) -> Backend:
    given = keys.get("profile")
    declared = profiles.read(Path(given)) if isinstance(given, str) else profiles.parse(given) if given else None
    if "program" in keys:
        return backends.program(keys["program"], declared, keys.get("timeout"))
    if "timeout" in keys:
        raise InputError("timeout: expected a program, got a Python object, which cannot be stopped")
    return backends.load(keys["backend"], declared)


def markdown(rows: list[Row]) -> str:
    """The table as Markdown, with badges that lie beside it as NAME.svg.

    Parameters
    ----------
    rows : from `run`

    Returns
    -------
    str
    """
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    for row in rows:
        name, *cells = (cell.replace("|", "\\|") for cell in _cells(row))
        lines.append(_line([f"![{name}]({row.name}.svg) {name}", *cells]))
    return "\n".join([*lines, "", _note(rows)]).strip() + "\n"


def _note(rows: list[Row]) -> str:
    """What was run, and when."""
    runs = [row.run for row in rows if row.run is not None]
    if not runs:
        return ""
    made, chosen = verdict.provenance(runs[0]), "Only some vectors were run. " if runs[0].selected else ""
    version = f"decolle_ref {made['decolle_ref']}, vectors version {made['vectors_version']}"
    return f"{chosen}{version}, seed {runs[0].seed}, {made['date']}."


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def page(rows: list[Row]) -> str:
    """The table as one page of HTML, with the badges in it, and every vector that did not pass everywhere.

    Parameters
    ----------
    rows : from `run`

    Returns
    -------
    str
    """
    body = ["<h1>DECOLLE oracle: backends</h1>", "<table>", _html_line("th", map(escape, COLUMNS))]
    for row in rows:
        name, *cells = map(escape, _cells(row))
        link = name if row.run is None else f'<a href="{name}/report.html">{name}</a>'
        body.append(_html_line("td", [f"{badge(row)} {link}", *cells]))
    ran = [row for row in rows if row.run is not None]
    body += ["</table>", f"<p>{escape(_note(rows))}</p>", "<h2>Vectors that did not pass everywhere</h2>", "<table>"]
    body.append(_html_line("th", ["vector", *(escape(row.name) for row in ran)]))
    status = {row.name: {x.id: x.status for x in row.run.outcomes} for row in ran if row.run is not None}
    for id in dict.fromkeys(id for ids in status.values() for id in ids):
        cells = [status[row.name].get(id, "not run") for row in ran]
        if set(cells) != {"pass"}:
            body.append(_html_line("td", [escape(id), *cells]))
    return html.page("DECOLLE oracle: backends", "\n".join([*body, "</table>"]))


def _html_line(tag: str, cells: Any) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def write_row(folder: Path, row: Row) -> None:
    """Write a backend's badge, NAME.svg, and its report as NAME/report.json and NAME/report.html.

    Parameters
    ----------
    folder : that has the table
    row : from `run`
    """
    store.write_text(folder / f"{row.name}.svg", badge(row))
    if row.run is not None:
        own = store.output_folder(folder / row.name)
        store.write_json(own / "report.json", verdict.content(row.run))
        store.write_text(own / "report.html", html.text(row.run))


def badge(row: Row) -> str:
    """The badge of a backend.

    Parameters
    ----------
    row : from `run`

    Returns
    -------
    str
        An SVG document.
    """
    return badges.badge(badges.LABEL, "could not be run", "") if row.run is None else badges.of(row.run)


def _cells(row: Row) -> list[str]:
    """The cells of COLUMNS."""
    if row.run is None:
        return [row.name, row.verdict, *[""] * (len(COLUMNS) - 2)]
    run, counts = row.run, verdict.coverage(row.run)
    failed = sum(map(run.failed, run.outcomes))
    refused = sum(outcome.status == "unsupported" for outcome in run.outcomes)
    share = [f"{counts[x]}/{counts[f'all_{x}']}" for x in ("features", "pairs")]
    return [row.name, row.verdict, str(len(run.passed)), str(failed), str(refused), badges.arithmetic(run), *share]
