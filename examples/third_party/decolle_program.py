r"""The authors' package `decolle` 0.2 (GPL) as a program that the oracle can run.

    python -m venv theirs && theirs/bin/pip install decolle numpy
    decolle-ref oracle run --profile examples/third_party/decolle.json \
        -- theirs/bin/python examples/third_party/decolle_program.py IN OUT

This file only calls that package, in a process of its own; it needs neither decolle_ref nor its licence.  It runs dense
layers of the dialects `decolle`, `decolle-base` and `decolle-nonorm` with the classes that these are named after.
Gradients are autograd's and updates `torch.optim`'s, with one learning rate for W and one for b.  A case that these do
not express ends with exit code 3 and a reason.  The package keeps -w R, which decolle.json says.  decolle_layers.py has
the layers.
"""

import json
import sys
from pathlib import Path

import numpy as np

SURROGATES = {"decolle": "fast_sigmoid_10", "decolle-base": "fast_sigmoid_10", "decolle-nonorm": "boxcar"}
UNSUPPORTED = 3


def refuse(reason):
    """End with the exit code of what is not supported."""
    print(reason, file=sys.stderr)
    sys.exit(UNSUPPORTED)


def validate(case, arrays):
    """Refuse a case that the package does not express."""
    if case["dialect"] not in [*SURROGATES]:
        refuse(f"dialect: expected {', '.join(SURROGATES)}, got {case['dialect']}")
    expected = {"constants": "decay", "initial_state": "rest", "memory": "fresh"}
    for key, value in (expected | {"dropout": "none", "schedule": "constant"}).items():
        if case.get(key, value) != value:
            refuse(f"{key}: expected {value}, got {case[key]}")
    own = SURROGATES[case["dialect"]]
    for layer in case["layers"]:
        if "conv" in layer or layer.get("surrogate", own) != own or layer.get("lambda1") or layer.get("lambda2"):
            refuse(f"layers: expected dense ones with the surrogate {own} and no regulariser, got others")
        if layer["loss"] == "cross_entropy":
            refuse("loss: expected squared_error or smooth_l1, got cross_entropy")
    for name, rate in arrays.items():
        if "_rate_" in name and np.ptp(rate):
            refuse(f"{name}: expected one learning rate for all, got several")


def write(out, case, trace):
    """Write a trace folder."""
    out.mkdir(exist_ok=True)
    for name, array in trace.items():
        np.save(out / f"{name}.npy", array)
    sizes = [{key: layer[key] for key in ("n_in", "n", "n_out")} for layer in case["layers"]]
    about = {"format": "decolle_ref trace", "version": 1} | {key: case[key] for key in ("dtype", "steps", "batch")}
    (out / "trace.json").write_text(json.dumps(about | {"layers": sizes}))


def main(folder, out):
    """Read the case, run it, and write the trace."""
    case = json.loads((folder / "case.json").read_text())
    arrays = {file.stem: np.load(file) for file in folder.glob("*.npy")}
    validate(case, arrays)
    from decolle_layers import run  # takes seconds

    write(out, case, run(case, arrays))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
