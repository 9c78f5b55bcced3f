"""Vectors of the oracle: every reason holds, exact cases are exact, files are the same everywhere and guarded."""

import hashlib
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors import catalogue, exactness, export, number_kinds, properties, random_cases, situations

DTYPES = ("float64", "float32")
RELEASED = {  # vectors version 2 never change: SHA-256 of the index, and of all arrays and golden traces
    "float64": "f459e730fb79f2886204d5539ff7f2da8f286b1576412b31a7f2ce71ffb9048f",
    "float32": "19a5196973d063caaf48c49aaa05bce352720d0caabff63cea2ce1d878e2ea13",
}


@cache
def vectors(dtype):
    return {vector.id: vector for vector in catalogue.catalogue(dtype)}


def case(vector):
    return Case(vector.about, vector.arrays)


@cache
def golden(dtype):
    return {id: trace for id, vector in vectors(dtype).items() if (trace := export.golden(vector)) is not None}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The catalogue in files, and the hash of its index."""
    folder = tmp_path_factory.mktemp("vectors") / "float64"
    return folder, export.export(folder, "float64")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A few vectors in files."""
    folder = tmp_path_factory.mktemp("few") / "v"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "FAMILIES", (situations.splits,))
        export.export(folder)
        export.export(folder.with_name("again"))
    return folder


@pytest.fixture
def small(few, tmp_path):
    """A copy of these files, which a test may damage."""
    return shutil.copytree(few, tmp_path / "v")


# The reasons


def test_whoever_changes_the_catalogue_changes_their_own():
    catalogue.catalogue("float64")[0].arrays["inputs"][:] = 7
    assert catalogue.catalogue("float64")[0].arrays["inputs"].max() == 1


def test_every_property_holds(exported):
    for vector in vectors("float32").values():
        properties.check(vector)
    assert [entry["id"] for entry in export.verify(exported[0])["vectors"]] == list(vectors("float64"))


def test_the_catalogue_covers_what_it_promises():
    every = vectors("float64").values()
    layers = [layer for vector in every for layer in vector.about["layers"]]
    assert len({vector.id for vector in every}) == len(every) == 83
    assert {vector.about["dialect"] for vector in every} == set(DIALECTS)
    assert {(layer["loss"], layer["reduction"]) for layer in layers} == {
        (loss, reduction) for loss in ("squared_error", "smooth_l1", "cross_entropy") for reduction in ("sum", "mean")
    }
    assert {layer.get("pool") for layer in layers} == {None, 2}
    assert {layer["conv"]["stride"] for layer in layers if "conv" in layer} == {1, 2}
    assert {vector.arrays["inputs"].dtype.str for vector in every} == {"|u1", "<i4", "<i8", "|b1"}
    assert {vector.about["batch"] for vector in every} == {1, 2, 3}
    assert all(vector.why and vector.about["why"] == vector.why for vector in every)


BREAKS = {  # what takes a vector's reason away
    "tie-paper": {"layer1_b": lambda b: b - 1 / 1024},
    "zero-decolle": {"layer1_b": lambda b: b - 1, "layer2_b": lambda b: b - 1},
    "frames": {"inputs": lambda x: np.minimum(x, 1)},
    "last-step": {"inputs": lambda x: x * (np.arange(len(x)) < len(x) - 1)[:, None, None].astype("u1")},
    "silent": {"inputs": np.ones_like},
    "simultaneous": {"layer1_W": lambda W: -W},
    "dense-paper": {"layer1_W": np.zeros_like},
    "refractory-paper": {"layer1_w": np.zeros_like},
    "split": {"layer1_P0": lambda P: P + 2.0**-30},
    "delay-paper": {"layer2_b": lambda b: b - 100},
    "dyadic-paper": {"layer1_W": lambda W: W + 2.0**-30},
    "conv-pool-ties": {"layer1_W": lambda W: W * np.arange(1, 5).reshape(2, 2)},
}


@pytest.mark.parametrize("id", BREAKS)
def test_a_vector_without_its_reason_is_an_error(id):
    vector = vectors("float64")[id]
    arrays = dict(vector.arrays)
    for name, change in BREAKS[id].items():
        arrays[name] = change(arrays[name])
    with pytest.raises(InputError, match=f"^vector {id}: expected .*, got a case where it is not so$"):
        properties.check(replace(vector, arrays=arrays))


def test_settings_without_which_a_vector_has_no_reason():
    burn_in, batch = vectors("float64")["burn-in"], vectors("float64")["loss-squared-error-mean"]
    with pytest.raises(InputError, match="burn-in: expected W the same up to step 5"):
        properties.check(replace(burn_in, about=burn_in.about | {"burn_in": 0}))
    stack = [layer | {"reduction": "sum"} for layer in batch.about["layers"]]
    with pytest.raises(InputError, match=r"another e with \{'reduction': 'sum'\}, got"):
        properties.check(replace(batch, about=batch.about | {"layers": stack}))


