"""Small cases with decays, checks of arrays that are not yet parsed, and backends, right and wrong."""

import numpy as np

from decolle_ref.cases import Case, simulate
from decolle_ref.decolle import lif
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.spikes_only import driven
from decolle_ref.oracle.trace import parse_trace
from tests.support.cases import make


def case(dialect="paper", seed=0, dtype="float64", **changes):
    """A case of tests.support.cases.make, with decays in place of time constants."""
    about, arrays = make(dialect, seed, **changes)
    its_dialect = Case(about, arrays).dialect()
    for k in range(1, len(about["layers"]) + 1):
        taus = (arrays.pop(f"layer{k}_tau_{x}") for x in ("mem", "syn", "ref"))
        neuron = lif.neuron(*taus, about["dt"], arrays[f"layer{k}_w"], dialect=its_dialect)
        arrays |= {f"layer{k}_{x}": getattr(neuron, x) for x in ("alpha", "beta", "gamma")}
    del about["dt"]
    arrays = {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in arrays.items()}
    return Case(about | {"constants": "decay", "dtype": dtype}, arrays)


def residual_check(case, arrays, profile):
    """The verdict on a full trace."""
    return residual.check(parse_trace(case, arrays, profile))


def spikes_only_check(case, arrays, profile):
    """The verdict on a trace of level L0 or L1."""
    return driven.check(parse_trace(case, arrays, profile))


def right(about, arrays):
    """The reference itself as a backend, in the dtype of the case."""
    return simulate(Case(about, arrays), gradients=about["targets"])


right.profile = "float32"  # type: ignore[attr-defined]


def silent(about, arrays):
    """A backend that returns zeros."""
    return {name: np.zeros_like(x) for name, x in right(about, arrays).items()}


def deaf(about, arrays):
    """A backend that ignores its input."""
    return right(about, arrays | {"inputs": np.zeros_like(arrays["inputs"])})


def leaky(about, arrays):
    """A backend whose P decays a thousandth too fast in its second layer."""
    return right(about, arrays | {"layer2_alpha": arrays["layer2_alpha"] * arrays["layer2_alpha"].dtype.type(0.999)})


def boasting(about, arrays):
    """A backend that raises an exception."""
    raise RuntimeError("no such device")
