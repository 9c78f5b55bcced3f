"""Norse: find the convention that its neurons follow (probe.py).

    python examples/third_party/norse_check.py

Norse multiplies the current that the membrane takes by a = dt / tau_mem = 1 - alpha: mem = alpha mem + a syn.  So its
weights here are W / a, and syn is recorded as a syn.
"""

from importlib.metadata import version

import norse.torch as norse
import torch
from norse.torch.functional.reset import reset_subtract
from probe import Neuron, report

DT = 0.001


@torch.no_grad()
def current_based(drive, alpha, beta, threshold):
    """LIFCell, with a synaptic current; a spike sets the membrane to v_reset = 0."""
    inverses = {"tau_syn_inv": torch.tensor((1 - beta) / DT), "tau_mem_inv": torch.tensor((1 - alpha) / DT)}
    cell, state, rows = norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(threshold), **inverses), dt=DT), None, []
    for current in torch.from_numpy(drive) / (1 - alpha):
        spikes, state = cell(current, state)
        rows.append((state.v - threshold, spikes))
    return {x: torch.stack(row).numpy() for x, row in zip("US", zip(*rows, strict=True), strict=True)}


@torch.no_grad()
def without_current(drive, alpha, beta, threshold, **settings):
    """LIFBoxCell, whose membrane takes the input at once."""
    inverse = torch.tensor((1 - alpha) / DT)
    parameters = norse.LIFBoxParameters(v_th=torch.tensor(threshold), tau_mem_inv=inverse, **settings)
    cell, state, rows = norse.LIFBoxCell(parameters, dt=DT), None, []
    for current in torch.from_numpy(drive) / (1 - alpha):
        spikes, state = cell(current, state)
        rows.append((state.v - threshold, spikes))
    return {x: torch.stack(row).numpy() for x, row in zip("US", zip(*rows, strict=True), strict=True)}


NEURONS = {
    "LIFCell": Neuron(current_based),
    "LIFBoxCell": Neuron(without_current, has_current=False),
    "LIFBoxCell, reset_subtract": Neuron(
        lambda *numbers: without_current(*numbers, reset_method=reset_subtract), has_current=False
    ),
}

if __name__ == "__main__":
    print("\n".join(report(f"Norse {version('norse')}", NEURONS)))
