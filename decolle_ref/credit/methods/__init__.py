"""The methods of credit assignment, one module each, from the exact gradient to DECOLLE.  [N19 Sec. III-V]

Read in this order, each beside the one before it: the difference of two files is the difference of two rules.

| module | what it is |
| --- | --- |
| `bptt` | backpropagation through time: exact, backwards |
| `feedback` | routes by which random weights bring errors to hidden layers |
| `online` | the loop that the following methods share: forwards, one step at a time |
| `rtrl`, `eprop`, `superspike`, `instant`, `local` | forward methods, each of which keeps fewer terms |
| `decolle` | what the rule of the core drops from its own exact local gradient [K20 Eq. 2, 3] |

All modules are public.  A forward method is an object such as `rtrl.method`, to be used with `online.gradient`.

`online.gradient` and `bptt.gradient` check the network, the input and the cost once; all other functions run at every
step, and assume what these two have checked.
"""

from decolle_ref.credit.methods import bptt, decolle, eprop, feedback, instant, local, online, rtrl, superspike

__all__ = ["bptt", "decolle", "eprop", "feedback", "instant", "local", "online", "rtrl", "superspike"]
