"""How fast the package is beside PyTorch and JAX: `python -m benchmarks`.

| module | content |
| --- | --- |
| `problems` | networks, inputs and targets, as arrays of NumPy |
| `ours`, `pytorch`, `jax_scan` | programs that solve them |
| `workloads` | the list of what is timed |
| `timing` | two programs taking turns |
| `worker` | the process in which one peer is timed |
| `memory`, `machine` | memory against the number of steps; the machine and its peak |
| `runner` | all measurements |
| `page` | the tables of `docs/benchmarks.md` |
"""
