"""The authors' own classes, imported from clones of both their repositories, and ours: the same numbers to rounding.

DECOLLE_REF_DCLL names a clone of nmi-lab/dcll (2018), DECOLLE_REF_DECOLLE_PUBLIC one of nmi-lab/decolle-public (2020,
GPL); both need PyTorch.  Their classes run unchanged, with their own training loops, in float64 on random networks.
Their dropout draws from PyTorch; hooks draw the same factors again from the same state, for ours.
"""

import importlib
import os
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pytest

from decolle_ref.decolle import dialects, lif, network
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import Objective, Regulariser, smooth_l1
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import KEEP, Mask, Readout
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights

pytestmark = pytest.mark.study
BATCH, SHAPE, CLASSES, BETA2 = 3, (2, 8, 8), 4, 0.95
DECAYS = {"alpha": 0.9, "beta": 0.8, "gamma": 0.7, "w": 1.5}
LAYOUTS = {  # per layer: channels, kernel, stride, size of the pool; or the number of neurons
    "dense": (20, 15),
    "convolution with pooling": ((4, 3, 1, 2), (5, 3, 1, 2), 10),
    "strided": ((4, 3, 2, 1), (5, 3, 2, 1), 10),
}
TOLERANCE = 1e-11  # of the largest number; measured: at most 9e-13


@contextmanager
def float64():
    """PyTorch in float64, and without its warnings about old code."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield torch
    finally:
        torch.set_default_dtype(torch.float32)


def imported(variable, module):
    """A module of the clone that an environment variable names."""
    if not (clone := os.environ.get(variable)):
        pytest.skip(f"{variable} names no clone")
    if clone not in sys.path:
        sys.path.append(clone)
    return importlib.import_module(module)


def factors_drawn(torch, dropout, into):
    """Before each call of a dropout layer, append its factors to `into`, without moving PyTorch's generator."""

    def draw(layer, arguments):
        state = torch.get_rng_state()
        into.append(torch.nn.functional.dropout(torch.ones_like(arguments[0]), layer.p, layer.training).numpy())
        torch.set_rng_state(state)

    dropout.register_forward_pre_hook(draw)


def numbers(parameter):
    return parameter.detach().numpy().copy()


def sample(rng, torch, base, gain, lively=3.0):
    """Weights of a torch layer that make it spike, and its bias; for traces with this gain."""
    fan_in = base.weight[0].numel()
    base.weight.data = torch.tensor(rng.normal(size=base.weight.shape) * lively / np.sqrt(fan_in) / float(gain))
    base.bias.data = torch.tensor(rng.normal(size=base.bias.shape) * 0.1)


def silence(torch, base):
    """Push a layer so far below threshold that the second regulariser, which acts on silent layers, acts."""
    base.bias.data -= torch.full_like(base.bias, 4.0)


def our_layer(dialect, base, shape, pool, readout, regulariser):
    """Ours with the numbers of a torch layer: the layer, its weights, and the shape of what it sends."""
    neuron = lif.from_decays(*DECAYS.values(), dialect=dialect)
    W, b = numbers(base.weight), numbers(base.bias)
    if W.ndim == 4:
        synapse = Conv2d(shape, len(W), W.shape[-1], stride=np.ravel(base.stride)[0], padding=np.ravel(base.padding)[0])
    else:
        synapse = Dense(W.shape[1], len(W))
    pooling = None if pool == 1 else MaxPool(synapse.shape, pool)
    sent = pooling.shape_out if pooling else getattr(synapse, "shape", None)
    objective = Objective(smooth_l1, "mean", regulariser)
    layer = Layer(
        synapse, neuron, Readout(numbers(readout.weight), numbers(readout.bias)), objective=objective, pool=pooling
    )
    return network.with_dialect(dialect, layer), Weights(W, b), sent


def our_network(dialect, bases, readouts, layout, regulariser):
    layers, weights, shape = [], [], SHAPE
    for base, readout, entry in zip(bases, readouts, LAYOUTS[layout], strict=True):
        pool = entry[3] if isinstance(entry, tuple) else 1
        layer, w, shape = our_layer(dialect, base, shape, pool, readout, regulariser)
        layers.append(layer)
        weights.append(w)
    return layers, weights


def our_run(layers, weights, spikes, target=None, lr=0.0, burn_in=0, masks=None):
    """The final weights, and U of each layer over time, from rest."""
    rate = Weights(np.asarray(lr), np.asarray(lr))
    learner = None if target is None else Learner([rate] * len(layers), Adamax(beta2=BETA2), burn_in=burn_in)
    start = Carry(tuple(weights), network.rest(layers, (BATCH,)), learner.init(weights) if learner else ())
    targets = None if target is None else [[target] * len(layers)] * len(spikes)
    shown = list(network.run(layers, start, spikes.reshape(len(spikes), BATCH, -1), targets, learner, masks))
    return shown[-1][0].weights, [np.array([seen[k].U for _, seen in shown]) for k in range(len(layers))]


