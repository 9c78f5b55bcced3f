"""The documentation site that `python docs/build.py SITE` builds, where `DECOLLE_REF_SITE` names it.

Every link leads somewhere, nothing comes from another server, and a browser that reaches nothing else reports no error.
"""

import json
import sys

from tests.support.built_site import BROWSER, PROJECT, chromium, folder, lines

READ = "lite/static-notebooks/01_neuron.html"
LAB = "lite/lab/index.html?path=01_neuron.ipynb"
PAGES = [
    "index.html",
    "equations.html",
    "results.html?q=surrogate",
    "api/decolle/lif.html",
    "notebooks.html",
    READ,
    LAB,
]
PAGES += [f"{name}.html" for name in ("gallery", "benchmarks") if (PROJECT / "docs" / f"{name}.md").exists()]


def report(site):
    """What the walk over the links says."""
    (line,) = lines([sys.executable, BROWSER / "walk.py", site])
    return line


def page(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_the_walk_finds_what_is_broken_and_what_comes_from_outside(tmp_path):
    good = '<h1 id="here">x</h1><a href="#here">1</a><a href="b/">2</a><a href="b/index.html#there">3</a>'
    wrong = '<a href="#nowhere">4</a><a href="c.html">5</a><a href="lite/lab/index.html?path=x.ipynb">6</a>'
    fetched = (
        '<script src="https://example.org/x.js"></script><img src="missing.png"><a href="https://example.org">7</a>'
    )
    page(tmp_path, "index.html", good + wrong + fetched)
    page(tmp_path, "b/index.html", '<h2 id="there">y</h2><a href="../index.html">8</a>')
    page(tmp_path, "lite/lab/index.html", '<a href="made/by/a/program">9</a>')
    walk = report(tmp_path)
    assert (walk["pages"], walk["links"], walk["outside links"]) == (2, 8, 2)
    reasons = ["#nowhere: no anchor", "c.html: no file", "lite/lab/index.html?path=x.ipynb: no notebook"]
    assert walk["broken"] == [f"index.html: {reason}" for reason in (*reasons, "missing.png: no file")]
    assert walk["fetched from outside"] == ["index.html: https://example.org/x.js"]


def test_every_link_and_anchor_of_the_site_leads_somewhere_and_nothing_is_fetched_from_outside():
    walk = report(folder("DECOLLE_REF_SITE"))
    assert walk["broken"] == [] and walk["fetched from outside"] == []
    assert walk["pages"] > 150 and walk["anchors"] > 1000  # it was no empty site


def test_every_page_of_docs_and_every_notebook_is_on_the_site():
    site = folder("DECOLLE_REF_SITE")
    wanted = [path.with_suffix(".html").name for path in (PROJECT / "docs").glob("*.md")]
    wanted += [f"lite/static-notebooks/{path.stem}.html" for path in (PROJECT / "tutorials").glob("*.ipynb")]
    assert [name for name in wanted if not (site / name).exists()] == []


def test_a_browser_that_reaches_nothing_else_opens_the_pages_without_an_error(tmp_path):
    site = folder("DECOLLE_REF_SITE")
    chromium()
    results = {
        line["page"]: line for line in lines([sys.executable, "-m", "tests.browser.look", site, tmp_path, *PAGES])
    }
    assert list(results) == PAGES
    for result in results.values():
        assert result["console"] == [] and result["outside"] == [], json.dumps(result)
        assert result["wrong"] == result["missing"] == result["wider"] == 0, json.dumps(result)
    lif = results["api/decolle/lif.html"]
    assert lif["set"] == lif["formulas"] > 0 and results[READ]["set"] > 20  # all formulas are set
    assert results["results.html?q=surrogate"]["found"] > 5
