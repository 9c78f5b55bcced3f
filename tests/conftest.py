import os

import matplotlib
import numpy as np
import pytest
from hypothesis import settings

from decolle_ref._util.check import InputError
from decolle_ref.data import authors

matplotlib.use("Agg")
settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("reproducible")


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
