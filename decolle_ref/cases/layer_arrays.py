"""Words at the boundary, symbols inside: the arrays of one layer, as the files call them and as the package calls them.

    name in a case           name in the package
    W, b                     Weights
    G, c                     Readout
    w                        w of `lif.neuron`, the refractory strength from which the dialect computes delta
    P0, Q0, R0               State at the start of the run
    mask                     the one field of Mask that the dialect's dropout chooses
    rate_W, rate_b           learning rates of W and b
    m_W, u_W, m_b, u_b       Moments of W and b: the optimiser's state opt_state ("memory" in case.json)

    name in a trace          field of network.Snapshot
    e                        dY, which is dL/dY
    delta                    dU, which is dL/dU; the refractory strength delta is the array const_delta
    Q, P, R, U, S, Y, loss   the same

This module is the only place that translates.  The names in the files stay, because released traces use them.

>>> import numpy as np
>>> layer = LayerArrays({"layer2_rate_W": np.array([0.5, 0.25]), "layer2_rate_b": np.array([1.0])}, 1)
>>> layer.learning_rates
Weights(W=array([0.5 , 0.25]), b=array([1.]))
"""

from collections.abc import Mapping
from dataclasses import dataclass

from decolle_ref._util.check import Array
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.synapse import Weights

STATES = ("Q", "P", "R", "U", "S")
SNAPSHOT_FIELDS = {name: name for name in (*STATES, "Y")} | {"loss": "loss", "e": "dY", "delta": "dU"}
CONSTANTS = {"tau": ("tau_mem", "tau_syn", "tau_ref"), "decay": ("alpha", "beta", "gamma")}


@dataclass(frozen=True)
class LayerArrays:
    """The arrays of layer k of a case or a trace.

    Parameters
    ----------
    arrays : mapping of str to array
        All arrays of the case or the trace, under the names of their files, such as layer1_W.
    k : int
        Which layer, counted from 0; the files count from 1.
    """

    arrays: Mapping[str, Array]
    k: int

    def __getitem__(self, name: str) -> Array:
        return self.arrays[f"layer{self.k + 1}_{name}"]

    def constants(self, kind: str) -> tuple[Array, Array, Array]:
        """tau_mem, tau_syn, tau_ref in seconds if kind is "tau"; alpha, beta, gamma if it is "decay"."""
        membrane, synapse, refractory = (self[name] for name in CONSTANTS[kind])
        return membrane, synapse, refractory

    def recorded_states(self) -> dict[str, Array]:
        """The states Q, P, R, U, S, as far as the trace holds them."""
        return {name: self[name] for name in STATES if f"layer{self.k + 1}_{name}" in self.arrays}

    @property
    def weights(self) -> Weights:
        """W and b at the start of the run."""
        return Weights(self["W"], self["b"])

    @property
    def readout(self) -> Readout:
        """The fixed readout G, c."""
        return Readout(self["G"], self["c"])

    @property
    def state(self) -> State:
        """P, Q, R at the start of the run."""
        return State(self["P0"], self["Q0"], self["R0"])

    @property
    def learning_rates(self) -> Weights:
        """The learning rates of W and b."""
        return Weights(self["rate_W"], self["rate_b"])

    def opt_state(self, updates: int) -> tuple[Moments, Moments]:
        """Adamax's moments of W and of b after so many updates."""
        return Moments(self["m_W"], self["u_W"], updates), Moments(self["m_b"], self["u_b"], updates)
