"""The check of a trace that has only spikes and weights (levels L1 and L0): the spikes drive the reference.

Read `intervals` (arithmetic with errors that grow from step to step) first, then `bounded_learning`, then `driven` (the
check).  Public are the check and its verdict.
"""

from decolle_ref.oracle.spikes_only.driven import SpikesOnlyVerdict, check

__all__ = ["SpikesOnlyVerdict", "check"]
