"""What the package promises as a whole."""

import ast
import re
import sys
from pathlib import Path

import pytest

import decolle_ref

PACKAGE = Path(decolle_ref.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
EXTRAS = {
    "matplotlib": "plots",
    "cycler": "plots",
    "tqdm": "decolle_ref",
    "threadpoolctl": "fast",
    "pytest": "oracle",
}  # which folder may use which optional package


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_runtime_needs_only_numpy_and_scipy(path):
    roots = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    allowed = {"numpy", "scipy", "decolle_ref"}
    allowed |= {extra for extra, folder in EXTRAS.items() if path.parent.name == folder}
    assert roots <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_pickle_and_no_global_random_state(path):
    text = path.read_text()
    assert not re.search(r"allow_pickle\s*=\s*True|\bimport pickle", text)
    assert not re.search(r"np\.random\.(?!default_rng|Generator)", text)


READING_ORDER = ("check", "surrogate", "dialects", "lif", "synapse", "pool", "readout", "objective", "rule", "optim")
READING_ORDER += ("learner", "network", "analog", "gradcheck", "rescale", "evidence", "spiketime")
FAST = ("update", "conv", "layer", "run", "analog")
CREDIT = (
    "continuous",
    "spiking",
    "cost",
    "bptt",
    "feedback",
    "online",
    "rtrl",
    "eprop",
    "superspike",
    "instant",
    "local",
)
CREDIT += ("rate", "rnn", "decolle", "dropped", "slips", "derivation")
SPIKEGRAD = ("layers", "network", "ann", "events", "snn", "operations", "fast")
ORACLE = ("profile", "running", "equations", "learning", "residual", "changes", "slips", "report")
ORACLE += ("carried", "descent", "driven", "exactness", "properties", "drawing", "choices", "situations", "vectors")
ORACLE += ("release", "backends", "kit", "command", "plugin")
ORDERS = [(order, "", name) for order in [READING_ORDER] for name in order]
ORDERS += [(CREDIT, "credit.", name) for name in CREDIT] + [(SPIKEGRAD, "spikegrad.", name) for name in SPIKEGRAD]
ORDERS += [(FAST, "fast.", name) for name in FAST] + [(ORACLE, "oracle.", name) for name in ORACLE]


@pytest.mark.parametrize(("order", "folder", "name"), ORDERS, ids=[folder + name for _, folder, name in ORDERS])
def test_imports_only_point_upward_in_the_reading_order(order, folder, name):
    """Whoever reads the package top to bottom has met every name before it is used."""
    below = order[order.index(name) :]
    tree = ast.parse((PACKAGE / (folder + name).replace(".", "/")).with_suffix(".py").read_text())
    home = f"decolle_ref.{folder}"
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    used = {node.module for node in nodes}
    used |= {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    assert not used & {f"{home}{later}" for later in below}
