"""Experiments: each runs a part of the package and makes the numbers and the figure of a paper's experiment.

Read `regression` first, the first experiment of the DECOLLE paper, then `poisson_mnist`.  Every module defines its
`Settings` and one `EXPERIMENT`.  `harness.run` runs it, and the command line takes its options from both.  `sweep.run`
runs it with several seeds and settings.
"""

import importlib

from decolle_ref._util.check import validate_choice
from decolle_ref.experiments.harness import Experiment, run
from decolle_ref.experiments.options import settings_of
from decolle_ref.experiments.summary import one_line

__all__ = ["NAMES", "Experiment", "experiment", "one_line", "run", "settings_of"]

NAMES = (
    "regression",
    "poisson-mnist",
    "convnet",
    "nmnist",
    "nmnist-convnet",
    "dvsgesture",
    "credit",
    "landscape",
    "alignment",
    "superspike",
    "patterns",
    "scaling",
    "xor",
    "spikegrad-mnist",
    "spikegrad-cifar10",
    "dialect-comparison",
    "replay",
)
"""The names of all experiments, in the order of the papers."""


def experiment(name: str) -> Experiment:
    """Look up an experiment by its name.

    Parameters
    ----------
    name
        One of `NAMES`; _ may stand for -.

    Returns
    -------
    Experiment
        The experiment, for `run`.

    Raises
    ------
    InputError
        For another name.
    """
    validate_choice("experiment", name.replace("_", "-"), NAMES)
    module = importlib.import_module(f"decolle_ref.experiments.{name.replace('-', '_')}")
    named: Experiment = module.EXPERIMENT
    return named
