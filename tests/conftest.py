import os
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import Phase, settings

from decolle_ref._util.check import InputError
from decolle_ref.data import authors

matplotlib.use("Agg")
settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("reproducible")
settings.register_profile(
    "mutation", max_examples=8, phases=[Phase.explicit, Phase.generate]
)  # many runs, no shrinking


def pytest_runtest_teardown():
    """Close the figures that a test leaves open: pyplot warns of many."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def recording():
    """The authors' recorded regression run; the test is skipped where the file is absent."""
    try:
        return authors.regression()
    except InputError as reason:
        if os.environ.get("DECOLLE_REF_DATA"):
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def dcll_clone():
    """A clone of the authors' repository nmi-lab/dcll, named by DECOLLE_REF_DCLL; the test is skipped without it."""
    if not (clone := os.environ.get("DECOLLE_REF_DCLL")):
        pytest.skip("DECOLLE_REF_DCLL names no clone of nmi-lab/dcll")
    return Path(clone)
