"""Cases: networks, inputs and traces as plain files that any language can read."""

from decolle_ref.cases.case import Case, connections, read, shapes, width, write

__all__ = ["Case", "connections", "read", "shapes", "width", "write"]
