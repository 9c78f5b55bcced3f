"""Extracts the files which `data.authors` reads from a clone of the authors' repository nmi-lab/dcll.

    convert(Path("dcll"), Path("authors/regression.npz"))
    convert_mnist(Path("dcll"), "mnist_long", Path("authors/mnist_long.npz"))
    convert_curves(Path("dcll"), Path("authors/curves.npz"))

These files in Paper_results/synthetic are read, for layers k = 1, 2, 3 (the parameters' files count from 0):

    args.pkl               options of the script: seed, alpha, alphas, alpharp, arp
    slice_state{k-1}.pkl   W, b, G, c, and tau_m/dt, tau_s/dt, as PyTorch wrote them in 2018
    do{k}.npy              S, Y, sigma(U), U and loss at each of 500 steps
    deps.npy               P of layer 3
    target.npy             the three targets

The input spikes were not recorded.  They are sampled again from the seed, as the script did: an input spikes unless a
binomial number with p = 0.9 is 1, and the network saw the first 500 of 1000 steps.

These files in Paper_results/mnist_long and mnist_short are read:

    args.pkl               options of the script: alpharp, arp
    parameters_*.pkl       for layers 1, 2, 3: W, b, G, c, and alpha, tau_m/dt, alphas, tau_s/dt, one or one per input;
                           in the short run also the trained output layer on top of layer 3

>>> spikes = input_spikes(1)
>>> spikes.shape, spikes.dtype.name, int(spikes.max())
((500, 100), 'uint8', 1)
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
from numpy.random import RandomState

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, count, finite, first_line, validate_choice, validate_shape
from decolle_ref.data._pickled import Arrays, numpy_file, torch_file
from decolle_ref.data.authors import CHANNELS, MNIST, STEPS, N, mnist_shapes

FOLDER = Path("Paper_results") / "synthetic"
S, Y, U, CELLS = 0, 1, 3, 5  # columns of do{k}.npy, and their number
DECAYS = {"alpha": "alpha", "tau_m_over_dt": "tau_m__dt", "beta": "alphas", "tau_s_over_dt": "tau_s__dt"}
STORED_AS = {"W": "i2h.weight", "b": "i2h.bias", **{ours: f"i2h.{theirs}" for ours, theirs in DECAYS.items()}}
STORED_AS |= {"G": "i2o.weight", "c": "i2o.bias", "top_W": "output_.weight", "top_b": "output_.bias"}
CURVES = {  # the run, its file, and the shape: evaluations, test batches, layers
    "mnist_short_test_accuracy": ("mnist_short", "acc_test.npy", (50, 2, 3)),
    "mnist_short_reference_accuracy": ("mnist_short", "acc_test_ref.npy", (50, 2)),
    "mnist_long_test_accuracy": ("mnist_long", "acc_test.npy", (500, 2, 3)),
    "mnist_long_reference_accuracy": ("mnist_long", "acc_test_ref.npy", (500, 2)),
    "dvsgestures_test_accuracy": ("dvsgestures", "acc_test.npy", (226, 4, 3)),
}
LARGEST = 1 << 28  # bytes of one file of the repository; the largest has 26 million
T = TypeVar("T")


def convert(clone: Path, target: Path) -> None:
    """Write the recorded regression run to an npz file, whole or not at all.

    Parameters
    ----------
    clone : Path
        The folder of the cloned repository.
    target : Path
        The file to write; its folder is created if need be.

    Raises
    ------
    InputError
        For a file that is missing, truncated, of another shape, or that names anything but arrays.
    """
    _write(_collect(Path(clone) / FOLDER), Path(target))


def convert_mnist(clone: Path, name: str, target: Path) -> None:
    """Write a network that the authors trained on MNIST to an npz file, whole or not at all.

    Parameters
    ----------
    clone : Path
        The folder of the cloned repository.
    name : {"mnist_long", "mnist_short"}
        The run.
    target : Path
        The file to write; its folder is created if need be.

    Raises
    ------
    InputError
        For another name, and for files as in `convert`.
    """
    validate_choice("name", name, MNIST)
    folder = Path(clone) / FOLDER.parent / name
    options = read(folder / "args.pkl", lambda stream: Arrays(stream).parse(dict))
    file = f"parameters_{MNIST[name]}.pkl"
    stored = read(folder / file, lambda stream: Arrays(stream).parse(dict))
    of_options = {"gamma": "alpharp", "w_refractory": "arp"}
    arrays = {ours: _option(options, x) for ours, x in of_options.items()}
    for ours, shape in mnist_shapes(name).items():
        if ours not in arrays:
            layer, letter = ours.split("_", 1)
            theirs = f"{layer}.{STORED_AS[letter]}"
            value = getattr(stored.get(theirs), "items", None)
            if letter in DECAYS and isinstance(value, np.ndarray):  # (channels, rows, columns), or (1,)
                value = value.reshape(-1)
            arrays[ours] = _parse(f"{file} {theirs}", value, shape)
    _write(arrays, Path(target))


def convert_curves(clone: Path, target: Path) -> None:
    """Write the accuracies that the authors recorded, on MNIST and on DvsGesture, to an npz file, whole or not at all.

    Parameters
    ----------
    clone : Path
        The folder of the cloned repository.
    target : Path
        The file to write; its folder is created if need be.

    Raises
    ------
    InputError
        As `convert`.
    """
    arrays = {}
    for name, (run, file, shape) in CURVES.items():
        accuracy = read(Path(clone) / FOLDER.parent / run / file, numpy_file)
        if not isinstance(accuracy, np.ndarray):
            raise InputError(f"{file}: expected an array of shape {shape}, got none")
        validate_shape(f"{run} {file}", finite(f"{run} {file}", accuracy), shape)
        arrays[name] = accuracy
    _write(arrays, Path(target))


def _write(arrays: dict[str, Array], target: Path) -> None:
    store.output_folder(target.parent)
    store.atomically(target, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def _collect(folder: Path) -> dict[str, Array]:
    """All arrays of regression.npz by name."""
    options = vars(read(folder / "args.pkl", lambda stream: Arrays(stream).parse(SimpleNamespace)))
    arrays = {"input_spikes": input_spikes(options.get("seed"))}
    targets = _parse("target.npy", read(folder / "target.npy", numpy_file), (3, STEPS, 1, 1))
    for k in (1, 2, 3):
        state = read(folder / f"slice_state{k - 1}.pkl", torch_file)
        layer = _parameters(state, N if k > 1 else CHANNELS, f"slice_state{k - 1}.pkl")
        layer |= _outputs(folder / f"do{k}.npy") | {"target": targets[k - 1].reshape(STEPS)}
        arrays |= {f"layer{k}_{letter}": array for letter, array in layer.items()}
    arrays["layer3_P"] = _parse("deps.npy", read(folder / "deps.npy", numpy_file), (STEPS, 1, N)).reshape(STEPS, N)
    names = {"alpha": "alpha", "beta": "alphas", "gamma": "alpharp", "w_refractory": "arp"}
    arrays |= {ours: _option(options, x) for ours, x in names.items()}
    for x, decay in (("m", "alpha"), ("s", "beta")):
        tau = _ending(state, f"i2h.tau_{x}__dt", (1 / (1 - arrays[decay])).reshape(1))
        arrays[f"tau_{x}_over_dt"] = _parse(f"tau_{x}__dt", tau, (1,))
    return arrays


def input_spikes(seed: Any) -> Array:
    """The input spikes, sampled as the script did, with the legacy generator that it used.

    Parameters
    ----------
    seed : int

    Returns
    -------
    array of uint8, (500, 100)

    Raises
    ------
    InputError
        If the seed is no integer from 0 to 2^32 - 1.
    """
    if count("seed", seed, 0) >= 2**32:
        raise InputError(f"seed: expected an integer below 2^32, got {seed}")
    return (1 - RandomState(seed).binomial(1, 0.9, (2 * STEPS, CHANNELS))[:STEPS]).astype(np.uint8)


def _parameters(state: dict[str, Array], n_in: int, name: str) -> dict[str, Array]:
    """W, b, G, c of one layer."""
    shapes = {"i2h.weight": (N, n_in), "i2h.bias": (N,), "i2o.weight": (1, N), "i2o.bias": (1,)}
    arrays = [_parse(f"{name} {key}", _ending(state, key), shape) for key, shape in shapes.items()]
    return dict(zip("WbGc", arrays, strict=True))


def _ending(state: dict[str, Array], suffix: str, default: Array | None = None) -> Array | None:
    return next((array for key, array in state.items() if key.endswith(suffix)), default)


def _option(options: dict[str, Any], name: str) -> Array:
    """A number among the options of the authors' script."""
    value = options.get(name)
    if not isinstance(value, int | float | np.ndarray):  # an array made of nested lists might be huge
        raise InputError(f"args.pkl {name}: expected a number, got {type(value).__name__}")
    return _parse(f"args.pkl {name}", np.asarray(value), ())


