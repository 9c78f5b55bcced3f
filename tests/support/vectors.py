"""The vectors of the oracle and their golden traces, each made once."""

from functools import cache

from decolle_ref.cases import Case
from decolle_ref.oracle.vectors import catalogue, release


@cache
def vectors(dtype):
    return {vector.id: vector for vector in catalogue.catalogue(dtype)}


def case(vector):
    return Case(vector.about, vector.arrays)


@cache
def golden(dtype):
    return {id: trace for id, vector in vectors(dtype).items() if (trace := release.golden(vector)) is not None}
