"""The neuron in continuous time, of which Eq. 4 and 5 are the discrete form.  [N19 Eq. 1-3]

    tau_mem dU/dt = -(U - U_rest) + R I,    U <- U - theta at an output spike          [N19 Eq. 1, 3]
    dI/dt         = -I / tau_syn + sum_j W_j S_j(t),    S_j(t) a sum of Dirac deltas   [N19 Eq. 2]

with U_rest = 0, R = 1, theta = 1 from here on; times in seconds.  The review prints RI in Eq. 3 with the opposite sign,
under which excitation would inhibit: Eq. 1 is right.

How `spiking` relates: Eq. 5 adds the whole of I[n] at every step, where Eq. 1 adds only the share 1 - beta of it that a
step lasts.  A discrete network with weights `gain` W, gain = 1 - beta, therefore is the one of Eq. 1-3 with weights W,
up to an error that falls as dt.  Its responses also come one step late; that delay is all that is left of the error of
a postsynaptic potential if the factor is psp(dt) instead, which agrees with 1 - beta to first order.
"""

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, finite, positive


def dU_dt(U: npt.ArrayLike, I: npt.ArrayLike, tau_mem: float) -> Array:
    """dU/dt = (-U + I) / tau_mem, between output spikes.  [N19 Eq. 1]"""
    rate: Array = (np.asarray(I) - np.asarray(U)) / tau_mem
    return rate


def dI_dt(I: npt.ArrayLike, tau_syn: float) -> Array:
    """dI/dt = -I / tau_syn, between input spikes; at a spike of input j, I jumps by W_j.  [N19 Eq. 2]"""
    rate: Array = -np.asarray(I) / tau_syn
    return rate


def psp(t: npt.ArrayLike, tau_mem: float, tau_syn: float) -> Array:
    """The postsynaptic potential: U(t) after one input spike of weight 1 at t = 0.  [N19 Eq. 1, 2]

        U(t) = tau_syn / (tau_mem - tau_syn) (exp(-t/tau_mem) - exp(-t/tau_syn)),    t/tau exp(-t/tau) if they are equal

    t in seconds, of any shape; 0 for t < 0.  Raises InputError for t not finite and time constants not finite and > 0.
    """
    after: Array = np.maximum(finite("t", t), 0.0)
    fast, slow = sorted(
        (float(positive("tau_mem", tau_mem, "seconds")), float(positive("tau_syn", tau_syn, "seconds")))
    )
    # the formula above cancels where the constants are close: (1 - exp(-x)) / x does not, with x = t (1/fast - 1/slow)
    x = after * ((slow - fast) / slow / fast)
    mean_decay = np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x > 0)
    U: Array = after / tau_mem * np.exp(-after / slow) * mean_decay
    return U


def firing_rate(I: npt.ArrayLike, tau_mem: float, theta: float = 1.0) -> Array:
    """The f-I curve: spikes per second under a constant current.  [N19 Eq. 1, 3]

        f(I) = 1 / (tau_mem ln(I / (I - theta))) if I > theta, else 0

    the time that U = I (1 - exp(-t/tau_mem)) takes from the reset, at 0, to theta.  I of any shape.
    Raises InputError for I not finite, and tau_mem or theta not finite and > 0.
    """
    current, threshold = finite("I", I), float(positive("theta", theta))
    above = current > threshold
    share = np.divide(threshold, current, out=np.full(current.shape, 0.5), where=above)  # 0.5: any value, not used
    interval = -np.log1p(-share) * float(positive("tau_mem", tau_mem, "seconds"))
    return np.where(above, 1 / interval, 0.0)


def gain(tau_mem: float, dt: float) -> float:
    """1 - beta = 1 - exp(-dt/tau_mem): the factor on W, or on a constant current, that Eq. 5 leaves out.  [N19 Eq. 5]

    Raises InputError for a time not finite and > 0.
    """
    return -float(np.expm1(-positive("dt", dt, "seconds") / positive("tau_mem", tau_mem, "seconds")))
