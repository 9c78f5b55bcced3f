"""The language-neutral format: networks, inputs and traces as plain files that any language can read and write.

A *case* is a network, its input and how it learns; a *trace* is what the network computed at each step.  Both are
folders of one JSON file and plain .npy files; docs/case_format.md describes them.  Read `case` first, then
`simulation`.

    read, write                 a case folder
    simulate                    run a case; its result is the arrays of a trace
    write_trace, read_states    a trace folder
    identify                    name the dialect that made a trace
    connections, width, shapes  the synapse and the size of a layer, the shapes of a case's arrays

The other modules serve these: `schema` checks the JSON files, `layer_arrays` translates the names in the files to those
of the package, `evidence` holds one layer of a trace, `comparison` compares it with one hypothesis, and `recording`
goes through the layers.
"""

from decolle_ref.cases.case import Case, read, write
from decolle_ref.cases.description import connections, shapes, width
from decolle_ref.cases.identification import Identification, identify
from decolle_ref.cases.layer_arrays import LayerArrays
from decolle_ref.cases.simulation import read_states, simulate, write_trace

__all__ = [
    "Case",
    "Identification",
    "LayerArrays",
    "connections",
    "identify",
    "read",
    "read_states",
    "shapes",
    "simulate",
    "width",
    "write",
    "write_trace",
]
