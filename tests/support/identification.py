"""Traces to be identified."""

import numpy as np

from decolle_ref.cases import Case, simulate
from tests.support.cases import make


def situation(dialect, variables="QPRUS", **options):
    """(case, its description, what an unknown implementation recorded of it)."""
    about, arrays = make(dialect, **options)
    case = Case(about, arrays)
    return case, about, {k: v.astype(float) for k, v in simulate(case).items() if k[7:] in list(variables)}


def float32(x):
    """Rounded to float32, as float64."""
    return x.astype(np.float32).astype(float)
