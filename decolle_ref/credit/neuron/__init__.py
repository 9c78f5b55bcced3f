"""The neurons and networks to which credit is assigned.  [N19 Sec. II, Box 1]

Read in this order:

| module | network |
| --- | --- |
| `continuous` | the leaky integrate-and-fire neuron in continuous time [N19 Eq. 1-3] |
| `spiking` | the same neuron in discrete time, as a layered recurrent network [N19 Eq. 4, 5] |
| `rate` | a layered network of rates without time, and its gradients [N19 Eq. 6] |
| `rnn` | a recurrent network of rates, and its two exact gradients [N19 Eq. 7, 8] |

All four modules are public.  `spiking.step`, `spiking.presynaptic` and `spiking.rest` run at every step or start a run,
and assume what `spiking.forward` checks.
"""

from decolle_ref.credit.neuron import continuous, rate, rnn, spiking

__all__ = ["continuous", "rate", "rnn", "spiking"]
