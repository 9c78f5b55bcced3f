"""Vectors exported for a device: in its number format, with bounds and with memory files."""

import json
import re

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.oracle import profile as profiles
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.check.error_bounds import Arithmetic
from decolle_ref.oracle.profile import PROFILES, Profile
from decolle_ref.oracle.trace import parse_trace
from decolle_ref.oracle.vectors import catalogue, choices, export, memory_files, situations
from tests.support.c_programs import fixed_point

Q = PROFILES["Q8.16"]
FIXED = Profile("narrow", "fixed", sigma_ulps=1, integer_bits=3, fraction_bits=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Dyadic and learning vectors in Q8.16, with memory files."""
    target = tmp_path_factory.mktemp("device") / "v"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "FAMILIES", (situations.dyadic, choices.learning))
        export.export(target, profile=Q, hex=True)
    return target


def ids(folder, golden=True):
    return [entry["id"] for entry in export.verify(folder)["vectors"] if entry["golden"] or not golden]


def arrays(folder):
    return {file.stem: np.load(file) for file in folder.glob("*.npy")}


def from_hex(file, bits, signed=True):
    """The integers of a memory file, as Verilog reads them."""
    words = np.array([int(word, 16) for word in re.sub("//.*", "", file.read_text()).split()], dtype=object)
    return np.where((words >> (bits - 1)) & signed, words - (1 << bits), words).astype(np.int64)


def test_every_number_of_an_exported_case_is_one_of_the_device(folder):
    for id in ids(folder, golden=False):
        case = cases.read(folder / id)
        for name, x in case.arrays.items():
            assert (Q.quantise(x) == x).all(), (id, name)
        if case.about.get("optimiser", {}).get("kind") == "adamax":
            assert all(Q.quantise(x) == x for k, x in case.about["optimiser"].items() if k != "kind")


def test_the_profile_of_an_exported_folder_is_read_back(folder):
    assert profiles.read(folder / "profile.json") == Q
    assert profiles.parse(json.loads((folder / "index.json").read_text())["profile"]) == Q


def test_exported_bounds_are_those_that_the_check_applies_to_the_golden_trace(folder):
    for id in ids(folder):
        case, golden, bounds = cases.read(folder / id), arrays(folder / id / "golden"), arrays(folder / id / "bounds")
        assert bounds and bounds.keys() <= golden.keys()
        assert all(bounds[name].shape == golden[name].shape for name in bounds)
        trace = parse_trace(Case(case.about, case.arrays), golden, PROFILES["float64"])
        for k, operands in enumerate(trace.layers, start=1):
            _, expected = residual.EQUATIONS["U"](operands, Arithmetic(Q))
            np.testing.assert_array_equal(bounds[f"layer{k}_U"], expected)
            assert (bounds[f"layer{k}_U"] >= Q.quantum / 2).all() and (bounds[f"layer{k}_S"] == 0).all()


def test_a_device_whose_operands_are_golden_stays_within_the_exported_bounds(folder):
    """The integer model from the same start: its first step has the operands of the golden trace."""
    checked = 0
    for id in ids(folder):
        case, golden, bounds = cases.read(folder / id), arrays(folder / id / "golden"), arrays(folder / id / "bounds")
        try:
            device = fixed_point.backend(case.about, case.arrays)
        except NotImplementedError:
            continue
        first = {name: np.abs(device[name][0] - golden[name][0]) for name in ("layer1_Q", "layer1_P", "layer1_U")}
        assert all((off <= bounds[name][0]).all() for name, off in first.items()), id
        checked += 1
    assert checked > 5


def test_memory_files_hold_the_arrays_of_the_case(folder):
    for id in ids(folder):
        for name, x in cases.read(folder / id).arrays.items():
            file, events = folder / id / "hex" / f"{name}.hex", name == "inputs"
            got = from_hex(file, 16 if events else 25, signed=not events)
            np.testing.assert_array_equal(got * (1 if events else Q.quantum), x.ravel(), err_msg=f"{id} {name}")
        golden = folder / id / "golden" / "layer1_U.npy"
        off = from_hex(folder / id / "hex" / "golden" / "layer1_U.hex", 25) * Q.quantum - np.load(golden).ravel()
        assert np.abs(off).max() <= Q.quantum / 2


def test_a_memory_file_states_its_format_and_its_declaration():
    lines = memory_files.text("layer1_W", np.array([[0.5, -0.25], [7.9375, -8.0]]), FIXED).splitlines()
    assert lines == [
        "// layer1_W: shape 2 2, C order (last axis fastest), 4 words",
        "// Q3.4: 8 bits, two's complement, value = integer / 2^4",
        '// reg signed [7:0] layer1_W [0:3]; initial $readmemh("layer1_W.hex", layer1_W);',
        "08 fc",
        "7f 80",
    ]


@pytest.mark.parametrize("x", [[0.5], [-1], [65536]])
def test_events_that_are_no_counts_are_refused(x):
    with pytest.raises(InputError, match="hex: expected integers from 0 to 65535 as inputs, got others"):
        memory_files.text("inputs", np.array(x), FIXED)


def test_memory_files_need_fixed_point(tmp_path):
    with pytest.raises(InputError, match=r"hex: expected a profile in fixed point, such as Q8.16, got none"):
        export.export(tmp_path / "v", hex=True)
    with pytest.raises(InputError, match=r"hex: expected a profile in fixed point, such as Q8.16, got float32"):
        export.export(tmp_path / "v", profile=PROFILES["float32"], hex=True)
    assert not (tmp_path / "v").exists()
