"""The converter, tested on an imitation of the authors' repository: the recording, written in the formats of 2018.

Where DECOLLE_REF_DCLL names a clone of the repository itself, it is tested on that too.
"""

import os
import pickle
import shutil
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.data import authors, location
from decolle_ref.data._pickled import Arrays, numpy_file, torch_file
from decolle_ref.data.convert import CURVES, FOLDER, convert, convert_curves, convert_mnist, input_spikes, read
from tests.support.clone import LAYERS, FloatStorage, Tensor, write_clone, write_objects, write_torch


@pytest.fixture(scope="module")
def clone(recording, tmp_path_factory):
    return write_clone(tmp_path_factory.mktemp("dcll"), recording)


def test_conversion_gives_the_recording_back_bit_for_bit(recording, clone, tmp_path, monkeypatch):
    convert(clone, tmp_path / "authors" / "regression.npz")
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    converted = authors.regression()
    assert list(converted) == list(recording)
    for name, array in recording.items():
        assert (converted[name].dtype, converted[name].shape) == (array.dtype, array.shape), name
        assert converted[name].tobytes() == array.tobytes(), name


def test_the_authors_own_repository_gives_the_recording_bit_for_bit(recording, dcll_clone, tmp_path):
    convert(dcll_clone, tmp_path / "regression.npz")
    with np.load(tmp_path / "regression.npz") as converted:
        assert converted.files == list(recording)
        for name, array in recording.items():
            assert (converted[name].dtype, converted[name].shape) == (array.dtype, array.shape), name
            assert converted[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("name", authors.MNIST)
def test_the_authors_trained_networks_are_read_whole(name, dcll_clone, tmp_path, monkeypatch):
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    convert_mnist(dcll_clone, name, tmp_path / "authors" / f"{name}.npz")
    network = authors.mnist(name)
    (path,) = (dcll_clone / "Paper_results" / name).glob("parameters_*.pkl")
    content, numbers = path.read_bytes(), 0
    for key, array in network.items():
        if key not in ("gamma", "w_refractory"):
            assert array.dtype == np.float32 and array.tobytes() in content, key  # bit for bit
            numbers += array.size
    assert len(content) - 4 * numbers < 5000  # nothing is left but names and shapes
    for k in LAYERS:  # stored gains are 1/(1 - decay), rounded to float32 on another way
        for decay, gain in (("alpha", "tau_m_over_dt"), ("beta", "tau_s_over_dt")):
            np.testing.assert_allclose(network[f"layer{k}_{gain}"], 1 / (1 - network[f"layer{k}_{decay}"]), rtol=1e-6)


def test_the_authors_accuracies_are_read_bit_for_bit(dcll_clone, tmp_path):
    try:
        path = location.find(authors.CURVES)
    except InputError as reason:
        pytest.skip(str(reason))
    convert_curves(dcll_clone, tmp_path / "curves.npz")
    with np.load(path) as expected, np.load(tmp_path / "curves.npz") as converted:
        assert converted.files == expected.files
        assert all(converted[name].tobytes() == expected[name].tobytes() for name in expected.files)


def test_accuracies_are_converted_and_read_again(rng, tmp_path, monkeypatch):
    accuracy = {name: rng.random(shape) for name, (_, _, shape) in CURVES.items()}
    for name, (run, file, _) in CURVES.items():
        (tmp_path / "dcll" / "Paper_results" / run).mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "dcll" / "Paper_results" / run / file, accuracy[name])
    convert_curves(tmp_path / "dcll", tmp_path / "data" / authors.CURVES)
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))
    error = authors.curves()["mnist_long"][-1, 3]
    assert error == pytest.approx(1 - accuracy["mnist_long_test_accuracy"][-1, :, 2].mean())
    np.save(tmp_path / "dcll" / "Paper_results" / "mnist_long" / "acc_test.npy", np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"mnist_long acc_test\.npy: expected shape \(500, 2, 3\), got \(3, 2\)$"):
        convert_curves(tmp_path / "dcll", tmp_path / "other.npz")
    assert not (tmp_path / "other.npz").exists()


