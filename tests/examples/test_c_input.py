"""What the C programs read, and what they refuse in one line."""

import json

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from tests.support.c_programs import ADAMAX, IMAGE, fixed_point, make, needs_cc, result, run, write

pytestmark = needs_cc


def refused(program, folder, *names):
    """Exit code 2, or 3 for a valid case that is not supported; no trace, and one line that names the problem."""
    done = run(program, folder / "case", folder / "out")
    assert done.returncode in (2, 3)
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n") and done.stdout == ""
    assert all(name in done.stderr for name in ("expected", "got", *names)), done.stderr
    assert not (folder / "out" / "trace.json").exists()


@pytest.fixture
def case(tmp_path):
    """A case that learns, which both programs support."""
    write(tmp_path / "case", *make("paper", layer={"surrogate": "fast_sigmoid"}, optimiser=ADAMAX))
    return tmp_path


def edit(folder, change):
    path = folder / "case" / "case.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


UNSUPPORTED = {
    "constants": lambda about: about.update(constants="tau"),
    "dialect": lambda about: about.update(dialect=None),
    "steps": lambda about: about.update(steps=0),
    "novelty": lambda about: about.update(novelty=1),
    "version": lambda about: about.update(version=2),
    "beta1": lambda about: about["optimiser"].update(beta1=1),
    "loss": lambda about: about["layers"][0].update(loss="hinge"),
    "surrogate": lambda about: about["layers"][1].update(surrogate="arctan"),
    "lambda1": lambda about: about["layers"][1].update(lambda1=-0.5),
    "n_in": lambda about: about["layers"][1].update(conv=IMAGE),
    "pool": lambda about: about["layers"][0].update(pool=2),
    "layers": lambda about: about.update(layers=[]),
    "targets": lambda about: about.update(targets=False),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_the_programs_do_not_support_is_one_line(name, case, programs):
    edit(case, UNSUPPORTED[name])
    refused(programs / "decolle", case, name)


def test_float32_refuses_float64(case, programs):
    edit(case, lambda about: about.update(dtype="float64"))
    refused(programs / "decolle", case, "dtype", "float64")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda about: about["layers"][0].pop("surrogate"), "surrogate"),
        (lambda about: about["layers"][0].update(loss="cross_entropy"), "loss"),
        (lambda about: about["layers"][1].update(lambda2=0.5), "lambda2"),
        (lambda about: about["optimiser"].update(beta1=0.5), "beta1"),
        (lambda about: about["optimiser"].update(eps=1e-8), "eps"),
        (lambda about: about["optimiser"].pop("beta2"), "beta2"),
    ],
)
def test_what_fixed_point_cannot_say_is_one_line(change, name, case, programs):
    edit(case, change)
    refused(programs / "decolle_fixed", case, name)
    read = cases.read(case / "case")
    with pytest.raises((InputError, NotImplementedError), match=name):
        fixed_point.backend(read.about, read.arrays)


def test_fixed_point_refuses_numbers_between_its_own(case, programs):
    file = case / "case" / "layer2_W.npy"
    np.save(file, np.load(file) + np.float32(2**-17))
    refused(programs / "decolle_fixed", case, "layer2_W")


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_description_is_one_line(cut, case, programs):
    path = case / "case" / "case.json"
    text = path.read_text().rstrip()
    path.write_text(text[: int(cut * len(text))])
    refused(programs / "decolle", case)


def with_nan(x):
    x = x.copy()
    x.flat[-1] = np.nan
    return x


DAMAGES = {
    "other shape": lambda file, x: np.save(file, x[:-1]),
    "transposed": lambda file, x: np.save(file, np.asfortranarray(x)),
    "other type": lambda file, x: np.save(file, x.astype(">f4")),
    "objects": lambda file, x: np.save(file, x.astype(object), allow_pickle=True),
    "NaN": lambda file, x: np.save(file, with_nan(x)),
    "cut short": lambda file, x: file.write_bytes(file.read_bytes()[:-3]),
    "too long": lambda file, x: file.write_bytes(file.read_bytes() + b"\0"),
    "no magic": lambda file, x: file.write_bytes(b"PK" + file.read_bytes()[2:]),
    "version 3": lambda file, x: file.write_bytes(b"\x93NUMPY\x03" + file.read_bytes()[7:]),
    "half a header": lambda file, x: file.write_bytes(file.read_bytes()[:40]),
    "empty": lambda file, x: file.write_bytes(b""),
    "missing": lambda file, x: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_array_is_one_line(damage, case, programs):
    file = case / "case" / "layer2_W.npy"
    DAMAGES[damage](file, np.load(file))
    refused(programs / "decolle", case, "layer2_W.npy")


def test_version_2_arrays_are_read(case, programs):
    before = result(programs / "decolle", case / "case", case / "before")
    file = case / "case" / "layer2_W.npy"
    W = np.load(file)
    with file.open("wb") as f:
        np.lib.format.write_array(f, W, version=(2, 0))
    after = result(programs / "decolle", case / "case", case / "after")
    assert all((before[name] == after[name]).all() for name in before)


def test_a_trace_is_not_overwritten(case, programs):
    result(programs / "decolle", case / "case", case / "out")
    done = run(programs / "decolle", case / "case", case / "out")
    assert done.returncode == 2 and "expected a new or empty folder" in done.stderr