def agree(ours, theirs):
    """Whether two arrays agree to rounding."""
    theirs = np.asarray(theirs).reshape(np.shape(ours))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * np.abs(theirs).max())


def compare(layers, weights, bases, U, their_U, moved):
    """U at all steps, and the weights in the end; every layer below the last spiked, and all learned that were to."""
    for k, (w, base, old) in enumerate(zip(weights, bases, moved, strict=True)):
        share = (U[k] > 0).mean()
        assert 0.01 < share < 0.99 or base is bases[-1], (k, share)
        agree(U[k], their_U[k])
        agree(w.W, numbers(base.weight))
        agree(w.b, numbers(base.bias))
        if old is not None:
            assert np.abs(w.W - old.W).max() > 1e-3 * np.abs(old.W).max()


def masks_of(layers, drawn, steps):
    """Ours from the factors that their layers drew, layer by layer; KEEP where they drew none."""
    place = layers[0].dropout

    def mask(k, n):
        return Mask(**{place: drawn[k][n].reshape(BATCH, -1)}) if drawn[k] else KEEP

    return [[mask(k, n) for k in range(len(layers))] for n in range(steps)]


def inputs(rng, steps):
    target = rng.uniform(0.1, 1, (BATCH, CLASSES))
    return (rng.random((steps, BATCH, *SHAPE)) < 0.3).astype(float), target


def network_of_2020(torch, cls_name, layout, dropout=0.0):
    """Their LenetDECOLLE with random weights, its base layers, and the lists of U and of dropout factors."""
    lenet = imported("DECOLLE_REF_DECOLLE_PUBLIC", "decolle.lenet_decolle_model")
    conv = [entry for entry in LAYOUTS[layout] if isinstance(entry, tuple)]
    dense = [entry for entry in LAYOUTS[layout] if not isinstance(entry, tuple)]
    channels, kernels, strides, pools = (list(x) for x in zip(*conv, strict=True)) if conv else ([], [], [], [])
    net = lenet.LenetDECOLLE(
        SHAPE, Nhid=channels, Mhid=dense, out_channels=CLASSES, kernel_size=kernels, stride=strides, pool_size=pools,
        alpha=[DECAYS["alpha"]], beta=[DECAYS["beta"]], alpharp=[DECAYS["gamma"]], wrp=[DECAYS["w"]],
        dropout=[dropout], lc_ampl=0.5, num_conv_layers=len(conv), num_mlp_layers=len(dense),
        lif_layer_type=getattr(lenet, cls_name),
    )  # fmt: skip
    bases = [layer.base_layer for layer in net.LIF_layers]
    U, drawn = [[] for _ in bases], [[] for _ in bases]
    for k, layer in enumerate(net.LIF_layers):
        layer.register_forward_hook(lambda _, __, out, k=k: U[k].append(numbers(out[1])))
        if dropout:
            factors_drawn(torch, net.dropout_layers[k], drawn[k])
    return lenet, net, bases, U, drawn


CLASSES_OF_2020 = {"LIFLayer": "decolle", "BaseLIFLayer": "decolle-base", "LIFLayerNonorm": "decolle-nonorm"}
OF_2020 = pytest.mark.parametrize("cls_name", CLASSES_OF_2020)
EACH_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)
DROPOUT = pytest.mark.parametrize("dropout", [0.0, 0.5], ids=["no dropout", "dropout"])
REGULARISED = pytest.mark.parametrize("reg", [0.0, 0.2], ids=["plain", "regularised"])


def gain_of(dialect):
    return lif.trace_gain(lif.from_decays(*DECAYS.values(), dialect=dialect))


@OF_2020
@EACH_LAYOUT
def test_200_steps_forward_are_those_of_the_2020_classes(cls_name, layout, rng):
    dialect = dialects.named(CLASSES_OF_2020[cls_name])
    with float64() as torch:
        _, net, bases, U, _ = network_of_2020(torch, cls_name, layout)
        for base in bases:
            sample(rng, torch, base, gain_of(dialect))
        spikes, _ = inputs(rng, 200)
        with torch.no_grad():
            for x in spikes:
                net.step(torch.tensor(x))
        layers, weights = our_network(dialect, bases, net.readout_layers, layout, None)
        after, ours = our_run(layers, weights, spikes)
        compare(layers, after, bases, ours, U, [None] * len(bases))


