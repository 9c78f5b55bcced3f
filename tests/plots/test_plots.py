"""What the page of `decolle_ref.plots` promises about its modules."""

import importlib
import inspect
import pkgutil

import pytest

from decolle_ref import plots

MODULES = {name: importlib.import_module(f"decolle_ref.plots.{name}") for name in plots.__all__}


def test_every_public_module_is_listed():
    public = {module.name for module in pkgutil.iter_modules(plots.__path__) if not module.name.startswith("_")}
    assert set(plots.__all__) == public


@pytest.mark.parametrize("name", [name for name, module in MODULES.items() if hasattr(module, "save_figures")])
def test_figures_of_a_run_are_saved_by_one_signature(name):
    signature = inspect.signature(MODULES[name].save_figures)
    assert list(signature.parameters) == ["out", "results"]
    assert str(signature.return_annotation) == "list[pathlib.Path]"


@pytest.mark.parametrize("name", [name for name in MODULES if name != "style"])
def test_every_module_draws_and_names_what_it_makes_public(name):
    module = MODULES[name]
    assert set(module.__all__) <= vars(module).keys()
    assert any(public.startswith("plot") for public in module.__all__)
