"""The machine: its processor and caches, the versions in use, and how fast it multiplies matrices."""

import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.experiments import environment

LIBRARIES = "threadpoolctl", "torch", "jax"
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN = "unknown"


def description() -> dict[str, Any]:
    """What a reader must know of the machine; "unknown" where the system does not say it."""
    return {
        "processor": _processor(),
        "cores": environment.cores(),
        "caches": _caches(),
        "BLAS": _blas(),
        "versions": environment.versions() | {name: _version(name) for name in LIBRARIES},
        "date": datetime.now(UTC).date().isoformat(),
    }


def sgemm_peak(threads: int, n: int, repeats: int = 5) -> float:
    """10^9 floating-point operations per second of the fastest of several products of n x n matrices in float32."""
    a, b = (np.random.default_rng(seed).random((n, n), np.float32) for seed in (0, 1))
    out, clock, seconds = np.empty_like(a), time.process_time if threads == 1 else time.perf_counter, []
    for _ in range(1 + repeats):
        start = clock()
        np.matmul(a, b, out=out)
        seconds.append(clock() - start)
    return 2e-9 * n**3 / min(seconds[1:])


def _processor() -> str:
    """The model, which Linux alone writes into a file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else UNKNOWN


def _caches() -> dict[str, str]:
    """Sizes of the caches that hold data, as seen by one core."""
    folders = sorted(CACHES.glob("index*"))
    read = [[(folder / name).read_text().strip() for name in ("level", "type", "size")] for folder in folders]
    return {f"L{level}": size for level, kind, size in read if kind != "Instruction"}


def _blas() -> str:
    """The library behind NumPy's matrix products, and the processor that its kernels are written for."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return UNKNOWN
    libraries = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return (
        ", ".join(f"{x['internal_api']} {x['version']}, {x.get('architecture', UNKNOWN)}" for x in libraries[:1])
        or UNKNOWN
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
