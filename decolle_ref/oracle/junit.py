"""The outcomes of a run as JUnit XML, which CI services read.

>>> from decolle_ref.oracle.backends import Backend
>>> from decolle_ref.oracle.profile import Profile
>>> from decolle_ref.oracle.runner import Outcome
>>> outcomes = Outcome("sgd", "pass", "PASS", ""), Outcome("ties", "fail", "FAIL", "another threshold")
>>> document = text(Run(Backend("mine", lambda about, arrays: {}, Profile()), outcomes, seed=0, selected=True))
>>> document.splitlines()[1]
'<testsuite name="decolle_ref oracle" tests="2" failures="1" errors="0" skipped="0">'
"""

import re
from xml.etree import ElementTree

from decolle_ref.oracle.runner import Outcome
from decolle_ref.oracle.verdict import Run

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
MUST_PASS = "must-pass"  # the id of the test that fails where the must-pass list is not met


def text(run: Run) -> str:
    """One test case per vector, and one for the must-pass list.

    Parameters
    ----------
    run : the outcomes of a backend

    Returns
    -------
    str
        An XML document.  Failures are `failure`; `skipped` are vectors that the backend does not support, that were
        expected to fail, or that the level cannot decide.
    """
    suite = ElementTree.Element("testsuite", name="decolle_ref oracle")
    for outcome in run.outcomes:
        _add(suite, run, outcome)
    if not run.selected:
        _add_must_pass(suite, run)
    counts = {"tests": len(suite), "failures": len(suite.findall("*/failure")), "errors": 0}
    counts["skipped"] = len(suite.findall("*/skipped"))
    suite.attrib |= {name: str(number) for name, number in counts.items()}
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'


def _case(suite: ElementTree.Element, run: Run, id: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=_clean(run.backend.name), name=_clean(id))


def _add(suite: ElementTree.Element, run: Run, outcome: Outcome) -> None:
    case = _case(suite, run, outcome.id)
    if outcome.status == "pass":
        return
    kind = "failure" if run.failed(outcome) else "skipped"
    lines = outcome.text.splitlines()
    message = next((line for line in lines if line != "FAIL"), outcome.status)
    ElementTree.SubElement(case, kind, message=_clean(message)).text = _clean(str(outcome))


def _add_must_pass(suite: ElementTree.Element, run: Run) -> None:
    case = _case(suite, run, MUST_PASS)
    lacking = [f"{requirement.what}: the nearest one lacks {', '.join(names)}" for requirement, names in run.unmet]
    if lacking:
        ElementTree.SubElement(case, "failure", message=_clean("; ".join(lacking)))


def _clean(text: str) -> str:
    return NOT_IN_XML.sub("?", text)
