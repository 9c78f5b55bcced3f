"""The Poisson MNIST experiment, on a few generated digits."""

import json
import signal
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from decolle_ref import fast
from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.data import digits
from decolle_ref.data.encode import poisson_steps
from decolle_ref.decolle import convnet, network
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.experiments import harness, poisson_mnist
from decolle_ref.experiments.harness import Interrupted
from decolle_ref.experiments.poisson_mnist import EXPERIMENT, PoissonMnist
from decolle_ref.experiments.poisson_mnist_network import (
    CLASSES,
    Settings,
    build,
    grey,
    halving,
    masks,
    one_hot,
    spikes,
    update_reference,
)
from decolle_ref.experiments.votes import Votes
from decolle_ref.fast import NetworkStepper, worker_pool

train = partial(harness.run, EXPERIMENT)
SMALL = Settings(samples=12, batch=4, steps=8, burn_in=3, test_images=5, test_steps=9)


@pytest.fixture(scope="module")
def data():
    x, labels = digits.generate(np.random.default_rng(1), 25)
    return poisson_mnist.Data(x[:20], labels[:20], x[20:], labels[20:])


def same(a, b):
    """Two checkpoints are equal to the last bit."""
    a, b = np.load(a), np.load(b)
    assert a.files == b.files
    for name in a.files:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("others", [{}, {"convnet": True}, {"output_layer": False, "test_dropout": True}])
def test_a_resumed_run_is_bit_identical_to_one_that_was_not_interrupted(others, data, tmp_path, monkeypatch):
    """Interrupted within the second mini-batch, by a signal, with other numbers of threads."""
    monkeypatch.setattr(
        "decolle_ref.fast.stepper.NetworkStepper.__init__.__defaults__", (1, 2)
    )  # pieces of two samples
    small = replace(SMALL, **others)
    whole = train(small, tmp_path / "a", quiet=True, data=data)
    steps = iter(range(1000))
    original = NetworkStepper.step

    def interrupting(self, *args, **kwargs):
        if next(steps) == SMALL.steps + 4:
            signal.raise_signal(signal.SIGINT)
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkStepper, "step", interrupting)
        with pytest.raises(Interrupted, match=r"stopped in mini-batch \d of 3; --resume repeats it"):
            train(small, tmp_path / "b", quiet=True, data=data, threads=2)
    assert not (tmp_path / "b/results.json").exists()
    resumed = train(small, tmp_path / "b", resume=True, quiet=True, data=data, threads=2)
    same(tmp_path / "a/checkpoint.npz", tmp_path / "b/checkpoint.npz")
    assert resumed == whole


