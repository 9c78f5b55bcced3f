"""The neuron in continuous time, of which Eq. 4 and 5 are the discrete form.  [N19 Eq. 1-3]

    tau_mem dU/dt = -(U - U_rest) + R I,    U <- U - theta at an output spike          [N19 Eq. 1, 3]
    dI/dt         = -I / tau_syn + sum_j W_j S_j(t),    S_j(t) a sum of Dirac deltas   [N19 Eq. 2]

This module has U_rest = 0, R = 1 and theta = 1, and gives times in seconds.  The review prints RI in Eq. 3 with the
opposite sign, under which excitation would inhibit: Eq. 1 is right.

The relation to `spiking`: Eq. 5 adds the whole of I[n] at every step, where Eq. 1 adds only the share 1 - beta of it,
because a step is short.  A discrete network with weights `gain` W, gain = 1 - beta, therefore approximates Eq. 1-3 with
weights W, and its error falls in proportion to dt.  Its responses come one step late.  If the factor is psp(dt) instead
of 1 - beta, with which it agrees to first order, this delay is the only error of a postsynaptic potential.

>>> bool(0 < psp(0.010, tau_mem=0.010, tau_syn=0.005) < 1)
True
>>> [float(f) for f in firing_rate([0.5, 1.0], tau_mem=0.010)]  # no spikes up to the threshold
[0.0, 0.0]
"""

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, finite, floats, positive


def dU_dt(U: npt.ArrayLike, I: npt.ArrayLike, tau_mem: float) -> Array:
    """dU/dt = (-U + I) / tau_mem, between output spikes.  [N19 Eq. 1]

    Parameters
    ----------
    U, I : arrays of one shape, membrane potential and synaptic current
    tau_mem : float, in seconds

    Returns
    -------
    array of the same shape, per second

    Raises
    ------
    InputError : for arrays of two shapes, and a tau_mem that is not finite and > 0
    """
    U = floats("U", U)
    return np.asarray((floats("I", I, *U.shape) - U) / positive("tau_mem", tau_mem, "seconds"))


def dI_dt(I: npt.ArrayLike, tau_syn: float) -> Array:
    """dI/dt = -I / tau_syn, between input spikes; at a spike of input j, I jumps by W_j.  [N19 Eq. 2]

    Parameters
    ----------
    I : array of any shape, synaptic current
    tau_syn : float, in seconds

    Returns
    -------
    array of the same shape, per second

    Raises
    ------
    InputError : for a tau_syn that is not finite and > 0
    """
    return np.asarray(-floats("I", I) / positive("tau_syn", tau_syn, "seconds"))


def psp(t: npt.ArrayLike, tau_mem: float, tau_syn: float) -> Array:
    """The postsynaptic potential: U(t) after one input spike of weight 1 at t = 0.  [N19 Eq. 1, 2]

        U(t) = tau_syn / (tau_mem - tau_syn) (exp(-t/tau_mem) - exp(-t/tau_syn)),    t/tau exp(-t/tau) if they are equal

    Parameters
    ----------
    t : array of any shape, in seconds
    tau_mem, tau_syn : float, in seconds

    Returns
    -------
    array shaped like t; 0 for t < 0

    Raises
    ------
    InputError : for t not finite, and time constants not finite and > 0
    """
    after: Array = np.maximum(finite("t", t), 0.0)
    fast, slow = sorted(
        (float(positive("tau_mem", tau_mem, "seconds")), float(positive("tau_syn", tau_syn, "seconds")))
    )
    # the formula above cancels where the constants are close: (1 - exp(-x)) / x does not, with x = t (1/fast - 1/slow)
    x = after * ((slow - fast) / slow / fast)
    mean_decay = np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x > 0)
    return np.asarray(after / tau_mem * np.exp(-after / slow) * mean_decay)


def firing_rate(I: npt.ArrayLike, tau_mem: float, theta: float = 1.0) -> Array:
    """The f-I curve: spikes per second under a constant current.  [N19 Eq. 1, 3]

        f(I) = 1 / (tau_mem ln(I / (I - theta))) if I > theta, else 0

    U = I (1 - exp(-t/tau_mem)) starts at 0 after a reset, and takes the time 1 / f to reach theta.

    Parameters
    ----------
    I : array of any shape, constant current
    tau_mem : float, in seconds
    theta : float, threshold

    Returns
    -------
    array shaped like I, in Hz

    Raises
    ------
    InputError : for I not finite, and tau_mem or theta not finite and > 0
    """
    current, threshold = finite("I", I), float(positive("theta", theta))
    above = current > threshold
    share = np.divide(threshold, current, out=np.full(current.shape, 0.5), where=above)  # 0.5 is a filler: not used
    interval = -np.log1p(-share) * float(positive("tau_mem", tau_mem, "seconds"))
    return np.where(above, 1 / interval, 0.0)


def gain(tau_mem: float, dt: float) -> float:
    """1 - beta = 1 - exp(-dt/tau_mem): the factor on W, or on a constant current, that Eq. 5 leaves out.  [N19 Eq. 5]

    Parameters
    ----------
    tau_mem, dt : float, in seconds

    Returns
    -------
    float in (0, 1)

    Raises
    ------
    InputError : for a time that is not finite and > 0
    """
    return -float(np.expm1(-positive("dt", dt, "seconds") / positive("tau_mem", tau_mem, "seconds")))
