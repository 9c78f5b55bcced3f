"""The diagnosis: which known mistakes would give the numbers of an equation that does not hold?

Read `mutants` (ways to change an equation) first, then `hypotheses` (the mistakes by name).  Public are `explain` and
the table.
"""

from decolle_ref.oracle.diagnose.hypotheses import HYPOTHESES, explain

__all__ = ["HYPOTHESES", "explain"]
