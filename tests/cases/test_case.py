"""The case format: what is written is read back, and nothing else is."""

import json

import jsonschema
import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import description, schema
from decolle_ref.cli.main import main
from decolle_ref.decolle.dialects import AXES, DIALECTS
from tests.support.cases import convolutional, make


@pytest.fixture
def folder(tmp_path):
    """A case that learns, on disk."""
    cases.write(tmp_path / "case", *make(learn=True))
    return tmp_path / "case"


def edit(folder, **changes):
    about = json.loads((folder / "case.json").read_text())
    about |= changes
    (folder / "case.json").write_text(json.dumps({k: v for k, v in about.items() if v != "remove"}))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_case_is_read_back_as_it_was_written(dialect, tmp_path):
    about, arrays = make(dialect)
    cases.write(tmp_path / "case", about, arrays)
    case = cases.read(tmp_path / "case")
    assert about.items() <= case.about.items()
    expected = cases.shapes(case.about)
    assert expected.keys() == case.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(case.arrays[name], array)


def test_case_and_trace_follow_their_published_schemas(folder, tmp_path):
    for name in ("case", "trace"):
        jsonschema.Draft202012Validator.check_schema(schema.load(name))
    main(["simulate", str(folder), "--out", str(tmp_path / "trace")])
    jsonschema.validate(json.loads((folder / "case.json").read_text()), schema.load("case"))
    jsonschema.validate(json.loads((tmp_path / "trace" / "trace.json").read_text()), schema.load("trace"))


def test_the_schema_knows_every_axis_option_loss_and_surrogate():
    (spelled,) = [rule for rule in schema.load("case")["properties"]["dialect"]["anyOf"] if rule["type"] == "object"]
    assert {axis: rule["enum"] for axis, rule in spelled["properties"].items()} == {a: list(o) for a, o in AXES.items()}


DAMAGED = [
    ({"n": "remove", "burn_in": -1.0}, "burn_in: expected at least 0, got -1"),
    ({"steps": 20.5}, "steps: expected integer, got 20.5"),
    ({"version": 2}, "expected format version 1, got 2, which is newer than this program"),
    ({"format": "other"}, "format: expected 'decolle_ref case', got 'other'"),
    ({"dialect": "DECOLLE"}, "dialect: expected one of paper, dcll"),
    (
        {"dialect": {**{a: next(iter(o)) for a, o in AXES.items()}, "gains": "two"}},
        "dialect.gains: expected one of one",
    ),
    ({"dialect": {"gains": "one"}}, "dialect: expected P_reads, got none"),
    ({"tempo": 3}, "top level: expected only format"),
    ({"steps": 0}, "steps: expected at least 1, got 0"),
    ({"steps": True}, "steps: expected integer, got True"),
    ({"dt": -1}, "dt: expected more than 0, got -1"),
    ({"dt": "remove"}, "dt: expected seconds, as constants are time constants, got none"),
    ({"steps": 10**7}, r"inputs.npy: expected shape \(10000000, 2, 6\), got \(20, 2, 6\)"),
    ({"steps": 10**9}, "inputs: expected at most 268435456 numbers, got 12000000000"),
    ({"steps": 2**63}, "expected an integer of 64 bits, got one of 19 digits"),
    ({"batch": 2**62, "steps": 2**62}, "inputs: expected at most 268435456 numbers, got 1276"),
    ({"dt": 10**400}, "expected an integer of 64 bits"),
    ({"name": "\ud800"}, "expected text, got "),
    ({"why": "a\0b"}, "expected text, got "),
    ({"layers": []}, "layers: expected items at least 1"),
    ({"targets": False}, "targets: expected true, as the case learns, got false"),
    ({"initial_state": "given"}, "layer1_P0.npy: expected an array file, got none"),
    ({"learn": False}, "layer1_rate_W.npy: expected only arrays that case.json calls for"),
    ({"dtype": "float32"}, "layer1_W.npy: expected dtype <f4, got float64"),
    ({"optimiser": {"kind": "adam"}}, "optimiser.kind: expected 'adamax', got 'adam'|optimiser.kind: expected 'sgd'"),
]


