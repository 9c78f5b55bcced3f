"""A recorded trace as evidence, layer by layer: what goes into each layer, and with which constants.

>>> print(rounding("dt", np.array(0.1), ["dt"]))
0.10000000149011612
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import description
from decolle_ref.cases.case import Case
from decolle_ref.cases.comparison import Deviation, Explained, delayed, examine, may_lag
from decolle_ref.cases.evidence import Evidence, Hypothesis, rounding
from decolle_ref.cases.layer_arrays import CONSTANTS, LayerArrays
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.synapse import Weights

Decays = dict[str, tuple[Array, ...]]  # decay option -> alpha, beta, gamma
ROUNDINGS = (
    *((name,) for name in ("dt", "tau", "alpha", "beta", "gamma", "gains", "w", "delta", "W", "b")),
    ("dt", "tau"),
    ("alpha", "beta", "gamma"),
    ("alpha", "beta", "gamma", "gains"),
    ("alpha", "beta", "gamma", "gains", "delta"),
    ("W", "b"),
    ("alpha", "beta", "gamma", "gains", "delta", "W", "b"),
)
"""Which constants an implementation may hold in float32 while it computes in float64, fewest first."""


class Recording:
    """The evidence of each recorded layer; above the first it depends on how the spikes below it are read.

    Parameters
    ----------
    case : Case
    recorded : mapping of str to array
        The states of the trace by the names of their files.
    dtype : str
        In which the trace was computed: its rounding sets the tolerance.
    rounded : sequence of str
        The constants to round to float32, by the names in `ROUNDINGS`.
    samples : slice
        The samples of the batch to look at.

    Raises
    ------
    InputError
        Where no state of layer 1 was recorded, or of layers that pool S alone.
    """

    def __init__(
        self,
        case: Case,
        recorded: Mapping[str, Array],
        dtype: str,
        rounded: Sequence[str] = (),
        samples: slice = slice(None),
    ) -> None:
        self._case, self._eps, self._rounded = case, float(np.finfo(dtype).eps), tuple(rounded)
        self.decays = [_decays(case, layer, rounded) for layer in case.layer_arrays]
        states = (LayerArrays(recorded, layer.k).recorded_states() for layer in case.layer_arrays)
        self.recorded = [
            {name: array[:, samples].astype(float) for name, array in layer.items()}
            for layer in takewhile(bool, states)
        ]
        self._inputs, self._start = case.inputs[:, samples].astype(float), samples.start or 0
        self._cache: dict[tuple[Any, ...], Evidence] = {}
        if not self.recorded:
            raise InputError("trace: expected at least one of Q, P, R, U, S of layer 1, got none")
        pooled = ("pool" in layer for layer in case.about["layers"])
        if all(pools and set(states) == {"S"} for pools, states in zip(pooled, self.recorded, strict=False)):
            raise InputError("trace: expected Q, P, R or U of a layer that pools, got S alone")

    def subtracts_threshold(self) -> bool:
        """Whether in every layer each spike takes w = -b off a membrane, so that gamma is alpha."""
        layers = self._case.layer_arrays
        membranes = [(alpha, gamma) for decays in self.decays for alpha, _, gamma in decays.values()]
        same = all((alpha == gamma[0]).all() and (gamma == gamma[0]).all() for alpha, gamma in membranes)
        return same and all((layer["w"] == -layer["b"][0]).all() and np.ptp(layer["b"]) == 0 for layer in layers)

    def may_lag(self, lag: int) -> bool:
        """Whether every recorded array may be `lag` steps late."""
        return all(may_lag(array, lag) for states in self.recorded for array in states.values())

    def follow(
        self, h: Hypothesis, lag: int, earlier: Sequence[Sequence[Explained]] | None = None, most: int | None = None
    ) -> list[list[Explained]] | tuple[int, Deviation]:
        """Examine the layers from the bottom up: what explains each, or the layer and place of the first deviation.

        `earlier` is what explained other samples, and `most` the number of alternatives to look for.
        """
        explained: list[list[Explained]] = []
        for k in range(len(self.recorded)):
            layer = self.evidence(k, h, lag)
            if layer is None:
                break
            outcome = examine(layer, h, earlier[k] if earlier else None, most)
            if isinstance(outcome, Deviation):
                sample, *unit = outcome.unit
                return k + 1, outcome._replace(unit=(self._start + sample, *unit))
            explained.append(outcome)
        return explained

    def evidence(self, k: int, h: Hypothesis, lag: int) -> Evidence | None:
        """Layer k (from 0) of a trace recorded `lag` steps late, or None where its input is not known."""
        key = (k, lag, *self._input_key(k, h, lag))
        if key not in self._cache:
            self._forget(k, lag, len(key))
            below = self.evidence(k - 1, h, lag) if k else None
            inputs = below.transmitted(h) if below else self._inputs if k == 0 else None
            if inputs is None:
                return None
            layer = self._case.layer_arrays[k]
            W, b, w = (rounding(name, layer[name].astype(float), self._rounded) for name in ("W", "b", "w"))
            on_time = {name: delayed(array, -lag) for name, array in self.recorded[k].items()}
            synapse, pool = description.connections(self._case.about["layers"][k])
            self._cache[key] = Evidence(
                synapse, Weights(W, b), w, self.decays[k], inputs, on_time, pool, self._eps, self._rounded
            )
        return self._cache[key]

    def _forget(self, k: int, lag: int, length: int) -> None:
        """Drop what no later hypothesis needs: other lags, and of this layer what belongs to one hypothesis alone."""
        alone = length > len((k, lag, "decay", "threshold"))
        self._cache = {
            key: layer
            for key, layer in self._cache.items()
            if key[1] == lag and not (alone and key[0] >= k and len(key) == length)
        }

    def _input_key(self, k: int, h: Hypothesis, lag: int) -> tuple[Any, ...]:
        """The options of `h` on which the spikes below layer k depend: they are read off U or R, or predicted."""
        if k == 0:
            return ()
        return tuple(h) if lag < 0 or h.shown == "after" else (h.decay, h.threshold)


def _decays(case: Case, layer: LayerArrays, rounded: Sequence[str]) -> Decays:
    """The decays of a layer by each decay formula that applies to the case's constants."""
    kind, names = case.about["constants"], CONSTANTS["decay"]
    constants = tuple(array.astype(float) for array in layer.constants(kind))
    options = {"given": constants}
    if kind == "tau":
        dt = float(rounding("dt", np.asarray(case.about["dt"], float), rounded))
        taus = tuple(rounding("tau", tau, rounded) for tau in constants)
        formulas = ("exp", "euler") if all((tau > dt).all() for tau in taus) else ("exp",)
        options = {name: tuple(AXES["decay"][name].value(tau, dt) for tau in taus) for name in formulas}
    return {
        option: tuple(rounding(name, decay, rounded) for name, decay in zip(names, decays, strict=True))
        for option, decays in options.items()
    }
