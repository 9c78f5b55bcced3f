"""Small cases for the tests."""

from itertools import pairwise

import numpy as np

from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.lif import neuron, trace_gain


def make(dialect="paper", seed=0, sizes=(6, 5, 4), steps=20, batch=2, dtype="float64", learn=False, **changes):
    """(about, arrays) of a network in which every layer spikes, with two outputs per layer, in the named dialect."""
    rng = np.random.default_rng(seed)
    layers, arrays = [], {"inputs": (rng.random((steps, batch, sizes[0])) < 0.4).astype(np.uint8)}
    constants_dialect = DIALECTS[dialect or "paper"]
    for k, (n_in, n) in enumerate(pairwise(sizes), start=1):
        taus = rng.uniform(0.005, 0.02, n_in), rng.uniform(0.004, 0.01, n_in), rng.uniform(0.002, 0.005, n)
        lif = neuron(*taus, dialect=constants_dialect)
        w = rng.uniform(0.5, 1.5, n) / constants_dialect.value("refractory")(lif.gamma)
        layer = {
            "W": rng.uniform(-1, 2, (n, n_in)) * 6 / np.sqrt(n_in) / trace_gain(lif),
            "b": -rng.uniform(0.05, 0.3, n),
            "G": rng.uniform(-1, 1, (2, n)),
            "c": np.zeros(2),
            "w": w,
            **dict(zip(("tau_mem", "tau_syn", "tau_ref"), taus, strict=True)),
            "target": rng.normal(size=(steps, batch, 2)),
        }
        if learn:
            layer |= {"rate_W": 1e-3 / trace_gain(lif), "rate_b": np.full(n, 1e-3)}
        arrays |= {f"layer{k}_{name}": array.astype(dtype) for name, array in layer.items()}
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


def convolutional(pool=2):
    """A case of one convolutional layer, pooled, and a dense one above it."""
    about, arrays = make(sizes=(2 * 4 * 4, 3 * 4 * 4, 5), learn=True)
    conv = {"channels_in": 2, "height": 4, "width": 4, "channels": 3, "kernel": 3, "padding": 1}
    rng, width = np.random.default_rng(0), 3 * (4 // pool) ** 2
    about["layers"][0] |= {"conv": conv, "pool": pool}
    about["layers"][1]["n_in"] = width
    arrays |= {"layer1_W": rng.normal(0, 0.02, (3, 2, 3, 3)), "layer1_b": -rng.random(3)}
    arrays |= {"layer1_rate_W": np.full((3, 2, 3, 3), 1e-5), "layer1_rate_b": np.full(3, 1e-3)}
    arrays["layer1_G"] = rng.normal(size=(2, width))
    for name in ("W", "tau_mem", "tau_syn", "rate_W"):
        arrays[f"layer2_{name}"] = arrays[f"layer2_{name}"][..., :width]
    return about, arrays
