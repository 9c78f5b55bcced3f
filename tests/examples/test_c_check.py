"""The checker in C against the check in Python: the same verdict, the same first failure, the same bounds."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util import npy
from decolle_ref.cases import Case
from decolle_ref.cases.simulation import describe_trace
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.profile import PROFILES, Profile, describe
from decolle_ref.oracle.trace import parse_trace, shapes
from decolle_ref.oracle.vectors import mixed_cases
from decolle_ref.oracle.vectors.catalogue import dtype_of, quantised
from decolle_ref.oracle.vectors.properties import Vector, trace
from tests.support.c_programs import CC, EXAMPLES, fixed_point, needs_cc, run
from tests.support.vectors import vectors

pytestmark = needs_cc

IDS = (
    "dense-paper",
    "dense-dcll",
    "dense-decolle",
    "conv-pool-leftover",
    "regulariser-decolle",
    "loss-cross-entropy-mean",
    "loss-smooth-l1-sum",
    "adamax-momentum",
    "sgd",
    "split",
    "no-targets",
    *range(8),  # random cases
)
DECLARED = [*PROFILES.values(), Profile("floor", "fixed", rounding="floor"), Profile("flush", flush=True)]


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """The checker, built from the one file that can be copied elsewhere."""
    folder = tmp_path_factory.mktemp("check")
    sources = shutil.copytree(EXAMPLES / "c", folder / "c")
    subprocess.run(["make", "-s", "check_in_one_file.c"], cwd=sources, check=True, timeout=60)
    alone = shutil.move(sources / "check_in_one_file.c", folder)
    subprocess.run([CC, "-O2", "-std=c99", "-o", "check", alone, "-lm"], cwd=folder, check=True, timeout=120)
    return folder / "check"


@cache
def prepared(id, profile):
    """A vector, or the random case of a seed, in a profile's format, and the reference's trace rounded to it."""
    vector = quantised(vectors(dtype_of(profile))[id] if isinstance(id, str) else mixed(id, profile), profile)
    needed = {name for name in shapes(vector.about) if not name.endswith("_loss")}
    arrays = {name: x for name, x in trace(vector).items() if name in needed}
    return vector, {name: profile.quantise(x).astype(vector.about["dtype"]) for name, x in arrays.items()}


def mixed(seed, profile):
    """A random case of the whole format: dropout, schedules, pools, regularisers, mixed layers."""
    about, arrays = mixed_cases.mixed_case([seed])
    about = {"name": f"mixed-{seed}", **about, "dtype": dtype_of(profile)}
    arrays = {name: x if name == "inputs" else x.astype(about["dtype"]) for name, x in arrays.items()}
    arrays = {name: x for name, x in arrays.items() if name in cases.shapes(about)}
    return Vector(about["name"], about, arrays, "", lambda vector, trace: None)


def judged_in_python(vector, arrays, profile):
    verdict = residual.check(parse_trace(Case(vector.about, vector.arrays), arrays, profile))
    failure = verdict.failure
    return ("PASS", max(verdict.worst().values())) if failure is None else ("FAIL", failure)


def write(folder, vector, arrays, profile):
    """A case, its trace and its profile in files."""
    cases.write(folder / "case", vector.about, vector.arrays)
    (folder / "profile.json").write_text(json.dumps(describe(profile)))
    (folder / "trace").mkdir()
    (folder / "trace" / "trace.json").write_text(json.dumps(describe_trace(vector.about)))
    write_arrays(folder, arrays)


def write_arrays(folder, arrays):
    for name, x in arrays.items():
        npy.write(folder / "trace" / f"{name}.npy", x)


def agree(check, folder, vector, arrays, profile):
    """Judge the trace that is written in `folder` twice, and compare; returns the verdict."""
    done = run(check, folder / "case", folder / "trace")
    word, expected = judged_in_python(vector, arrays, profile)
    context = f"{vector.id} {profile.name}: {done.stdout}{done.stderr} {expected}"
    assert done.stdout.startswith(word) and done.returncode == (word == "FAIL"), context
    if word == "PASS":
        used = int(re.search(r"most: (\d+) %", done.stdout)[1])
        assert abs(used - 100 * expected) < 1 or profile.format == "float64", context
        return word
    place = re.search(r"step (\d+), layer (\d+), (\w+)", done.stdout).groups()
    assert place == (str(expected.step), str(expected.layer), expected.equation), context
    ratio = re.search(r"off by +(\S+) times the bound (\S+)", done.stdout)
    assert (ratio is None) == (expected.bound == 0), context
    if ratio and profile.format != "float64":  # there both sum in the same precision, in different orders
        np.testing.assert_allclose([float(x) for x in ratio.groups()], [expected.ratio, expected.bound], 0.06)
    return word


@pytest.mark.parametrize("profile", DECLARED, ids=lambda profile: profile.name)
def test_the_reference_gets_the_same_verdict_in_c(profile, check, tmp_path):
    """The reference in float64, rounded to the format: a pass in wide formats, a failure by rounding in narrow ones."""
    words = {}
    for id in IDS:
        write(tmp_path / str(id), *prepared(id, profile), profile)
        words[id] = agree(check, tmp_path / str(id), *prepared(id, profile), profile)
    assert profile.format not in ("float64", "float32") or set(words.values()) == {"PASS"}, words


@pytest.mark.parametrize("id", ["dense-paper", "conv-pool-leftover", "adamax-momentum", "regulariser-decolle"])
@pytest.mark.parametrize("profile", ["float32", "Q8.16"])
def test_a_mistake_in_any_array_gets_the_same_verdict_in_c(profile, id, check, tmp_path):
    profile, rng = PROFILES[profile], np.random.default_rng(0)
    vector, arrays = prepared(id, profile)
    write(tmp_path, vector, arrays, profile)
    words = []
    for name, x in arrays.items():
        wrong = x.copy()
        place = np.unravel_index(rng.integers(x.size), x.shape)
        wrong[place] = profile.quantise(x[place] * 1.25 + 0.125)
        write_arrays(tmp_path, {name: wrong})
        words.append(agree(check, tmp_path, vector, arrays | {name: wrong}, profile))
        write_arrays(tmp_path, {name: x})
    assert set(words) == {"FAIL"} and len(words) > 10


def test_the_integer_model_passes_in_c(check, tmp_path):
    vector, _ = prepared("sgd", PROFILES["Q8.16"])
    layers = [layer | {"surrogate": "fast_sigmoid"} for layer in vector.about["layers"]]
    vector = replace(vector, about=vector.about | {"layers": layers})
    arrays = fixed_point.backend(vector.about, vector.arrays)
    kept = {name: arrays[name] for name in shapes(vector.about) if name in arrays}
    write(tmp_path, vector, kept, PROFILES["Q8.16"])
    assert agree(check, tmp_path, vector, kept, PROFILES["Q8.16"]) == "PASS"


# No verdict


@pytest.fixture
def folder(tmp_path):
    """A case, its trace and a profile in which it passes."""
    profile = PROFILES["float32"]
    write(tmp_path, *prepared("sgd", profile), profile)
    return tmp_path


def not_checked(check, folder, says):
    done = run(check, folder / "case", folder / "trace")
    assert (done.returncode, "NOT CHECKED" in done.stdout + done.stderr, "PASS" in done.stdout) == (2, True, False)
    assert says in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["trace.json", "layer1_Q.npy", "layer2_dW.npy"])
def test_a_trace_with_a_missing_file_gets_no_verdict(name, check, folder):
    (folder / "trace" / name).unlink()
    not_checked(check, folder, f"{name}: expected a file to read, got none")


def test_a_trace_without_the_last_weights_does_not_pass(check, folder):
    (folder / "trace" / "layer2_W_final.npy").unlink()
    not_checked(check, folder, "layer2_W_final.npy is not there")


def test_a_trace_that_shows_its_loss_does_not_pass_unseen(check, folder):
    npy.write(folder / "trace" / "layer1_loss.npy", np.zeros(len(np.load(folder / "trace" / "layer1_U.npy"))))
    not_checked(check, folder, "layer1_loss.npy")


def test_numbers_of_another_format_get_no_verdict(check, folder):
    (folder / "profile.json").write_text(json.dumps(describe(PROFILES["bfloat16"])))
    not_checked(check, folder, "expected numbers of the declared format, got")


def test_nan_and_another_shape_get_no_verdict(check, folder):
    file = folder / "trace" / "layer1_U.npy"
    x = np.load(file)
    npy.write(file, np.where(np.arange(x.size).reshape(x.shape) == 7, np.nan, x).astype(x.dtype))
    not_checked(check, folder, "layer1_U.npy: expected finite numbers")
    npy.write(file, x[1:])
    not_checked(check, folder, "layer1_U.npy: expected shape")


@pytest.mark.parametrize(
    "profile", [{"format": "float8"}, {"level": "L1"}, {"keeps_something": True}, {"rounding": "odd"}]
)
def test_a_profile_that_the_checker_does_not_know_gets_no_verdict(profile, check, folder):
    (folder / "profile.json").write_text(json.dumps({"name": "mine"} | profile))
    not_checked(check, folder, "expected")


def test_a_case_that_the_checker_does_not_know_gets_no_verdict(check, folder):
    file = folder / "case" / "case.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"something_new": 1}))
    not_checked(check, folder, "expected only keys that this program knows, got something_new")
    file.write_text(json.dumps(about | {"constants": "tau", "dt": 0.001}))
    not_checked(check, folder, "constants")
