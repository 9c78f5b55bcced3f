"""The draft of the paper claims what other pages show, and cites what its bibliography has."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PAPER = (DOCS / "paper.md").read_text()
CLAIMS = re.findall(r"^\| [^|]+ \| ([^|]+) \| \[[^\]]+\]\((\w+\.md)\) \|$", PAPER, re.MULTILINE)
NUMBER = re.compile(r"\d[\d,.e-]*\d|\d")


def test_every_number_of_a_claim_stands_on_the_page_that_it_names():
    assert len(CLAIMS) == 13
    for measured, page in CLAIMS:
        for number in NUMBER.findall(measured):
            assert number in NUMBER.findall((DOCS / page).read_text()), (number, page)


def test_the_bibliography_has_what_is_cited_and_nothing_else():
    cited = set(re.findall(r"@(\w+)\]", PAPER))
    assert cited == set(re.findall(r"^@\w+\{(\w+),$", (DOCS / "paper.bib").read_text(), re.MULTILINE))


def test_the_paper_names_the_authors_that_the_citation_file_names():
    citation = (DOCS.parent / "CITATION.cff").read_text().partition("references:")[0]
    authors = re.findall(r'- name: "(.+)"', citation)
    assert authors and all(f"  - name: {author}\n" in PAPER for author in authors)