# Exactness


def test_exact_vectors_are_simulated_in_float32_without_any_rounding():
    exact = [vector for vector in vectors("float32").values() if vector.bits]
    assert len(exact) == 21
    for vector in exact:
        expected, need = exactness.certify(case(vector))
        assert need.significand <= 24
        reference = properties.trace(vector)
        for name, fractions in expected.items():
            assert reference[name].dtype == np.float32
            same = [Fraction(float(x)) == y for x, y in zip(reference[name].flat, fractions.flat, strict=True)]
            assert all(same), (vector.id, name)


def test_exact_vectors_last_as_long_as_they_are_exact():
    steps = {id: vector.about["steps"] for id, vector in vectors("float32").items() if vector.bits}
    for id, least in (("dyadic-fixed16", 10), ("dyadic-learning", 4), ("dyadic-", 4), ("tie-", 18)):
        assert all(steps[f"{id.rstrip('-')}-{name}"] >= least for name in DIALECTS)
    longer = random_cases.on_grid(
        random_cases.random_case(160, random_cases.dense(6, 5, 4), targets=False, learn=False), 160
    )
    one_more = longer[0] | {"steps": steps["dyadic-paper"] + 1}
    assert not exactness.certify(Case(one_more, longer[1]))[1].fits(24)


def test_sixteen_bits_hold_every_number_of_the_fixed_point_vectors():
    for name in DIALECTS:
        vector = vectors("float64")[f"dyadic-fixed16-{name}"]
        need = exactness.certify(case(vector))[1]
        assert need.before + need.behind <= 15
        assert need.before <= 8  # and so does Q8.16
        for array in properties.trace(vector).values():
            assert (PROFILES["Q8.16"].quantise(array) == array).all()


def test_bits_are_counted_for_the_worst_order_of_a_sum():
    need = number_kinds.Need()
    need.add_sum([Fraction(1), Fraction(-1), Fraction(1, 8)])  # (1 + 1/8) - 1 passes through 9/8
    assert need == number_kinds.Need(significand=5, behind=3, before=2)  # sum of magnitudes 17/8 = 10.001
    with pytest.raises(InputError, match="multiples of a power of two, got a number with 1/12"):
        need.add_sum([Fraction(1, 3), Fraction(1, 4)])


def test_every_order_of_a_sum_is_exact_within_the_counted_bits():
    rng, need = np.random.default_rng(3), number_kinds.Need()
    terms = rng.integers(-(2**18), 2**18, 40) / 2.0**13
    need.add_sum([Fraction(x) for x in terms.tolist()])
    assert need.significand == 23
    exact = float(sum(Fraction(x) for x in terms.tolist()))
    for _ in range(50):
        assert float(number_kinds.in_order(rng.permutation(terms).astype(np.float32))) == exact


def test_numbers_that_are_no_multiples_of_a_power_of_two_are_refused():
    vector = vectors("float64")["dyadic-learning-paper"]
    optimiser = {"kind": "adamax", "beta1": 0.0, "beta2": 0.5, "eps": 0.25}
    with pytest.raises(InputError, match="exact: expected multiples of a power of two"):
        exactness.certify(Case(vector.about | {"optimiser": optimiser}, vector.arrays))


# Golden traces


@pytest.mark.parametrize("dtype", DTYPES)
def test_golden_traces_equal_the_simulator_up_to_rounding(dtype):
    assert len(golden(dtype)) == 69
    for id, trace in golden(dtype).items():
        vector = vectors(dtype)[id]
        ours = properties.trace(vector)
        assert {name for name in ours.keys() - trace.keys() if "const" not in name and "loss" not in name} == set()
        for name, x in trace.items():
            assert x.dtype == dtype
            size = np.abs(ours[name]).max(initial=0)
            exactly = vector.bits or name.endswith("_S")
            bound = 0 if exactly else {"float64": 1e-11, "float32": 1e-4}[dtype] * size
            assert np.abs(x - ours[name]).max(initial=0) <= bound, (vector.id, name)


def test_golden_sums_run_from_left_to_right():
    terms = np.array([[1e8, 1.0, -1e8, 1.0]], np.float32)
    assert number_kinds.in_order(terms).tolist() == [1.0]
    assert number_kinds.in_order(terms[:, ::-1]).tolist() == [0.0]


# Files


