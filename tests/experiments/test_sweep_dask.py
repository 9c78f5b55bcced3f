"""A sweep on a Dask cluster over loopback, one of whose workers is killed in mid-run."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from decolle_ref._util.check import InputError
from decolle_ref.experiments import executors, harness, sweep
from decolle_ref.experiments.regression import EXPERIMENT, Settings

distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra: dask)")
SHORT = Settings(epochs=5, layers=(4,))
FILES = ("checkpoint.npz", "regression.npz", "results.json")


@pytest.fixture(scope="module")
def cluster():
    """Two workers of one thread each, in processes of their own."""
    options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        yield cluster


def kill_a_worker(cluster, folders, killed):
    """Kill one worker as soon as every run in the folders has begun and none is finished."""
    while not all((folder / "checkpoint.npz").exists() for folder in folders):
        time.sleep(0.02)
    if not any((folder / "results.json").exists() for folder in folders):
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        killed.append(True)


def test_a_worker_killed_in_mid_run_changes_no_bit(cluster, tmp_path):
    killed: list[bool] = []
    running = [tmp_path / "sweep" / f"seed-{seed}" for seed in (0, 1)]
    threading.Thread(target=kill_a_worker, args=(cluster, running, killed)).start()
    with executors.dask(cluster.scheduler_address) as executor:
        workers = sweep.Workers(executor=executor)
        results = sweep.run(EXPERIMENT, SHORT, {"seed": (0, 1, 2)}, tmp_path / "sweep", quiet=True, workers=workers)
    assert killed and [row["problem"] for row in results["runs"]] == [None] * 3
    for seed in (0, 1, 2):
        harness.run(EXPERIMENT, replace(SHORT, seed=seed), tmp_path / "alone", quiet=True, threads=1)
        for name in FILES:
            assert (tmp_path / "sweep" / f"seed-{seed}" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_an_address_where_no_scheduler_answers_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"^dask: expected the address of a scheduler that answers, got 'nowhere"):
        with executors.dask("nowhere://"):
            pass
