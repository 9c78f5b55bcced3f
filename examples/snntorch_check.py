"""Find the convention of a snnTorch neuron: compare its trace with that of the reference under each convention.

    syn = a syn + W S_in;    mem = b mem + syn - reset;    a spike where mem is above threshold        (snn.Synaptic)

is a DECOLLE neuron if syn = W Q and mem - threshold = U = W P + b - delta R.  Then the bias is -threshold, the
refractory strength w is threshold, and gamma is alpha, since the reset fades as the membrane does.  Still open are the
dialect's axes, and whether mem is recorded before or after the reset.  All numbers of the probe are multiples of powers
of two that float32 holds exactly, so a match is equality to the last bit, and some membranes equal their threshold.

    python examples/snntorch_check.py

A snnTorch neuron cannot have a gamma other than alpha, time constants that differ between its inputs, or learning.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import snntorch as snn
import torch

from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import AXES, DIALECTS, Dialect, differences
from decolle_ref.oracle import profile
from decolle_ref.oracle.spikes_only import driven
from decolle_ref.oracle.trace import parse_trace

THRESHOLD, STEPS = 1.0, 8
SETTINGS = {
    "Synaptic, subtract": (snn.Synaptic, {"reset_mechanism": "subtract"}),
    "Synaptic, subtract, reset_delay=False": (snn.Synaptic, {"reset_mechanism": "subtract", "reset_delay": False}),
    "Synaptic, zero": (snn.Synaptic, {"reset_mechanism": "zero"}),
    "Synaptic, none": (snn.Synaptic, {"reset_mechanism": "none"}),
    "Leaky, subtract": (snn.Leaky, {"reset_mechanism": "subtract"}),
}


def backend(about, arrays, neuron=snn.Synaptic, **settings):
    """Run the layers of a case as snnTorch neurons with threshold -b; returns U = mem - threshold, S, and I = syn.

    Leaky neurons have no syn.  The arrays w and gamma are not read: the neuron has its own reset.
    """
    trace, S = {}, torch.tensor(arrays["inputs"], dtype=getattr(torch, about["dtype"]))
    for k in range(1, len(about["layers"]) + 1):
        W, threshold = torch.tensor(arrays[f"layer{k}_W"]), -torch.tensor(arrays[f"layer{k}_b"])
        alpha, beta = (_same(f"layer{k}_{x}", arrays) for x in ("alpha", "beta"))
        # snnTorch swaps the letters: its alpha is the decay of the synapse, its beta that of the membrane
        decays = {"alpha": beta, "beta": alpha} if neuron is snn.Synaptic else {"beta": alpha}
        layer = neuron(**decays, threshold=threshold, **settings)
        rows = _rows(layer, torch.nn.functional.linear(S, W))
        S = rows["S"]
        trace |= {f"layer{k}_{x}": row.numpy() for x, row in rows.items()}
        trace |= {f"layer{k}_{x}_final": arrays[f"layer{k}_{x}"] for x in "Wb"}
    return trace


backend.profile = {"name": "snnTorch Synaptic", "format": "float32", "level": "L0"}


def _same(name, arrays):
    """The value that all entries of an array have."""
    if np.ptp(arrays[name]):
        raise NotImplementedError(f"{name}: expected one decay for all inputs, got several")
    return torch.tensor(arrays[name][0])


@torch.no_grad()
def _rows(neuron, drive):
    """U, S and I at every step, from the drive W S_in."""
    state, rows = (), []
    for current in drive:
        spikes, *state = neuron(current, *state)
        rows.append({"U": state[-1] - neuron.threshold, "S": spikes, **({"I": state[0]} if len(state) == 2 else {})})
    return {x: torch.stack([row[x] for row in rows]) for x in rows[0]}


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


def as_case(convention, arrays, dtype):
    """A case with these inputs, weights and decays, under a convention."""
    axes = {axis: getattr(convention.dialect(), axis) for axis in AXES}
    weights = [arrays[name] for name in sorted(arrays) if name.endswith("_W")]
    readout = {"n_out": 1, "loss": "squared_error", "reduction": "sum"}
    layers = [{"n_in": W.shape[1], "n": W.shape[0]} | readout for W in weights]
    steps, batch, _ = arrays["inputs"].shape
    about = {"name": "snnTorch", "dialect": axes, "dtype": dtype, "constants": "decay", "steps": steps, "batch": batch}
    about |= {"initial_state": "rest", "targets": False, "learn": False, "layers": layers}
    case_arrays = dict(arrays)
    for k, W in enumerate(weights, start=1):
        case_arrays[f"layer{k}_gamma"] = np.full(len(W), arrays[f"layer{k}_alpha"][0])
        case_arrays[f"layer{k}_w"] = np.full(len(W), convention.strength)
        case_arrays |= {f"layer{k}_b": np.full(len(W), -THRESHOLD)}
        case_arrays |= {f"layer{k}_G": np.zeros((1, len(W))), f"layer{k}_c": np.zeros(1)}
    return Case(about, {name: a if name == "inputs" else a.astype(dtype) for name, a in case_arrays.items()})


def expected(convention, arrays):
    """The arrays of layer 1 that snnTorch would have under a convention, by the reference."""
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


def agreeing(setting, strong=True):
    """(convention, steps before the first difference) for all conventions, longest first; and snnTorch's trace."""
    neuron, settings = SETTINGS[setting]
    arrays = probe(0.5 if neuron is snn.Synaptic else 0.0, strong)  # Leaky has no synaptic current: Q = S_in
    case = as_case(next(conventions()), arrays, "float32")
    got = backend(case.about, case.arrays, neuron, **settings)
    steps = [(c, _steps(got, expected(c, arrays))) for c in conventions()]
    return sorted(steps, key=lambda pair: -pair[1]), got


