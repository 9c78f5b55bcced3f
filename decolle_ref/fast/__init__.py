"""The home of in-place, preallocated and threaded code.  Every piece is tested against a readable definition.

Read the definitions first; a new reader can skip this room.

| module | content | definition |
| --- | --- | --- |
| `learning` | any network that learns, all steps in one call | `decolle.network.run` |
| `dense` | a network of dense layers that learns, step by step | `decolle.network.run` |
| `dense_layers` | dense layers side by side in one array | `layer.forward`, `layer.local_gradients` |
| `dense_constants` | their constants | `decolle.lif.LIF` |
| `dense_parameters` | their weights and biases in one array, cut into blocks | |
| `dense_update` | their updates, block by block | `Learner.update` |
| `regularisers` | the regularisers of dense layers | `Regulariser.derivative` |
| `in_place` | surrogates, spikes and losses, written into arrays | `decolle.surrogate`, `decolle.objective` |
| `update` | update of a dense layer, in place | `decolle.learner.update_layer`, bit for bit |
| `conv` | convolutions as matrix products | `decolle.synapse.Conv2d` |
| `karatsuba` | wide convolutions by fewer products | `decolle.synapse.Conv2d` |
| `pool` | max-pooling on arrays whose last axis is the batch | `decolle.pool.MaxPool` |
| `layer_buffers` | one convolutional layer with preallocated buffers | `network.forward`, `network.local_gradients` |
| `stepper` | a convolutional network, step by step, on several threads | `decolle.network.step`, `Learner.update` |
| `evaluation` | any network with fixed weights, many steps at once | `decolle.network.run` |
| `traces` | P and Q through many steps | `decolle.lif.step` |
| `event_driven` | W P by a column of W for every input spike | `decolle.lif.step` |
| `convnet` | the conventional network, on several threads | `decolle.convnet.forward`, `gradient` |
| `spikegrad_layer` | the connections of one SpikeGrad layer | `drive`, `adjoint` and `gradient` of the connections |
| `spikegrad` | one mini-batch of SpikeGrad, on several threads | `spikegrad.ann` |
| `spikes` | passes over numbers of spikes, block by block | `ann.nearest` |
| `memory` | memory that every step uses again | |
| `workers` | a pool of threads, and the chunks of a batch | |

To evaluate a network whose weights are fixed, call `evaluate`: spikes (steps, ..., n_in) in, and Y, U and S of every
layer out, in the shapes of the definition with the steps as an axis in front.  To learn, call `learn`: a whole sequence
of spikes and targets in, the next `Carry` and Y of every layer out.  A program that does something else between two
steps of convolutions uses `NetworkStepper`, and one of dense layers `update_layer` in a `Learner`.  Where Y alone is
needed of convolutions with pools, `NetworkStepper` with many steps per call is sooner still, as it leaves out the
neurons that no window covers.

Public are the modules `convnet`, `evaluation`, `learning`, `spikegrad`, `stepper`, `update` and `workers`, and the
names in `__all__`; the others are their parts.
"""

from decolle_ref.fast import convnet, spikegrad
from decolle_ref.fast.convnet import ConvnetStepper
from decolle_ref.fast.evaluation import Evaluation, evaluate
from decolle_ref.fast.learning import Learned, learn
from decolle_ref.fast.stepper import NetworkStepper
from decolle_ref.fast.update import update_layer
from decolle_ref.fast.workers import worker_pool

__all__ = ["ConvnetStepper", "Evaluation", "Learned", "NetworkStepper", "convnet", "evaluate", "learn", "spikegrad"]
__all__ += ["update_layer", "worker_pool"]
