"""snnTorch: find the convention that its neurons follow (probe.py).

python examples/third_party/snntorch_check.py
"""

import snntorch as snn
import torch
from probe import Neuron, report


@torch.no_grad()
def run(kind, drive, alpha, beta, threshold, **settings):
    """U, S and I at every step; Leaky neurons have no I."""
    # snnTorch swaps the letters: its alpha is the decay of the synapse, its beta that of the membrane
    decays = {"alpha": beta, "beta": alpha} if kind is snn.Synaptic else {"beta": alpha}
    neuron, state, rows = kind(**decays, threshold=threshold, **settings), (), []
    for current in torch.from_numpy(drive):
        spikes, *state = neuron(current, *state)
        rows.append({"U": state[-1] - threshold, "S": spikes, **({"I": state[0]} if len(state) == 2 else {})})
    return {x: torch.stack([row[x] for row in rows]).numpy() for x in rows[0]}


def of(kind, **settings):
    """The neuron in these settings."""
    return Neuron(lambda *numbers: run(kind, *numbers, **settings), kind is snn.Synaptic)


NEURONS = {
    "Synaptic, subtract": of(snn.Synaptic, reset_mechanism="subtract"),
    "Synaptic, subtract, reset_delay=False": of(snn.Synaptic, reset_mechanism="subtract", reset_delay=False),
    "Synaptic, zero": of(snn.Synaptic, reset_mechanism="zero"),
    "Synaptic, none": of(snn.Synaptic, reset_mechanism="none"),
    "Leaky, subtract": of(snn.Leaky, reset_mechanism="subtract"),
}

if __name__ == "__main__":
    print("\n".join(report(f"snnTorch {snn.__version__}", NEURONS)))
