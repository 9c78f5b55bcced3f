"""A checkpoint is refused unless it is as it was written, and its numbers make sense."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import experiments
from decolle_ref._util import reading, store
from decolle_ref._util.check import InputError
from decolle_ref.data import digits
from decolle_ref.experiments import checkpoint, harness, poisson_mnist, replay_mnist
from decolle_ref.experiments.checkpoint import Field

KIND, SETTINGS = "test checkpoint", {"seed": 0, "rate": 2.0, "dtype": "float32"}
ARRAYS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "updates": np.array(3), "history": np.full((4, 2), 0.5)}
HERE = Path("checkpoint.npz")
STUDIES = ("patterns", "superspike", "alignment")


@pytest.fixture
def path(tmp_path):
    checkpoint.save(tmp_path / "checkpoint.npz", KIND, ARRAYS, SETTINGS)
    return tmp_path / "checkpoint.npz"


def test_a_checkpoint_comes_back_as_it_was(path):
    back = checkpoint.load(path, KIND, SETTINGS)
    assert {name: (x.dtype, x.tolist()) for name, x in back.items()} == {
        name: (x.dtype, x.tolist()) for name, x in ARRAYS.items()
    }


@pytest.mark.parametrize(
    "change",
    [
        {"W": ARRAYS["W"] + np.float32(1e-6)},
        {"W": ARRAYS["W"].astype(float)},
        {"W": ARRAYS["W"].ravel()},
        {"updates": np.array(4)},
        {"more": np.zeros(1)},
        {"W": -0.0 * ARRAYS["W"]},
    ],
)
def test_a_checkpoint_with_another_array_under_the_old_checksum_is_refused(change, path):
    _, about = reading.read_arrays(path, KIND)
    store.write_arrays(path, KIND, ARRAYS | change, about)
    with pytest.raises(InputError, match="expected the checksum of its content, got a changed file"):
        checkpoint.load(path, KIND, SETTINGS)


def test_a_checkpoint_with_other_settings_under_the_old_checksum_is_refused(path):
    _, about = reading.read_arrays(path, KIND)
    store.write_arrays(path, KIND, ARRAYS, about | {"settings": SETTINGS | {"seed": 1}})
    with pytest.raises(InputError, match="expected the checksum of its content, got a changed file"):
        checkpoint.load(path, KIND, SETTINGS | {"seed": 1})


def test_a_checkpoint_of_an_older_version_is_refused_with_advice(path):
    store.write_arrays(path, KIND, ARRAYS, {"settings": SETTINGS})
    with pytest.raises(
        InputError, match=r"got none \(an older version wrote this file; start again without --resume\)$"
    ):
        checkpoint.load(path, KIND, SETTINGS)


@pytest.mark.parametrize(
    ("array", "field", "message"),
    [
        (np.array(np.nan), Field(), "x: expected finite numbers, got nan"),
        (np.array(-1.0), Field(low=0), "x: expected a number from 0 to inf, got -1.0$"),
        (np.array([0.5, 1.5]), Field((2,), 0, 1), r"x: expected a number from 0 to 1, got 1.5 at index \(1,\)"),
        (np.array(0.5), Field(whole=True), "x: expected a whole number from -inf to inf, got 0.5"),
        (np.array(["a"]), Field((1,)), "x: expected finite numbers, got dtype <U1"),
        (np.array(1.0), Field((1,)), r"x: expected shape \(1,\), got \(\)"),
    ],
)
def test_an_array_outside_its_limits_is_refused(array, field, message):
    with pytest.raises(InputError, match=message):
        checkpoint.parse(HERE, {"x": array}, "x", field)


@pytest.mark.parametrize("array", [np.array(0.5), np.zeros((5, 2)), np.zeros((4, 3)), np.zeros(4)])
def test_a_history_of_other_rows_is_refused(array):
    with pytest.raises(InputError, match="x: expected shape"):
        checkpoint.history(HERE, {"x": array}, "x", Field((2,)), 4)


@pytest.mark.parametrize("name", STUDIES)
def test_the_results_of_a_study_are_within_their_limits_and_others_are_refused(name):
    experiment = experiments.experiment(name)
    with ThreadPoolExecutor(1) as pool:
        study = experiment.make(experiments.settings_of(experiment.settings, quick=True, repeats=1), pool, None)
    state = study.step((), harness.silent())
    arrays = study.pack(state)
    for one, other in zip(study.unpack(HERE, arrays)[0], state[0], strict=True):
        np.testing.assert_array_equal(one, other)
    fields = study.fields(study.units[0])
    assert fields.keys() == set(study.result._fields)
    for field, limits in fields.items():
        for wrong in (np.nan, limits.low - 1, limits.high + 1):
            changed = arrays | {f"0_{field}": arrays[f"0_{field}"] * 0 + wrong}
            with pytest.raises(InputError, match=f"0_{field}: expected"):
                study.unpack(HERE, changed)
    for units in (-1, 0.5, len(study.units) + 1, np.inf, [1]):
        with pytest.raises(InputError, match="units: expected"):
            study.unpack(HERE, arrays | {"units": np.array(units)})


def test_errors_of_spiking_networks_are_shares_and_their_samples_those_of_the_settings():
    x, labels = digits.generate(np.random.default_rng(1), 25)
    data = poisson_mnist.Data(x[:20], labels[:20], x[20:], labels[20:])
    settings = poisson_mnist.Settings(samples=12, batch=4, steps=8, burn_in=3, test_images=5, test_steps=9)
    with ThreadPoolExecutor(1) as pool:
        run = poisson_mnist.PoissonMnist(settings, pool, data)
        state = run.begin()
        for _ in range(run.steps):
            state = run.step(state, harness.silent())
        arrays = run.pack(state)
        run.unpack(HERE, arrays)
        for change in ({"learning": arrays["learning"] + 1.5}, {"tested": arrays["tested"] + 1}):
            with pytest.raises(InputError, match="expected a number from"):
                run.unpack(HERE, arrays | change)


def test_there_are_not_more_mistakes_than_images():
    run = object.__new__(replay_mnist.ReplayMnist)  # without the authors' networks, which are not stored here
    run.batches, run.steps, run.labels = 2, 4, np.zeros(replay_mnist.BATCH + 3)
    mistakes = np.full((2, len(replay_mnist.READOUTS)), 3)
    np.testing.assert_array_equal(run.unpack(HERE, {"mistakes": mistakes}), mistakes)
    with pytest.raises(InputError, match=r"mistakes: expected a number from -inf to 3, got 4 at index \(1, 0\)"):
        run.unpack(HERE, {"mistakes": mistakes + 1})
    with pytest.raises(InputError, match="mistakes: expected a whole number from 0"):
        run.unpack(HERE, {"mistakes": mistakes - 0.5})
