"""Credit assignment: every method of the surrogate gradient review, on one network.  [N19]

Read `neuron/`, then `cost`, then `methods/`, then `audit/`; `spike_time` is a chapter of its own.

| name | contents |
| --- | --- |
| `neuron` | the networks: continuous, spiking, of rates |
| `cost` | the loss of a network: a function of filtered spikes |
| `methods` | the methods, in the order below |
| `audit` | which terms a method drops, and whether a derivation of yours is right |
| `spike_time` | first-spike times and their gradients [N19 Sec. V-D] |

| method | paths that its gradient follows | numbers kept, of N neurons over T steps |
| --- | --- | --- |
| `bptt` | all, backwards | O(N T) |
| `rtrl` | all, forwards | O(N^3) |
| `eprop` | the neuron's own past and reset (`eprop.without_reset`: as `superspike`) | O(N^2) |
| `superspike` | the neuron's own past, without its reset | O(N^2) |
| `instant` | the spike that arrives just now | O(N^2) |
| `local` | as `superspike`, with an error of this layer and this step: DECOLLE | O(N) |

All names in the first table are public.
"""

from decolle_ref.credit import audit, cost, methods, neuron, spike_time

__all__ = ["audit", "cost", "methods", "neuron", "spike_time"]
