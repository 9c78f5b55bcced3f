"""What may be used: the exact list of public names, and that each of them is documented.

A change to a list is a decision, and is made here and in the package.
"""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

CHAPTERS = [
    "surrogate",
    "dialects",
    "lif",
    "synapse",
    "pool",
    "readout",
    "objective",
    "rule",
    "layer",
    "optim",
    "learner",
    "network",
    "rescale",
    "convnet",
]
NAMES = [
    "Weights",
    "Dense",
    "Conv2d",
    "MaxPool",
    "Readout",
    "Objective",
    "Regulariser",
    "SGD",
    "Adamax",
    "Learner",
    "Layer",
    "Snapshot",
    "Carry",
]
ROOMS = ["gradcheck", "credit", "spikegrad", "fast", "cases", "errata", "data", "oracle", "experiments"]
ROOMS += ["plots", "teach"]

PUBLIC = {
    "decolle_ref": ["decolle", *CHAPTERS, *NAMES, "InputError", *ROOMS, "__version__"],
    "decolle_ref.decolle": CHAPTERS,
    "decolle_ref.decolle.network": [
        "Layer",
        "Snapshot",
        "with_dialect",
        "width",
        "forward",
        "pooled",
        "local_gradients",
        "local_loss",
        "frozen_error_loss",
        "with_readout_of_U",
        "Network",
        "Carry",
        "validate",
        "validate_state",
        "rest",
        "step",
        "run",
    ],
    "decolle_ref.credit": ["audit", "cost", "methods", "neuron", "spike_time"],
    "decolle_ref.credit.neuron": ["continuous", "rate", "rnn", "spiking"],
    "decolle_ref.credit.methods": [
        "bptt",
        "decolle",
        "eprop",
        "feedback",
        "instant",
        "local",
        "online",
        "rtrl",
        "superspike",
    ],
    "decolle_ref.credit.audit": ["derivation", "dropped", "hypotheses", "report"],
    "decolle_ref.spikegrad": [
        "AveragePool",
        "Descent",
        "EventOptions",
        "IFLayer",
        "IFNetwork",
        "ann",
        "events",
        "layers",
        "learning",
        "network",
        "operations",
        "routes",
        "snn",
    ],
    "decolle_ref.fast": [
        "ConvnetStepper",
        "Evaluation",
        "Learned",
        "NetworkStepper",
        "convnet",
        "evaluate",
        "learn",
        "spikegrad",
        "update_layer",
        "worker_pool",
    ],
    "decolle_ref.cases": [
        "Case",
        "Identification",
        "LayerArrays",
        "connections",
        "identify",
        "read",
        "read_states",
        "shapes",
        "simulate",
        "width",
        "write",
        "write_trace",
    ],
    "decolle_ref.errata": ["ERRATA", "Erratum", "page", "table", "write_page"],
    "decolle_ref.data": [
        "aedat",
        "augment",
        "authors",
        "cifar10",
        "convert",
        "digits",
        "dvsgesture",
        "encode",
        "events",
        "frames",
        "location",
        "mnist",
        "moving_bar",
        "nmnist",
    ],
    "decolle_ref.oracle": [
        "Backend",
        "Outcome",
        "Profile",
        "Run",
        "Trace",
        "backends",
        "parse_trace",
        "profile",
        "report",
        "runner",
        "verdict",
    ],
    "decolle_ref.oracle.check": ["Failure", "Slot", "Verdict", "check"],
    "decolle_ref.oracle.spikes_only": ["SpikesOnlyVerdict", "check"],
    "decolle_ref.oracle.vectors": ["Vector", "catalogue", "export", "select"],
    "decolle_ref.oracle.diagnose": [
        "FAMILIES",
        "HYPOTHESES",
        "Cause",
        "Ended",
        "Explanation",
        "explain",
        "explain_all",
        "summarise",
    ],
    "decolle_ref.experiments": ["NAMES", "Experiment", "experiment", "one_line", "run", "settings_of"],
    "decolle_ref.plots": [
        "alignment",
        "benchmarks",
        "clip_votes",
        "convnet",
        "credit",
        "dialect_comparison",
        "dvsgesture",
        "event_clouds",
        "event_network",
        "graph",
        "graph_decolle",
        "kill_matrix",
        "landscape",
        "lif_dynamics",
        "nmnist",
        "nmnist_convnet",
        "patterns",
        "poisson_mnist",
        "regression",
        "replay",
        "replay_mnist",
        "scaling",
        "schematics_feedback",
        "schematics_neuron",
        "schematics_xor",
        "spikegrad_cifar10",
        "spikegrad_images",
        "spikegrad_mnist",
        "style",
        "superspike",
        "surrogates",
        "sweep",
        "xor",
    ],
    "decolle_ref.teach": ["Slip", "Task", "Verdict", "check", "derivation", "explore", "judge", "registry"],
}
"""The `__all__` of every room."""

