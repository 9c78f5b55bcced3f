"""Where an equation is evaluated: one layer of a trace, the layers beside it, and the arithmetic of the bounds."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.check.error_bounds import Arithmetic
from decolle_ref.oracle.check.residual import Slot
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.trace import Operands, Trace


@dataclass(frozen=True, kw_only=True)
class Site(Operands):
    """One layer of a trace and its surroundings.

    Parameters
    ----------
    number : of the layer, from 1
    layers : how many the network has
    profile : the implementation's arithmetic
    below, above : the neighbouring layers of the trace, or None
    """

    number: int
    layers: int
    profile: Profile
    below: Operands | None
    above: Operands | None

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """The operations of the profile, each with the bound of its result."""
        return Arithmetic(self.profile)

    @property
    def batch(self) -> int:
        """The batch size."""
        return int(self.spikes_in.shape[1])

    def slot(self, equation: str) -> Slot:
        """The right equation's values with their bound, beside the numbers of the trace."""
        (slot,) = residual.evaluate(self.number, self, self.arithmetic, [equation])
        return slot


def sites(trace: Trace) -> list[Site]:
    """One site for each layer of a trace.

    Parameters
    ----------
    trace : of level L2

    Returns
    -------
    list of Site
    """
    beside = [None, *trace.layers, None]
    return [
        Site(
            **_parts(layer),
            number=k,
            layers=len(trace.layers),
            profile=trace.profile,
            below=beside[k - 1],
            above=beside[k + 1],
        )
        for k, layer in enumerate(trace.layers, start=1)
    ]


def _parts(layer: Operands) -> dict[str, Any]:
    return {field.name: getattr(layer, field.name) for field in fields(Operands)}


def lagged(x: Array, steps: int) -> Array:
    """x as it was `steps` steps earlier, or later where `steps` is negative; the row at the edge is repeated.

    Parameters
    ----------
    x : array of shape (T, ...)
    steps : int

    Returns
    -------
    array of shape (T, ...)
    """
    return np.asarray(x[np.clip(np.arange(len(x)) - steps, 0, len(x) - 1)])
