"""SpikeGrad: backpropagation carried by signed spikes, and the ANN that it is equal to.  [T19]

Read the modules in this order:

| module | content |
| --- | --- |
| `layers` | integrate-and-fire layers on dense, convolutional and average-pooling connections |
| `network` | network topologies by name, initial weights, validation |
| `ann` | the equivalent ANN on whole numbers of spikes [T19 Eq. 14, 15, 18] |
| `events` | one phase, spike by spike [T19 Eq. 1-7, 16, 19, Alg. 1-3] |
| `routes` | where the spikes of each sender arrive |
| `snn` | the event-driven network, forward and backward [T19 Eq. 1-8, 14] |
| `operations` | synaptic operations and the bound on the number of spikes [T19 Eq. 21, Fig. 1, 2] |
| `learning` | gradient descent with momentum on the increments [T19 Eq. 14] |

`snn` and `ann` agree exactly wherever the arithmetic is exact: for weights, biases, thresholds and inputs that are
multiples of a power of two.  Every array of inputs or neurons is flat, (batch, n); an image is flattened in the order
(channel, row, column), as in `decolle.synapse`.  `fast.spikegrad` computes the same numbers as `ann` for training.

The modules above are public, and so are the names below.
"""

from decolle_ref.spikegrad import ann, events, layers, learning, network, operations, routes, snn
from decolle_ref.spikegrad.layers import AveragePool, IFLayer, IFNetwork
from decolle_ref.spikegrad.learning import Descent
from decolle_ref.spikegrad.snn import EventOptions

__all__ = [
    "AveragePool",
    "Descent",
    "EventOptions",
    "IFLayer",
    "IFNetwork",
    "ann",
    "events",
    "layers",
    "learning",
    "network",
    "operations",
    "routes",
    "snn",
]
