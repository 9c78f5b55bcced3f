"""Vectors of the oracle: every reason holds, files are the same everywhere and guarded."""

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors import catalogue, choices, export, fresh, properties, release, situations
from decolle_ref.oracle.vectors.features import by_layer, pairs_of
from tests.support.vectors import vectors

RELEASED = {
    3: "eecd684cf0358c2cbc4875f6c3eefd206df41e36c64d6ac297ac07c73f852757"
}  # the SHA-256 of released.json, by version: a version never changes


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Some families of the catalogue in files."""
    folder = tmp_path_factory.mktemp("vectors") / "float64"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "FAMILIES", (choices.convolutions, situations.inputs, situations.splits))
        export.export(folder, "float64")
    return folder


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


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_property_holds(dtype):
    for vector in vectors(dtype).values():
        if dtype == "float64" or not vector.id.startswith("pairs"):
            properties.check(vector)


@pytest.mark.study
def test_every_property_of_the_pairs_holds_in_float32():
    for vector in vectors("float32").values():
        properties.check(vector)


def test_the_catalogue_covers_what_it_promises():
    every = vectors("float64").values()
    layers = [layer for vector in every for layer in vector.about["layers"]]
    assert len({vector.id for vector in every}) == len(every) == 150
    named = {vector.about["dialect"] for vector in every if isinstance(vector.about["dialect"], str)}
    assert named == set(DIALECTS) and any(isinstance(vector.about["dialect"], dict) for vector in every)
    assert {(layer["loss"], layer["reduction"]) for layer in layers} == {
        (loss, reduction) for loss in ("squared_error", "smooth_l1", "cross_entropy") for reduction in ("sum", "mean")
    }
    assert {layer.get("pool") for layer in layers} == {None, 1, 2, 3}
    assert {layer["conv"]["stride"] for layer in layers if "conv" in layer} == {1, 2}
    assert {vector.arrays["inputs"].dtype.str for vector in every} == {"|u1", "<i4", "<i8", "|b1"}
    batches = Counter(vector.about["batch"] for vector in every)
    assert set(batches) == {1, 2, 3, 4, 5, 8} and all(batches[2] < batches[size] for size in (1, 3, 8))
    assert all(vector.why and vector.about["why"] == vector.why for vector in every)


BREAKS = {  # what takes a vector's reason away
    "tie-paper": {"layer1_b": lambda b: b - 1 / 1024},
    "zero-decolle": {"layer1_b": lambda b: b - 1, "layer2_b": lambda b: b - 1},
    "frames": {"inputs": lambda x: np.minimum(x, 1)},
    "last-step": {"inputs": lambda x: x * (np.arange(len(x)) < len(x) - 1)[:, None, None].astype("u1")},
    "silent": {"inputs": np.ones_like},
    "simultaneous": {"layer1_W": lambda W: -W},
    "dense-paper": {"layer1_b": lambda b: b - 100},
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


# Files


def test_the_released_vectors_are_the_released_vectors():
    assert release.content() == release.read(), "vectors changed: raise release.VERSION"
    digest = hashlib.sha256(release.FILE.read_bytes()).hexdigest()
    assert digest == RELEASED[release.VERSION], "a released version changed: raise release.VERSION"


def test_the_hash_of_the_catalogue_follows_from_that_of_every_vector(monkeypatch):
    hashes = release.read()
    monkeypatch.setattr(release, "read", lambda: hashes | {"sha256": {"float32": {"dense-paper": "0"}}})
    changed = release.catalogue_hash.__wrapped__("float32")
    monkeypatch.undo()
    assert len(changed) == 64 and changed != release.catalogue_hash("float32")


def test_two_exports_are_the_same_to_the_last_byte(few):
    again = few.with_name("again")
    files = sorted(x.relative_to(few) for x in few.rglob("*") if x.is_file())
    assert files == sorted(x.relative_to(again) for x in again.rglob("*") if x.is_file())
    assert all((few / x).read_bytes() == (again / x).read_bytes() for x in files)


def test_exported_cases_are_read_back(exported):
    index = export.verify(exported)
    assert {"split", "conv-pool-ties", "frames-wide"} <= {entry["id"] for entry in index["vectors"]}
    for entry in index["vectors"]:
        read = cases.read(exported / entry["id"])
        assert read.about["why"] == entry["why"]
        assert (exported / entry["id"] / "golden" / "trace.json").exists() == entry["golden"]
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
        (json.dumps({"format": export.FORMAT, "version": 1, "sha256": {}}), "expected vectors version 3, got 1"),
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
    silent = vectors("float64")["silent"]
    broken = replace(silent, arrays=silent.arrays | {"inputs": np.ones_like(silent.arrays["inputs"])})
    monkeypatch.setattr(catalogue, "FAMILIES", (lambda dtype: iter([broken]),))
    with pytest.raises(InputError, match="vector silent: expected no spike"):
        export.export(tmp_path / "v")
    assert not (tmp_path / "v").exists()


# Random vectors


@pytest.mark.parametrize("format", [None, "float32", "bfloat16", "Q8.16"])
def test_random_vectors_are_lively_and_on_the_grid(format):
    quantise = PROFILES[format].quantise if format else None
    made = catalogue.random_vectors(5, "float64", quantise, count=4)
    assert {vector.id.removeprefix("random-5-") for vector in made} == {*DIALECTS, "0", "1", "2", "3"}
    for vector in made:
        shares = [S.mean() for name, S in properties.trace(vector).items() if name.endswith("_S")]
        assert all(0.02 <= share <= 0.8 for share in shares)
        if quantise:
            assert all((quantise(x) == x).all() for name, x in vector.arrays.items() if name != "inputs")


def test_exact_random_vectors_are_exact_and_learn():
    for vector in fresh.exact_vectors(6, "float32"):
        properties.check(vector)


def test_random_vectors_of_one_run_cover_many_pairs_together():
    for seed in range(3):
        met = [pairs_of(by_layer(x.about, x.arrays)) for x in catalogue.random_vectors(seed, "float32")]
        assert len(set().union(*met)) > 1000 > 3 * max(map(len, met)) / 2


def test_random_vectors_differ_between_seeds_and_only_between_seeds():
    one, same, other = (catalogue.random_vectors(seed, "float32", count=2) for seed in (1, 1, 2))
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