def test_every_mini_batch_leaves_a_whole_checkpoint(data, tmp_path, monkeypatch):
    """Killed while a checkpoint is being written, the run goes on from the one before."""
    train(replace(SMALL, samples=12), tmp_path / "whole", quiet=True, data=data)
    kills = iter((False, False, True))
    original = harness.checkpoint.save

    def killed(path, *args):
        if next(kills):
            path.with_name(f".decolle_ref-{path.name}.abcdefgh.part").write_bytes(b"PK")
            raise KeyboardInterrupt
        original(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(harness.checkpoint, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, tmp_path / "b", quiet=True, data=data)
    train(SMALL, tmp_path / "b", resume=True, quiet=True, data=data)
    same(tmp_path / "whole/checkpoint.npz", tmp_path / "b/checkpoint.npz")
    assert {file.name for file in (tmp_path / "b").iterdir()} == {"checkpoint.npz", "results.json"}


def test_a_checkpoint_of_other_settings_is_refused(data, tmp_path):
    train(SMALL, tmp_path, quiet=True, data=data)
    with pytest.raises(InputError, match=r"expected a run with seed = 1, got 0"):
        train(replace(SMALL, seed=1), tmp_path, resume=True, quiet=True, data=data)
    (tmp_path / "checkpoint.npz").write_bytes((tmp_path / "checkpoint.npz").read_bytes()[:500])
    with pytest.raises(
        InputError, match=r"expected a decolle_ref poisson-mnist checkpoint file, got something unreadable"
    ):
        train(SMALL, tmp_path, resume=True, quiet=True, data=data)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("dialect", ["paper", "dcll"])
def test_test_errors_are_those_of_the_readable_network(dialect, dropout, data):
    """Votes of the fast path, three steps and two samples at a time, against votes counted over network.run."""
    settings = replace(SMALL, dialect=dialect, test_dropout=dropout)
    model, carry = build(settings)
    with worker_pool(1) as workers:
        stepper = NetworkStepper(model.network, 5, workers, steps=3, chunk=2)
        ours = PoissonMnist(settings, workers, data).vote(carry, stepper, data.x_test, settings.rng(7), 9)
    rng, inputs, dropped = settings.rng(7), [], []
    stream = spikes(settings, rng, data.x_test)
    for _ in range(settings.test_steps // 3):  # three steps at a time: their dropout, then their spikes
        mask = masks(settings.dropout, model.network, rng, 3, 5) if dropout else [KEEP] * 3
        dropped += [[Mask(*(x[n] if isinstance(x, np.ndarray) else x for x in m)) for m in mask] for n in range(3)]
        inputs += [next(stream) for _ in range(3)]
    counts = np.zeros((4, 5, CLASSES), int)
    start = Carry(carry.weights[:3], network.rest(model.network, (5,)))
    for after, shown in network.run(model.network, start, inputs, masks=dropped):
        if after.n > settings.burn_in:
            u = network.pooled(model.network[-1], shown[-1].U)
            read = getattr(model.network[-1].surrogate, model.network[-1].activity)(u)
            for k, Y in enumerate([*(s.Y for s in shown), model.top.drive(carry.weights[-1], read)]):
                counts[k, np.arange(5), Y.argmax(axis=1)] += 1
    assert ours.counts.sum() == 4 * 5 * (settings.test_steps - settings.burn_in)
    np.testing.assert_array_equal(ours.counts, counts)


def test_the_majority_of_votes_wins_and_of_equals_the_first():
    votes = Votes(1, 3)
    Y = np.zeros((3, 1, 3, CLASSES))
    Y[[0, 1, 2], 0, 0, [4, 7, 7]] = 1  # seven wins
    Y[[0, 1, 2], 0, 1, [9, 2, 5]] = 1  # three equals: two wins
    votes.add(Y)  # the third sample votes for class 0, the first of ten equals
    assert votes.wrong(np.array([7, 2, 0])).tolist() == [0]
    assert votes.wrong(np.array([4, 9, 1])).tolist() == [3]


def test_learning_takes_memory_that_does_not_grow_with_the_steps(data):
    """The stream of spikes is never held: as many bytes are alive, at most, in 60 steps as in 20."""
    peaks = []
    for steps in (20, 20, 60):  # the first for whatever is made once
        settings = replace(SMALL, steps=steps)
        with worker_pool(1) as workers:
            run = PoissonMnist(settings, workers, data)
            tracemalloc.start()
            run.learn(run.start, 0, harness.silent())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    forty_steps_of_spikes = 40 * 4 * 784  # at one byte each
    assert peaks[2] - peaks[1] < forty_steps_of_spikes / 4


def test_spikes_come_at_the_rate_of_their_pixel():
    rate, steps = np.array([[0.0, 20.0], [50.0, 1000.0]]), 4000
    stream = poisson_steps(np.random.default_rng(0), rate)
    mean = np.mean([next(stream) for _ in range(steps)], axis=0)
    expected = rate / 1000
    assert (np.abs(mean - expected) <= 6 * np.sqrt(expected * (1 - expected) / steps)).all()
    with pytest.raises(
        InputError, match=r"input_rate_hz: expected at most one spike per step \(1/dt = 1000 Hz\), got 1001"
    ):
        poisson_steps(np.random.default_rng(0), np.array([1001.0]))


def test_learning_lowers_the_loss_of_every_readout(data):
    """Four digits shown for 150 steps: every readout is nearer to its target than before."""
    settings = replace(SMALL, steps=150, burn_in=20, test_steps=30, dropout=0.0)
    model, carry = build(settings)

    def loss(weights, stepper, images, target):
        stream, total = spikes(settings, settings.rng(7), images), 0
        stepper.rest()
        for n in range(60):
            stepper.step(model.split(weights)[0], next(stream)[None])
            if n >= 20:
                total = total + ((poisson_mnist.answers(model, weights, stepper)[0] - target) ** 2).mean(axis=(1, 2))
        return total

    with worker_pool(1) as workers:
        run, stepper = PoissonMnist(settings, workers, data), NetworkStepper(model.network, 4, workers)
        images, target = data.x[run.order[0]], one_hot(data.labels[run.order[0]])
        before = loss(carry.weights, stepper, images, target)
        after, _ = run.learn(carry, 0, harness.silent())
        assert (loss(after.weights, stepper, images, target) < before).all()


def test_the_network_is_the_papers():
    """16, 24 and 32 channels of 7x7: 49 (16 + 24 + 32) = 3528 places, 57,232 weights and 72 biases."""
    model, carry = build(Settings())
    weights = carry.weights[:3]
    assert sum(layer.synapse.kernel**2 * layer.synapse.channels for layer in model.network) == 3528
    assert (sum(w.W.size for w in weights), sum(w.b.size for w in weights)) == (57232, 72)
    assert [network.width(layer) for layer in model.network] == [16 * 13 * 13, 24 * 11 * 11, 32 * 4 * 4]
    assert model.learner.optimiser == Adamax(0.0, 0.95)
    assert Settings().updates_per_batch == 450


def test_dropout_falls_where_the_dialect_has_it():
    for dialect, place in (("paper", "activity"), ("dcll", "Y")):
        model, _ = build(replace(SMALL, dialect=dialect))
        net, rng = model.network, np.random.default_rng(0)
        for mask, layer in zip(masks(SMALL.dropout, net, rng, 4), net, strict=True):
            shape = (4, network.width(layer) if place == "activity" else CLASSES)
            assert getattr(mask, place).shape == shape


def test_the_learning_rate_is_halved_after_numbers_of_samples_whatever_the_length_of_the_run():
    per_batch = SMALL.updates_per_batch
    for samples in (12, 32):
        schedule = halving(replace(SMALL, samples=samples, halve_at=(8, 16, 25)))
        assert [schedule(k * per_batch) for k in range(8)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert halving(SMALL)(0) == 1


def test_a_run_made_longer_after_the_fact_is_bit_identical_to_one_planned_so(data, tmp_path):
    """The final test and the test at the former end are left out."""
    longer = replace(SMALL, samples=20, final_test=True)
    train(replace(SMALL, final_test=True), tmp_path / "a", quiet=True, data=data)
    train(longer, tmp_path / "a", resume=True, quiet=True, data=data)
    results = train(longer, tmp_path / "b", quiet=True, data=data)
    same(tmp_path / "a/checkpoint.npz", tmp_path / "b/checkpoint.npz")
    assert results["samples"] == [20] and set(results["final"]) == set(results["readouts"])
    with pytest.raises(InputError, match="expected a run with samples = 12, got 20"):
        train(replace(longer, samples=12), tmp_path / "a", resume=True, quiet=True, data=data)


def test_milestones_are_whole_mini_batches_and_the_end():
    early = poisson_mnist.milestones(Settings())
    assert early[-1] == 62 and 32 in early and 22 in early  # 3968, 2048, 1408 samples
    assert poisson_mnist.milestones(replace(Settings(), samples=70000))[-1] == 1093


def test_one_update_of_the_conventional_network_is_its_gradient_handed_to_adamax(data):
    settings = replace(SMALL, convnet=True)
    model, carry = build(settings)
    weights, memory = model.split(carry.weights)[2], model.split(carry.opt_state)[2]
    images, target = grey(data.x[:4]), one_hot(data.labels[:4])
    with worker_pool(1) as workers:
        stepper = fast.ConvnetStepper(model.reference, 4, workers)
        got, _ = update_reference(settings, model, weights, memory, stepper, images, target, 0)
    optimiser, start = model.learner.optimiser, convnet.init(model.learner.optimiser, weights)
    gradients = convnet.gradient(model.reference, weights, images, target)
    expected, _ = convnet.update(optimiser, weights, gradients, start, settings.convnet_learning_rate)
    for a, b, before in zip(got, expected, weights, strict=True):
        np.testing.assert_allclose(a.W, b.W, rtol=0, atol=0.01 * settings.convnet_learning_rate)  # of one step
        assert np.abs(a.W - before.W).max() > 0.9 * settings.convnet_learning_rate


def test_a_new_run_keeps_what_an_earlier_one_left(data, tmp_path):
    train(SMALL, tmp_path, quiet=True, data=data)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    train(replace(SMALL, seed=1), tmp_path, quiet=True, data=data)
    assert (tmp_path / "old.checkpoint.npz").read_bytes() == before
    assert json.loads((tmp_path / "old.results.json").read_text())["settings"]["seed"] == 0


def test_settings_that_make_no_sense_are_refused_in_one_line(data, tmp_path):
    with pytest.raises(InputError, match=r"burn_in: expected fewer steps than the 8 shown, got 8"):
        replace(SMALL, burn_in=8)
    with pytest.raises(InputError, match=r"dropout: expected at most 255/256, got 0.999"):
        replace(SMALL, dropout=0.999)
    with pytest.raises(InputError, match=r"samples: expected an integer >= 4, got 3"):
        replace(SMALL, samples=3)
    with pytest.raises(InputError, match=r"test images: expected shape \(5, 28, 28\), got \(5, 27, 28\)"):
        train(SMALL, tmp_path, data=data._replace(x_test=data.x_test[:, 1:]))
    with pytest.raises(InputError, match=r"training labels: expected integers 0\.\.9, got 0\.\.10"):
        train(SMALL, tmp_path, data=data._replace(labels=data.labels.astype(int) + (data.labels == 9)))


def test_the_command_writes_results_a_checkpoint_and_a_figure(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(poisson_mnist, "read", lambda settings: data)
    out = tmp_path / "run"
    small = ["--batch", "4", "--steps", "8", "--burn-in", "3", "--test-images", "5", "--test-steps", "9"]
    assert main(["poisson-mnist", "--quick", "--samples", "8", *small, "--quiet", "--out", str(out)]) == 0
    assert {file.name for file in out.iterdir()} == {"checkpoint.npz", "results.json", "poisson_mnist.png"}
    results = json.loads((out / "results.json").read_text())
    assert results["samples"] == [8] and list(results["error"]) == ["layer 1", "layer 2", "layer 3", "output"]
    line = capsys.readouterr().out.strip()
    assert line.startswith("poisson-mnist: test error layer 1 ") and "(quick: not comparable)" in line
