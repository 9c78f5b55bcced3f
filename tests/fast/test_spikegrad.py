"""A step of SpikeGrad in chunks: equal to the definitions, and the same bits for every number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.decolle.synapse import Conv2d, Dense
from decolle_ref.experiments import harness, spikegrad_images, spikegrad_mnist
from decolle_ref.fast import spikegrad as fast
from decolle_ref.fast import worker_pool
from decolle_ref.spikegrad import ann, network
from tests.support.spikegrad import IMAGES, all_equal, dyadic, problem, seeds

STRIDED = (Conv2d((1, 5, 5), 2, 2), Conv2d((2, 4, 4), 3, 2, stride=2), Conv2d((3, 2, 2), 2, 1, padding=1), Dense(32, 3))


@settings(max_examples=60)
@given(seed=seeds, stack=st.sampled_from((*IMAGES, STRIDED)), gradient=st.sampled_from(ann.GRADIENTS))
def test_chunks_of_a_batch_add_up_to_the_definition(seed, stack, gradient):
    """Exactly: the errors of the top layer are rounded to dyadic numbers, so that no sum is."""
    rng = np.random.default_rng(seed)
    net, weights, _, _ = problem(rng, stack)
    x, U = dyadic(rng, (7, stack[0].n_in), 9), dyadic(rng, (7, stack[-1].n), 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "CHUNK", 3)
        patch.setattr(ann, "top_error", lambda V, labels, alpha: U[labels])  # row of U by the number of the sample
        patch.setattr(fast.check, "labels", lambda name, labels, *_: labels)
        patch.setattr(ann, "cross_entropy", lambda V, labels: labels)
        result = fast.step(net, weights, x, np.arange(7), 1.0, gradient)
    responses = ann.forward(net, weights, x)
    E = ann.backward(net, weights, responses, U, gradient)
    assert result.loss == sum(range(7))
    all_equal(result.S, [np.abs(r.S).sum(axis=0) for r in responses])
    all_equal(result.E, [np.abs(e).sum(axis=0) for e in E])
    for ours, theirs in zip(result.increments, ann.increments(net, x, responses, E), strict=True):
        all_equal(ours, theirs)


@pytest.mark.parametrize("gradient", ann.GRADIENTS)
def test_the_number_of_threads_changes_no_bit_of_a_step(gradient, rng):
    net = network.parse("8x8x2-6C3-P2-20-10", pad=1)
    weights = network.init_weights(rng, net, np.float32)
    x, labels = rng.random((70, 128)).astype(np.float32), rng.integers(0, 10, 70)
    assert 70 > 2 * fast.CHUNK
    alone = fast.step(net, weights, x, labels, 30.0, gradient)
    for threads in (1, 3):
        with worker_pool(threads) as workers:
            shared = fast.step(net, weights, x, labels, 30.0, gradient, workers)
            assert fast.accuracy(net, weights, x, labels, workers) == fast.accuracy(net, weights, x, labels)
        assert shared.loss == alone.loss
        all_equal(shared.S + shared.E, alone.S + alone.E)
        for ours, theirs in zip(shared.increments, alone.increments, strict=True):
            all_equal(ours, theirs)


def test_the_number_of_threads_changes_no_bit_of_a_run(rng, tmp_path, monkeypatch):
    monkeypatch.setitem(network.TOPOLOGIES, "mnist", ("28x28-3C5-P4-8-10", 0))
    monkeypatch.setattr(spikegrad_images, "EVENTS", 1)
    images, labels = rng.integers(0, 256, (80, 1, 28, 28)).astype(np.uint8), np.arange(80) % 10
    data = spikegrad_images.Data(images, labels, images[:30], labels[:30])
    settings = spikegrad_mnist.Settings(epochs=1, batch=40)
    for threads in (1, 2):
        harness.run(
            spikegrad_mnist.EXPERIMENT, settings, tmp_path / str(threads), quiet=True, threads=threads, data=data
        )
    one, two = (np.load(tmp_path / name / "checkpoint.npz") for name in "12")
    for name in one.files:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_a_step_without_samples_is_refused(rng):
    net = network.parse("2x2-3")
    with pytest.raises(InputError, match=r"x: expected at least one sample, got shape \(0, 4\)"):
        fast.step(net, network.init_weights(rng, net), np.zeros((0, 4)), np.zeros(0, int), 1.0, "spike")
