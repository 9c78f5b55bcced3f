"""What the page of `decolle_ref.plots` promises about its modules."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import matplotlib
import pytest

from decolle_ref import plots
from decolle_ref.plots.style import SETTINGS, figure_style

MODULES = {name: importlib.import_module(f"decolle_ref.plots.{name}") for name in plots.__all__}


def test_every_public_module_is_listed():
    public = {module.name for module in pkgutil.iter_modules(plots.__path__) if not module.name.startswith("_")}
    assert set(plots.__all__) == public


@pytest.mark.parametrize("name", [name for name, module in MODULES.items() if hasattr(module, "save_figures")])
def test_figures_of_a_run_are_saved_by_one_signature(name):
    signature = inspect.signature(MODULES[name].save_figures)
    assert list(signature.parameters) == ["out", "results"]
    assert signature.return_annotation == list[Path]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "style"])
def test_every_module_draws_and_names_what_it_makes_public(name):
    module = MODULES[name]
    assert set(module.__all__) <= vars(module).keys()
    assert any(public.startswith("plot") for public in module.__all__)


def test_figure_style_restores_its_own_settings_even_after_an_error_and_leaves_the_interactive_mode():
    """A backend may set the interactive mode when the first figure loads it."""
    before = dict(matplotlib.rcParams)
    with pytest.raises(ZeroDivisionError), figure_style() as plt:
        assert all(plt.rcParams[name] == value for name, value in SETTINGS.items())
        plt.rcParams["interactive"] = not before["interactive"]
        raise ZeroDivisionError
    after = dict(matplotlib.rcParams)
    matplotlib.rcParams["interactive"] = before["interactive"]
    assert after == {**before, "interactive": not before["interactive"]}
