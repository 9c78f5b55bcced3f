"""Several runs of one experiment: in any executor, with failures, after Ctrl-C, and run only once."""

import json
import os
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from decolle_ref import experiments
from decolle_ref._util import store
from decolle_ref._util.check import InputError
from decolle_ref.experiments import harness, sweep
from decolle_ref.experiments.executors import Processes
from decolle_ref.experiments.harness import Interrupted
from decolle_ref.plots.sweep import save_figures
from tests.support.walks import WALKS, Settings, Walks

ONE = Settings(repeats=1)
SEEDS = {"seed": (0, 1, 2)}
PRODUCT = {"length": (5, 8), "seed": (3, 4)}
FILES = ("checkpoint.npz", "walks.npz", "results.json")


class AtOnce(Executor):
    """An executor without anything else: it calls at once."""

    def submit(self, function, /, *args, **options):
        future = Future()
        future.set_result(function(*args, **options))
        return future


@pytest.fixture(autouse=True)
def walks(monkeypatch):
    monkeypatch.setattr(experiments, "experiment", lambda name: {"walks": WALKS}[name])


@pytest.fixture
def learned(monkeypatch):
    """The units that were trained, in their order."""
    units, learn = [], Walks.learn
    monkeypatch.setattr(Walks, "learn", lambda self, unit, monitor: units.append(unit) or learn(self, unit, monitor))
    return units


def run(out, varied, executor=None, **options):
    return sweep.run(
        WALKS, ONE, varied, out, quiet=True, workers=sweep.Workers(executor=executor or AtOnce()), **options
    )


@pytest.mark.parametrize("executor", (AtOnce, lambda: ThreadPoolExecutor(3)))
def test_in_any_executor_every_run_leaves_the_bytes_of_a_run_alone(executor, tmp_path):
    with executor() as pool:
        run(tmp_path / "sweep", PRODUCT, pool)
    for length in (5, 8):
        for seed in (3, 4):
            harness.run(WALKS, Settings(seed=seed, repeats=1, length=length), tmp_path / "alone", quiet=True, threads=1)
            for name in FILES:
                several = tmp_path / "sweep" / f"length-{length}" / f"seed-{seed}" / name
                assert several.read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_workers_may_be_in_another_folder(tmp_path, monkeypatch):
    class Elsewhere(AtOnce):
        def submit(self, function, /, *args, **options):
            monkeypatch.chdir(tmp_path / "elsewhere")
            future = super().submit(function, *args, **options)
            monkeypatch.chdir(tmp_path)
            return future

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(run("relative", SEEDS, Elsewhere())["points"]) == 1
    assert not list((tmp_path / "elsewhere").iterdir())


def test_results_are_mean_and_standard_deviation_over_the_seeds_of_every_point(tmp_path):
    results = run(tmp_path, PRODUCT)
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert results["varied"] == {"length": [5, 8], "seed": [3, 4]}
    assert [row["problem"] for row in results["runs"]] == [None] * 4
    for length, point in zip((5, 8), results["points"], strict=True):
        assert (point["settings"], point["seeds"]) == ({"length": length}, [3, 4])
        files = [tmp_path / f"length-{length}" / f"seed-{seed}" / "results.json" for seed in (3, 4)]
        (a,), (b,) = (json.loads(file.read_text())["ends"]["left"] for file in files)
        (mean,), (spread,) = point["numbers"]["ends.left"].values()
        assert mean == pytest.approx((a + b) / 2, rel=1e-15)
        assert spread == pytest.approx(abs(a - b) / 2**0.5, rel=1e-12)


