"""One layer of a recorded trace, and what the equations make of it.  The trace's own spikes drive them.

A free simulation leaves the recording for good as soon as one spike differs.  Therefore the layer's *recorded* spikes
drive the equations here, and the rest is linear:

    U[n] = W (g_Q g_P P0[n + 2 - delay]) + b - delta R0[n]

P0 and Q0 are the paper's traces of the known input with unit gains, and R0 is the trace of the layer's own spikes.
Gains, delays and the refractory map only scale and shift them, so each hypothesis costs one comparison.  The tolerance
follows from the arithmetic of the trace's dtype: eps times the sum of magnitudes times the number of roundings.

>>> Hypothesis("exp", "leak", 2, "w", "above").value("threshold")(np.array([0.0, 0.1]))
array([0., 1.])
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Synapse, Weights


class Hypothesis(NamedTuple):
    """One option on each axis that a trace can show."""

    decay: str
    gains: str
    delay: int  # steps from an input spike to U: 2, 1 or 0
    refractory: str
    threshold: str
    shown: str = "before"  # whether U was recorded "before" or "after" a spike subtracts w from it

    def value(self, axis: str) -> Any:
        """The function that the option on this axis stands for."""
        return AXES[axis][getattr(self, axis)].value


@dataclass(frozen=True)
class Evidence:
    """One layer: its parameters, and what was recorded at which true time; NaN at steps that were not recorded."""

    synapse: Synapse
    weights: Weights
    w: Array  # (n,), refractory strength in the implementation's own terms
    decays: dict[str, tuple[Array, ...]]  # decay option -> alpha, beta, gamma
    inputs: Array  # (T, B, n_in)
    recorded: dict[str, Array]  # any of Q, P, R, U, S: (T, B, ...)
    pool: MaxPool | None
    eps: float  # machine epsilon of the dtype in which the trace was computed
    rounded: tuple[str, ...] = ()  # of "gains", "delta": those to round to float32; other constants come rounded
    _cache: dict[tuple[Any, ...], Array] = field(default_factory=dict, compare=False)

    def traces(self, decay: str) -> tuple[Array, Array]:
        """P0, Q0 with unit gains, for steps 0 .. T+2."""
        alpha, beta, _ = self.decays[decay]
        Q = self._cached(("Q", decay), lambda: _filtered(beta, self.inputs, 3))
        P = self._cached(("P", decay), lambda: _filtered(alpha, Q[:-1], 1))
        return P, Q

    def gain(self, h: Hypothesis) -> tuple[Array, Array]:
        """g_Q and g_P per input."""
        alpha, beta, _ = self.decays[h.decay]
        g_Q, g_P = (rounding("gains", h.value("gains")(decay), self.rounded) for decay in (beta, alpha))
        return g_Q, g_P

    def drive(self, h: Hypothesis) -> tuple[Array, Array]:
        """W (g_Q g_P P0), and the same with magnitudes, as U reads them at steps 0 .. T-1."""
        P, _ = self.traces(h.decay)
        g, key = np.multiply(*self.gain(h)), (h.decay, h.gains)
        W, no_b = self.weights.W, np.zeros_like(self.weights.b)
        drive = self._cached(("drive", *key), lambda: self.synapse.drive(Weights(W, no_b), g * P))
        magnitude = self._cached(("magnitude", *key), lambda: self.synapse.drive(Weights(np.abs(W), no_b), g * P))
        read = slice(2 - h.delay, 2 - h.delay + len(self.inputs))
        return drive[read], magnitude[read]

    @property
    def b(self) -> Array:
        """The bias of each neuron, (n,)."""
        return np.repeat(self.weights.b, self.synapse.n // len(self.weights.b))

    def delta(self, h: Hypothesis) -> Array:
        """The refractory strength under `h`."""
        return rounding("delta", self.w * h.value("refractory")(self.decays[h.decay][2]), self.rounded)

    def roundings(self, decay: str) -> float:
        """The number of roundings that reach U: those of the dot product, and those of the traces over their memory."""
        memories = sum(float(1 / (1 - d).min()) for d in self.decays[decay])
        return float(np.prod(self.weights.W.shape[1:]) + 4 * memories + 8)

    def recorded_spikes(self, h: Hypothesis) -> Array | None:
        """The neurons' own spikes: read off U if it is recorded, else S, else the jumps of R; NaN where unknown.

        A layer that pools transmits the S of windows, which says too little of its neurons.
        """
        if "U" in self.recorded and h.shown == "before":
            U = self.recorded["U"]
            return np.where(np.isnan(U), np.nan, h.value("threshold")(U))
        if "S" in self.recorded and self.pool is None:
            return self.recorded["S"]
        if "R" in self.recorded:
            return _jumps(self.recorded["R"], self.decays[h.decay][2], self.eps)
        if "U" in self.recorded:
            if ("S", *h) not in self._cache:  # only the latest is kept, because no other hypothesis reads it
                self._cache.pop(next((key for key in self._cache if key[0] == "S"), ()), None)
            return self._cached(("S", *h), lambda: self._reset_spikes(h))
        return None

    def _reset_spikes(self, h: Hypothesis) -> Array:
        """S = 1 where a U recorded after the reset is nearer to U - w than to U; predicted where U is unknown."""
        shown, drive, delta = self.recorded["U"], self.drive(h)[0] + self.b, self.delta(h)
        S, R = np.empty_like(shown), np.zeros_like(shown[0])
        for n in range(len(S)):
            U = drive[n] - delta * R
            reset = np.abs(shown[n] - (U - self.w)) < np.abs(shown[n] - U)
            S[n] = np.where(np.isnan(shown[n]), h.value("threshold")(U), reset)
            R = self.decays[h.decay][2] * R + S[n]
        return S

    def spikes(self, h: Hypothesis) -> Array | None:
        """The neurons' own spikes at every step; None where the recording does not show them.

        An early recording lacks the first steps, which are predicted under `h`.  Steps that are missing at the end are
        0, because nothing follows from them.
        """
        recorded = self.recorded_spikes(h)
        if recorded is None:
            return None
        S, drive, R = recorded.copy(), self.drive(h)[0], np.zeros_like(recorded[0])
        for n in range(int(np.isnan(recorded[: len(recorded) // 2, 0, 0]).sum())):
            S[n] = h.value("threshold")(drive[n] + self.b - self.delta(h) * R)
            R = self.decays[h.decay][2] * R + S[n]
        return np.nan_to_num(S)

    def transmitted(self, h: Hypothesis) -> Array | None:
        """The spikes that the layer above receives: the neurons' own, or the largest of each pooling window."""
        S, own = self.recorded.get("S"), self.spikes(h)
        if S is not None and "U" not in self.recorded and not np.isnan(S[: len(S) // 2]).any():
            return np.nan_to_num(S)
        return None if own is None else self.pooled(own)

    def pooled(self, S: Array) -> Array:
        """The spikes of the pooling windows; without a pool those of the neurons."""
        return S if self.pool is None else np.asarray(S[..., self.pool.windows()].max(axis=-1))

    def refractory(self, h: Hypothesis) -> Array:
        """R0 for steps 0 .. T-1, from the layer's own spikes."""
        S = self.spikes(h)
        assert S is not None
        early = np.isnan(next(iter(self.recorded.values()))[0]).any()
        if early or h.shown == "after":  # S is that of this hypothesis alone
            return _filtered(self.decays[h.decay][2], S, 0)
        return self._cached(("R", h.decay, h.threshold), lambda: _filtered(self.decays[h.decay][2], S, 0))

    def _cached(self, key: tuple[Any, ...], compute: Callable[[], Array]) -> Array:
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]


def rounding(name: str, constant: Array, rounded: Sequence[str]) -> Array:
    """The constant, rounded to float32 if its name is among `rounded`.

    Parameters
    ----------
    name : str
    constant : array
    rounded : sequence of str

    Returns
    -------
    array of float64
    """
    return constant.astype(np.float32).astype(np.float64) if name in rounded else constant


def _filtered(decay: Array, x: Array, more: int) -> Array:
    """y[n+1] = decay y[n] + x[n] from y[0] = 0, to `more` steps past the input: (T + more, ...)."""
    y = np.zeros((len(x) + more, *x.shape[1:]))
    for n in range(len(y) - 1):
        y[n + 1] = decay * y[n] + (x[n] if n < len(x) else 0)
    return y


def _jumps(R: Array, gamma: Array, eps: float) -> Array:
    """S[n] = 1 where R[n+1] - gamma R[n] is not 0; NaN where it cannot be known, as at the last step."""
    jump = np.abs(R[1:] - gamma * R[:-1])
    spikes = np.where(np.isnan(jump), np.nan, jump > 64 * eps * np.nanmax(np.abs(R), initial=0))
    return np.concatenate([spikes, np.full_like(R[:1], np.nan)])