@pytest.mark.parametrize(("changes", "message"), DAMAGED)
def test_a_case_against_the_format_is_refused_in_one_line_and_nothing_is_written(
    changes, message, folder, tmp_path, capsys
):
    edit(folder, **changes)
    with pytest.raises(InputError, match=message) as refusal:
        cases.read(folder)
    assert "\n" not in str(refusal.value)
    assert main(["simulate", str(folder), "--out", str(tmp_path / "trace")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["case"]


@pytest.mark.parametrize(("changes", "_"), DAMAGED)
def test_our_reading_of_the_schema_agrees_with_jsonschema(changes, _, folder):
    edit(folder, **changes)
    about = json.loads((folder / "case.json").read_text())
    ours = not list(schema.faults(about, schema.load("case")))
    assert ours == jsonschema.Draft202012Validator(schema.load("case")).is_valid(about)


def test_a_time_step_far_above_the_time_constants_decays_to_0_without_a_warning(folder):
    edit(folder, dt=1e308)
    (first, _) = cases.read(folder).network()
    assert first.neuron.alpha.tolist() == [0.0] * 6


def test_an_integer_written_as_2_0_is_an_integer(folder):
    text = (
        (folder / "case.json")
        .read_text()
        .replace('"steps": 20', '"steps": 20.0')
        .replace('version": 1', 'version": 1.0')
    )
    (folder / "case.json").write_text(text)
    assert cases.read(folder).about["steps"] == 20


def test_arrays_cannot_be_written_outside_the_folder(tmp_path):
    about, arrays = make()
    with pytest.raises(InputError, match=r"arrays: expected names like layer1_W, got '../evil'"):
        cases.write(tmp_path / "case", about, arrays | {"../evil": np.zeros(1)})
    assert list(tmp_path.iterdir()) == []


IMAGE = convolutional()[0]["layers"][0]["conv"]


def with_nan(path):
    array = np.load(path)
    array.flat[0] = np.nan
    np.save(path, array)


def claiming(path, shape):
    """The same file with a header that claims another shape."""
    raw = path.read_bytes()
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(raw[-64:])


ARRAY_DAMAGE = [
    (lambda p: p.unlink(), "expected an array file, got none"),
    (with_nan, "expected finite numbers, got NaN or infinity"),
    (lambda p: np.save(p, np.load(p).T.copy()), r"expected shape \(5, 6\), got \(6, 5\)"),
    (lambda p: np.save(p, np.asfortranarray(np.load(p))), "expected C order"),
    (lambda p: np.save(p, np.load(p).astype(">f8")), "expected dtype <f8, got >f8"),
    (lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True), "expected dtype <f8, got object"),
    (lambda p: p.write_bytes(p.read_bytes()[:-8]), "240 bytes of data promised, 232 there"),
    (lambda p: p.write_bytes(p.read_bytes() + b"x"), "240 bytes of data promised, 241 there"),
    (lambda p: p.write_bytes(b""), "expected a plain .npy file"),
    (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(200)), "expected a plain .npy file"),
    (lambda p: claiming(p, (100_000, 12_500)), r"expected shape \(5, 6\), got \(100000, 12500\)"),
    (lambda p: claiming(p, (5, 6)), "240 bytes of data promised, 64 there"),
    (lambda p: p.rename(p.with_name("layer1_weights.npy")), "layer1_weights.npy: expected only arrays"),
]


@pytest.mark.parametrize(("damage", "message"), ARRAY_DAMAGE)
def test_a_damaged_array_is_refused_in_one_line(damage, message, folder):
    damage(folder / "layer1_W.npy")
    with pytest.raises(InputError, match=message) as refusal:
        cases.read(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_not_a_json_object_is_refused(text, folder):
    path = folder / "case.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"case.json: (expected JSON, got something else|top level: expected object)"):
        cases.read(folder)


def test_a_folder_with_something_in_it_is_not_written_over(folder, tmp_path):
    with pytest.raises(InputError, match="expected a new or empty folder"):
        cases.write(folder, *make())
    (tmp_path / "empty").mkdir()
    cases.write(tmp_path / "empty", *make())


def test_a_case_that_would_not_be_read_back_is_not_written(tmp_path):
    about, arrays = make()
    del arrays["layer2_b"]
    with pytest.raises(InputError, match=r"layer2_b.npy: expected an array file, got none"):
        cases.write(tmp_path / "case", about, arrays)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere/case.json: expected a JSON file, got none"):
        cases.read(tmp_path / "nowhere")


def test_layers_must_follow_on_each_other(folder):
    about = json.loads((folder / "case.json").read_text())
    about["layers"][1]["n_in"] = 3
    edit(folder, layers=about["layers"])
    with pytest.raises(InputError, match=r"layers\[1\].n_in: expected 5, got 3"):
        cases.read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"conv": IMAGE | {"padding": 10000, "stride": 10000}},
            r"layers\[0\].conv.padding: expected less than the kernel",
        ),
        ({"conv": IMAGE | {"padding": 3}}, r"layers\[0\].conv.padding: expected less than the kernel, 3, got 3"),
        ({"n": 47}, r"layers\[0\].n: expected 48, as conv says, got 47"),
        ({"n_in": 31}, r"layers\[0\].n_in: expected 32, as conv says, got 31"),
        ({"pool": 5}, r"layers\[0\].size: expected at most 4, the side of the image, got 5"),
        ({"pool": 1}, r"layers\[1\].n_in: expected 48, got 12"),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused_in_one_line(change, message, tmp_path):
    about, arrays = convolutional()
    about["layers"][0] |= change
    with pytest.raises(InputError, match=message):
        cases.write(tmp_path / "case", about, arrays)


def test_a_case_whose_trace_would_fill_the_memory_is_not_simulated():
    about, arrays = make()
    with pytest.raises(InputError, match=r"trace: expected at most 134217728 numbers, got \d+ \(split the steps\)"):
        cases.simulate(cases.Case(about | {"steps": 10**7}, arrays))
    with pytest.raises(InputError, match="trace: expected at most"):
        cases.simulate(cases.Case(about | {"steps": 2**20}, arrays), gradients=True)


def test_the_size_of_a_trace_is_at_least_that_of_its_arrays():
    for about, arrays in (make(learn=True), convolutional()):
        case = cases.Case(about, arrays)
        for gradients in (False, True):
            trace = cases.simulate(case, gradients)
            at_steps = sum(x.size for name, x in trace.items() if "const" not in name and "final" not in name)
            size = description.trace_size(about, gradients)
            assert at_steps <= size + 2 * about["steps"] <= 1.5 * at_steps  # and the losses
