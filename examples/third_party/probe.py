"""Find the convention of a neuron of another library: compare its trace with the reference's under each convention.

    syn = beta syn + W S_in;    mem = alpha mem + syn - reset;    a spike where mem is above (or at) the threshold

is a DECOLLE neuron if syn = W Q and mem - threshold = U = W P + b - delta R.  Then the bias is -threshold, the
refractory strength w is threshold, and gamma is alpha, since the reset fades as the membrane does.  Still open are the
dialect's axes, and whether mem is recorded before or after the reset.  All numbers of the probe are multiples of powers
of two that float32 holds exactly, so a match is equality to the last bit, and some membranes equal their threshold.

Such a neuron cannot have a gamma other than alpha, decays that differ between its inputs, or DECOLLE's learning.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np

from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import AXES, DIALECTS, Dialect, differences
from decolle_ref.oracle import profile
from decolle_ref.oracle.spikes_only import driven
from decolle_ref.oracle.trace import parse_trace

THRESHOLD, STEPS = 1.0, 8
FLOAT32 = profile.parse({"format": "float32", "level": "L0"})


class Neuron(NamedTuple):
    """A neuron of a library, in one of its settings."""

    run: Callable  # (W S_in at every step, alpha, beta, threshold) -> {"U": mem - threshold, "S": spikes, "I": syn}
    has_current: bool = True  # else beta is 0, and there is no "I"


class Convention(NamedTuple):
    """One choice for each question that is open."""

    P_reads: str
    U_reads: str
    gains: str
    threshold: str
    refractory: str
    strength: float  # w; 0: no reset
    recorded: str  # whether mem is recorded "before" or "after" the reset

    def dialect(self) -> Dialect:
        """The dialect; only its forward axes matter, and its decays are given."""
        return Dialect("custom", **dict(zip(self._fields[:5], self[:5], strict=True)), decay="given")

    def __str__(self) -> str:
        axes = [self.dialect().option(axis).equation for axis in self._fields[: 5 if self.strength else 4]]
        return "; ".join([*axes, "no reset" if not self.strength else f"mem recorded {self.recorded} the reset"])


def conventions() -> Iterator[Convention]:
    """All conventions."""
    resets = [*product(AXES["refractory"], [THRESHOLD], ("before", "after")), ("w", 0.0, "before")]
    axes = (AXES[x] for x in ("P_reads", "U_reads", "gains", "threshold"))
    return (Convention(*choice, *reset) for *choice, reset in product(*axes, resets))


def backend(case, neuron):
    """Run the layers of a case as neurons with threshold -b; the arrays w and gamma are not read."""
    arrays, trace = case.arrays, {}
    S = arrays["inputs"].astype(case.about["dtype"])
    for k in range(1, len(case.about["layers"]) + 1):
        alpha, beta, threshold = (_same(f"layer{k}_{x}", arrays) for x in ("alpha", "beta", "b"))
        rows = neuron.run(S @ arrays[f"layer{k}_W"].T, alpha, beta, -threshold)
        S = rows["S"]
        trace |= {f"layer{k}_{x}": row for x, row in rows.items()}
        trace |= {f"layer{k}_{x}_final": arrays[f"layer{k}_{x}"] for x in "Wb"}
    return trace


def _same(name, arrays):
    """The value that all entries of an array have."""
    if np.ptp(arrays[name]):
        raise NotImplementedError(f"{name}: expected one value for all, got several")
    return float(arrays[name][0])


def as_case(convention, arrays, dtype):
    """A case with these inputs, weights and decays, under a convention."""
    axes = {axis: getattr(convention.dialect(), axis) for axis in AXES}
    weights = [arrays[name] for name in sorted(arrays) if name.endswith("_W")]
    readout = {"n_out": 1, "loss": "squared_error", "reduction": "sum"}
    layers = [{"n_in": W.shape[1], "n": W.shape[0]} | readout for W in weights]
    steps, batch, _ = arrays["inputs"].shape
    about = {"name": "probe", "dialect": axes, "dtype": dtype, "constants": "decay", "steps": steps, "batch": batch}
    about |= {"initial_state": "rest", "targets": False, "learn": False, "layers": layers}
    case_arrays = dict(arrays)
    for k, W in enumerate(weights, start=1):
        case_arrays[f"layer{k}_gamma"] = np.full(len(W), arrays[f"layer{k}_alpha"][0])
        case_arrays[f"layer{k}_w"] = np.full(len(W), convention.strength)
        case_arrays |= {f"layer{k}_b": np.full(len(W), -THRESHOLD)}
        case_arrays |= {f"layer{k}_G": np.zeros((1, len(W))), f"layer{k}_c": np.zeros(1)}
    return Case(about, {name: a if name == "inputs" else a.astype(dtype) for name, a in case_arrays.items()})


def expected(convention, arrays):
    """The arrays of layer 1 that the neuron would have under a convention, by the reference."""
    trace = simulate(as_case(convention, arrays, "float64"))
    S = trace["layer1_S"]
    hidden = S * convention.strength if convention.recorded == "after" else 0
    return {"I": trace["layer1_Q"] @ arrays["layer1_W"].T, "U": trace["layer1_U"] - hidden, "S": S}


def probe(synapse=0.5, strong=True):
    """8 steps of 64 samples in multiples of powers of two; the decay of the membrane is 3/4, that of the synapse given.

    With strong input, membranes reach several thresholds; else they stay below two.
    """
    rng = np.random.default_rng(0)
    return {
        "inputs": (rng.random((STEPS, 64, 6)) < (0.4 if strong else 0.04)).astype(np.uint8),
        "layer1_W": rng.integers(-2, 3, (5, 6)) / 4,
        "layer1_alpha": np.full(6, 0.75),
        "layer1_beta": np.full(6, synapse),
    }


def agreeing(neuron, strong=True):
    """(convention, steps before the first difference) for all conventions, longest first; and the neuron's trace."""
    arrays = probe(0.5 if neuron.has_current else 0.0, strong)  # without a synaptic current: Q = S_in
    got = backend(as_case(next(conventions()), arrays, "float32"), neuron)
    steps = [(c, _steps(got, expected(c, arrays))) for c in conventions()]
    return sorted(steps, key=lambda pair: -pair[1]), got