def matches(setting, strong=True):
    """The conventions under which every step agrees."""
    return [convention for convention, steps in agreeing(setting, strong)[0] if steps == STEPS]


def _steps(got, reference):
    """The number of leading steps at which all arrays agree to the last bit."""
    names = [x for x in reference if f"layer1_{x}" in got]
    same = np.all([(got[f"layer1_{x}"] == reference[x]).all(axis=(1, 2)) for x in names], axis=0)
    return int(np.logical_and.accumulate(same).sum())


def rounding(convention):
    """(spikes, spikes that differ, largest |dU|, largest |U|): two layers, 200 steps, decays 0.9 and 0.8, float32."""
    rng = np.random.default_rng(1)
    arrays = {"inputs": (rng.random((200, 8, 20)) < 0.1).astype(np.uint8)}
    for k, (n_in, n) in enumerate(((20, 15), (15, 10)), start=1):
        arrays[f"layer{k}_W"] = rng.uniform(-0.3, 0.5, (n, n_in)) * 0.2
        arrays |= {f"layer{k}_alpha": np.full(n_in, np.float32(0.9)), f"layer{k}_beta": np.full(n_in, np.float32(0.8))}
    case = as_case(convention, arrays, "float32")
    got, reference = backend(case.about, case.arrays), simulate(case)
    names = [(f"layer{k}_S", f"layer{k}_U") for k in (1, 2)]
    differ = sum(int((got[S] != reference[S]).sum()) for S, _ in names)
    apart = max(float(np.abs(got[U] - reference[U]).max()) for _, U in names)
    return (
        int(sum(reference[S].sum() for S, _ in names)),
        differ,
        apart,
        max(float(np.abs(reference[U]).max()) for _, U in names),
    )


def verdict(convention):
    """The oracle's verdict on the probe, from snnTorch's spikes alone (level L0)."""
    case = as_case(convention, probe(), "float32")
    return driven.check(parse_trace(case, backend(case.about, case.arrays), profile.parse(backend.profile)))


def report() -> Iterator[str]:
    """The conventions that match each neuron, and how the default neuron differs from each dialect."""
    yield f"snnTorch {snn.__version__}"
    for setting, strong in product(SETTINGS, (True, False)):
        ranked, got = agreeing(setting, strong)
        reached, ties = float(got["layer1_U"].max()) + THRESHOLD, int((got["layer1_U"] == 0).sum())
        same = [convention for convention, steps in ranked if steps == STEPS]
        yield f"{setting}; mem up to {reached:.2f}, {ties} exact ties: {len(same)} of {len(ranked)} conventions match"
        yield from (f"    {convention}" for convention in same)
        if not same:
            convention, steps = ranked[0]
            yield f"    the nearest agrees for {steps} of {STEPS} steps: {convention}"
    default = matches("Synaptic, subtract")[0]
    spikes, differ, apart, size = rounding(default)
    yield f"the oracle, from the spikes of Synaptic with subtract alone: {verdict(default)}"
    wrong = default._replace(threshold="at_or_above")
    yield f"    were S = 1 if U >= 0: {verdict(wrong)}"
    yield f"Synaptic in float32, 2 layers, 200 steps: {differ} of {spikes} spikes differ"
    yield f"    |dU| <= {apart:.1e} where |U| <= {size:.2f}"
    yield "Synaptic with subtract, the default, differs from"
    for name, dialect in DIALECTS.items():
        axes = [row for row in differences(default.dialect(), dialect) if row[0] in Convention._fields]
        yield f"    {name}: " + "; ".join(f"{ours}, not {theirs}" for _, ours, theirs in axes)


if __name__ == "__main__":
    print("\n".join(report()))
