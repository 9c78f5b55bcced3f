"""What is timed side by side computes the same numbers."""

import numpy as np
import pytest

from benchmarks import ours, problems, worker
from benchmarks.workloads import PEERS, WORKLOADS, missing
from decolle_ref.decolle import network
from decolle_ref.fast import worker_pool

STEPS, BATCH = 8, 2
PROBLEMS = {
    "dense": lambda: problems.dense(64, BATCH, STEPS),
    "mnist": lambda: problems.mnist(BATCH, 3),
    "table-2": lambda: problems.table_2(BATCH, 3, width=0.125),
    "fixed": lambda: problems.fixed(64, BATCH, STEPS, shared=True),
    "fixed-mnist": lambda: problems.mnist_fixed(BATCH, 3),
}
TOLERANCE = 1e-4  # float32, sums of up to 2,000 numbers in another order, and Adamax divides by small gradients
FREE = [peer for peer in PEERS if peer != "torch.compile"]  # which compiles PyTorch's program for ten seconds


@pytest.mark.parametrize("peer", FREE)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_program_computes_the_outputs_and_the_weights_of_the_fast_path(name, peer):
    if missing(peer, quick=False):
        pytest.skip(missing(peer, quick=False))
    if (name, peer) == ("table-2", "JAX"):
        pytest.skip("not timed")
    problem = PROBLEMS[name]()
    with worker_pool(1) as workers:
        expected = ours.program(problem, workers)()
    result = worker.peer_program(peer, problem, threads=1)()
    assert worker.largest_difference(expected, result) < TOLERANCE
    start = problems.flat(problem.start.weights) if isinstance(problem, problems.Learning) else []
    moved = 0
    for before, one, other in zip(start, expected.arrays, result.arrays, strict=True):
        change = np.linalg.norm(one - before)
        moved += change > 0
        assert np.linalg.norm(other - one) <= TOLERANCE * change
    assert moved >= len(start) - 1  # in the first steps nothing reaches W of the third convolution


def test_spikegrad_by_threads_makes_the_increments_of_its_definition():
    problem = problems.images("mnist", 0.25, BATCH)
    with worker_pool(1) as workers:
        one, other = ours.program(problem, workers)(), ours.definition(problem)()
    assert one.arrays and worker.largest_difference(one, other) < TOLERANCE


def test_a_block_starts_anew_each_time():
    problem = problems.mnist(BATCH, 2)
    with worker_pool(1) as workers:
        block = ours.program(problem, workers)
        first, second = block(), block()
    for one, other in zip(first.Y + first.arrays, second.Y + second.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_neurons_of_every_dense_layer_spike():
    problem = problems.dense(64, 8, 100)
    rates = [[s.S.mean() for s in layers] for _, layers in network.run(problem.network, problem.start, problem.spikes)]
    assert all(0.005 < rate < 0.5 for rate in np.mean(rates, axis=0))


def test_operations_are_counted_as_two_for_each_weight_that_a_product_applies():
    problem = problems.dense(64, BATCH, 1)
    connections, readouts = 64 * 100 + 2 * 64 * 64, 3 * 64 * 10
    assert problems.flops(problem) == BATCH * 2 * 2 * (connections + readouts)
    layer = problems.mnist(1, 1).network[:1]
    alone = problems.mnist(1, 1)._replace(network=layer)
    kernel = 7 * 7
    assert problems.flops(alone) == 4 * (layer[0].synapse.n * kernel + layer[0].readout.G.size)


def test_every_workload_has_peers_that_exist_and_is_smaller_with_quick():
    for workload in WORKLOADS.values():
        assert set(workload.peers) <= set(PEERS) and workload.quick < workload.size
