"""SpikeGrad: backpropagation carried by signed spikes, and the ANN that it is equal to.  [T19]

| module | what |
| --- | --- |
| `layers` | dense, convolution and pooling connections: forward, adjoint, weight increment |
| `network` | layers in a stack, topologies by name, initial weights |
| `ann` | the equivalent ANN on whole numbers of spikes [T19 Eq. 14, 15, 18] |
| `events` | spikes that wait, arrive and make neurons fire [T19 Eq. 1-7, 16, 19, Alg. 1-3] |
| `snn` | the event-driven network built of them [T19 Eq. 1-8, 14] |
| `operations` | synaptic operations and the bound on the number of spikes [T19 Eq. 21, Fig. 1, 2] |
| `fast` | the equivalent ANN again, for training |

`snn` and `ann` agree exactly wherever the arithmetic is exact: weights, biases, thresholds and inputs that are
multiples of a power of two.
"""
