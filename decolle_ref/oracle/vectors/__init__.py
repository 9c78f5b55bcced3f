"""Test vectors: cases that each exist because of a mistake that they would catch.

Read `properties` (a vector and its proof) first, then `random_cases` (networks from a seed), `choices`, `situations`
and `ranges` (the vectors by family), and `catalogue` (all vectors, and those for one backend).  `features` says what a
case asks of a backend, `mixed_cases` makes cases of the whole format, in `pairs` every two features meet, and `fresh`
makes the vectors of one run.  `number_kinds` and `exactness` make traces that are the same on every machine, `export`
writes them, and `release` has their version and hashes.  Public are `Vector`, `select` (the vectors for one backend),
`catalogue` and `export`.
"""

from decolle_ref.oracle.vectors import catalogue, export
from decolle_ref.oracle.vectors.catalogue import select
from decolle_ref.oracle.vectors.properties import Vector

__all__ = ["Vector", "catalogue", "export", "select"]
