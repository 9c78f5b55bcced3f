"""DECOLLE: every layer learns from an error of its own, while the input runs.  [K20]

Each module is a chapter and each public function is an equation.  Read them in this order, which is also the order of
their imports:

| chapter | what it defines |
| --- | --- |
| `surrogate` | the spike function, its surrogate derivative, and the primitive of that derivative |
| `dialects` | the places where the paper and its public codes differ |
| `lif` | the neuron: traces P and Q, refractory state R, potential U, spike S [K20 Eq. 1] |
| `synapse` | how inputs reach neurons: dense and convolutional connections |
| `pool` | max-pooling of potentials |
| `readout` | the fixed random readout Y of a layer, and its error on the way back |
| `objective` | losses and regularisers [K20 Eq. 4] |
| `rule` | the three factors of the update [K20 Eq. 2, 3] |
| `layer` | one layer at one step, forwards and back |
| `optim` | SGD and Adamax |
| `learner` | the optimiser applied to every layer at every step |
| `network` | layers in a stack, and the loop over time |
| `rescale` | the same network in another dialect |
| `convnet` | the conventional network that the paper compares with [K20 Sec. 4.2] |

`decolle_ref` exports these chapters, and the names in them that almost every program needs.
"""

# ruff: noqa: RUF022  (the reading order)
__all__ = ["surrogate", "dialects", "lif", "synapse", "pool", "readout", "objective"]
__all__ += ["rule", "layer", "optim", "learner", "network", "rescale", "convnet"]
