"""The oracle: does another implementation compute DECOLLE, equation by equation, on its own numbers?

Two correct runs may have different spikes and weights, because a threshold amplifies rounding, and a tolerance wide
enough for that lets mistakes pass.  So the oracle evaluates every equation on the numbers that the implementation
itself wrote down, and each must be met within a bound that follows from the implementation's arithmetic.  A pass means:
the trace is an exact orbit of the specification, perturbed at every equation by no more than the bound.

Read `trace` first, then the rooms:

    trace         what the implementation wrote down, parsed once into a `Trace`
    check         the residual check of a full trace: error_bounds, equations, learning, residual
    spikes_only   the check of a trace that has only spikes and weights: intervals, bounded_learning, driven
    diagnose      which known mistakes explain the failures; mutants, which it must name
    vectors       the cases to run, each with the mistake that it would catch

and beside them `profile` (an implementation's arithmetic), `backends` (how to run it, a program by `process`), `runner`
(runs it on vectors, and by `alone` on the step that fails), `report` (a failure in words and as JSON), `verdict` (of a
whole run, with its coverage), `junit`, `html` (with `course` and `svg`: a failure over time), `matrix` (several
backends) with `badges`, `toml_table` (the files that `runner` and `matrix` read), `coverage_page` (docs/coverage.md),
and `plugin` (for pytest).  Public are the names in `__all__` and the rooms.
docs/oracle.md shows how to use it.
"""

from decolle_ref.oracle import backends, profile, report, runner, verdict
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.runner import Outcome
from decolle_ref.oracle.trace import Trace, parse_trace
from decolle_ref.oracle.verdict import Run

__all__ = ["Backend", "Outcome", "Profile", "Run", "Trace", "backends", "parse_trace", "profile", "report", "runner"]
__all__ += ["verdict"]