@OF_2020
@EACH_LAYOUT
@DROPOUT
@REGULARISED
def test_100_online_updates_are_those_of_the_2020_training_loop(cls_name, layout, dropout, reg, rng):
    """Their `train` shows frame 0 once, then the frames from its burn-in on; the frames between are never shown."""
    dialect, burn_in = dialects.named(CLASSES_OF_2020[cls_name]), 7
    with float64() as torch:
        lenet, net, bases, U, drawn = network_of_2020(torch, cls_name, layout, dropout)
        for base in bases:
            sample(rng, torch, base, gain_of(dialect))
        if reg:
            silence(torch, bases[-1])
        spikes, target = inputs(rng, 100 + burn_in)
        regulariser = Regulariser(reg, 3e-3 * reg) if reg else None
        layers, weights = our_network(dialect, bases, net.readout_layers, layout, regulariser)
        lr = 2e-3 / float(gain_of(dialect))
        loss = lenet.DECOLLELoss([torch.nn.SmoothL1Loss()] * len(bases), net, [reg] * len(bases))
        optimiser = torch.optim.Adamax(net.get_trainable_parameters(), lr=lr, betas=(0.0, BETA2))
        data = [(spikes.swapaxes(0, 1), target)]
        importlib.import_module("decolle.utils").train(data, loss, net, optimiser, 0, burn_in)
        seen = np.concatenate([spikes[:1], spikes[burn_in:]])
        masks = masks_of(layers, drawn, len(seen))
        after, ours = our_run(layers, weights, seen, target, lr, 1, masks)
        compare(layers, after, bases, ours, U, weights)


def test_the_2020_code_counts_alpha_from_0_again_above_convolutions():
    with float64():
        lenet = imported("DECOLLE_REF_DECOLLE_PUBLIC", "decolle.lenet_decolle_model")
        net = lenet.LenetDECOLLE(SHAPE, [4, 5], [10], CLASSES, [3], alpha=[0.9, 0.8, 0.7], lc_ampl=0.5)
        assert [round(float(layer.alpha), 6) for layer in net.LIF_layers] == [0.9, 0.8, 0.9]


def slices_of_2018(rng, torch, layout, dropout, burn_in, lr):
    """Their slices with random weights, and the lists of U and of dropout factors."""
    lib = imported("DECOLLE_REF_DCLL", "dcll.pytorch_libdcll")
    lib.device = "cpu"
    names = {"alpha": DECAYS["alpha"], "alphas": DECAYS["beta"], "alpharp": DECAYS["gamma"], "wrp": DECAYS["w"]}
    options = names | {"target_size": CLASSES, "lc_dropout": dropout or False}
    below, slices = SHAPE, []
    for entry in LAYOUTS[layout]:
        if isinstance(entry, tuple):
            channels, kernel, stride, pool = entry
            layer = lib.Conv2dDCLLlayer(
                below[0], channels, kernel, below[1:], stride=stride, padding=(kernel - 1) // 2, pooling=pool, **options
            )
            below = (channels, *layer.get_output_shape())
        else:
            layer = lib.DenseDCLLlayer(int(np.prod(below)), entry, **options)
            below = (entry,)
        layer.init_hiddens(BATCH)
        sample(rng, torch, layer.i2h, gain_of(dialects.dcll))
        optimiser = {"lr": lr, "betas": [0.0, BETA2]}
        slices.append(lib.DCLLBase(layer, "", BATCH, torch.nn.SmoothL1Loss, torch.optim.Adamax, optimiser, burn_in))
    U, drawn = [[] for _ in slices], [[] for _ in slices]
    for k, part in enumerate(slices):
        part.dclllayer.i2h.register_forward_hook(lambda _, __, out, k=k: U[k].append(numbers(out[2])))
        if dropout:
            factors_drawn(torch, part.dclllayer.dropout, drawn[k])
    return slices, U, drawn


@EACH_LAYOUT
@DROPOUT
@pytest.mark.parametrize("reg", [0.0, 0.05], ids=["plain", "regularised"])
def test_updates_are_those_of_train_dcll_of_2018(layout, dropout, reg, rng):
    """100 steps of burn-in and 100 updates; their burn-in counts steps from 1."""
    burn_in, steps, lr = 101, 200, 2e-3 / float(gain_of(dialects.dcll))
    with float64() as torch:
        slices, U, drawn = slices_of_2018(rng, torch, layout, dropout, burn_in, lr)
        bases = [part.dclllayer.i2h for part in slices]
        if reg:
            silence(torch, bases[-1])
        regulariser = Regulariser(20 * reg, 0.1 * reg) if reg else None
        readouts = [part.dclllayer.i2o for part in slices]
        layers, weights = our_network(dialects.dcll, bases, readouts, layout, regulariser)
        spikes, target = inputs(rng, steps)
        for x in spikes:
            sent = torch.tensor(x)
            for part in slices:
                sent = part.train_dcll(sent, torch.tensor(target), regularize=reg)[0]
        masks = masks_of(layers, drawn, steps)
        after, ours = our_run(layers, weights, spikes, target, lr, burn_in - 1, masks)
        compare(layers, after, bases, ours, U, weights)
