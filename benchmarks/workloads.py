"""The list of what is timed, and beside what."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

from benchmarks import problems
from benchmarks.problems import Problem

PEERS = {"definition": None, "PyTorch": "torch", "torch.compile": "torch", "JAX": "jax"}
"""Who is timed beside our fast paths: name, and the library that it needs."""

ALL = tuple(PEERS)
NOT_COMPILED = "definition", "PyTorch", "JAX"  # a compiler takes about ten seconds for each


class Workload(NamedTuple):
    """One line of the tables.

    Attributes
    ----------
    about : str
    problem : function of a number
        Of steps, or of images for SpikeGrad.
    size, quick : int
        That number in a block, and with --quick.
    unit : "step" or "image"
    peers : names of PEERS
    """

    about: str
    problem: Callable[[int], Problem]
    size: int
    quick: int
    unit: str = "step"
    peers: tuple[str, ...] = ALL


WORKLOADS = {
    "dense-64-1": Workload("learning, 3 x 64, batch 1", lambda n: problems.dense(64, 1, n), 500, 20),
    "dense-64-64": Workload("learning, 3 x 64, batch 64", lambda n: problems.dense(64, 64, n), 300, 10),
    "dense-512-1": Workload("learning, 3 x 512, batch 1", lambda n: problems.dense(512, 1, n), 150, 5),
    "dense-512-64": Workload("learning, 3 x 512, batch 64", lambda n: problems.dense(512, 64, n), 60, 3),
    "mnist": Workload("learning, MNIST convolutions, batch 64", partial(problems.mnist, 64), 6, 1),
    "table-2": Workload(
        "learning, convolutions of [K20 Table 2], batch 72", partial(problems.table_2, 72), 2, 1, peers=("PyTorch",)
    ),
    "spikegrad-mnist": Workload(
        "SpikeGrad, MNIST, batch 50", partial(problems.images, "mnist", 1.0), 50, 4, unit="image", peers=ALL[:3]
    ),
    "spikegrad-cifar10": Workload(
        "SpikeGrad, CIFAR-10, a quarter of the width, batch 50",
        partial(problems.images, "cifar10", 0.25),
        50,
        4,
        unit="image",
        peers=ALL[:2],
    ),
    "fixed-512-1": Workload(
        "fixed weights, 3 x 512, batch 1, one time constant",
        lambda n: problems.fixed(512, 1, n, True),
        500,
        20,
        peers=NOT_COMPILED,
    ),
    "fixed-512-64": Workload(
        "fixed weights, 3 x 512, batch 64, time constants per input",
        lambda n: problems.fixed(512, 64, n, False),
        100,
        5,
        peers=NOT_COMPILED,
    ),
    "fixed-mnist": Workload(
        "fixed weights, MNIST convolutions, batch 16", partial(problems.mnist_fixed, 16), 16, 2, peers=NOT_COMPILED
    ),
}


def missing(peer: str, quick: bool) -> str | None:
    """Why a peer is not timed, or None."""
    library = PEERS[peer]
    if quick and peer == "torch.compile":
        return "it compiles for too long with --quick"
    return f"{library} is not installed" if library is not None and find_spec(library) is None else None