def test_finished_runs_are_not_run_again_and_more_seeds_can_be_added(learned, tmp_path):
    few = run(tmp_path, {"seed": (0, 1)})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed-*/*")}
    assert run(tmp_path, {"seed": (0, 1)}) == few and not list(tmp_path.glob("old.*"))
    assert run(tmp_path, SEEDS)["points"][0]["seeds"] == [0, 1, 2]
    assert [unit.seed for unit in learned] == [0, 0, 1, 1, 2, 2]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert json.loads((tmp_path / "old.results.json").read_text()) == few


def test_a_run_with_other_settings_is_put_aside_and_not_taken_for_finished(learned, tmp_path):
    harness.run(WALKS, Settings(repeats=1, length=9), tmp_path / "seed-0", quiet=True)
    results = run(tmp_path, {"seed": (0,)})
    assert (tmp_path / "seed-0" / "old.results.json").exists() and len(learned) == 4
    assert results["points"][0]["headline"]["ends.left[0]"]["spread"] is None


def test_a_run_that_fails_loses_no_other_and_is_the_only_one_that_is_repeated(learned, tmp_path, monkeypatch):
    monkeypatch.setattr(Walks, "diverge_at", ("right", 1))
    results = run(tmp_path, SEEDS)
    reason = "diverged in unit 2 of 2, 1_path: expected finite numbers, got inf at index (1,)"
    assert [row["problem"] for row in results["runs"]] == [None, reason, None]
    assert results["points"][0]["seeds"] == [0, 2]
    monkeypatch.setattr(Walks, "diverge_at", None)
    learned.clear()
    assert run(tmp_path, SEEDS, resume=True)["points"][0]["seeds"] == [0, 1, 2]
    assert learned == [("right", 1)]


def test_if_no_run_finishes_the_reason_is_one_line_and_no_results_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Walks, "diverge_at", ("left", 0))
    with pytest.raises(InputError, match=r"^no run finished; seed-0: diverged in unit 1 of 2, .*$"):
        run(tmp_path, {"seed": (0,)})
    assert [path.name for path in tmp_path.iterdir()] == ["seed-0"]


@pytest.mark.parametrize("unit", (("left", 0), ("right", 1)))
def test_after_ctrl_c_the_same_command_with_resume_leads_to_the_same_bytes(unit, learned, tmp_path, monkeypatch):
    run(tmp_path / "whole", SEEDS)
    monkeypatch.setattr(Walks, "stop_at", unit)
    with ThreadPoolExecutor(1) as pool, pytest.raises(Interrupted, match=r"^stopped with \d of 3 runs finished; --res"):
        run(tmp_path / "parts", SEEDS, pool)
    assert not (tmp_path / "parts" / "results.json").exists() and not (tmp_path / "parts" / sweep.STOP).exists()
    monkeypatch.setattr(Walks, "stop_at", None)
    run(tmp_path / "parts", SEEDS, resume=True)
    for name in ("results.json", "sweep.md", *(f"seed-{seed}/{file}" for seed in (0, 1, 2) for file in FILES)):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


@pytest.mark.parametrize("name", ("", "seed-1"))
def test_a_folder_in_use_is_refused_before_anything_runs(name, learned, tmp_path):
    folder = store.output_folder(tmp_path / name)
    with store.locked(folder), pytest.raises(InputError, match=f"no other process writes into, got {folder}$"):
        run(tmp_path, SEEDS)
    assert not learned


def test_a_single_run_puts_the_results_of_a_sweep_in_its_folder_aside(tmp_path):
    results = run(tmp_path, SEEDS)
    save_figures(tmp_path, results)
    harness.run(WALKS, ONE, tmp_path, quiet=True)
    assert {"old.results.json", "old.sweep.md", "old.sweep.png"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("varied", "message"),
    (
        ({"width": (1,)}, r"^sweep: expected one of seed, repeats, length, got 'width'$"),
        ({"quick": (True, False)}, r"^sweep: expected one of seed, repeats, length, got 'quick'$"),
        ({"length": (5, 5)}, r"^length: expected values that differ, got 5 5$"),
        ({"length": ()}, r"^number of values of length: expected an integer >= 1, got 0$"),
        ({"length": (5, 0)}, r"^length: expected an integer >= 1, got 0$"),
        ({"seed": ("a/b",)}, r"^value of seed: expected a name of at most 100 .*, got 'seed-a/b'$"),
        (
            {"repeats": (1, 3), "seed": (0, 2)},
            r"^seeds: expected steps of at least 3, .*, got 0 and 2$",
        ),
    ),
)
def test_what_cannot_be_varied_is_refused_in_one_line_before_anything_runs(varied, message, learned, tmp_path):
    with pytest.raises(InputError, match=message):
        run(tmp_path, varied)
    assert not learned and not list(tmp_path.iterdir())


def test_the_death_of_a_process_loses_no_other_call():
    with Processes(2) as pool:
        futures = [pool.submit(os._exit, 3), pool.submit(sum, [1, 2])]
        assert futures[1].result() == 3
        with pytest.raises(ChildProcessError, match=r"^its process ended with exit code 3$"):
            futures[0].result()


def test_processes_are_killed_where_the_block_ends_by_an_exception():
    """So a second Ctrl-C ends the command at once."""
    with pytest.raises(KeyboardInterrupt), Processes(1) as pool:
        futures = [pool.submit(time.sleep, 600) for _ in range(3)]
        raise KeyboardInterrupt
    assert [type(future.exception()) for future in futures] == 3 * [ChildProcessError]
