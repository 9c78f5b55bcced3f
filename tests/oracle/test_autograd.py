"""The reference against PyTorch's autograd."""

import pytest
from hypothesis import assume, given, settings

from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import DIALECTS
from tests.support.random_cases import NAMES, depends_on_the_last_bit, random_cases, relative_difference, undecided


def sigmas(torch):
    """The primitives for torch; at a kink autograd takes the side that sigma' takes."""
    return {
        "logistic": lambda x: torch_logistic(torch, x),
        "fast_sigmoid": lambda x: 0.5 + x / (1 + x.abs()),
        "fast_sigmoid_10": lambda x: 0.5 + x / (1 + 10 * x.abs()),
        "piecewise_linear": lambda x: 0.5 + x.clamp(-1, 1) * (1 - x.clamp(-1, 1).abs() / 2),
        "exponential": lambda x: torch.where(x < 0, x.clamp(max=0).exp() - 0.5, 1.5 - (-x.clamp(min=0)).exp()),
        "boxcar": lambda x: torch.where((x > -0.5) & (x <= 0.5), x + 0.5, (x > 0).double()),
    }


def torch_logistic(torch, x):
    """Accurate in both tails, where torch.sigmoid's derivative s (1 - s) cancels."""
    z = torch.where(x < 0, x, -x).exp()
    return torch.where(x < 0, z, 1) / (1 + z)


def torch_loss(torch, entry, Y, target):
    f = torch.nn.functional
    if entry["loss"] == "cross_entropy":
        return -(target * f.log_softmax(Y, 1)).sum() / (len(Y) if entry["reduction"] == "mean" else 1)
    if entry["loss"] == "smooth_l1":
        return f.smooth_l1_loss(Y, target, reduction=entry["reduction"])
    return f.mse_loss(Y, target, reduction=entry["reduction"]) / 2


def torch_penalty(entry, loud, u, rate):
    """Both regularisers: the first acts on `loud`, the second reads `rate` of u."""
    mean = u.mean(1) if entry.get("activity") == "membrane" else rate(u).mean()
    return entry.get("lambda1", 0) * (loud + 0.01).relu().mean() + entry.get("lambda2", 0) * (0.1 - mean).relu().mean()


def torch_potential(torch, entry, W, b, P):
    if "conv" not in entry:
        return torch.nn.functional.linear(P, W, b)
    images = P.unflatten(1, [entry["conv"][x] for x in ("channels_in", "height", "width")])
    return torch.nn.functional.conv2d(images, W, b, entry["conv"]["stride"], entry["conv"]["padding"])


def torch_layer(torch, entry, axes, arrays_of_layer, state, S_in, target, W, b):
    """One step of one layer: (state, S transmitted, dL/dW, dL/db)."""
    theta = (lambda u: (u >= 0).double()) if axes.threshold == "at_or_above" else (lambda u: (u > 0).double())
    sigma = sigmas(torch)[entry.get("surrogate", axes.surrogate)]
    P, Q, R = state
    Q_new = arrays_of_layer["const_beta"] * Q + arrays_of_layer["const_gain_Q"] * S_in
    P_new = arrays_of_layer["const_alpha"] * P + arrays_of_layer["const_gain_P"] * (
        Q_new if axes.P_reads == "new_Q" else Q
    )
    drive = torch_potential(torch, entry, W, b, P_new if axes.U_reads == "new_P" else P)
    U = drive - (arrays_of_layer["const_delta"] * R).reshape(drive.shape)
    u = (torch.nn.functional.max_pool2d(U, entry["pool"]) if "pool" in entry else U).flatten(1)
    read = sigma(u) if axes.readout == "sigma" else theta(u) + sigma(u) - sigma(u).detach()  # straight through
    loud = U.flatten(1) if axes.regulariser_place == "unpooled" else u
    rate = sigmas(torch)["logistic"] if axes.regulariser_reads == "logistic" else sigma
    loss = torch_loss(torch, entry, read @ arrays_of_layer["G"].T + arrays_of_layer["c"], target)
    L = loss + torch_penalty(entry, loud, u, rate)
    dW, db = torch.autograd.grad(L, (W, b))
    return (P_new, Q_new, arrays_of_layer["const_gamma"] * R + theta(U.detach()).flatten(1)), theta(u.detach()), dW, db


@pytest.mark.parametrize("dialect", NAMES)
def test_dW_and_db_are_what_autograd_finds(dialect):
    torch = pytest.importorskip("torch")

    @settings(max_examples=12)
    @given(random_cases(dialect=dialect, targets=True))
    def check(case):
        about, arrays = case
        trace = simulate(Case(about, arrays), gradients=True)
        assume(not depends_on_the_last_bit(about, trace) and not undecided(trace))
        tensors = {name: torch.tensor(array, dtype=torch.float64) for name, array in (arrays | trace).items()}
        S = tensors["inputs"]
        for k, entry in enumerate(about["layers"], start=1):
            arrays_of_layer = {
                x.partition("_")[2]: tensor for x, tensor in tensors.items() if x.startswith(f"layer{k}_")
            }
            sizes = {"P0": entry["n_in"], "Q0": entry["n_in"], "R0": entry["n"]}
            zeros = {x: torch.zeros(about["batch"], size, dtype=torch.float64) for x, size in sizes.items()}
            state, sent = tuple((zeros | arrays_of_layer)[x] for x in sizes), []
            for n in range(about["steps"]):
                W, b = (trace[f"layer{k}_{x}"][n] for x in "Wb")
                W, b = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)
                args = entry, DIALECTS[dialect], arrays_of_layer, state, S[n], arrays_of_layer["target"][n], W, b
                state, spikes, dW, db = torch_layer(torch, *args)
                sent.append(spikes)
                assert relative_difference(dW.numpy(), trace[f"layer{k}_dW"][n]) < 1e-10
                assert relative_difference(db.numpy(), trace[f"layer{k}_db"][n]) < 1e-10
            S = sent

    check()
