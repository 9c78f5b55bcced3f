"""Experiments: everything at work, each with the figure of a paper.

Read `regression` first, which is the paper's own first experiment, then `poisson_mnist`.  Every module gives its
`Settings` and one `EXPERIMENT`; `harness.run` runs it, and the command line is made from both.
"""

import importlib

from decolle_ref.experiments.harness import Experiment, one_line, run
from decolle_ref.experiments.options import settings_of

__all__ = ["NAMES", "Experiment", "experiment", "one_line", "run", "settings_of"]

NAMES = (
    "regression",
    "poisson-mnist",
    "convnet",
    "credit",
    "landscape",
    "alignment",
    "superspike",
    "patterns",
    "scaling",
    "xor",
    "spikegrad-mnist",
    "dialect-comparison",
    "replay",
)
"""All experiments, in the order of the papers."""


def experiment(name: str) -> Experiment:
    """The experiment of a name.

    Parameters
    ----------
    name
        One of `NAMES`, or the same with _ for -.

    Returns
    -------
    Experiment
        What `run` runs.
    """
    module = importlib.import_module(f"decolle_ref.experiments.{name.replace('-', '_')}")
    chosen: Experiment = module.EXPERIMENT
    return chosen
