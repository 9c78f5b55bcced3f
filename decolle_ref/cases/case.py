"""Cases: a network, its input and how it learns, as a folder that any language can read and write.

A case is `case.json` and one plain .npy file per array (docs/case_format.md).  Arrays of layer l (from 1) are called
layer{l}_{letter}.npy.  `read` turns a folder into what `network.run` takes; nothing in a case is executed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import npy, store
from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import schema
from decolle_ref.decolle import dialects, lif, network
from decolle_ref.decolle.dialects import AXES, Dialect
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.lif import LIF, State
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import LOSSES, Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax, Moments, Optimiser
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.surrogate import SURROGATES, Surrogate
from decolle_ref.decolle.synapse import Conv2d, Dense, Synapse, Weights

FORMAT, VERSION = "decolle_ref case", 1
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """A case as read: its description, its arrays, and what a run is made of."""

    about: dict[str, Any]
    arrays: dict[str, Array]

    @property
    def inputs(self) -> Array:
        """Spikes, (steps, batch, n_in)."""
        return self.arrays["inputs"]

    def dialect(self) -> Dialect:
        """The dialect named, or put together axis by axis.  Raises InputError where it is unknown (null)."""
        given = self.about["dialect"]
        if given is None:
            raise InputError("dialect: expected a name or one option per axis, got null (only identify takes that)")
        return dialects.named(given) if isinstance(given, str) else Dialect("custom", **given)

    def neuron(self, k: int, dialect: Dialect) -> LIF:
        """The constants of layer k (from 0) in `dialect`.  Raises InputError, naming the layer, for impossible ones."""
        try:
            return self._neuron(self._of(k), dialect)
        except InputError as problem:
            raise InputError(f"layer{k + 1}_{problem}") from None

    def _neuron(self, of: Any, dialect: Dialect) -> LIF:
        if self.about["constants"] == "decay":
            return lif.from_decays(of("alpha"), of("beta"), of("gamma"), of("w"), self.about["dtype"], dialect)
        dt = self.about["dt"]
        return lif.neuron(of("tau_mem"), of("tau_syn"), of("tau_ref"), dt, of("w"), self.about["dtype"], dialect)

    def network(self, dialect: Dialect | None = None) -> tuple[Layer, ...]:
        """The layers, speaking the case's dialect or the one given."""
        speaks = dialect or self.dialect()
        return tuple(self._layer(k, about, speaks) for k, about in enumerate(self.about["layers"]))

    def weights(self) -> tuple[Weights, ...]:
        """W and b of each layer."""
        return tuple(Weights(self._of(k)("W"), self._of(k)("b")) for k in range(len(self.about["layers"])))

    def start(self) -> Carry:
        """Where the run starts: weights, state, the optimiser's memory."""
        about, layers = self.about, range(len(self.about["layers"]))
        state = network.rest(self.network(), (about["batch"],))
        if about["initial_state"] == "given":
            state = tuple(State(*(self._of(k)(x) for x in ("P0", "Q0", "R0"))) for k in layers)
        learner, updates = self.learner(), about.get("updates", 0)
        memory = learner.init(self.weights()) if learner else ()
        if learner and about.get("memory") == "given" and isinstance(learner.optimiser, Adamax):
            memory = tuple(
                tuple(Moments(self._of(k)(f"m_{x}"), self._of(k)(f"u_{x}"), updates) for x in "Wb") for k in layers
            )
        return Carry(self.weights(), state, memory, about.get("n", 0), updates)

    def learner(self) -> Learner | None:
        """The learner, or None where the case does not learn."""
        if not self.about["learn"]:
            return None
        layers = range(len(self.about["layers"]))
        rates = [Weights(self._of(k)("rate_W"), self._of(k)("rate_b")) for k in layers]
        return Learner(rates, _optimiser(**self.about.get("optimiser", {})), burn_in=self.about.get("burn_in", 0))

    def targets(self) -> Iterator[list[Array]] | None:
        """One list of targets per step, one target per layer."""
        if not self.about["targets"]:
            return None
        each = [self._of(k)("target") for k in range(len(self.about["layers"]))]
        return ([target[n] for target in each] for n in range(self.about["steps"]))

    def _layer(self, k: int, about: dict[str, Any], dialect: Dialect) -> Layer:
        regulariser = Regulariser(about.get("lambda1", 0.0), about.get("lambda2", 0.0), about.get("activity", "rate"))
        loud = regulariser.lambda1 > 0 or regulariser.lambda2 > 0
        objective = Objective(LOSSES[about["loss"]], about["reduction"], regulariser if loud else None)
        readout = Readout(self._of(k)("G"), self._of(k)("c"))
        neuron = self.neuron(k, dialect)
        synapse, pool = connections(about)
        layer = Layer(synapse, neuron, readout, objective=objective, pool=pool)
        return network.with_dialect(dialect, layer, _surrogate(about["surrogate"]) if "surrogate" in about else None)

    def _of(self, k: int) -> Any:
        return lambda letter: self.arrays[f"layer{k + 1}_{letter}"]


def _surrogate(name: str) -> Surrogate:
    return SURROGATES[name] if name in SURROGATES else AXES["surrogate"][name].value


