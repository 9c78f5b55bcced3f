"""The recordings that the authors of [K20] made of their own runs (their repository nmi-lab/dcll, Apache-2.0).

>>> arrays = {name: np.zeros(shape) for name, shape in shapes().items()}
>>> validate(arrays, "zeros")
>>> arrays["layer1_W"].shape
(256, 100)
"""

from collections.abc import Mapping

import numpy as np

from decolle_ref._util import reading
from decolle_ref._util.check import Array, InputError, finite, validate_choice, validate_shape
from decolle_ref.data.location import find

REGRESSION = "authors/regression.npz"
CURVES = "authors/curves.npz"
HINT = ", or make it with decolle-ref convert"
MNIST = {"mnist_long": 19900, "mnist_short": 49}  # their runs on MNIST, and the epoch after which weights were stored
BATCH = 128  # samples in a mini-batch of their MNIST runs
STEPS, CHANNELS, N = 500, 100, 256
LAYERS_OF_MNIST = (16, 1, 784, 2704), (24, 16, 2704, 2904), (32, 24, 2904, 512)  # channels, those below, inputs, read


def regression() -> dict[str, Array]:
    """The recorded regression run.

    Returns
    -------
    dict of str to array
        input_spikes (500, 100), layer1_W, layer1_target, layer1_Y, ...: the arrays of `shapes`.

    Raises
    ------
    InputError
        If the file is missing or damaged, or if an array is missing, of another shape, or not finite.
    """
    path = find(REGRESSION, HINT)
    arrays = reading.read_npz(path, "recorded regression run", shapes())
    validate(arrays, str(path))
    return arrays


def validate(arrays: Mapping[str, Array], where: str) -> None:
    """Raise InputError unless every array of the recording is present, finite and of its shape.

    Parameters
    ----------
    arrays : mapping of str to array
    where : str
        The source of the arrays, with which the message begins.
    """
    for name, shape in shapes().items():
        _parse(arrays, name, shape, where)


def shapes() -> dict[str, tuple[int, ...]]:
    """The shape of every array of the recording, by name.

    Returns
    -------
    dict of str to tuple of int
    """
    expected: dict[str, tuple[int, ...]] = {"input_spikes": (STEPS, CHANNELS), "layer3_P": (STEPS, N)}
    expected |= {"tau_m_over_dt": (1,), "tau_s_over_dt": (1,)}
    expected |= dict.fromkeys(("alpha", "beta", "gamma", "w_refractory"), ())
    layer = {"b": (N,), "G": (1, N), "c": (1,), "S": (STEPS, N), "U": (STEPS, N), "Y": (STEPS, 1), "target": (STEPS,)}
    for k in (1, 2, 3):
        expected[f"layer{k}_W"] = (N, N if k > 1 else CHANNELS)
        expected |= {f"layer{k}_{letter}": shape for letter, shape in layer.items()}
    return expected


def mnist(name: str) -> dict[str, Array]:
    """A network of three convolutional layers that the authors trained on MNIST.

    Parameters
    ----------
    name : {"mnist_long", "mnist_short"}
        The run.

    Returns
    -------
    dict of str to array
        layer1_W (16, 1, 7, 7), layer1_b (16,), ...: the arrays of `mnist_shapes`.

    Raises
    ------
    InputError
        For another name, if the file is missing or damaged, or if an array is missing, of another shape or not finite.
    """
    shapes_by_name = mnist_shapes(name)
    path = find(f"authors/{name}.npz", HINT)
    arrays = reading.read_npz(path, "network trained on MNIST", shapes_by_name)
    return {key: _parse(arrays, key, shape, str(path)) for key, shape in shapes_by_name.items()}


def mnist_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a network trained on MNIST, by name.

    In the long run all inputs of a layer share alpha, beta and the gains tau_m/dt, tau_s/dt.  In the short run each
    input has its own, and a trained output layer (top_W, top_b) reads what the readout of layer 3 reads.

    Parameters
    ----------
    name : {"mnist_long", "mnist_short"}

    Returns
    -------
    dict of str to tuple of int

    Raises
    ------
    InputError
        For another name.
    """
    validate_choice("name", name, MNIST)
    short = name == "mnist_short"
    expected: dict[str, tuple[int, ...]] = {"gamma": (), "w_refractory": ()}
    for k, (channels, below, n_in, read) in enumerate(LAYERS_OF_MNIST, 1):
        layer = {"W": (channels, below, 7, 7), "b": (channels,), "G": (10, read), "c": (10,)}
        decays = ("alpha", "tau_m_over_dt", "beta", "tau_s_over_dt")
        layer |= dict.fromkeys(decays, (n_in if short else 1,))
        expected |= {f"layer{k}_{letter}": shape for letter, shape in layer.items()}
    return expected | ({"layer3_top_W": (10, 512), "layer3_top_b": (10,)} if short else {})


def curves() -> dict[str, Array]:
    """The authors' recorded test errors on MNIST, averaged over their test batches.

    Returns
    -------
    dict of str to array, (evaluations, 5)
        For mnist_short and mnist_long one row per evaluation: the number of samples seen, and the errors of layers 1,
        2, 3 and of the analog reference network.  Layer 3 is read by a trained output layer in the short run, and by
        its random readout in the long one.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = find(CURVES, HINT)
    arrays = reading.read_npz(path, "authors' curves")
    runs = {}
    for name, (evaluations, every) in {"mnist_short": (50, 1), "mnist_long": (500, 20)}.items():
        errors = []
        for column, shape in ((f"{name}_test_accuracy", (2, 3)), (f"{name}_reference_accuracy", (2,))):
            accuracy = _parse(arrays, column, (evaluations, *shape), str(path))
            errors.append(1 - accuracy.mean(axis=1).reshape(evaluations, -1))
        samples = BATCH * (1 + every * np.arange(evaluations))
        runs[name] = np.column_stack([samples, *errors])
    return runs


def dvsgesture_curve() -> Array:
    """The authors' recorded test errors on DvsGesture, averaged over their four test batches.  [K20 Fig. 4]

    Their file has 226 evaluations, but its last row was never written and is left out.

    Returns
    -------
    array, (225, 4)
        One row per evaluation: the number of mini-batches of 72 so far, and the errors of layers 1, 2 and 3.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path, name = find(CURVES, HINT), "dvsgestures_test_accuracy"
    accuracy = _parse(reading.read_npz(path, "authors' curves"), name, (226, 4, 3), str(path))[:-1]
    return np.column_stack([1 + 20 * np.arange(len(accuracy)), 1 - accuracy.mean(axis=1)])


def _parse(arrays: Mapping[str, Array], name: str, shape: tuple[int, ...], where: str) -> Array:
    """The named array, if it is present, finite and of this shape."""
    if name not in arrays:
        raise InputError(f"{where}: expected an array {name}, got none")
    validate_shape(f"{where} {name}", finite(f"{where} {name}", arrays[name]), shape)
    return arrays[name]
