"""Each option of an experiment is declared once, as a field of its `Settings`.

    @dataclass(frozen=True)
    class Settings:
        epochs: int = option(200, "how often the sequence is shown", quick=5)

The field's name, type and default make the command-line option `--epochs N`; `quick` is its value under `--quick`.
"""

from collections.abc import Iterable
from dataclasses import MISSING, asdict, field, fields
from typing import Any, TypeVar

T = TypeVar("T")
SEED = "seed of everything random"
QUICK = "same code and network on less data; the result is marked as not comparable"


def option(
    default: Any, text: str, *, quick: Any = MISSING, choices: Iterable[str] = (), positional: bool = False
) -> Any:
    """A field of `Settings` with its help text.

    Parameters
    ----------
    default
        The value if the user gives none.
    text
        The help text, with the unit.
    quick
        The value under `--quick`, if it differs from the default.
    choices
        The allowed words; empty: all values.
    positional
        If true, the values follow the command without the name of an option.
    """
    return field(
        default=default, metadata={"help": text, "quick": quick, "choices": tuple(choices), "positional": positional}
    )


def settings_of(kind: type[T], quick: bool = False, **given: Any) -> T:
    """Make the settings of one experiment.

    Parameters
    ----------
    kind
        The class of the settings: `experiment(name).settings`.
    quick
        If true, values that are not given are those of a quick run.
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


def plain(settings: Any) -> dict[str, Any]:
    """Settings as JSON stores them: tuples become lists."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}
