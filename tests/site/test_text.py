"""What the site makes of docstrings and of links, without building it."""

import importlib
import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


sys.path.insert(0, str(PROJECT / "docs" / "site"))  # which is no package
docstrings, links, tex = map(importlib.import_module, ("docstrings", "links", "tex"))
del sys.path[0]
MODULES = ("decolle_ref", "decolle_ref.decolle", "decolle_ref.decolle.lif")
PACKAGES = {"decolle_ref", "decolle_ref.decolle"}
FILES = {"README.md", "docs/oracle.md", "examples/README.md", "examples/c/README.md", "examples/c/check.c"}


def place(path):
    return links.place(path, FILES, MODULES, PACKAGES)


@pytest.mark.parametrize(
    ("plain", "marked"),
    [
        ("gamma = exp(-dt/tau_ref), or none.", "`gamma = exp(-dt/tau_ref)`, or none."),
        ("Theta(u) = 1 if u >= 0 else 0.", "`Theta(u) = 1 if u >= 0 else 0`."),
        ("of shape (*batch, n_in), (*batch, n).", "of shape `(*batch, n_in)`, `(*batch, n)`."),
        ("a decay in [0, 1) and (see U_i) W^T", "a decay in `[0, 1)` and (see `U_i`) `W^T`"),
        ("P (..., n) -> U_i (..., n), then", "`P (..., n) -> U_i (..., n)`, then"),
        ("a smooth *primitive* of P and Q, `x_y` too", "a smooth *primitive* of P and Q, `x_y` too"),
        ("Once [K20 Eq. 1] holds", r"Once [\[K20 Eq. 1\]](site:equations.html#decolle) holds"),
        ("about 5 $ ~ 4 # x", r"about 5 \$ \~ 4 \# x"),
    ],
)
def test_formulas_become_code_and_the_rest_shows_the_same_characters(plain, marked):
    assert docstrings.inline(plain) == marked


def test_examples_are_fenced_and_parameters_that_share_a_line_get_one_each():
    sections = "Parameters\n----------\nx, y : int\n    Of y_1.\n\nReturns\n-------\nint\n"
    text = f"Sum.\n\n    y = unknown\n\n>>> 1\n1\n\n{sections}"
    lines = docstrings.markdown(text).split("\n")
    assert lines[:7] == ["Sum.", "", "    y = unknown", "", "```pycon", ">>> 1", "1"]
    assert [line for line in lines if line.endswith(" : int")] == ["x : int", "y : int"]
    assert lines.count("    Of `y_1`.") == 2 and "Returns" in lines


@pytest.mark.parametrize(
    ("plain", "formula"),
    [
        ("U_i[n]    = sum_j W_ij P_j[n] - delta R_i", r"U_{i} [n ]&=\sum_{j} W_{ij} P_{j} [n ]-\delta R_{i} "),
        (
            "E = S^in_j  *  P   note [K20 Eq. 1]",
            r"E &=S^{\text{in}}_{j} \cdot P \qquad \text{note}\qquad \text{[K20 Eq. 1]}",
        ),
        ("g = W^(l+1)T e,   e = S* * tau_mem", r"g &=W^{(l+1)\top} e ,\quad e =S^{*} \ast \tau_{\text{mem}} "),
        ("z = sum_{j in C} W_j   y = dL/dW", r"z &=\sum_{j \in C } W_{j} \qquad y =dL /dW "),
    ],
)
def test_a_block_of_equations_is_set(plain, formula):
    assert tex.block(f"    {plain}") == f"$$\n\\begin{{aligned}}\n{formula}\n\\end{{aligned}}\n$$"


NOT_UNDERSTOOD = [
    "S -> P",
    "y = some",
    "y = x\n    no equation",
    "dU (x) a = y",
    "+ [l = m]",
    "y = x   t/tau",
    "a = |b|",
]


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_a_block_that_is_not_understood_stays_as_it_is(text):
    assert tex.block(f"    {text}") == f"    {text}"


def test_a_link_leads_to_the_page_the_module_the_notebook_or_the_text_of_its_file():
    assert place("docs/oracle.md") == "oracle.md" and place("README.md") == "overview.md"
    assert place("decolle_ref/decolle/lif.py") == "api/decolle/lif.md"
    assert place("decolle_ref/decolle/__init__.py") == place("decolle_ref/decolle") == "api/decolle/index.md"
    assert place("tutorials/01_neuron.ipynb") == "site:lite/static-notebooks/01_neuron.html"
    assert place("tutorials/student/01_neuron.ipynb") == "site:lite/lab/index.html?path=01_neuron.ipynb"
    assert (
        place("examples/c") == "examples/c/README.md" and place("examples/c/check.c") == "source/examples/c/check.c.md"
    )


def test_links_are_changed_relative_to_their_page_but_not_in_code_nor_to_other_places():
    text = "[a](../README.md#b) [c](#d) [e](https://x.org)\n```\n[f](../README.md)\n```\n[g](../examples/c)\n"
    changed = "[a](overview.md#b) [c](#d) [e](https://x.org)\n```\n[f](../README.md)\n```\n[g](examples/c/README.md)\n"
    assert links.rewritten(text, "docs/oracle.md", place) == changed
    assert links.rewritten("[h](c/check.c)", "examples/README.md", place) == "[h](../source/examples/c/check.c.md)"


def test_every_page_of_docs_stands_in_the_navigation():
    named = set(re.findall(r"^ +- (?:\w+: )?([\w/]+\.md)$", (PROJECT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {path.name for path in (PROJECT / "docs").glob("*.md")} <= named
