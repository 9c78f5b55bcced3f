"""The home of in-place, preallocated and threaded code.  Every piece is tested against a readable definition.

Read the definitions first; a new reader can skip this room.

| module | content | definition |
| --- | --- | --- |
| `update` | update of a dense layer, in place | `decolle.learner.update_layer`, bit for bit |
| `conv` | convolutions as matrix products | `decolle.synapse.Conv2d` |
| `pool` | max-pooling on arrays whose last axis is the batch | `decolle.pool.MaxPool` |
| `layer_buffers` | one convolutional layer with preallocated buffers | `network.forward`, `network.local_gradients` |
| `stepper` | a convolutional network, step by step, on several threads | `decolle.network.step`, `Learner.update` |
| `convnet` | the conventional network, on several threads | `decolle.convnet.forward`, `gradient` |
| `spikegrad` | one mini-batch of SpikeGrad | `spikegrad.ann` |
| `workers` | a pool of threads, and the chunks of a batch | |

Public are the modules `convnet`, `spikegrad`, `stepper`, `update` and `workers`, and the names in `__all__`; the others
are their parts.
"""

from decolle_ref.fast import convnet, spikegrad
from decolle_ref.fast.convnet import ConvnetStepper
from decolle_ref.fast.stepper import NetworkStepper
from decolle_ref.fast.update import update_layer
from decolle_ref.fast.workers import worker_pool

__all__ = ["ConvnetStepper", "NetworkStepper", "convnet", "spikegrad", "update_layer", "worker_pool"]