def write_network(clone, name, rng, **changes):
    """The pickles of a trained network, with random numbers: a dict of arrays, and a dict of options."""
    folder = clone / "Paper_results" / name
    folder.mkdir(parents=True)
    (folder / "args.pkl").write_bytes(pickle.dumps({"alpharp": 0.65, "arp": 0}, protocol=3))
    theirs = {"W": "i2h.weight", "b": "i2h.bias", "alpha": "i2h.alpha", "tau_m_over_dt": "i2h.tau_m__dt"}
    theirs |= {"beta": "i2h.alphas", "tau_s_over_dt": "i2h.tau_s__dt", "G": "i2o.weight", "c": "i2o.bias"}
    theirs |= {"top_W": "output_.weight", "top_b": "output_.bias"}
    stored, ours = {}, {}
    for key, shape in authors.mnist_shapes(name).items():
        if key.startswith("layer"):
            layer, letter = key.split("_", 1)
            ours[key] = rng.random(shape, np.float32)
            per_input = theirs[letter].startswith("i2h.") and len(shape) == 1 and shape[0] > 99
            stored[f"{layer}.{theirs[letter]}"] = ours[key].reshape(-1, 2, 2) if per_input else ours[key]
    path = folder / f"parameters_{authors.MNIST[name]}.pkl"
    path.write_bytes(pickle.dumps(stored | changes, protocol=3).replace(b"numpy._core", b"numpy.core"))
    return ours


@pytest.mark.parametrize("name", authors.MNIST)
def test_conversion_of_a_trained_network_gives_every_array_back(name, rng, tmp_path, monkeypatch):
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    written = write_network(tmp_path / "dcll", name, rng)
    convert_mnist(tmp_path / "dcll", name, tmp_path / "authors" / f"{name}.npz")
    network = authors.mnist(name)
    assert (network["gamma"], network["w_refractory"]) == (np.float32(0.65), 0)
    for key, array in written.items():
        np.testing.assert_array_equal(network[key], array)


def test_a_trained_network_that_does_not_fit_is_refused_in_one_line(rng, tmp_path):
    write_network(tmp_path / "a", "mnist_long", rng, **{"layer2.i2h.weight": np.zeros((24, 16, 5, 5), np.float32)})
    write_network(tmp_path / "b", "mnist_long", rng, **{"layer2.i2h.bias": Foreign(tmp_path / "trap")})
    write_network(tmp_path / "c", "mnist_long", rng, **{"layer2.i2h.bias": 3})
    for clone, reason in (
        ("a", r"layer2\.i2h\.weight: expected shape \(24, 16, 7, 7\), got \(24, 16, 5, 5\)$"),
        ("b", rf"calls for {os.mkdir.__module__}\.mkdir$"),
        ("c", r"layer2\.i2h\.bias: expected an array of shape \(24,\), got none$"),
    ):
        with pytest.raises(InputError, match=reason):
            convert_mnist(tmp_path / clone, "mnist_long", tmp_path / "target" / "mnist_long.npz")
    with pytest.raises(InputError, match=r"^name: expected .*mnist_long"):
        convert_mnist(tmp_path, "mnist", tmp_path / "target" / "mnist.npz")
    assert not (tmp_path / "target").exists() and not (tmp_path / "trap").exists()


def test_conversion_knows_both_names_of_numpys_core(tmp_path):
    for module in (b"numpy.core", b"numpy._core"):
        write_objects(tmp_path / "x.npy", np.array([np.arange(3), "word"], object), module)
        whole, word = read(tmp_path / "x.npy", numpy_file).items
        np.testing.assert_array_equal(whole.items, np.arange(3))
        assert word == "word"


def test_the_input_is_drawn_again_from_the_seed(recording):
    np.testing.assert_array_equal(input_spikes(1), recording["input_spikes"])
    with pytest.raises(InputError, match=r"seed: expected an integer below 2\^32"):
        input_spikes(2**32)


