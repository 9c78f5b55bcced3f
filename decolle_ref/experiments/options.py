"""An option is declared once: as a field of an experiment's `Settings`.

    @dataclass(frozen=True)
    class Settings(CommonSettings):
        epochs: int = option(200, "how often the sequence is shown", quick=5)

The field's name, type and default make the command-line option `--epochs N`; `quick` is its value under `--quick`.  An
integer must be at least 1 and a number at least 0, unless the option says otherwise.
"""

from collections.abc import Iterable
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, TypeVar

from decolle_ref._util.check import count, not_negative, positive, validate_choice

T = TypeVar("T")


def option(
    default: Any,
    text: str,
    *,
    quick: Any = MISSING,
    choices: Iterable[str] = (),
    least: int = 1,
    above_zero: bool = False,
    positional: bool = False,
    extendable: bool = False,
) -> Any:
    """A field of `Settings` with its help text.

    Parameters
    ----------
    default
        The value where nothing is given.
    text
        The help text, with the unit.
    quick
        The value under `--quick`, if it is another one.
    choices
        The allowed words, if there are only some.
    least
        The smallest allowed integer.
    above_zero
        Whether a number must be above 0, not only at least 0.
    positional
        Whether the values follow the command without an option's name.
    extendable
        Whether a resumed run may have a larger value than its checkpoint: the length of a run.
    """
    rules = {"choices": tuple(choices), "least": least, "above_zero": above_zero}
    place = {"positional": positional, "extendable": extendable}
    return field(default=default, metadata={"help": text, "quick": quick, **place, **rules})


@dataclass(frozen=True)
class CommonSettings:
    """The settings that all experiments have.  Raises InputError for values that make no sense."""

    seed: int = option(0, "seed of everything random", least=0)
    quick: bool = option(False, "same code and network on less data; the result is marked as not comparable")

    @property
    def seeds(self) -> range:
        """All seeds that a run of these settings uses, each for a network or a training of its own."""
        return range(self.seed, self.seed + 1)

    def __post_init__(self) -> None:
        for f in fields(self):
            _validate(f, getattr(self, f.name))


def _validate(option: "Field[Any]", value: Any) -> None:
    """Raise InputError unless a value, or every entry of a tuple, fits the declaration of its option."""
    rules, name = option.metadata, option.name
    if isinstance(option.default, tuple) and option.default:
        count(f"number of {name}", len(value))
    for entry in value if isinstance(value, tuple) else (value,):
        if rules["choices"]:
            validate_choice(name, entry, rules["choices"])
        elif isinstance(option.default, float):
            (positive if rules["above_zero"] else not_negative)(name, entry)
        elif not isinstance(option.default, bool | str) and option.default != ():
            count(name, entry, rules["least"])


def settings_of(kind: type[T], quick: bool = False, **given: Any) -> T:
    """Settings of one experiment.

    Parameters
    ----------
    kind
        The class of the settings: `experiment(name).settings`.
    quick
        Whether values that are not given are those of a quick run.
    given
        Values by the names of the fields.

    Returns
    -------
    kind
        The settings.

    Raises
    ------
    InputError
        For values that make no sense.
    """
    values = {f.name: f.metadata["quick"] for f in fields(kind) if quick and f.metadata["quick"] is not MISSING}  # type: ignore[arg-type]
    return kind(**values | {"quick": quick} | given)


def extendable(settings: Any) -> set[str]:
    """The names of the settings that a resumed run may increase."""
    return {f.name for f in fields(settings) if f.metadata["extendable"]}


def plain(settings: Any) -> dict[str, Any]:
    """Settings as JSON gives them back: tuples are lists.  The experiment's own settings come first."""
    values, common = asdict(settings), [f.name for f in fields(CommonSettings)]
    names = sorted(values, key=lambda name: name in common)
    return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in names}
