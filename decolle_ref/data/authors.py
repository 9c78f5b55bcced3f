"""The DECOLLE authors' own recorded run of the regression experiment (their repository nmi-lab/dcll, Apache-2.0)."""

from decolle_ref import store
from decolle_ref.check import Array, InputError, exact_shape, finite
from decolle_ref.data.location import find

REGRESSION = "authors/regression.npz"
STEPS, CHANNELS, N = 500, 100, 256


def regression() -> dict[str, Array]:
    """The recorded arrays by name: input_spikes (500, 100), layer1_W, layer1_target, layer1_Y, ...

    Raises InputError if the file is missing or damaged, or an array missing, of another shape, or not finite.
    """
    path = find(REGRESSION)
    arrays = store.read_npz(path, "recorded regression run")
    require(arrays, str(path))
    return arrays


def require(arrays: dict[str, Array], where: str) -> None:
    """Raise InputError unless every array is there, of its shape and finite."""
    for name, shape in shapes().items():
        if name not in arrays:
            raise InputError(f"{where}: expected an array {name}, got none")
        exact_shape(f"{where} {name}", finite(f"{where} {name}", arrays[name]), shape)


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
