"""What is known about equations that do not hold, and the mistakes that several equations share.

>>> W, b = (Explanation((x,), (1,), (Cause(f"{x} does not learn"),), 9) for x in "Wb")
>>> str(together([W, b])[0].causes[0])
'W and b: does not learn'
"""

from collections.abc import Sequence
from typing import NamedTuple

TOGETHER = (("W", "b"), ("dW", "db"))  # a mistake in one is usually made in the other, too
FORMAT = "is computed in "  # the beginning of a mistake that all equations may share


class Cause(NamedTuple):
    """A mistake that is consistent with the numbers.

    Parameters
    ----------
    name : in words, the same for all traces
    detail : what was estimated from this trace, or where it shows
    mistakes : how many mistakes it is made of
    """

    name: str
    detail: str = ""
    mistakes: int = 1

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


class Explanation(NamedTuple):
    """What is known about an equation that does not hold.

    Parameters
    ----------
    equations : usually one; several if one mistake explains them together
    layers : in which they fail
    causes : that fit all these failures; one of them, if there are several
    tried : the number of hypotheses that were tried
    where : the places of the failures in words
    """

    equations: tuple[str, ...]
    layers: tuple[int, ...]
    causes: tuple[Cause, ...]
    tried: int
    where: str = ""


def together(explanations: Sequence[Explanation]) -> list[Explanation]:
    """One explanation for W and b, for dW and db, and for everything in a narrower format, where they share a cause.

    Parameters
    ----------
    explanations : one per equation, in the order of their failures

    Returns
    -------
    list of Explanation
    """
    made = list(explanations)
    for pair in TOGETHER:
        _merge(made, [each for each in made if len(each.equations) == 1 and each.equations[0] in pair], "")
    _merge(made, [each for each in made if len(each.equations) == 1], FORMAT)
    return made


def _merge(made: list[Explanation], parts: list[Explanation], begins: str) -> None:
    """Replace two or more explanations by one with the causes that they share."""
    rests = [{rest(part, cause.name): cause for cause in part.causes} for part in parts]
    parts = [part for part, names in zip(parts, rests, strict=True) if any(x.startswith(begins) for x in names)]
    rests = [names for names in rests if any(x.startswith(begins) for x in names)]
    shared = [x for x in rests[0] if x.startswith(begins) and all(x in names for names in rests)] if rests else []
    if len(parts) < 2 or not shared:
        return
    equations = tuple(sorted({x for part in parts for x in part.equations}))
    words = "everything" if begins and len(equations) > 3 else " and ".join(equations)
    causes = tuple(rests[0][name]._replace(name=f"{words}: {name}") for name in shared)
    layers = tuple(sorted({layer for part in parts for layer in part.layers}))
    whole = Explanation(equations, layers, causes, sum(part.tried for part in parts), parts[0].where)
    made[made.index(parts[0])] = whole
    for part in parts[1:]:
        made.remove(part)


def rest(part: Explanation, name: str) -> str:
    """The name of a cause without its equations: "does not learn" of "W does not learn", "W and b: does not learn".

    Parameters
    ----------
    part : the explanation
    name : of one of its causes

    Returns
    -------
    str
    """
    first = part.equations[0]
    for begins in (f"{' and '.join(part.equations)}:", "everything:", f"{first}:", f"{first},", f"{first} "):
        if name.startswith(begins):
            return name.removeprefix(begins).lstrip()
    return name
