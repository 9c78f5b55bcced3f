"""The diagnosis: which known mistakes would give the numbers of the equations that do not hold?

Read `hypothesis` (one mistake) and `changes` (of operands and results) first, then the tables of mistakes, one module
for each part of a layer: `state` with `gains`, `refractory`, `membrane` with `wiring`, `spikes` with `pools`,
`readout`, `error`, `backward` with `slopes` and `regularising`, `gradient`, `updates` with `optimisers` and `adamax`,
`handed_on`, and `general` with `precision` for what any equation can have. `estimates` finds unknown numbers,
`places` says where an equation fails, and `search` tries the tables on a trace. Public are `explain`, for one
failure, `explain_all`, for every equation that fails, `summarise`, for a whole run, and the tables. `mutants` has
wrong implementations that the diagnosis must name.
"""

from decolle_ref.oracle.diagnose.explanation import Cause, Explanation
from decolle_ref.oracle.diagnose.hypotheses import FAMILIES, HYPOTHESES
from decolle_ref.oracle.diagnose.search import explain, explain_all
from decolle_ref.oracle.diagnose.summary import Ended, summarise

__all__ = ["FAMILIES", "HYPOTHESES", "Cause", "Ended", "Explanation", "explain", "explain_all", "summarise"]
