"""Follow every link of a built site without a browser:  python tests/browser/walk.py SITE

prints one line of JSON: the numbers of pages, links and anchors followed, what leads nowhere, and what the browser of a
reader would fetch from another server.
"""

import json
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

APPLICATION = (
    "lite/lab",
    "lite/build",
    "lite/doc",
    "lite/extensions",
    "lite/static",
)  # programs that make their own addresses
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Reader(HTMLParser):
    """The anchors of one page, where its links lead, and what it fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "top", "__top"}
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the ids and addresses of one tag."""
        values = {name: value for name, value in attrs if value is not None}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag in FETCHED and FETCHED[tag] in values:
            self.fetched.append(values[FETCHED[tag]])
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])


@cache
def read(path: Path) -> Reader:
    """One page, parsed."""
    reader = Reader()
    reader.feed(path.read_text())
    return reader


def outside(address: str) -> bool:
    """Does an address lead to another server?"""
    return urlsplit(address).netloc != "" or urlsplit(address).scheme in ("http", "https")


def problem(site: Path, page: Path, address: str) -> str | None:
    """What is wrong with an address on a page, or None."""
    parts = urlsplit(address)
    if parts.scheme:
        return None if parts.scheme in ("data", "mailto") else "unknown scheme"
    name = unquote(parts.path)
    target = page if not name else site / name.lstrip("/") if name.startswith("/") else page.parent / name
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return "no file"
    if target.match("lite/lab/index.html"):
        (notebook,) = parse_qs(parts.query).get("path", [""])
        return None if (site / "lite" / "files" / notebook).exists() else "no notebook"
    if target.suffix == ".html" and not {parts.fragment, unquote(parts.fragment)} & read(target.resolve()).anchors:
        return "no anchor"
    return None


def pages(site: Path) -> Iterator[Path]:
    """All pages of a site but those of applications."""
    programs = [site / name for name in APPLICATION]
    for path in sorted(site.rglob("*.html")):
        if not any(path.is_relative_to(program) for program in programs):
            yield path.resolve()


def walk(site: Path) -> dict[str, object]:
    """Follow all links of a site."""
    counts = {"pages": 0, "links": 0, "anchors": 0, "outside links": 0}
    broken: list[str] = []
    fetched: list[str] = []
    for page in pages(site):
        reader = read(page)
        counts["pages"] += 1
        fetched += [f"{page.relative_to(site)}: {address}" for address in reader.fetched if outside(address)]
        for address in reader.links + reader.fetched:
            if outside(address):
                counts["outside links"] += 1
                continue
            counts["links"] += 1
            counts["anchors"] += "#" in address
            if (reason := problem(site, page, address)) is not None:
                broken.append(f"{page.relative_to(site)}: {address}: {reason}")
    return {**counts, "broken": broken, "fetched from outside": fetched}


if __name__ == "__main__":
    print(json.dumps(walk(Path(sys.argv[1]).resolve())))