def _optimiser(kind: str = "adamax", **settings: float) -> Optimiser:
    return Adamax(**settings) if kind == "adamax" else SGD()


def connections(layer: Mapping[str, Any]) -> tuple[Synapse, MaxPool | None]:
    """The synapse and the pool of one entry of `layers`.  Raises InputError where they do not fit n_in and n."""
    if "conv" not in layer:
        if "pool" in layer:
            raise InputError("pool: expected a layer with conv, got one without")
        return Dense(layer["n_in"], layer["n"]), None
    conv = layer["conv"]
    shape_in = conv["channels_in"], conv["height"], conv["width"]
    synapse = Conv2d(shape_in, conv["channels"], conv["kernel"], conv.get("stride", 1), conv.get("padding", 0))
    for name, given, follows in (("n_in", layer["n_in"], synapse.n_in), ("n", layer["n"], synapse.n)):
        if given != follows:
            raise InputError(f"{name}: expected {follows}, as conv says, got {given}")
    return synapse, MaxPool(synapse.shape, layer["pool"]) if "pool" in layer else None


def width(layer: Mapping[str, Any]) -> int:
    """How many spikes a layer transmits, and its readout reads."""
    synapse, pool = connections(layer)
    return synapse.n if pool is None else pool.n


def shapes(about: Mapping[str, Any]) -> Shapes:
    """The arrays that a case of this description has, and their shapes."""
    T, B = about["steps"], about["batch"]
    expected: Shapes = {"inputs": (T, B, about["layers"][0]["n_in"])}
    for k, layer in enumerate(about["layers"], start=1):
        of = _layer_shapes(about, layer, T, B)
        expected |= {f"layer{k}_{letter}": shape for letter, shape in of.items()}
    return expected


def _layer_shapes(about: Mapping[str, Any], layer: Mapping[str, Any], T: int, B: int) -> Shapes:
    synapse, _ = connections(layer)
    n_in, n, n_out = synapse.n_in, synapse.n, layer["n_out"]
    constants = ("tau_mem", "tau_syn", "tau_ref") if about["constants"] == "tau" else ("alpha", "beta", "gamma")
    W, b = synapse.shapes
    of: Shapes = {"W": W, "b": b, "G": (n_out, width(layer)), "c": (n_out,), "w": (n,)}
    of |= dict(zip(constants, ((n_in,), (n_in,), (n,)), strict=True))
    if about["initial_state"] == "given":
        of |= {"P0": (B, n_in), "Q0": (B, n_in), "R0": (B, n)}
    if about["targets"]:
        of["target"] = (T, B, n_out)
    if about["learn"]:
        of |= {"rate_W": W if len(W) > 2 else (n_in,), "rate_b": b}
        if about.get("memory") == "given":
            of |= {"m_W": W, "u_W": W, "m_b": b, "u_b": b}
    return of


def read(folder: str | Path) -> Case:
    """Read a case folder.

    Raises InputError, in one line, for a folder against the format: missing, unexpected, foreign or damaged arrays,
    shapes that do not follow from case.json, NaN, an unknown axis, a newer version.
    """
    path = Path(folder)
    about = schema.read(path / "case.json", "case")
    _consistent(path, about)
    expected = shapes(about)
    for file in sorted(path.glob("*.npy")):
        if file.stem not in expected:
            raise InputError(f"{file}: expected only arrays that case.json calls for, got one it does not")
    dtype = np.dtype(about["dtype"]).newbyteorder("<")
    kinds = {"inputs": (dtype, *npy.COUNTS)}  # frames may count events
    arrays = {
        name: npy.read(path / f"{name}.npy", shape, kinds.get(name, (dtype,))) for name, shape in expected.items()
    }
    case = Case(about, arrays)
    try:
        network.validate(case.network(dialects.paper if about["dialect"] is None else None), case.weights())
        case.learner()
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None
    return case


def _consistent(path: Path, about: Mapping[str, Any]) -> None:
    """What the schema cannot say."""
    layers = about["layers"]
    for k, layer in enumerate(layers):
        try:
            connections(layer)
        except InputError as problem:
            raise InputError(f"{path}/case.json: layers[{k}].{problem}") from None
    for k, (below, above) in enumerate(pairwise(layers), start=2):
        if above["n_in"] != width(below):
            raise InputError(f"{path}/case.json: layers[{k - 1}].n_in: expected {width(below)}, got {above['n_in']}")
    if about["constants"] == "tau" and "dt" not in about:
        raise InputError(f"{path}/case.json: dt: expected seconds, as constants are time constants, got none")
    if about["learn"] and not about["targets"]:
        raise InputError(f"{path}/case.json: targets: expected true, as the case learns, got false")


def write(folder: str | Path, about: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a new case folder, whole or not at all.  Raises InputError if it would not be read back."""
    for name in arrays:
        if not name.isidentifier():
            raise InputError(f"arrays: expected names like layer1_W, got {name!r}")
    with store.new_folder(folder) as path:
        store.write_json(path / "case.json", {"format": FORMAT, "version": VERSION, **about})
        for name, array in arrays.items():
            npy.write(path / f"{name}.npy", array)
        read(path)
