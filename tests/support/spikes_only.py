"""Cases for the levels below L2, and their traces in any number format."""

from dataclasses import replace

import numpy as np

from decolle_ref.cases import Case, simulate
from decolle_ref.oracle.profile import PROFILES
from tests.support.cases import make

LEVELS = "L0", "L1"
FORMATS = "float64", "float32", "bfloat16", "Q8.16"
ADAMAX, SGD = {"kind": "adamax"}, {"kind": "sgd"}
TAUS = {"tau_mem": "alpha", "tau_syn": "beta", "tau_ref": "gamma"}


def at(level, name="float64"):
    return replace(PROFILES[name], level=level)


def random_case(profile, dialect="paper", seed=0, optimiser=ADAMAX, learn=True, **settings):
    """A case whose numbers the profile holds, with decays, and with learning rates that 16 bits resolve."""
    dtype = "float32" if profile.format == "float32" else "float64"
    about, arrays = make(dialect, seed, dtype=dtype, learn=learn, optimiser=optimiser, **{"steps": 12} | settings)
    quantised = {}
    for name, x in arrays.items():
        layer, _, letter = name.partition("_")
        if letter in TAUS:
            name, x = f"{layer}_{TAUS[letter]}", np.exp(-about["dt"] / x)
        if letter in ("rate_W", "rate_b"):
            x = np.full_like(x, np.abs(arrays[f"{layer}_{letter[-1]}"]).mean() / 32)
        quantised[name] = x if name == "inputs" else profile.quantise(x).astype(dtype)
    return Case(about | {"constants": "decay"}, quantised)


def emulated(case, profile, sign=1):
    """Dense layers with squared errors, rounded after every operation; W and b move by `sign` times the rule."""
    trace, S = {}, case.inputs.astype(float)
    for k, layer in enumerate(case.network(), 1):
        arrays = {name.removeprefix(f"layer{k}_"): x.astype(float) for name, x in case.arrays.items()}
        rows = emulated_layer(case, layer, arrays, S, profile, sign)
        S = rows["S"]
        trace |= {f"layer{k}_{name}": x for name, x in rows.items()}
    return trace


def emulated_layer(case, layer, arrays, S_in, profile, sign):
    q, dialect, neuron = profile.quantise, case.dialect(), layer.neuron
    gains = {"one": lambda x: x**0, "leak": lambda x: q(1 - x), "inverse": lambda x: q(1 / q(1 - x))}[dialect.gains]
    strength = {"w": arrays["w"] ** 0, "gamma_w": arrays["gamma"], "leak_w": q(1 - arrays["gamma"])}[dialect.refractory]

    def times(a, M):
        return q(q(a[..., None, :] * M).sum(axis=-1)) if profile.fixed else q(a @ M.T)

    theta, sigma = {x: arrays[x] for x in "Wb"}, layer.surrogate
    P = Q = np.zeros(S_in.shape[1:])
    R, u, rows = (
        np.zeros((len(P), len(arrays["b"]))),
        {x: 0 * arrays[x] for x in "Wb"},
        {x: [] for x in ("S", "W", "b")},
    )
    for n, spikes in enumerate(S_in):
        new_Q = q(q(arrays["beta"] * Q) + q(gains(arrays["beta"]) * spikes))
        new_P = q(q(arrays["alpha"] * P) + q(gains(arrays["alpha"]) * (new_Q if neuron.P_reads else Q)))
        read, P, Q = new_P if neuron.U_reads else P, new_P, new_Q
        U = q(times(read, theta["W"]) + theta["b"] - q(q(strength * arrays["w"]) * R))
        S = sigma.spike(U)
        for name, x in {"S": S, **theta}.items():
            rows[name].append(x)
        Y = q(times(q(getattr(sigma, layer.activity)(U)), arrays["G"]) + arrays["c"])
        e = q(q(Y - arrays["target"][n]) * q(np.asarray(1 / Y.size)))
        delta = q(times(e, arrays["G"].T) * q(sigma.derivative(U)))
        for x, g in {"W": times(delta.T, read.T), "b": q(delta.sum(axis=0))}.items():
            if case.about["optimiser"] == ADAMAX:
                u[x] = np.maximum(q(q(np.asarray(0.95)) * u[x]), q(np.abs(g) + q(np.asarray(1e-8))))
                g = q(g / np.where(u[x] == 0, 1, u[x]))
            theta[x] = q(theta[x] - sign * q(arrays[f"rate_{x}"] * g))
        R = q(q(arrays["gamma"] * R) + S)
    return {name: np.stack(x) for name, x in rows.items()} | {f"{x}_final": theta[x] for x in "Wb"}


def run(case, profile, **changes):
    """A float format is computed by the reference in it, the others are emulated."""
    return (
        simulate(case, gradients=True)
        if profile.format in ("float64", "float32")
        else emulated(case, profile, **changes)
    )