CORE = ("decolle_ref.decolle.", "decolle_ref.gradcheck")

LOADED = """
import sys
before = set(sys.modules)
import decolle_ref
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names)))
print(*sorted(name for name in sys.modules if name.startswith("decolle_ref.")))
"""


def exported(name):
    """The names of a module's `__all__` and what they mean; strings have no docstring and are left out."""
    module = import_module(name)
    values = {public: getattr(module, public, None) or import_module(f"{name}.{public}") for public in module.__all__}
    return {public: value for public, value in values.items() if not isinstance(value, str)}


def functions(module):
    """The public functions that a module itself defines."""
    members = inspect.getmembers(module, inspect.isfunction)
    return {name: f for name, f in members if f.__module__ == module.__name__ and not name.startswith("_")}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_names_are_these(name):
    assert import_module(name).__all__ == PUBLIC[name]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name):
    for public, value in exported(name).items():
        assert value.__doc__, public


def sections_missing(f):
    """The headings that the docstring of a function lacks."""
    doc = inspect.getdoc(f) or ""
    signature = inspect.signature(f)
    needed = ["Parameters"] if signature.parameters else []
    if signature.return_annotation is not None and signature.parameters:
        yields = inspect.isgeneratorfunction(inspect.unwrap(f))  # a context manager wraps its generator
        needed.append("Yields" if yields else "Returns")
    return [heading for heading in needed if f"{heading}\n{'-' * len(heading)}\n" not in doc]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_names_its_parameters_and_what_it_returns(name):
    """Also the functions of the chapters, where a room lists modules."""
    for public, value in exported(name).items():
        chapter = isinstance(value, ModuleType) and value.__name__.startswith(CORE)
        entries = functions(value) if chapter else {public: value} if inspect.isfunction(value) else {}
        for function, f in entries.items():
            assert not sections_missing(f), f"{public}.{function}"


@pytest.mark.parametrize("name", NAMES)
def test_every_public_class_names_its_fields(name):
    cls = getattr(import_module("decolle_ref"), name)
    doc = inspect.getdoc(cls)
    fields = getattr(cls, "_fields", None) or list(getattr(cls, "__dataclass_fields__", {}))
    for field in fields:
        assert re.search(rf"\b{field}\b", doc), f"{name}.{field}"
    if fields:
        assert "Parameters\n---" in doc or "Attributes\n---" in doc


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="module 'decolle_ref' has no attribute 'nonsense'"):
        import_module("decolle_ref").nonsense  # noqa: B018


def test_importing_the_package_loads_the_core_and_numpy_alone():
    """No matplotlib, no scipy, and no room that is not used yet."""
    result = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    packages, modules = result.stdout.splitlines()
    assert not {"matplotlib", "scipy", "tqdm", "threadpoolctl"} & set(packages.split())
    rooms = {module.split(".")[1] for module in modules.split()}
    assert rooms == {"_util", "decolle", "gradcheck"}
    assert len(modules.split()) <= 20
