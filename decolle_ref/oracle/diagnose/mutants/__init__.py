"""Mutants: wrong implementations that the oracle must kill and name.

Read `candidate` (a right implementation in which a mistake can be planted) first, then `planting` (how),
`planted_forward` and `planted_learning` (the mistakes), and `matrix` (which of them are killed, by how much, and what
the diagnosis says).
"""

from decolle_ref.oracle.diagnose.mutants.candidate import candidate
from decolle_ref.oracle.diagnose.mutants.matrix import kill, page
from decolle_ref.oracle.diagnose.mutants.mutant import Mutant
from decolle_ref.oracle.diagnose.mutants.planted import MUTANTS

__all__ = ["MUTANTS", "Mutant", "candidate", "kill", "page"]
