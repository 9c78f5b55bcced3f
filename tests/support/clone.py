"""A stand-in for a clone of the authors' repository, in the formats of 2018."""

import argparse
import pickle
import sys
import types
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import pytest

from decolle_ref.data._pickled import MAGIC, PROTOCOL
from decolle_ref.data.convert import FOLDER

LAYERS = (1, 2, 3)


class FloatStorage:
    """Plays torch.FloatStorage, of which a pickle holds the name only; the numbers are written after the pickle."""

    def __init__(self, key, numbers):
        self.key, self.numbers = key, numbers.astype("<f4")


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.view = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.view


class TorchPickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, FloatStorage):
            return ("storage", sys.modules["torch"].FloatStorage, obj.key, "cuda:0", len(obj.numbers), None)
        return None


@contextmanager
def torch_names():
    """Modules called torch and torch._utils, so that pickle can refer to what is in them by name."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})  # type: ignore[attr-defined]
    utils._rebuild_tensor_v2 = type("_rebuild_tensor_v2", (), {"__module__": "torch._utils"})  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield


def write_torch(path, tensors, storages):
    """The stream of torch.save as it was in 2018."""
    with path.open("wb") as file:
        for part in (MAGIC, PROTOCOL, {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {}}):
            pickle.dump(part, file, protocol=2)
        with torch_names():
            TorchPickler(file, protocol=2).dump(tensors)
        pickle.dump([s.key for s in storages], file, protocol=2)
        for s in storages:
            file.write(len(s.numbers).to_bytes(8, "little") + s.numbers.tobytes())


def write_state(path, recording, k):
    """W column by column, then b, then G and c in one storage."""
    W, b, G, c = (recording[f"layer{k}_{letter}"] for letter in "WbGc")
    first, second = FloatStorage("1", W.T.ravel()), FloatStorage("2", b)
    third = FloatStorage("3", np.concatenate([G.ravel(), c]))
    taus = [FloatStorage(str(4 + i), recording[f"tau_{x}_over_dt"]) for i, x in enumerate("ms")]
    tensors = OrderedDict({"dclllayer.i2h.weight": Tensor(first, 0, W.shape, (1, len(W)))})
    tensors["dclllayer.i2h.bias"] = Tensor(second, 0, (256,), (1,))
    tensors["dclllayer.i2h.tau_m__dt"] = Tensor(taus[0], 0, (1,), (1,))
    tensors["dclllayer.i2h.tau_s__dt"] = Tensor(taus[1], 0, (1,), (1,))
    tensors["dclllayer.i2o.weight"] = Tensor(third, 0, (1, 256), (256, 1))
    tensors["dclllayer.i2o.bias"] = Tensor(third, 256, (1,), (1,))
    tensors._metadata = OrderedDict(version=1)  # type: ignore[attr-defined]
    write_torch(path, tensors, [first, second, third, *taus])


def write_objects(path, array, module):
    """np.save of an object array; in 2018 numpy's module was numpy.core."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(pickle.dumps(array, protocol=2).replace(b"numpy._core", module).replace(b"numpy.core", module))


def write_clone(clone, recording, module=b"numpy.core"):
    folder = clone / FOLDER
    folder.mkdir(parents=True)
    options = argparse.Namespace(seed=1, alpha=0.9, alphas=0.87, alpharp=0.9, arp=3, batchsize=1, no_save=False)
    (folder / "args.pkl").write_bytes(pickle.dumps(options, protocol=3))
    for k in LAYERS:
        write_state(folder / f"slice_state{k - 1}.pkl", recording, k)
        cells = np.empty((500, 5), object)
        S, U, Y = (recording[f"layer{k}_{x}"].astype(np.float32) for x in "SUY")
        for n in range(500):
            row = S[n : n + 1], Y[n : n + 1], np.zeros((1, 256), np.float32), U[n : n + 1], np.array(0.5, np.float32)
            for place, array in enumerate(row):
                cells[n, place] = array
        write_objects(folder / f"do{k}.npy", cells, module)
    np.save(folder / "deps.npy", recording["layer3_P"][:, None])
    np.save(folder / "target.npy", np.stack([recording[f"layer{k}_target"] for k in LAYERS])[..., None, None])
    return clone
