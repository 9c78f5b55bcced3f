"""A class can use it: exercises whose answers are checked, with hints.

| module | question |
| --- | --- |
| `task` | What is an exercise? |
| `tasks/` | Which exercises are there?  One module per notebook |
| `registry` | Which exercise has this name? |
| `outcome` | What does a function give that may do anything? |
| `checking` | Is a student's function right, and if not, which hint fits? |
| `derivation` | Which term does a derivation of dL/dW leave out? |
| `right_backend` | How do the functions look that are broken in notebook 12? |
| `sliders` | How does a picture change with a number? |
| `student_copy` | Which notebook does a student get? |
| `autograde` | How many points does each notebook in a folder get? |
| `submission` | What does the process do that runs one of them? |

A notebook needs `teach.check("trace_step", trace_step)` and `teach.explore(draw, tau=(5, 20, 50))`.  Read `task` first.
"""

from decolle_ref.teach import derivation, registry
from decolle_ref.teach.checking import check, judge
from decolle_ref.teach.sliders import explore
from decolle_ref.teach.task import Slip, Task, Verdict

__all__ = ["Slip", "Task", "Verdict", "check", "derivation", "explore", "judge", "registry"]
