"""First-spike times and their gradients: a smooth code, of one spike per neuron.  [N19 Sec. V-D, Eq. 15]

Neurons integrate without a leak, and currents decay exponentially.  Time is in units of the synaptic time constant, the
threshold is 1, and presynaptic neuron j fires once, at t_j (the review prints t_i):

    dU_i/dt = I_i,    I_i = sum_j W_ij Theta(t - t_j) exp(-(t - t_j))

In z = exp(t) the potential is a hyperbola from one arrival to the next, and the first time at which it reaches 1 is a
ratio of sums over the *causal set* C, the presynaptic neurons whose spikes arrive before this time:

    U_i = sum_{j in C} W_ij (1 - z_j / z)
    z_i = sum_{j in C} W_ij z_j / I_i,    I_i = sum_{j in C} W_ij - 1, the current at the spike
    dz_i/dW_ip = (z_p - z_i) / I_i,    dz_i/dz_p = W_ip / I_i    for p in C, else 0

For a given C, z_i is linear in z.  Its gradient has no bound where the current at the spike tends to 0.  A neuron that
never reaches 1 is silent: z = inf, C is empty, and the gradient is 0 (`weight_sum` makes it fire again).

Shapes: W (..., n, m), z of the m presynaptic neurons (..., batch, m), z of the n neurons (..., batch, n); `...` are
independent networks.  `fire`, `forward` and `loss` accept complex numbers for the complex-step check, and decide by the
real parts.

Read `network` (the equations, forward and backward), then `decision` (a loss on which neuron fires first), then
`simulation` (the same spike times without the closed form).  Everything in `__all__` is public.

>>> import numpy as np
>>> W, z = np.array([[2.0, 1.0]]), encode([[0.0, np.inf]])
>>> float(fire(W, z).z[0, 0])  # 2 (1 - 1/z) = 1
2.0
"""

from decolle_ref.credit.spike_time.decision import error, loss, weight_sum, weight_sum_gradient, winner
from decolle_ref.credit.spike_time.network import Spikes, backward, derivatives, encode, fire, forward, margin, validate
from decolle_ref.credit.spike_time.simulation import potential, simulate

__all__ = [
    "Spikes",
    "backward",
    "derivatives",
    "encode",
    "error",
    "fire",
    "forward",
    "loss",
    "margin",
    "potential",
    "simulate",
]
__all__ += ["validate", "weight_sum", "weight_sum_gradient", "winner"]
