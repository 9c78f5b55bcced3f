"""The command `python -m benchmarks`: its rows, what is left out, and its page.  No test asserts a time."""

import itertools
import json

from benchmarks import page, runner, timing
from benchmarks import workloads as listed
from benchmarks.__main__ import main
from benchmarks.memory import METHODS
from benchmarks.workloads import PEERS, WORKLOADS

STORED = page.stored()


def assert_well_formed(row):
    assert row["workload"] in WORKLOADS and row["peer"] in WORKLOADS[row["workload"]].peers
    if "skipped" in row:
        assert row["skipped"]
        return
    assert row["threads"] in (1, 2) and row["rounds"] >= 2 and row["peak"] > 0
    assert row["unit"] == f"ms per {WORKLOADS[row['workload']].unit}"
    for key in ("ours", "theirs", "ratio"):
        assert 0 < row[key][0] <= row[key][1] <= row[key][2]
    assert 0.5 < row["ratio"][1] / (row["theirs"][1] / row["ours"][1]) < 2  # not the other way round
    assert row["difference"] is None or row["difference"] < 1e-3
    assert (row["flops"] is None) == ("learning" not in WORKLOADS[row["workload"]].about)


def test_stored_rows_are_well_formed_and_cover_every_workload():
    for row in STORED["rows"]:
        assert_well_formed(row)
    pairs = {(row["workload"], row["peer"]) for row in STORED["rows"]}
    assert pairs == {(name, peer) for name, workload in WORKLOADS.items() for peer in workload.peers}
    assert {row["method"] for row in STORED["memory"]} == set(METHODS)
    assert all(row["MiB"] > 0 and row["steps"] > 0 for row in STORED["memory"])
    assert STORED["oracle"]["vectors"] > 0 and STORED["oracle"]["seconds"][0] > 0
    assert {"processor", "cores", "caches", "BLAS", "versions", "date"} == set(STORED["machine"])


def test_the_page_shows_the_stored_numbers():
    assert page.updated(page.PAGE.read_text(), STORED) == page.PAGE.read_text()


def test_a_quick_run_of_the_smallest_workload_stores_rows_and_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(listed, "find_spec", lambda library: None)
    out = tmp_path / "results.json"
    assert main(["--quick", "--only", "dense-64-1", "--out", str(out)]) == 0
    results, printed = json.loads(out.read_text()), capsys.readouterr().out
    by_peer = {row["peer"]: row for row in results["rows"]}
    assert set(by_peer) == set(PEERS) and "skipped" not in by_peer["definition"]
    for row in results["rows"]:
        assert_well_formed(row)
    for peer in ("PyTorch", "JAX"):
        assert by_peer[peer]["skipped"] == f"{PEERS[peer]} is not installed"
        assert f"{peer}: skipped, {PEERS[peer]} is not installed\n" in printed
    text = page.updated(page.PAGE.read_text(), results)
    assert "torch is not installed (dense-64-1)" in text and "Not measured." in text


def test_a_process_that_ends_early_leaves_reasons_in_place_of_rows(monkeypatch):
    monkeypatch.setattr(runner, "worker_arguments", lambda *_: ["-c", "raise SystemExit(3)"])
    said = []
    rows = list(runner.worker_rows(["mnist", "table-2"], "PyTorch", 1, True, said.append))
    assert [row["skipped"] for row in rows] == ["ended with code 3"] * 2 and len(said) == 2


def test_an_unknown_name_ends_with_one_line_and_code_2(capsys):
    assert main(["--quick", "--only", "dense-65"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "'dense-65'" in err and "dense-64-1" in err


def test_programs_take_turns_and_a_ratio_belongs_to_one_round(monkeypatch):
    called, clock = [], itertools.count()
    monkeypatch.setattr(timing.time, "process_time", lambda: next(clock) ** 2)
    a, b = timing.take_turns(lambda: called.append("a"), lambda: called.append("b"), rounds=4, threads=1)
    assert "".join(called) == "ab" * (timing.WARM_UP + 4) and len(a) == len(b) == 4
    summary = timing.summary([1.0, 2.0, 4.0], [2.0, 8.0, 4.0], units=10)
    assert summary["ratio"][1] == 2 and summary["ours"][1] == 200 and summary["theirs"] == [300, 400, 600]


def test_no_round_begins_after_the_time_is_over(monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 0)
    a, _ = timing.take_turns(lambda: None, lambda: None, rounds=50, threads=1)
    assert len(a) == timing.FEWEST


def test_the_share_of_the_peak_is_one_for_a_step_that_is_a_large_product():
    assert page.share({"flops": 2e9, "peak": 100.0, "ours": [19.0, 20.0, 21.0]}) == "100%"
