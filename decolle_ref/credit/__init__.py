"""Credit assignment side by side: every method of the surrogate gradient review on one network.  [N19]

| module | what its gradient follows | state kept, of N neurons over T steps |
| --- | --- | --- |
| `bptt` | everything, backwards | O(N T) |
| `rtrl` | everything, forwards | O(N^3) |
| `eprop` | the neuron's own past and reset | O(N^2) |
| `superspike` | the neuron's own past, without its reset | O(N^2) |
| `instant` | the spike that arrives just now | O(N^2) |
| `local` | as `superspike`, with an error of this layer and this step: DECOLLE | O(N) |

Read `continuous`, `spiking` and `cost` first, then the methods in this order, each beside the one before it: the
difference of two files is the difference of two rules.  `feedback` lends errors to hidden layers, `dropped` accounts
for what a method leaves out, `decolle` for what the rule of the core does, `derivation` and `slips` judge a gradient of
your own.  `rate` and `rnn` ask the same questions of networks of rates.
"""
