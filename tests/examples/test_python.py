"""The examples: backends in other frameworks compute the same as the reference."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle import lif
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.synapse import Conv2d
from decolle_ref.oracle import backends, profile, runner
from decolle_ref.oracle.vectors import catalogue
from tests.support.oracle import residual_check

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("Q", "P", "R", "U", "S", "Y", "e", "delta", "dW", "db")
SURROGATES = ("logistic", "fast_sigmoid", "fast_sigmoid_10", "piecewise_linear", "exponential", "boxcar")
LOSSES = ("squared_error", "smooth_l1", "cross_entropy")
ADAMAX = {"kind": "adamax", "beta1": 0.3, "beta2": 0.9, "eps": 1e-8}


def example(name):
    """The module examples/<name>.py."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)  # for imports of its neighbours
        spec.loader.exec_module(module)
    return module


def dense(sizes, **settings):
    """The entries of `layers` for dense layers of these sizes."""
    objective = {"n_out": 3, "loss": "squared_error", "reduction": "mean"} | settings
    return [{"n_in": n_in, "n": n} | objective for n_in, n in pairwise(sizes)]


def convolutional(**settings):
    """Two convolutions, the first with a pool that leaves a margin, and a dense layer."""
    objective = {"n_out": 3, "loss": "squared_error", "reduction": "mean"} | settings
    first = Conv2d((2, 7, 8), 3, 3, 1, 1)
    pooled = (3, 7 // 2, 8 // 2)
    second = Conv2d(pooled, 2, 2, 2, 1)
    entries = [(first, {"pool": 2}), (second, {})]
    return [{"n_in": s.n_in, "n": s.n, "conv": _conv(s)} | pool | objective for s, pool in entries] + dense(
        (second.n, 5), **settings
    )


def _conv(s):
    sides = dict(zip(("channels_in", "height", "width"), s.shape_in, strict=True))
    return sides | {"channels": s.channels, "kernel": s.kernel, "stride": s.stride, "padding": s.padding}


def lively(layers, dialect="paper", seed=0, steps=15, batch=3, dtype="float64", **changes):
    """A random case in which every layer spikes, with one decay per input or neuron."""
    about = {
        "name": "lively",
        "dialect": dialect,
        "dtype": dtype,
        "constants": "decay",
        "steps": steps,
        "batch": batch,
        "initial_state": "rest",
        "targets": True,
        "learn": True,
        "layers": layers,
    } | changes
    rng = np.random.default_rng(seed)
    arrays = {name: _random_array(rng, name, shape) for name, shape in cases.shapes(about).items()}
    for k, layer in enumerate(layers, start=1):
        _balance(about, layer, arrays, f"layer{k}_")
    return Case(about, {name: a if name == "inputs" else a.astype(dtype) for name, a in arrays.items()})


def _random_array(rng, name, shape):
    letter = name.split("_", 1)[-1]
    ranges = {"alpha": (0.8, 0.95), "beta": (0.6, 0.9), "gamma": (0.3, 0.8), "w": (0.5, 1.5), "b": (-0.4, -0.1)}
    if name == "inputs":
        return (rng.random(shape) < 0.4).astype(np.uint8)
    if letter == "target":
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    low, high = ranges.get(letter, (-1, 2) if letter == "W" else (0, 1) if letter in ("u_W", "u_b") else (-1, 1))
    return rng.uniform(low, high, shape)


def _balance(about, layer, arrays, prefix):
    """Scale weights, state, learning rates and refractory strength to the gains of the dialect."""
    its_dialect = DIALECTS[about["dialect"]]
    unit = lif.from_decays(*(arrays[prefix + x] for x in ("alpha", "beta", "gamma")), dialect=its_dialect)
    gain = lif.trace_gain(unit)
    per_input = gain if arrays[prefix + "W"].ndim == 2 else gain.mean()
    fan_in = arrays[prefix + "W"][0].size
    arrays[prefix + "W"] *= 6 / np.sqrt(fan_in) / per_input
    arrays[prefix + "w"] = arrays[prefix + "w"] / its_dialect.value("refractory")(unit.gamma)
    if about["initial_state"] == "given":
        arrays[prefix + "P0"] = np.abs(arrays[prefix + "P0"]) * 0.2 * gain
        arrays[prefix + "Q0"] = np.abs(arrays[prefix + "Q0"]) * unit.gain_Q / (1 - unit.beta)
        arrays[prefix + "R0"] = np.abs(arrays[prefix + "R0"])
    if about["learn"]:
        arrays[prefix + "rate_W"] = np.full_like(arrays[prefix + "rate_W"], 1e-2) / per_input**2
        arrays[prefix + "rate_b"] = np.abs(arrays[prefix + "rate_b"]) * 1e-2


def holds(case, backend):
    """Every equation holds on the backend's own numbers, within the bounds of its profile."""
    verdict = residual_check(case, backend(case.about, case.arrays), profile.parse(backend.profile))
    assert verdict, verdict.failure


def agrees(case, backend, within):
    """All arrays agree to `within` of their largest magnitude, spikes exactly, and no layer is silent."""
    got, expected = backend(case.about, case.arrays), simulate(case, gradients=True)
    for k in range(1, len(case.about["layers"]) + 1):
        names = NAMES + (("W", "b", "W_final", "b_final") if case.about["learn"] else ())
        for name in (f"layer{k}_{x}" for x in names):
            assert got[name].shape == expected[name].shape, name
            assert got[name].dtype == case.about["dtype"], name
            size = np.abs(expected[name]).max()
            assert size > 0, name
            exactly = name.endswith("_S")
            assert np.abs(got[name] - expected[name]).max() <= (0 if exactly else within * size), name
        assert 0.02 < expected[f"layer{k}_S"].mean() < 0.9, k


@pytest.fixture(scope="module")
def pytorch():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    return example("pytorch_backend").backend


@pytest.fixture(scope="module")
def jax():
    pytest.importorskip("jax", reason="JAX is not installed")
    return example("jax_backend").backend


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_autograd_agrees_in_every_dialect_loss_and_reduction(pytorch, dialect, loss, reduction):
    layers = dense((6, 7, 5), loss=loss, reduction=reduction)
    agrees(lively(layers, dialect, optimiser={"kind": "sgd"}), pytorch, 1e-10)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_autograd_agrees_with_every_surrogate(pytorch, surrogate):
    agrees(lively(dense((6, 7, 5), surrogate=surrogate), learn=False), pytorch, 1e-10)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("optimiser", [{"kind": "sgd"}, ADAMAX], ids=["sgd", "adamax"])
def test_autograd_agrees_on_convolutions_with_a_pool(pytorch, dialect, optimiser):
    agrees(lively(convolutional(), dialect, optimiser=optimiser), pytorch, 1e-10)


def test_autograd_agrees_from_a_given_state_memory_and_step(pytorch):
    given = {"initial_state": "given", "memory": "given", "n": 3, "updates": 2, "burn_in": 6}
    agrees(lively(dense((6, 7, 5)), optimiser=ADAMAX, **given), pytorch, 1e-10)


@pytest.mark.parametrize("activity", ["rate", "membrane"])
def test_autograd_agrees_on_the_regularisers(pytorch, activity):
    layers = convolutional(lambda1=0.3, lambda2=0.5, activity=activity)
    case = lively(layers, "decolle", steps=8)
    agrees(case, pytorch, 1e-10)
    plain = Case({**case.about, "layers": convolutional()}, case.arrays)
    assert (
        pytorch(case.about, case.arrays)["layer1_delta"] != pytorch(plain.about, plain.arrays)["layer1_delta"]
    ).any()


def test_the_update_of_the_example_is_that_of_torch_optim(pytorch):
    """With one learning rate for all inputs, its Adamax equals that of `torch.optim`."""
    import torch
    from torch.optim.adamax import adamax

    ours, theirs = (torch.linspace(-1, 1, 7, dtype=torch.float64) for _ in range(2))
    m, u, t = torch.zeros_like(ours), torch.zeros_like(ours), torch.zeros(())
    mover = pytorch.__globals__["Adamax"](ours, 0.1, m.clone(), u.clone(), 0, beta1=0.3, beta2=0.9, eps=1e-8)
    for step in range(20):
        ours.grad = torch.sin(ours * 3 + step)
        mover.step(factor=1)
        g = torch.sin(theirs * 3 + step)
        adamax([theirs], [g], [m], [u], [t], eps=1e-8, beta1=0.3, beta2=0.9, lr=0.1, weight_decay=0.0)
    assert torch.allclose(ours, theirs, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", ["pytorch", "jax"])
def test_adamax_counts_from_0_where_its_memory_is_fresh(name, request):
    agrees(lively(dense((6, 7)), optimiser=ADAMAX, updates=4), request.getfixturevalue(name), 1e-10)


def test_jax_agrees_on_two_dense_layers(jax):
    agrees(lively(dense((6, 7, 5), loss="smooth_l1"), optimiser=ADAMAX), jax, 1e-10)


def test_jax_agrees_on_spikes_read_out_with_regularisers(jax):
    layers = dense((6, 7), reduction="sum", lambda1=0.3, lambda2=0.2)
    agrees(lively(layers, "decolle-nonorm", optimiser={"kind": "sgd"}), jax, 1e-10)


def test_jax_agrees_on_a_convolution_with_a_pool(jax):
    agrees(lively(convolutional(loss="cross_entropy")[:1], "dcll", steps=8), jax, 1e-10)


def test_jax_holds_every_equation_in_float32(jax):
    case = lively(dense((6, 7), lambda1=0.3), "decolle-base", dtype="float32", burn_in=3)
    holds(case, jax)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_pytorch_holds_every_equation_in_float32(pytorch, dialect):
    holds(lively(convolutional(loss="cross_entropy", lambda2=0.2), dialect, dtype="float32"), pytorch)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_wrong_backend_is_wrong_where_P_has_a_gain_and_nowhere_else(dialect):
    case, module = lively(convolutional(), dialect, dtype="float32", steps=8), example("wrong_backend")
    verdict = residual_check(case, module.backend(case.about, case.arrays), profile.parse(module.backend.profile))
    if DIALECTS[dialect].gains == "one":
        assert verdict, verdict.failure
    else:
        assert (verdict.failure.layer, verdict.failure.equation) == (1, "P")


def test_the_readme_shows_the_report_on_the_wrong_backend():
    loaded = backends.load(f"{EXAMPLES / 'wrong_backend.py'}:backend")
    (vector,) = (v for v in catalogue.catalogue("float32") if v.id == "dense-decolle-base")
    report = str(runner.judge(loaded, vector)).splitlines()
    readme = (EXAMPLES / "README.md").read_text()
    for start in ("dense-decolle-base: FAIL", "first failure:", "consistent with:"):
        (line,) = (line for line in report if line.startswith(start))
        assert line in readme, line


@pytest.mark.parametrize("dialect", DIALECTS)
def test_numpy_without_the_mistake_is_right(dialect):
    agrees(lively(convolutional(), dialect, optimiser=ADAMAX), example("numpy_backend").backend, 1e-12)
