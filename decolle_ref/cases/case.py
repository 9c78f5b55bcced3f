"""Cases: a network, its input and how it learns, as a folder that any language can read and write.

A case is the file `case.json` and one plain .npy file per array (docs/case_format.md).  The arrays of layer l, counted
from 1, are called layer{l}_{letter}.npy.  `read` turns a folder into what `network.run` takes.  Nothing in a case is
executed.

>>> layer = {"n_in": 1, "n": 1, "n_out": 1, "loss": "squared_error", "reduction": "sum"}
>>> about = {"name": "one neuron", "dialect": "paper", "dtype": "float64", "constants": "decay", "steps": 6, "batch": 1}
>>> about |= {"initial_state": "rest", "targets": False, "learn": False, "layers": [layer]}
>>> arrays = {name: np.full(shape, 0.5) for name, shape in description.shapes(about).items()}
>>> case = Case(about, arrays | {"inputs": np.ones((6, 1, 1))})
>>> case.network()[0].neuron.alpha
array([0.5])
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import npy, store
from decolle_ref._util.check import Array, InputError, not_negative
from decolle_ref.cases import description, schema
from decolle_ref.cases.layer_arrays import LayerArrays
from decolle_ref.decolle import dialects, lif, network
from decolle_ref.decolle.dialects import AXES, Dialect
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import LOSSES, Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax, Optimiser, Schedule, constant
from decolle_ref.decolle.readout import Mask
from decolle_ref.decolle.surrogate import SURROGATES, Surrogate
from decolle_ref.decolle.synapse import Weights

FORMAT, VERSION = "decolle_ref case", 1


@dataclass(frozen=True)
class Case:
    """A network, its input and how it learns; the methods build what `network.run` takes.

    Parameters
    ----------
    about : dict
        The content of case.json.
    arrays : dict of str to array
        The arrays by the names of their files, such as inputs and layer1_W (docs/case_format.md lists their shapes).
    """

    about: dict[str, Any]
    arrays: dict[str, Array]

    @property
    def inputs(self) -> Array:
        """Input spikes, (steps, batch, n_in)."""
        return self.arrays["inputs"]

    @property
    def layer_arrays(self) -> tuple[LayerArrays, ...]:
        """The arrays of each layer."""
        return tuple(LayerArrays(self.arrays, k) for k in range(len(self.about["layers"])))

    def dialect(self) -> Dialect:
        """The named dialect, or the one spelled axis by axis.  Raises InputError where it is unknown (null)."""
        dialect = self.about["dialect"]
        if dialect is None:
            raise InputError("dialect: expected a name or one option per axis, got null (only identify takes that)")
        return dialects.named(dialect) if isinstance(dialect, str) else Dialect("custom", **dialect)

    def network(self, dialect: Dialect | None = None) -> tuple[Layer, ...]:
        """The layers in `dialect`, by default in the case's own.

        Raises InputError, naming the layer, for constants that are impossible in the dialect.
        """
        dialect = dialect or self.dialect()
        return tuple(self._layer(layer, dialect) for layer in self.layer_arrays)

    def weights(self) -> tuple[Weights, ...]:
        """W and b of each layer at the start of the run."""
        return tuple(layer.weights for layer in self.layer_arrays)

    def start(self) -> Carry:
        """Where the run starts: weights, state, optimiser state, and how many steps and updates came before."""
        state = network.rest(self.network(), (self.about["batch"],))
        if self.about["initial_state"] == "given":
            state = tuple(layer.state for layer in self.layer_arrays)
        learner, updates = self.learner(), self.about.get("updates", 0)
        opt_state = learner.init(self.weights()) if learner else ()
        if learner and self.about.get("memory") == "given" and isinstance(learner.optimiser, Adamax):
            opt_state = tuple(layer.opt_state(updates) for layer in self.layer_arrays)
        return Carry(self.weights(), state, opt_state, self.about.get("n", 0), updates)

    def learner(self) -> Learner | None:
        """The learner, or None where the case does not learn."""
        if not self.about["learn"]:
            return None
        learning_rates = [layer.learning_rates for layer in self.layer_arrays]
        optimiser = _optimiser(**self.about.get("optimiser", {}))
        return Learner(learning_rates, optimiser, self._schedule(), self.about.get("burn_in", 0))

    def _schedule(self) -> Schedule:
        """The number of updates so far -> the factor of the learning rates, which the case gives for every step."""
        if self.about.get("schedule") != "given":
            return constant
        not_negative("schedule", self.arrays["schedule"])
        start = max(0, self.about.get("burn_in", 0) - self.about.get("n", 0)) - int(self.about.get("updates", 0))
        return lambda updates: float(self.arrays["schedule"][start + updates])

    def targets(self) -> Iterator[list[Array]] | None:
        """One list of targets per step, one target (batch, n_out) per layer; None where the case has no targets."""
        if not self.about["targets"]:
            return None
        return ([layer["target"][n] for layer in self.layer_arrays] for n in range(self.about["steps"]))

    def masks(self) -> Iterator[list[Mask]] | None:
        """One list of dropout factors per step, one Mask per layer; None where the case has no dropout."""
        if self.about.get("dropout") != "given":
            return None
        place = self.dialect().value("dropout")
        factors = [layer["mask"] for layer in self.layer_arrays]
        return ([Mask(**{place: mask[n]}) for mask in factors] for n in range(self.about["steps"]))

    def _layer(self, arrays: LayerArrays, dialect: Dialect) -> Layer:
        about = self.about["layers"][arrays.k]
        regulariser = Regulariser(about.get("lambda1", 0.0), about.get("lambda2", 0.0), about.get("activity", "rate"))
        active = regulariser.lambda1 > 0 or regulariser.lambda2 > 0
        objective = Objective(LOSSES[about["loss"]], about["reduction"], regulariser if active else None)
        readout, neuron = arrays.readout, self._neuron(arrays, dialect)
        synapse, pool = description.connections(about)
        layer = Layer(synapse, neuron, readout, objective=objective, pool=pool)
        return network.with_dialect(dialect, layer, _surrogate(about["surrogate"]) if "surrogate" in about else None)

    def _neuron(self, arrays: LayerArrays, dialect: Dialect) -> LIF:
        constants, w, dtype = arrays.constants(self.about["constants"]), arrays["w"], self.about["dtype"]
        try:
            with np.errstate(all="ignore"):  # dt/tau may overflow; what is impossible raises InputError
                if self.about["constants"] == "decay":
                    return lif.from_decays(*constants, w, dtype, dialect)
                return lif.neuron(*constants, self.about["dt"], w, dtype, dialect)
        except InputError as problem:
            raise InputError(f"layer{arrays.k + 1}_{problem}") from None


def _surrogate(name: str) -> Surrogate:
    return SURROGATES[name] if name in SURROGATES else AXES["surrogate"][name].value


def _optimiser(kind: str = "adamax", **settings: float) -> Optimiser:
    return Adamax(**settings) if kind == "adamax" else SGD()


def read(folder: str | Path) -> Case:
    """Read a case folder.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Case

    Raises
    ------
    InputError
        In one line, for a folder that does not follow the format: an array that is missing, unexpected or damaged, a
        shape that does not follow from case.json, NaN, an unknown axis, a newer version.
    """
    path = Path(folder)
    about = schema.read(path / "case.json", "case")
    description.validate(path, about)
    expected = description.shapes(about)
    for file in sorted(path.glob("*.npy")):
        if file.stem not in expected:
            raise InputError(f"{file}: expected only arrays that case.json calls for, got one it does not")
    dtype = np.dtype(about["dtype"]).newbyteorder("<")
    dtypes = dict.fromkeys(expected, (dtype,)) | {"inputs": (dtype, *npy.COUNTS)}  # frames may count events
    case = Case(about, {name: npy.read(path / f"{name}.npy", shape, dtypes[name]) for name, shape in expected.items()})
    try:
        network.validate(case.network(dialects.paper if about["dialect"] is None else None), case.weights())
        case.learner()
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None
    return case


def write(folder: str | Path, about: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a new case folder, whole or not at all.

    Parameters
    ----------
    folder : path
        A folder that does not exist yet or is empty.
    about : mapping
        The content of case.json; format and version are added.
    arrays : mapping of str to array
        The arrays by the names of their files.

    Raises
    ------
    InputError
        If the folder has something in it, or if `read` would refuse the case.
    """
    for name in arrays:
        if not name.isidentifier():
            raise InputError(f"arrays: expected names like layer1_W, got {name!r}")
    with store.new_folder(folder) as path:
        store.write_json(path / "case.json", {"format": FORMAT, "version": VERSION, **about})
        for name, array in arrays.items():
            npy.write(path / f"{name}.npy", array)
        read(path)
