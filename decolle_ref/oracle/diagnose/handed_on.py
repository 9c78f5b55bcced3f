"""Known mistakes in what a trace may show besides: the loss of every step, and what a run hands on at its end."""

from dataclasses import replace

from decolle_ref._util.check import Array
from decolle_ref.decolle.objective import cross_entropy, smooth_l1, squared_error
from decolle_ref.oracle.check import ends as check
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.diagnose.changes import like, only_if, with_objective
from decolle_ref.oracle.diagnose.estimates import Family
from decolle_ref.oracle.diagnose.general import table
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Result
from decolle_ref.oracle.diagnose.regularising import has_regulariser
from decolle_ref.oracle.diagnose.site import Site
from decolle_ref.oracle.trace import LOSS


def table_of(name: str) -> list[Hypothesis | Family]:
    """Mistakes in the loss and in what a run hands on after its last step."""
    made = table(name)
    if name == LOSS:
        return [*_losses(), *made]
    letter = name.removesuffix("_final")
    if letter in ("Q", "P", "R"):
        made += [
            Hypothesis(f"{name} and {x}_final are exchanged", result=_exchanged(name, f"{x}_final"))
            for x in "QPR"
            if x != letter
        ]
        made.insert(
            0, Hypothesis(f"{name} is {letter} at the last step, without its update", result=_not_updated(letter))
        )
    return made


def _exchanged(name: str, other: str) -> Result:
    """Two arrays of the final state under each other's name."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        trace = site.trace | {name: site.trace[other], other: site.trace[name]}
        right = check.final_state(replace(site, trace=trace), site.arithmetic)[other]
        value, err = (x.copy() for x in made)
        value[-1], err[-1] = like(right.value, value[-1]), right.err
        return Bounded(value, err)

    return result


def _not_updated(letter: str) -> Result:
    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        value, err = (x.copy() for x in made)
        value[-1], err[-1] = site.trace[letter][-1], 0
        return Bounded(value, err)

    return result


def _loss(edit: Edit) -> Form:
    return lambda site: check.loss(edit(site), site.arithmetic)


REDUCTIONS = {"the factor of a mean": "mean", "its terms summed": "sum"}
OTHER_LOSSES = {"squared error": squared_error, "smooth L1 loss": smooth_l1, "cross-entropy": cross_entropy}


def _losses() -> list[Hypothesis]:
    bare = only_if(has_regulariser, with_objective(regulariser=None))
    return [
        Hypothesis("loss without the regularisers", form=_loss(bare)),
        *(Hypothesis(f"loss with {words}", form=_loss(with_objective(reduction=x))) for words, x in REDUCTIONS.items()),
        *(Hypothesis(f"loss is the {words}", form=_loss(with_objective(loss=f))) for words, f in OTHER_LOSSES.items()),
    ]
