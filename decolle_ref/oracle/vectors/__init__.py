"""Test vectors: cases that each exist because of a mistake that they would catch.

Read `properties` (a vector and its proof) first, then `random_cases` (networks from a seed), `choices` and `situations`
(the vectors by family), and `catalogue` (all vectors, and those for one backend).  `number_kinds` and `exactness` make
traces that are the same on every machine, and `export` writes them.  Public are `Vector`, `select` (the vectors for one
backend), `catalogue` and `export`.
"""

from decolle_ref.oracle.vectors import catalogue, export
from decolle_ref.oracle.vectors.catalogue import select
from decolle_ref.oracle.vectors.properties import Vector

__all__ = ["Vector", "catalogue", "export", "select"]