class Foreign:
    """Creates a folder when a careless program unpickles it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_would_run_something_is_refused_unrun(tmp_path):
    trap = Foreign(tmp_path / "trap")
    write_objects(tmp_path / "objects.npy", np.array([trap, 1], object), b"numpy.core")
    write_torch(tmp_path / "tensors.pkl", OrderedDict(weight=trap), [])
    (tmp_path / "whole.pkl").write_bytes(pickle.dumps(trap))
    for name, form in (("objects.npy", numpy_file), ("tensors.pkl", torch_file), ("whole.pkl", torch_file)):
        with pytest.raises(InputError, match=rf"{name}: .*calls for {os.mkdir.__module__}\.mkdir$"):
            read(tmp_path / name, form)
    assert not (tmp_path / "trap").exists()


FILES = ["args.pkl", "deps.npy", "target.npy", "do1.npy", "do3.npy", "slice_state0.pkl", "slice_state2.pkl"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [None, 0, 0.5, -1], ids=["missing", "empty", "half", "one byte short"])
def test_a_missing_or_truncated_file_is_refused_and_nothing_is_written(clone, tmp_path, name, kept):
    folder = shutil.copytree(clone / FOLDER, tmp_path / "clone" / FOLDER)
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if kept is not None:
        (folder / name).write_bytes(whole[: -1 if kept == -1 else int(kept * len(whole))])
    with pytest.raises(InputError, match=name) as refusal:
        convert(tmp_path / "clone", tmp_path / "target" / "regression.npz")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "target").exists()


OUTSIDE = [((7,), (1,), 0), ((3, 3), (1, 1), 0), ((2,), (-1,), 1), ((2,), (6,), 0), ((2,), (1,), 5)]


@pytest.mark.parametrize(("size", "stride", "offset"), OUTSIDE)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, size, stride, offset):
    storage = FloatStorage("0", np.arange(6))
    write_torch(tmp_path / "x.pkl", OrderedDict(w=Tensor(storage, offset, size, stride)), [storage])
    with pytest.raises(InputError, match="expected a tensor within its storage"):
        read(tmp_path / "x.pkl", torch_file)


def test_a_storage_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    storage = FloatStorage("0", np.arange(6))
    write_torch(tmp_path / "x.pkl", OrderedDict(w=Tensor(storage, 0, (6,), (1,))), [storage])
    content = (tmp_path / "x.pkl").read_bytes()
    many = content.replace(b"K\x06N", b"J\xff\xff\xff\x7fN")  # in the pickled storage
    assert many != content
    (tmp_path / "x.pkl").write_bytes(many.replace((6).to_bytes(8, "little"), (2**31 - 1).to_bytes(8, "little")))
    with pytest.raises(InputError, match=r"x\.pkl: expected 8589934588 bytes .*, got 24$"):
        read(tmp_path / "x.pkl", torch_file)


def test_what_torch_itself_writes_in_its_old_format_is_read(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    written = OrderedDict(w=torch.arange(6.0).reshape(2, 3).t(), b=torch.nn.Parameter(torch.ones(2)))
    torch.save(written, tmp_path / "x.pkl", _use_new_zipfile_serialization=False)
    tensors = read(tmp_path / "x.pkl", torch_file)
    np.testing.assert_array_equal(tensors["w"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(tensors["b"], [1, 1])


def nested(times):
    """A key that is a tuple which holds another twice, and that one a third twice: its hash takes 2^times steps."""
    return b"\x80\x02}K\x01" + times * b"q\0h\0\x86" + b"K\x01s."


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x0f.",  # puts None into place 268435455 of the memo
        b"\x80\x02B\xff\xff\xff\x7f",  # bytes of this length, which are not there
        b"\x80\x05\x96" + 7 * b"\xff" + b"\x7f",
        nested(40),
        b"\x80\x02" + 300000 * b"]" + b".",
        b"\x80\x02K\x01" + 100000 * b"\x85" + b".",  # so deep that its hash would overflow the stack
    ],
    ids=lambda content: content[:12].hex(),
)
def test_a_small_pickle_that_would_need_much_memory_or_time_is_refused_unread(content, tmp_path):
    (tmp_path / "x.pkl").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"x\.pkl: ") as refusal:
            read(tmp_path / "x.pkl", lambda stream: Arrays(stream).parse(dict))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [[0.5], "0.5", None, {}, [[[[0.5]]]]])
def test_an_option_that_is_no_number_is_refused(value, rng, tmp_path):
    write_network(tmp_path / "a", "mnist_long", rng)
    args = tmp_path / "a" / FOLDER.parent / "mnist_long" / "args.pkl"
    args.write_bytes(pickle.dumps(pickle.loads(args.read_bytes()) | {"arp": value}, protocol=2))
    with pytest.raises(InputError, match=r"args\.pkl arp: expected a number, got"):
        convert_mnist(tmp_path / "a", "mnist_long", tmp_path / "target" / "mnist_long.npz")
