"""A mutant: one mistake, as other operations in place of the right ones."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from decolle_ref._util.check import Array

Operation = Callable[..., Any]


class Mutant(NamedTuple):
    """A mistake that no dialect permits.

    Parameters
    ----------
    name : in the words of the hypothesis that names it
    equation : that it breaks
    vector : the id of a vector that shows it
    operations : name -> function of the layer, the right operation and its arguments
    record : a function of the layer and its arrays, which changes them before they are recorded, or None
    """

    name: str
    equation: str
    vector: str
    operations: Mapping[str, Operation]
    record: Callable[[Any, dict[str, list[Array]]], None] | None = None
