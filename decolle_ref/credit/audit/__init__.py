"""Audits of a gradient: which terms a method drops, and whether a derivation of yours is right.

| module | question |
| --- | --- |
| `dropped` | Which terms account for the difference of two methods on one network? |
| `derivation` | Is a derivation of dL/dW and dL/dV exact, and if not, what explains its numbers? |
| `hypotheses` | Which mistakes do people make, and which numbers does each of them give? |
| `report` | How is the answer found and printed? |

The checks are in `dropped.compare` and `derivation.check`; the other functions assume comparisons, tapes and backward
inputs that these have made.

Read `dropped` first.  The modules in `__all__` are public; `template.py` is the file that `decolle-ref check-derivation
--template` prints.
"""

from decolle_ref.credit.audit import derivation, dropped, hypotheses, report

__all__ = ["derivation", "dropped", "hypotheses", "report"]
