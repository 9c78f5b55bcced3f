"""The registry of figures/make.py: every figure has an entry, and every entry a figure."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "figures"
spec = importlib.util.spec_from_file_location("figures_make", FOLDER / "make.py")
make = importlib.util.module_from_spec(spec)
sys.path.append(str(FOLDER))  # as for a program: `python figures/make.py`
spec.loader.exec_module(make)


def test_every_picture_and_stored_number_belongs_to_one_entry_of_the_registry_and_vice_versa():
    files = [file for figure in make.FIGURES.values() for file in figure.files]
    assert sorted(files) == sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".png", ".json"))


def test_every_entry_has_a_module_of_plots_with_its_name():
    for name, figure in make.FIGURES.items():
        assert importlib.util.find_spec(f"decolle_ref.plots.{name}")
        assert all(file.startswith(name) for file in figure.files)


@pytest.mark.parametrize(
    "name",
    ("poisson_mnist", "spikegrad_mnist", "nmnist", "dvsgesture", "dialect_comparison", "lif_dynamics", "surrogates"),
)
def test_figures_that_need_no_run_are_drawn(name, tmp_path, capsys):
    assert make.main([name, "--out", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"{tmp_path / name}.png\n"


def test_an_unknown_name_ends_with_one_line_and_code_2(capsys):
    assert make.main(["surrogates", "matching"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "'matching'" in err and "superspike" in err


def test_runs_are_collected_only_for_one_figure_with_stored_numbers(capsys):
    for names in ([], ["xor"], ["poisson_mnist", "spikegrad_mnist"]):
        assert make.main([*names, "--runs", "somewhere"]) == 2
        assert "poisson_mnist, spikegrad_mnist, nmnist, dvsgesture" in capsys.readouterr().err


def test_help_names_every_figure(capsys):
    with pytest.raises(SystemExit, match="0"):
        make.main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in make.FIGURES)


@pytest.mark.parametrize("name", ("landscape", "credit"))
def test_a_figure_is_made_from_a_fresh_run(name, tmp_path):
    assert make.main([name, "--quick", "--out", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
