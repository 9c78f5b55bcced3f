"""Credit assignment side by side: every method of the surrogate gradient review on one network.  [N19]

| module | what its gradient follows | state kept, of N neurons over T steps |
| --- | --- | --- |
| `bptt` | everything, backwards | O(N T) |
| `rtrl` | everything, forwards | O(N^3) |
| `eprop` | the neuron's own past and reset | O(N^2) |
| `superspike` | the neuron's own past, without its reset | O(N^2) |
| `instant` | the spike that arrives just now | O(N^2) |
| `local` | as `superspike`, with an error of this layer and this step: DECOLLE | O(N) |

Read `spiking` and `cost` first, then the methods in this order, each beside the one before it: the difference of two
files is the difference of two rules.  `rate` and `rnn` are the same questions for networks of rates.
"""
