"""The options of several runs: --seeds, --sweep, --jobs, --dask."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from decolle_ref.cli import learn
from decolle_ref.cli.main import main
from decolle_ref.experiments import sweep


def test_the_command_runs_processes_and_prints_the_table(tmp_path, capsys):
    command = f"regression --quick --quiet --epochs 1 --seeds 0 1 --jobs 2 --sweep layers 3 --out {tmp_path}"
    assert main(command.split()) == 0
    out = capsys.readouterr().out
    assert re.search(r"^\| 3 \| 2 \| [\d.]+ \+- [\d.]+ \|$", out, re.MULTILINE)
    assert re.search(r"^regression: 2 seeds, .* \(quick: not comparable\); see ", out, re.MULTILINE)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {"results.json", "sweep.md", "sweep.png", "layers-3/seed-1/regression_outputs.png"} <= files


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ("--jobs 2", "jobs, dask: expected --seeds or --sweep beside them"),
        ("--seeds 0 --seed 1", "seed: expected its values in one place, got two"),
        ("--sweep epochs 5 --epochs 2", "epochs: expected its values in one place, got two"),
        ("--sweep learning-rate low", "learning-rate: expected a value of type float, got 'low'"),
        ("--sweep learning-rate", "number of values of learning_rate: expected an integer >= 1, got 0"),
        ("--sweep layers 8,x", "layers: expected a value of type int, got 'x'"),
        ("--sweep dialect lava", "dialect: expected one of "),
        ("--seeds 0 --jobs 2 --dask tcp://127.0.0.1:9", "jobs: expected none beside --dask, whose workers say"),
        ("--seeds 0 --jobs 0", "jobs: expected an integer >= 1, got 0"),
    ),
)
def test_wrong_options_end_the_command_with_one_line(options, message, tmp_path, capsys):
    assert main(["regression", "--quick", "--quiet", "--out", str(tmp_path / "out"), *options.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"decolle-ref: error: {message}") and err.count("\n") == 1
    assert not Path(tmp_path / "out").exists()


def test_a_failed_run_ends_the_command_with_exit_code_2_after_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sweep, "Processes", ThreadPoolExecutor)
    monkeypatch.setattr(learn, "save_figures", lambda module, out, results: None)
    command = f"regression --quick --quiet --epochs 1 --layers 3 --sweep learning-rate 1e-3 1e30 --out {tmp_path}"
    assert main(command.split()) == 2
    captured = capsys.readouterr()
    assert "\n| 0.001 | 1 |" in captured.out and "| 1e30 |" not in captured.out
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("decolle-ref: error: 1 of 2 runs failed; learning_rate-1e30/seed-0: diverged in ")
