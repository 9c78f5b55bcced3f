"""MkDocs' hooks: the pages that no file of docs/ makes, and links that work on the site and in the repository."""

import importlib
import importlib.util
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import links
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parents[2]
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SUPPORT.md", "CODE_OF_CONDUCT.md")
LANGUAGES = {"c": "c", "h": "c", "ipynb": "json", "json": "json", "py": "python", "v": "verilog", "vh": "verilog"}
FUNCTION = re.compile(r"^(\| \[[^|]*\| )`([\w.]+)`", re.MULTILINE)  # in the second column of the equation index
NOTHING = re.compile(r"\s*–\s*(<div class=\"doc-md-description\">)\s*(</div>)")  # a description that is not there


def modules(name: str) -> Iterator[str]:
    """The public modules from `name` on, in reading order, and every experiment that has a command."""
    module = importlib.import_module(name)
    yield name
    if hasattr(module, "__path__"):
        public = [*module.__all__, *(n.replace("-", "_") for n in getattr(module, "NAMES", ()))]
        for inner in public:
            if importlib.util.find_spec(f"{name}.{inner}"):
                yield from modules(f"{name}.{inner}")


MODULES = list(modules("decolle_ref"))
PACKAGES = {name for name in MODULES if any(other.startswith(f"{name}.") for other in MODULES)}
FOLDERS = ("benchmarks", "decolle_ref", "docs", "examples", "figures", "tests", "tutorials")
FOUND = [*PROJECT.iterdir(), *(path for name in FOLDERS for path in (PROJECT / name).rglob("*"))]
FILES = {path.relative_to(PROJECT).as_posix() for path in FOUND if path.is_file() and path.suffix != ".pyc"}


def where(path: str) -> str:
    """The address of a file or folder of the repository on this site."""
    return links.place(path, FILES, MODULES, PACKAGES)


def api_nav(name: str) -> Any:
    """The navigation of one module: its page, or the pages of its modules under its name."""
    address = links.api(name, PACKAGES)
    inner = [other for other in MODULES if other.rpartition(".")[0] == name]
    return {name.rpartition(".")[2]: [address, *map(api_nav, inner)] if inner else address}


def api_page(name: str) -> str:
    """The page of one module: mkdocstrings fills it, and what is documented elsewhere is named there."""
    inner = [other for other in MODULES if other.rpartition(".")[0] == name]
    rows = [f"- [`{other}`][{other}]" for other in inner]
    listed = ["", "## Modules", "", *rows, ""] if rows else []
    own = "\n    options: {members: [InputError]}" if name == "decolle_ref" else ""  # the rest is said in its chapter
    return "\n".join([f"---\ntitle: {name.rpartition('.')[2]}\n---\n", f"::: {name}{own}", *listed])


def source_page(path: str) -> str:
    """A page that shows a file, or the files of a folder."""
    if (PROJECT / path).is_dir():
        inside = sorted(file for file in FILES if posixpath.dirname(file) == path)
        here = posixpath.dirname(where(path))
        rows = [f"- [{posixpath.basename(file)}]({posixpath.relpath(where(file), here)})" for file in inside]
        return "\n".join([f"# {path}/", "", *rows])
    language = LANGUAGES.get(path.rpartition(".")[2], "text")
    return f"# {posixpath.basename(path)}\n\n`{path}`\n\n````{language}\n{(PROJECT / path).read_text()}````\n"


def notebooks_page() -> str:
    """The table of the notebooks: to read, to work on in the browser, and with solutions."""
    rows = []
    for path in sorted((PROJECT / "tutorials").glob("*.ipynb")):
        title = "".join(json.loads(path.read_text())["cells"][0]["source"]).splitlines()[0].lstrip("# ")
        lab = f"site:lite/lab/index.html?path={path.name}"
        solved = f"site:lite/lab/index.html?path=solutions/{path.name}"
        rows.append(
            f"| {title} | [read]({where(f'tutorials/{path.name}')}) | [work on it]({lab}) | [solution]({solved}) |"
        )
    return (PROJECT / "docs" / "site" / "notebooks.md").read_text().replace("ROWS", "\n".join(rows))


def repository_path(name: str) -> str:
    """The file of the repository that a page of Markdown was made from."""
    if name == links.page("README.md"):
        return "README.md"
    return f"docs/{name}" if f"docs/{name}" in FILES else name


def linked(start: list[str]) -> dict[str, str]:
    """All files to which the pages lead, directly or through other pages: repository path -> address."""
    found: dict[str, str] = {}
    todo = list(start)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found[path] = where(path)
        if path.endswith(".md"):
            todo += links.targets((PROJECT / path).read_text(), path)
        elif found[path].startswith("source/") and (PROJECT / path).is_dir():
            todo += [file for file in FILES if posixpath.dirname(file) == path]
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation: the modules, and only pages that exist."""
    prune(config.nav, api_nav("decolle_ref")["decolle_ref"])
    return config


def prune(nav: list[Any], api: list[Any]) -> None:
    """Leave out pages that do not exist (yet), and put the modules under API."""
    nav[:] = [item for item in nav if isinstance(item, dict) or exists(item)]
    for item in nav:
        for title, inner in item.items() if isinstance(item, dict) else ():
            if title == "API":
                item[title] = api
            elif isinstance(inner, list):
                prune(inner, api)


def exists(name: str) -> bool:
    """Is there such a page?"""
    return name in (links.NOTEBOOKS, links.page("README.md")) or repository_path(name) in FILES


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of modules, of notebooks and of files outside docs/, and the pictures."""
    pages = {links.NOTEBOOKS: notebooks_page()}
    pages |= {links.api(name, PACKAGES): api_page(name) for name in MODULES}
    start = [file for file in FILES if re.fullmatch(r"docs/[^/]+\.md", file)]
    for path, address in linked(start + [name for name in OUTSIDE if name in FILES]).items():
        if address.startswith("source/"):
            pages[address] = source_page(path)
        elif path.endswith(".md") and not path.startswith("docs/"):
            pages[address] = (PROJECT / path).read_text()
        elif path.endswith((".png", ".svg")):
            files.append(File.generated(config, address, abs_src_path=str(PROJECT / path)))
    for address, text in pages.items():
        files.append(File.generated(config, address, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **kwargs: Any) -> str:
    """Change links to files of the repository into links of the site; link the equation index to the functions."""
    name = page.file.src_uri
    if name == "index.md":
        page.meta["hide"] = ["navigation", "toc"]
    if name.startswith("source/"):
        page.meta["search"] = {"exclude": True}
    if name.startswith(("api/", "source/")) or name == links.NOTEBOOKS:
        return markdown
    if name == "equations.md":
        markdown = FUNCTION.sub(r"\1[`\2`][decolle_ref.\2]", markdown)
    return links.rewritten(markdown, repository_path(name), where)


def on_page_content(html: str, page: Page, **kwargs: Any) -> str:
    """Make the addresses that begin with `site:` relative to their page; no dash where nothing follows."""
    here = posixpath.dirname(page.file.dest_uri)
    html = NOTHING.sub("", html)
    return re.sub(r'(?<=")site:([^"#?]+)', lambda match: posixpath.relpath(match[1], here or "."), html)
