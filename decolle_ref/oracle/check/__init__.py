"""The check of a full trace (level L2): every equation, at every step, in every layer, within its bound.

Read `error_bounds` (numbers with a bound) first, then `recording` (what a trace shows of the numbers that are kept),
`pooling` and `products`, then `equations` and `learning` (one function per equation), then `residual` (the check).

Public are the check and the parts of its verdict.
"""

from decolle_ref.oracle.check.residual import Failure, Slot, Verdict, check

__all__ = ["Failure", "Slot", "Verdict", "check"]
