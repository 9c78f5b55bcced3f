"""Small cases for the tests of cases, simulate and identify."""

from itertools import pairwise

import numpy as np

from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.lif import neuron, trace_gain


def make(dialect="paper", seed=0, sizes=(6, 5, 4), steps=20, batch=2, dtype="float64", learn=False, **changes):
    """(about, arrays) of a lively network with one output per neuron pair, in the given dialect."""
    rng = np.random.default_rng(seed)
    layers, arrays = [], {"inputs": (rng.random((steps, batch, sizes[0])) < 0.4).astype(np.uint8)}
    speaker = DIALECTS[dialect] if dialect is not None else DIALECTS["paper"]
    for k, (n_in, n) in enumerate(pairwise(sizes), start=1):
        taus = rng.uniform(0.005, 0.02, n_in), rng.uniform(0.004, 0.01, n_in), rng.uniform(0.002, 0.005, n)
        unit = neuron(*taus, dialect=speaker)
        w = rng.uniform(0.5, 1.5, n) / speaker.value("refractory")(unit.gamma)
        own = {
            "W": rng.uniform(-1, 2, (n, n_in)) * 6 / np.sqrt(n_in) / trace_gain(unit),
            "b": -rng.uniform(0.05, 0.3, n),
            "G": rng.uniform(-1, 1, (2, n)),
            "c": np.zeros(2),
            "w": w,
            **dict(zip(("tau_mem", "tau_syn", "tau_ref"), taus, strict=True)),
            "target": rng.normal(size=(steps, batch, 2)),
        }
        if learn:
            own |= {"rate_W": 1e-3 / trace_gain(unit), "rate_b": np.full(n, 1e-3)}
        arrays |= {f"layer{k}_{name}": array.astype(dtype) for name, array in own.items()}
        layers.append({"n_in": n_in, "n": n, "n_out": 2, "loss": "squared_error", "reduction": "mean"})
    about = {
        "name": "small",
        "dialect": dialect,
        "dtype": dtype,
        "constants": "tau",
        "dt": 0.001,
        "steps": steps,
        "batch": batch,
        "initial_state": "rest",
        "targets": True,
        "learn": learn,
        "layers": layers,
    }
    return about | changes, arrays
