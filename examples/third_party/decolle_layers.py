"""Layers of the authors' package `decolle`, their readouts and optimisers, for decolle_program.py."""

import warnings

warnings.simplefilter("ignore")  # of other packages, about their own future
import torch  # noqa: E402
from decolle import base_model  # noqa: E402

CLASSES = {
    "decolle": base_model.LIFLayer,
    "decolle-base": base_model.BaseLIFLayer,
    "decolle-nonorm": base_model.LIFLayerNonorm,
}


class Layer:
    """A layer of the package, its readout and its optimiser."""

    def __init__(self, dialect, about, arrays, optimiser):
        kind = CLASSES[dialect]
        self.about, self.arrays = about, arrays
        self.synapse = torch.nn.Linear(about["n_in"], about["n"])
        self.readout = torch.nn.Linear(about["n"], about["n_out"])
        pairs = ((self.synapse, "W", "b"), (self.readout, "G", "c"))
        for module, weight, bias in pairs:
            module.weight, module.bias = (torch.nn.Parameter(arrays[x]) for x in (weight, bias))
        decays = {"alpha": arrays["alpha"], "beta": arrays["beta"], "alpharp": arrays["gamma"]}
        self.neuron = kind(self.synapse, wrp=arrays["w"], **decays)
        self.optimiser = optimiser and make_optimiser(optimiser, self.synapse, arrays)
        self.strength = (1 - arrays["gamma"]) * arrays["w"] if kind is base_model.LIFLayer else arrays["w"]

    def step(self, S_in, target):
        """One step; returns the row of the trace, and the spikes."""
        _, U = self.neuron(S_in)
        S = self.neuron.sg_function(U)  # again, as the package's networks do: the neuron's own S is detached
        Y, state = self.readout(S), self.neuron.state
        row = {"Q": state.Q, "P": state.P, "R": state.R / -self.strength, "U": U, "S": S, "Y": Y}
        if target is not None:
            row |= self.gradients(U, Y, target)
        return {name: x.detach().clone() for name, x in row.items()}, S.detach()

    def gradients(self, U, Y, target):
        """dL/dY, dL/dU, dL/dW and dL/db of the loss of this step, by autograd."""
        squared, functions = self.about["loss"] == "squared_error", torch.nn.functional
        loss = functions.mse_loss if squared else functions.smooth_l1_loss
        value = loss(Y, target, reduction=self.about["reduction"]) / (2 if squared else 1)
        at = (Y, U, self.synapse.weight, self.synapse.bias)
        found = dict(zip(("e", "delta", "dW", "db"), torch.autograd.grad(value, at), strict=True))
        return found | {"W": self.synapse.weight, "b": self.synapse.bias}

    def learn(self, row):
        """One update by the gradients of this step."""
        self.synapse.weight.grad, self.synapse.bias.grad = row["dW"], row["db"]
        self.optimiser.step()


def make_optimiser(settings, synapse, arrays):
    """`torch.optim.SGD` or `torch.optim.Adamax`."""
    pairs = ((synapse.weight, "rate_W"), (synapse.bias, "rate_b"))
    groups = [{"params": [x], "lr": float(arrays[rate][0])} for x, rate in pairs]
    if settings["kind"] == "sgd":
        return torch.optim.SGD(groups, lr=0.0)
    betas = settings.get("beta1", 0.0), settings.get("beta2", 0.95)
    return torch.optim.Adamax(groups, lr=0.0, betas=betas, eps=settings.get("eps", 1e-8))


def run(case, arrays):
    """Run a case; returns the arrays of its trace by name."""
    kind, first = getattr(torch, case["dtype"]), case.get("burn_in", 0) - case.get("n", 0)
    optimiser = case.get("optimiser", {"kind": "adamax"}) if case["learn"] else None
    layers, series = [], {}
    for k, about in enumerate(case["layers"], start=1):
        prefix = f"layer{k}_"
        own = {name: torch.from_numpy(x).to(kind) for name, x in arrays.items() if name.startswith(prefix)}
        own = {name.removeprefix(prefix): x for name, x in own.items()}
        layers.append(Layer(case["dialect"], about, own, optimiser))
    for t, S in enumerate(torch.from_numpy(arrays["inputs"]).to(kind)):
        for k, layer in enumerate(layers, start=1):
            row, S = layer.step(S, layer.arrays["target"][t] if case["targets"] else None)
            for name, x in row.items():
                series.setdefault(f"layer{k}_{name}", []).append(x)
            if optimiser and t >= first:
                layer.learn(row)
    trace = {name: torch.stack(rows) for name, rows in series.items()}
    for k, layer in enumerate(layers, start=1):
        trace |= {f"layer{k}_W_final": layer.synapse.weight, f"layer{k}_b_final": layer.synapse.bias}
    return {name: x.detach().numpy() for name, x in trace.items()}
