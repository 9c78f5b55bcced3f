"""Where a file of the repository is found on the site, so that one link works in both places.

The pages of the site are the Markdown files that are also read in the repository, where a link names a file beside
them.  `place` gives the file's address on the site: a page, a picture, a notebook, the API page of a module, or, for
anything else, a page that shows the file.
"""

import posixpath
import re
from collections.abc import Callable, Collection

LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
NOTEBOOKS = "notebooks.md"


def page(path: str) -> str:
    """The name of a Markdown file among the pages: those of docs/ lie at the top, the README is the overview."""
    return "overview.md" if path == "README.md" else path.removeprefix("docs/")


def module(path: str) -> str:
    """The name of the module that a file or a folder defines."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def api(name: str, packages: Collection[str]) -> str:
    """The page of a module: a package is the index of its folder."""
    folder = "/".join(["api", *name.split(".")[1:]])
    return f"{folder}/index.md" if name in packages else f"{folder}.md"


def place(path: str, files: Collection[str], modules: Collection[str], packages: Collection[str]) -> str:
    """The address of a file or folder of the repository; `site:` begins those that no page of Markdown makes.

    `files` are the files of the repository, `modules` those with a page, and `packages` those of them with modules.
    """
    name = posixpath.basename(path)
    if path.endswith(".md"):
        return page(path)
    if path in ("tutorials", "tutorials/student"):
        return NOTEBOOKS
    if path.startswith("tutorials/student/"):
        return f"site:lite/lab/index.html?path={name}"
    if path.startswith("tutorials/"):
        return f"site:lite/static-notebooks/{name.removesuffix('.ipynb')}.html"
    if path.endswith((".png", ".svg")):
        return path
    if module(path) in modules:
        return api(module(path), packages)
    if f"{path}/README.md" in files:
        return f"{path}/README.md"
    return f"source/{path}.md"


def targets(text: str, path: str) -> list[str]:
    """The files of the repository to which a page links; `path` is its own."""
    outside = (part for n, part in enumerate(FENCE.split(text)) if n % 2 == 0)
    links = [match[2] for part in outside for match in LINK.finditer(part)]
    return [target(link, path) for link in links if not elsewhere(link)]


def elsewhere(link: str) -> bool:
    """Does a link lead to a place on its own page, or out of the repository?"""
    return link.startswith("#") or re.match(r"[a-z]+:", link) is not None


def target(link: str, path: str) -> str:
    """The file of the repository that a link on the page `path` names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link.partition("#")[0]))


def rewritten(text: str, path: str, where: Callable[[str], str]) -> str:
    """The text of the page `path` with each link changed to what `where` says of its file."""
    here = posixpath.dirname(page(path))

    def change(match: re.Match[str]) -> str:
        link = match[2]
        if elsewhere(link):
            return match[0]
        found, mark, anchor = where(target(link, path)), *link.partition("#")[1:]
        address = found if found.startswith("site:") else posixpath.relpath(found, here)
        return f"{match[1]}{address}{mark}{anchor}{match[3]}"

    return "".join(part if n % 2 else LINK.sub(change, part) for n, part in enumerate(FENCE.split(text)))