def matches(neuron, strong=True):
    """The conventions under which every step agrees."""
    return [convention for convention, steps in agreeing(neuron, strong)[0] if steps == STEPS]


def matches_until_a_spike(neuron):
    """The conventions without a reset that each neuron of the probe follows until its first spike."""
    arrays = probe(0.5 if neuron.has_current else 0.0)
    got = backend(as_case(next(conventions()), arrays, "float32"), neuron)
    earlier = np.cumsum(got["layer1_S"], axis=0) - got["layer1_S"]
    seen = {"S": earlier == 0, "U": (earlier == 0) & (got["layer1_S"] == 0), "I": True}
    free = [c for c in conventions() if not c.strength]
    return [c for c in free if _steps(got, expected(c, arrays), seen) == STEPS]


def _steps(got, reference, seen=None):
    """The number of leading steps at which all arrays agree to the last bit, where they are seen."""
    seen = seen or dict.fromkeys(reference, True)
    names = [x for x in reference if f"layer1_{x}" in got]
    same = [((got[f"layer1_{x}"] == reference[x]) | ~np.asarray(seen[x])).all(axis=(1, 2)) for x in names]
    return int(np.logical_and.accumulate(np.all(same, axis=0)).sum())


def rounding(convention, neuron):
    """(spikes, spikes that differ, largest |dU|, largest |U|): two layers, 200 steps, decays 0.9 and 0.8, float32."""
    rng, beta = np.random.default_rng(1), 0.8 if neuron.has_current else 0.0
    arrays = {"inputs": (rng.random((200, 8, 20)) < 0.1).astype(np.uint8)}
    for k, (n_in, n) in enumerate(((20, 15), (15, 10)), start=1):
        arrays[f"layer{k}_W"] = rng.uniform(-0.3, 0.5, (n, n_in)) * (0.2 if beta else 1)
        arrays |= {f"layer{k}_alpha": np.full(n_in, np.float32(0.9)), f"layer{k}_beta": np.full(n_in, np.float32(beta))}
    case = as_case(convention, arrays, "float32")
    got, reference = backend(case, neuron), simulate(case)
    hidden = convention.strength if convention.recorded == "after" else 0
    spikes, differ, apart, size = 0, 0, 0.0, 0.0
    for k in (1, 2):
        S, U = reference[f"layer{k}_S"], reference[f"layer{k}_U"]
        spikes, differ = spikes + int(S.sum()), differ + int((got[f"layer{k}_S"] != S).sum())
        apart = max(apart, float(np.abs(got[f"layer{k}_U"] + hidden * got[f"layer{k}_S"] - U).max()))
        size = max(size, float(np.abs(U).max()))
    return spikes, differ, apart, size


def verdict(convention, neuron):
    """The oracle's verdict on the probe, from the neuron's spikes alone (level L0)."""
    case = as_case(convention, probe(0.5 if neuron.has_current else 0.0), "float32")
    return driven.check(parse_trace(case, backend(case, neuron), FLOAT32))


def report(library: str, neurons: Mapping[str, Neuron]) -> Iterator[str]:
    """The conventions that match each neuron, and how the first that matches one differs from each dialect."""
    yield library
    for (name, neuron), strong in product(neurons.items(), (True, False)):
        ranked, got = agreeing(neuron, strong)
        reached, ties = float(got["layer1_U"].max()) + THRESHOLD, int((got["layer1_U"] == 0).sum())
        same = [convention for convention, steps in ranked if steps == STEPS]
        yield f"{name}; mem up to {reached:.2f}, {ties} exact ties: {len(same)} of {len(ranked)} conventions match"
        yield from (f"    {convention}" for convention in same)
        if strong and not same:
            yield from (f"    until its first spike each neuron follows {c}" for c in matches_until_a_spike(neuron))
    yield from _details(neurons)


def _details(neurons: Mapping[str, Neuron]) -> Iterator[str]:
    name, neuron, (convention, *_) = next((x, of, matches(of)) for x, of in neurons.items() if matches(of))
    spikes, differ, apart, size = rounding(convention, neuron)
    yield f"the oracle, from the spikes of {name} alone: {verdict(convention, neuron)}"
    other = {"above": "at_or_above", "at_or_above": "above"}[convention.threshold]
    wrong = convention._replace(threshold=other)
    yield f"    were {wrong.dialect().option('threshold').equation}: {verdict(wrong, neuron)}"
    yield f"{name} in float32, 2 layers, 200 steps: {differ} of {spikes} spikes differ"
    yield f"    |dU| <= {apart:.1e} where |U| <= {size:.2f}"
    yield f"{name} differs from"
    for dialect_name, dialect in DIALECTS.items():
        axes = [row for row in differences(convention.dialect(), dialect) if row[0] in Convention._fields]
        yield f"    {dialect_name}: " + "; ".join(f"{ours}, not {theirs}" for _, ours, theirs in axes)