def _outputs(path: Path) -> dict[str, Array]:
    """S, Y, U of one layer, stacked over the steps."""
    cells = getattr(read(path, numpy_file), "items", None)
    if not isinstance(cells, list) or len(cells) != STEPS * CELLS:
        raise InputError(f"{path.name}: expected {STEPS} rows of {CELLS} arrays, got something else")

    def stacked(column: int, width: int) -> Array:
        rows = cells[column::CELLS]
        return np.concatenate([_parse(f"{path.name} step {n}", x, (1, width)) for n, x in enumerate(rows)])

    spikes = stacked(S, N)
    if not np.isin(spikes, (0, 1)).all():
        raise InputError(f"{path.name}: expected spikes 0 or 1, got other numbers")
    return {"S": spikes.astype(np.uint8), "Y": stacked(Y, 1), "U": stacked(U, N)}


def _parse(name: str, value: object, shape: tuple[int, ...]) -> Array:
    """`value` as a float32 array of finite numbers with exactly this shape."""
    array = getattr(value, "items", value)
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name}: expected an array of shape {shape}, got none")
    validate_shape(name, array, shape)
    return np.array(finite(name, array, np.dtype(np.float32)), order="C")


def read(path: Path, parse: Callable[[BytesIO], T]) -> T:
    """The parsed content of a file.

    Parameters
    ----------
    path : Path
    parse : callable
        `numpy_file`, `torch_file`, or another function of a byte stream.

    Returns
    -------
    What `parse` returns.

    Raises
    ------
    InputError
        In one line that names the file, for whatever goes wrong.
    """
    content = reading.read_bytes(path, "a file of the authors' repository", LARGEST)
    try:
        return parse(BytesIO(content))
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None
    except Exception as problem:  # a damaged pickle may raise nearly any exception
        raise InputError(
            f"{path}: expected a whole file of arrays, got a damaged one ({first_line(problem)})"
        ) from None
