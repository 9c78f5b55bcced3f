"""SpikingJelly: find the convention that its neurons follow (probe.py).

    python examples/third_party/spikingjelly_check.py

With decay_input (the default) LIFNode multiplies its input by 1 / tau = 1 - alpha, so its weights here are W tau.
"""

from importlib.metadata import version

import torch
from probe import Neuron, report
from spikingjelly.activation_based.neuron import LIFNode


@torch.no_grad()
def run(drive, alpha, beta, threshold, decay_input, v_reset):
    """U = v - threshold after the reset, and S; the neuron has no synaptic current."""
    tau = 1 / (1 - alpha)
    neuron, rows = LIFNode(tau=tau, decay_input=decay_input, v_threshold=threshold, v_reset=v_reset), []
    for current in torch.from_numpy(drive) * (tau if decay_input else 1):
        spikes = neuron(current)
        rows.append((neuron.v - threshold, spikes))
    return {x: torch.stack(row).numpy() for x, row in zip("US", zip(*rows, strict=True), strict=True)}


def of(decay_input, v_reset):
    """The neuron in these settings."""
    return Neuron(lambda *numbers: run(*numbers, decay_input, v_reset), has_current=False)


NEURONS = {
    "LIFNode, v_reset=0": of(True, 0.0),
    "LIFNode, v_reset=None": of(True, None),
    "LIFNode, v_reset=None, decay_input=False": of(False, None),
}

if __name__ == "__main__":
    print("\n".join(report(f"SpikingJelly {version('spikingjelly')}", NEURONS)))