def test_the_released_vectors_are_the_released_vectors(exported):
    assert exported[1] == RELEASED["float64"], "vectors changed: raise export.VERSION"
    digest = hashlib.sha256()
    for id, vector in vectors("float32").items():
        digest.update(json.dumps(vector.about).encode())
        for name, x in sorted((vector.arrays | golden("float32").get(id, {})).items()):
            digest.update(name.encode() + x.astype(x.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == RELEASED["float32"], "vectors changed: raise export.VERSION"


def test_two_exports_are_the_same_to_the_last_byte(few):
    again = few.with_name("again")
    files = sorted(x.relative_to(few) for x in few.rglob("*") if x.is_file())
    assert files == sorted(x.relative_to(again) for x in again.rglob("*") if x.is_file())
    assert all((few / x).read_bytes() == (again / x).read_bytes() for x in files)


def test_exported_cases_are_read_back(exported):
    index = export.verify(exported[0])
    assert [entry["id"] for entry in index["vectors"]] == list(vectors("float64"))
    for entry in index["vectors"]:
        read = cases.read(exported[0] / entry["id"])
        assert read.about["why"] == entry["why"]
        assert (exported[0] / entry["id"] / "golden" / "trace.json").exists() == entry["golden"]
        for name, array in vectors("float64")[entry["id"]].arrays.items():
            np.testing.assert_array_equal(read.arrays[name], array)


def test_an_unchanged_folder_verifies_and_a_changed_byte_does_not(small):
    export.verify(small)
    file = small / "split" / "golden" / "layer1_U.npy"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(InputError, match=r"golden/layer1_U.npy: expected the SHA-256 .*, got a changed file$"):
        export.verify(small)


def test_a_missing_file_is_noticed(small):
    (small / "split" / "layer1_W.npy").unlink()
    with pytest.raises(InputError, match=r"expected 'split/layer1_W.npy', as index.json lists it, got none$"):
        export.verify(small)


def test_an_extra_file_is_noticed(small):
    (small / "split" / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"notes.txt: expected only plain files that index.json lists, got another$"):
        export.verify(small)


def test_a_link_in_place_of_a_file_is_noticed(small):
    file = small / "split" / "layer1_W.npy"
    file.unlink()
    file.symlink_to(small / "nowhere")
    with pytest.raises(
        InputError, match=r"layer1_W.npy: expected only plain files that index.json lists, got another$"
    ):
        export.verify(small)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "expected an index of vectors, got none"),
        ("{", "expected an index of vectors, got none"),
        ("[]", "expected format 'decolle_ref vectors' with hashes, got something else"),
        (json.dumps({"format": export.FORMAT, "version": 1, "sha256": {}}), "expected vectors version 2, got 1"),
    ],
)
def test_another_index_is_refused_in_one_line(small, content, says):
    (small / "index.json").unlink()
    if content is not None:
        (small / "index.json").write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        export.verify(small)
    assert "\n" not in str(caught.value)


def test_an_export_with_a_broken_vector_leaves_nothing(tmp_path, monkeypatch):
    broken = replace(vectors("float64")["silent"], arrays=vectors("float64")["frames"].arrays)
    monkeypatch.setattr(catalogue, "FAMILIES", (lambda dtype: iter([broken]),))
    with pytest.raises(InputError, match="vector silent: expected no spike"):
        export.export(tmp_path / "v")
    assert not (tmp_path / "v").exists()


# Random vectors


@pytest.mark.parametrize("format", [None, "float32", "bfloat16", "Q8.16"])
def test_random_vectors_are_lively_and_on_the_grid(format):
    quantise = PROFILES[format].quantise if format else None
    made = catalogue.random_vectors(5, "float64", quantise, count=10)
    assert {vector.about["dialect"] for vector in made} == set(DIALECTS)
    assert any("conv" in vector.about["layers"][0] for vector in made)
    assert {vector.about["optimiser"]["kind"] for vector in made} == {"sgd", "adamax"}
    for vector in made:
        shares = [S.mean() for name, S in properties.trace(vector).items() if name.endswith("_S")]
        assert all(0.02 <= share <= 0.8 for share in shares)
        if quantise:
            assert all((quantise(x) == x).all() for x in vector.arrays.values())


def test_random_vectors_differ_between_seeds_and_only_between_seeds():
    one, same, other = (catalogue.random_vectors(seed, "float32", count=6) for seed in (1, 1, 2))
    for a, b, c in zip(one, same, other, strict=True):
        assert all((a.arrays[name] == x).all() for name, x in b.arrays.items())
        assert a.arrays["inputs"].shape != c.arrays["inputs"].shape or (a.arrays["inputs"] != c.arrays["inputs"]).any()
        S, T = properties.trace(a)["layer1_S"], properties.trace(c)["layer1_S"]
        assert S.shape != T.shape or (S != T).any()


def test_a_number_format_in_which_nothing_spikes_is_refused():
    with pytest.raises(InputError, match="random vectors: expected a number format in which networks spike and learn"):
        catalogue.random_vectors(0, "float64", np.zeros_like, count=1)
    with pytest.raises(InputError, match="seed: expected an integer >= 0, got -1"):
        catalogue.random_vectors(-1)
