"""The authors' package `decolle` (https://pypi.org/project/decolle, GPL) as a program that the oracle can run.

    python -m venv theirs && theirs/bin/pip install decolle numpy
    decolle-ref oracle run --profile PROFILE -- theirs/bin/python examples/third_party/decolle_program.py IN OUT

This file only calls that package, in a process of its own; it needs neither decolle_ref nor its licence.  It runs dense
layers of the dialects `decolle`, `decolle-base` and `decolle-nonorm` with the classes that these are named after.
Gradients are autograd's.  A case that the classes do not express ends with exit code 3 and a reason.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")  # of other packages, about their own future
import torch  # noqa: E402
from decolle import base_model  # noqa: E402

CLASSES = {
    "decolle": base_model.LIFLayer,
    "decolle-base": base_model.BaseLIFLayer,
    "decolle-nonorm": base_model.LIFLayerNonorm,
}
UNSUPPORTED = 3


def refuse(reason):
    """End with the exit code of what is not supported."""
    print(reason, file=sys.stderr)
    sys.exit(UNSUPPORTED)


def validate(case):
    """Refuse a case that the classes do not express."""
    if case["dialect"] not in CLASSES:
        refuse(f"dialect: expected {', '.join(CLASSES)}, got {case['dialect']}")
    for key, value in (("constants", "decay"), ("initial_state", "rest"), ("learn", False)):
        if case[key] != value:
            refuse(f"{key}: expected {value}, got {case[key]}")
    for layer in case["layers"]:
        if "conv" in layer or layer.get("surrogate") or layer.get("lambda1") or layer.get("lambda2"):
            refuse("layers: expected dense ones with their own surrogate and no regulariser, got others")
        if layer["loss"] == "cross_entropy":
            refuse("loss: expected squared_error or smooth_l1, got cross_entropy")


class Layer:
    """A layer of the package and its readout."""

    def __init__(self, kind, about, arrays):
        self.about, self.arrays = about, arrays
        self.synapse = torch.nn.Linear(about["n_in"], about["n"])
        self.readout = torch.nn.Linear(about["n"], about["n_out"])
        pairs = ((self.synapse, "W", "b"), (self.readout, "G", "c"))
        for module, weight, bias in pairs:
            module.weight, module.bias = (torch.nn.Parameter(arrays[x]) for x in (weight, bias))
        decays = {"alpha": arrays["alpha"], "beta": arrays["beta"], "alpharp": arrays["gamma"]}
        self.neuron = kind(self.synapse, wrp=arrays["w"], **decays)
        self.strength = (1 - arrays["gamma"]) * arrays["w"] if kind is base_model.LIFLayer else arrays["w"]

    def step(self, S_in, target):
        """One step; returns the row of the trace, and the spikes."""
        _, U = self.neuron(S_in)
        S = self.neuron.sg_function(U)  # again, as the package's networks do: the neuron's own S is detached
        Y, state = self.readout(S), self.neuron.state
        row = {"Q": state.Q, "P": state.P, "R": state.R / -self.strength, "U": U, "S": S, "Y": Y}
        if target is not None:
            row |= self.gradients(U, Y, target)
        return {name: x.detach().clone() for name, x in row.items()}, S.detach()

    def gradients(self, U, Y, target):
        """dL/dY, dL/dU, dL/dW and dL/db of the loss of this step, by autograd."""
        loss = torch.nn.functional.mse_loss if self.about["loss"] == "squared_error" else torch.nn.functional.smooth_l1_loss
        scale = 0.5 if self.about["loss"] == "squared_error" else 1.0
        value = scale * loss(Y, target, reduction=self.about["reduction"])
        at = (Y, U, self.synapse.weight, self.synapse.bias)
        found = dict(zip(("e", "delta", "dW", "db"), torch.autograd.grad(value, at), strict=True))
        return found | {"W": self.synapse.weight, "b": self.synapse.bias}


def main(folder, out):
    """Read the case, run it, and write the trace."""
    case = json.loads((folder / "case.json").read_text())
    validate(case)
    kind = getattr(torch, case["dtype"])
    arrays = {file.stem: torch.from_numpy(np.load(file)).to(kind) for file in folder.glob("*.npy")}
    layers = []
    for k, about in enumerate(case["layers"], start=1):
        prefix = f"layer{k}_"
        own = {name.removeprefix(prefix): x for name, x in arrays.items() if name.startswith(prefix)}
        layers.append(Layer(CLASSES[case["dialect"]], about, own))
    series = {}
    for t, S in enumerate(arrays["inputs"]):
        for k, layer in enumerate(layers, start=1):
            row, S = layer.step(S, layer.arrays["target"][t] if case["targets"] else None)
            for name, x in row.items():
                series.setdefault(f"layer{k}_{name}", []).append(x)
    out.mkdir(exist_ok=True)
    for name, rows in series.items():
        np.save(out / f"{name}.npy", torch.stack(rows).numpy())
    sizes = [{key: layer[key] for key in ("n_in", "n", "n_out")} for layer in case["layers"]]
    about = {"format": "decolle_ref trace", "version": 1} | {key: case[key] for key in ("dtype", "steps", "batch")}
    (out / "trace.json").write_text(json.dumps(about | {"layers": sizes}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
