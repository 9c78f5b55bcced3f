"""Every known mistake is found where it is the truth: in a trace that an implementation with it would write down."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from decolle_ref.oracle.check.residual import EQUATIONS
from decolle_ref.oracle.diagnose import HYPOTHESES
from decolle_ref.oracle.diagnose.hypothesis import Inapplicable, value
from decolle_ref.oracle.diagnose.mutants import matrix
from decolle_ref.oracle.diagnose.search import fits
from decolle_ref.oracle.diagnose.site import sites
from decolle_ref.oracle.profile import PROFILES

PROFILE = PROFILES["float32"]
CASES = ["split", "conv-pool-ties", "pairs-43", "pairs-45", "regulariser-paper"]
OF_UPDATES = ["split", "pairs-37"]
# what these cases cannot show: mistakes that are read off the numbers of a trace, or need other inputs, sizes or ties
READ_OFF = "computed in|computed with rounding|is clipped|wraps round|learns from another step|stops learning"
NEEDS_OTHERS = (
    "never negative|without its sign|rounded to float32|steps? early|takes (at most|every count)|layer below"
    "|from number|modulo|though that is not|another threshold|= 1 at the threshold|with a threshold|largest (U|sigma)"
    "|neuron that spikes|channel were the last axis|windows leave out|column by column|rows and columns"
    "|with G transposed|e for (G|delta)|not transposed|layer's own sigma|before the pool|after the pool"
    "|mean over batch and neurons|per neuron, not|SGD"
)


@cache
def layers(equation):
    """The layers of a few lively cases, as the specification computes them."""
    ids = OF_UPDATES if equation in ("W", "b") else CASES
    cases = matrix.vectors(PROFILE, ids)
    made = [sites(matrix.trace(PROFILE, cases[id])) for id in ids]
    return [site for each in made for site in (each[:1] if ids is OF_UPDATES else each)]


def with_numbers(site, equation, x):
    """A site whose trace has these numbers."""
    steps = len(site.spikes_in)
    final = {f"{equation}_final": x[steps]} if len(x) > steps else {}
    return replace(site, trace=site.trace | {equation: x[:steps]} | final)


def written_down(mistake, site, equation):
    """The site of an implementation with the mistake, whose states follow from its own numbers of the step before."""
    for _ in range(len(site.spikes_in) + 2):
        made = PROFILE.quantise(value(mistake, site, site.slot(equation)).value)
        if np.array_equal(made, site.slot(equation).got):
            return site
        site = with_numbers(site, equation, made)
    raise Inapplicable


def is_found(mistake, site, equation):
    try:
        with np.errstate(all="ignore"):
            wrong = written_down(mistake, site, equation)
            slot = wrong.slot(equation)
            return np.isfinite(slot.got).all() and fits(
                mistake, {site.number - 1: wrong}, {site.number: slot}, [site.number]
            )
    except Inapplicable:
        return False


@pytest.mark.parametrize("equation", [name for name in EQUATIONS if name != "b"])  # whose table is made as that of W
def test_a_mistake_is_found_where_it_is_the_truth(equation):
    rest = list(HYPOTHESES[equation])
    for site in layers(equation):
        if equation in site.trace:
            rest = [each for each in rest if not is_found(each, site, equation)]
    missing = [each.name for each in rest if not re.search(f"{READ_OFF}|{NEEDS_OTHERS}", each.name)]
    assert missing == []
    assert len(rest) < 0.25 * len(HYPOTHESES[equation])
