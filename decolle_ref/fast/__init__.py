"""The home of in-place, preallocated and threaded code.  Every piece is tested against a readable definition.

Read the definitions first; a new reader can skip this room.

| module | content | definition |
| --- | --- | --- |
| `update` | update of a dense layer, in place | `decolle.learner.update_layer`, bit for bit |
| `conv` | convolutions as matrix products | `decolle.synapse.Conv2d` |
| `pool` | max-pooling on arrays whose last axis is the batch | `decolle.pool.MaxPool` |
| `layer_buffers` | one convolutional layer with preallocated buffers | `network.forward`, `network.local_gradients` |
| `stepper` | a convolutional network, step by step, on several threads | `decolle.network.step`, `Learner.update` |
| `evaluation` | any network with fixed weights, many steps at once | `decolle.network.run` |
| `traces` | P and Q through many steps | `decolle.lif.step` |
| `event_driven` | W P by a column of W for every input spike | `decolle.lif.step` |
| `convnet` | the conventional network, on several threads | `decolle.convnet.forward`, `gradient` |
| `spikegrad_layer` | the connections of one SpikeGrad layer | `drive`, `adjoint` and `gradient` of the connections |
| `spikegrad` | one mini-batch of SpikeGrad, on several threads | `spikegrad.ann` |
| `workers` | a pool of threads, and the chunks of a batch | |

To evaluate a network whose weights are fixed, call `evaluate`: spikes (steps, ..., n_in) in, and Y, U and S of every
layer out, in the shapes of the definition with the steps as an axis in front.  To learn, use `NetworkStepper` for
convolutions, and `update_layer` in a `Learner` for dense layers.  Where Y alone is needed of convolutions with pools,
`NetworkStepper` with many steps per call is sooner still, as it leaves out the neurons that no window covers.

Public are the modules `convnet`, `evaluation`, `spikegrad`, `stepper`, `update` and `workers`, and the names in
`__all__`; the others are their parts.
"""

from decolle_ref.fast import convnet, spikegrad
from decolle_ref.fast.convnet import ConvnetStepper
from decolle_ref.fast.evaluation import Evaluation, evaluate
from decolle_ref.fast.stepper import NetworkStepper
from decolle_ref.fast.update import update_layer
from decolle_ref.fast.workers import worker_pool

__all__ = ["ConvnetStepper", "Evaluation", "NetworkStepper", "convnet", "evaluate", "spikegrad", "update_layer"]
__all__ += ["worker_pool"]
