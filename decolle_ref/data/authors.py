"""What the DECOLLE authors recorded of their own runs (their repository nmi-lab/dcll, Apache-2.0)."""

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, exact_shape, finite
from decolle_ref.data.location import find

REGRESSION = "authors/regression.npz"
CURVES = "authors/curves.npz"
BATCH = 128  # samples in a mini-batch of their MNIST runs
STEPS, CHANNELS, N = 500, 100, 256


def regression() -> dict[str, Array]:
    """The recorded arrays by name: input_spikes (500, 100), layer1_W, layer1_target, layer1_Y, ...

    Raises InputError if the file is missing or damaged, or an array missing, of another shape, or not finite.
    """
    path = find(REGRESSION)
    arrays = store.read_npz(path, "recorded regression run")
    validate(arrays, str(path))
    return arrays


def validate(arrays: dict[str, Array], where: str) -> None:
    """Raise InputError unless every array is there, of its shape and finite."""
    for name, shape in shapes().items():
        if name not in arrays:
            raise InputError(f"{where}: expected an array {name}, got none")
        exact(arrays[name], shape, f"{where} {name}")


def shapes() -> dict[str, tuple[int, ...]]:
    """Every array of the recording and its shape."""
    expected: dict[str, tuple[int, ...]] = {"input_spikes": (STEPS, CHANNELS), "layer3_P": (STEPS, N)}
    expected |= {"tau_m_over_dt": (1,), "tau_s_over_dt": (1,)}
    expected |= dict.fromkeys(("alpha", "beta", "gamma", "w_refractory"), ())
    each = {"b": (N,), "G": (1, N), "c": (1,), "S": (STEPS, N), "U": (STEPS, N), "Y": (STEPS, 1), "target": (STEPS,)}
    for k in (1, 2, 3):
        expected[f"layer{k}_W"] = (N, N if k > 1 else CHANNELS)
        expected |= {f"layer{k}_{letter}": shape for letter, shape in each.items()}
    return expected


def curves() -> dict[str, Array]:
    """The authors' recorded test errors on MNIST, means over their test batches: rows of samples seen and errors.

    mnist_short, mnist_long: samples, layers 1, 2, 3 and the analog reference network.  In the short one layer 3 is read
    by a trained output layer, in the long one by its random readout.  Raises InputError for a file that is missing or
    damaged.
    """
    path = find(CURVES)
    arrays = store.read_npz(path, "authors' curves")
    found = {}
    for name, (evaluations, every) in {"mnist_short": (50, 1), "mnist_long": (500, 20)}.items():
        parts = []
        for column, shape in ((f"{name}_test_accuracy", (2, 3)), (f"{name}_reference_accuracy", (2,))):
            if column not in arrays:
                raise InputError(f"{path}: expected an array {column}, got none")
            accuracy = exact(arrays[column], (evaluations, *shape), f"{path} {column}")
            parts.append(1 - accuracy.mean(axis=1).reshape(evaluations, -1))
        samples = BATCH * (1 + every * np.arange(evaluations))
        found[name] = np.column_stack([samples, *parts])
    return found


def exact(array: Array, shape: tuple[int, ...], name: str) -> Array:
    """The array, if it is finite and of this shape."""
    exact_shape(name, finite(name, array), shape)
    return array
