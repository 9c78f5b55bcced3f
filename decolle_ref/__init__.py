"""The reference implementation of DECOLLE and its relatives, written out by hand in NumPy.

There is one subpackage for each of three papers.  A module is a chapter, a public function is an equation, and the tag
in its docstring names the paper and the equation:

    [K20] Kaiser, Mostafa, Neftci, Synaptic Plasticity Dynamics for Deep Continuous Local Learning (DECOLLE),
          arXiv:1811.10766, Frontiers in Neuroscience 14:424 (2020)                     -> the chapters of `decolle`
    [N19] Neftci, Mostafa, Zenke, Surrogate Gradient Learning in Spiking Neural Networks,
          arXiv:1901.09948, IEEE Signal Processing Magazine 36(6) (2019)                -> `credit`
    [T19] Thiele, Bichler, Dupret, SpikeGrad, arXiv:1906.00851 (2019)                   -> `spikegrad`

`__all__` lists all that is public, in the order in which to read it: the chapters of [K20], the names that almost every
program needs, the other rooms.  A room is imported when it is first used.

>>> import numpy as np
>>> from decolle_ref import Dense, Layer, lif, network, readout
>>> layer = Layer(Dense(3, 2), lif.neuron(), readout.sample_readout(np.random.default_rng(0), n=2, n_out=1))
>>> network.rest([layer])[0].P
array([0., 0., 0.])
"""

# ruff: noqa: RUF022  (__all__ is in reading order)
from importlib import import_module
from typing import TYPE_CHECKING, Any

from decolle_ref import decolle, gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.decolle import (
    convnet,
    dialects,
    layer,
    learner,
    lif,
    network,
    objective,
    optim,
    pool,
    readout,
    rescale,
    rule,
    surrogate,
    synapse,
)
from decolle_ref.decolle.layer import Layer, Snapshot
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights

if TYPE_CHECKING:
    from decolle_ref import cases, credit, data, errata, experiments, fast, oracle, plots, spikegrad, teach
else:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

# [K20], chapter by chapter
__all__ = ["decolle", "surrogate", "dialects", "lif", "synapse", "pool", "readout", "objective"]
__all__ += ["rule", "layer", "optim", "learner", "network", "rescale", "convnet"]

# the names in them that almost every program needs
__all__ += ["Weights", "Dense", "Conv2d", "MaxPool", "Readout", "Objective", "Regulariser", "SGD", "Adamax"]
__all__ += ["Learner", "Layer", "Snapshot", "Carry", "InputError"]

# the other rooms
__all__ += [
    "gradcheck",  # is this the gradient of that loss?
    "credit",  # [N19]: the methods of surrogate gradient learning side by side
    "spikegrad",  # [T19]: backpropagation carried by spikes
    "fast",  # in-place and threaded versions, tested against the definitions above
    "cases",  # networks, inputs and traces as files that any language can read
    "errata",  # misprints found in the papers, with a check
    "data",  # recorded and generated data sets
    "oracle",  # does another implementation compute DECOLLE?
    "experiments",  # the papers' experiments
    "plots",  # their figures (needs matplotlib)
    "teach",  # exercises for a class, whose answers are checked
]
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
