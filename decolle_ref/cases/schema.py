"""The published JSON Schemas, and a checker for the part of JSON Schema that they use, with one clear line per fault.

>>> list(faults({"steps": 0}, {"type": "object", "properties": {"steps": {"type": "integer", "minimum": 1}}}))
['steps: expected at least 1, got 0']
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from decolle_ref._util import reading
from decolle_ref._util.check import InputError

TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
TYPES |= {"integer": int, "number": int | float}


def _has_type(value: Any, name: str) -> bool:
    """A type of JSON Schema, where true is no integer."""
    return name == "boolean" if isinstance(value, bool) else isinstance(value, TYPES[name])


Holds = Callable[[Any, Any], bool]
KEYWORDS: dict[str, tuple[Holds, Callable[[Any], str]]] = {  # checked in this order: types before limits
    "const": (lambda value, constant: value == constant and type(value) is type(constant), repr),
    "enum": (lambda value, options: value in options, lambda options: f"one of {', '.join(options)}"),
    "type": (_has_type, str),
    "minimum": (lambda value, limit: value >= limit, "at least {}".format),
    "exclusiveMinimum": (lambda value, limit: value > limit, "more than {}".format),
    "exclusiveMaximum": (lambda value, limit: value < limit, "less than {}".format),
    "minLength": (lambda value, limit: len(value) >= limit, "length at least {}".format),
    "minItems": (lambda value, limit: len(value) >= limit, "items at least {}".format),
}


@cache
def load(name: str) -> dict[str, Any]:
    """A published schema.

    Parameters
    ----------
    name : {"case", "trace"}

    Returns
    -------
    dict
    """
    text = (files("decolle_ref.cases") / "schemas" / f"{name}.schema.json").read_text()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def read(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file, checked against a published schema.

    Parameters
    ----------
    path : Path
    name : {"case", "trace"}

    Returns
    -------
    dict

    Raises
    ------
    InputError
        For a file that is missing, too large, not JSON, of a newer version, or against the schema.
    """
    content = parse(path)
    newest = load(name)["properties"]["version"]["const"]
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > newest:
        raise InputError(f"{path}: expected format version {newest}, got {version}, which is newer than this program")
    for fault in faults(content, load(name)):
        raise InputError(f"{path}: {fault}")
    assert isinstance(content, dict)
    return content


def parse(path: Path) -> Any:
    """The JSON value in a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict, list, str, int, float, bool or None
        A number without fraction, such as 2.0, is an integer, as in JSON Schema.

    Raises
    ------
    InputError
        In one line, for a file that is missing, too large, or not JSON within the limits of `_util.reading`.
    """
    return reading.read_json(path, _number)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**63 else number


def faults(value: Any, rule: dict[str, Any], place: str = "") -> Iterator[str]:
    """Every way in which a JSON value breaks a schema.

    Parameters
    ----------
    value : dict, list, str, int, float, bool or None
        The value, as `parse` returns it.
    rule : dict
        The schema, or the part of it that applies to this value.
    place : str
        Where the value stands, such as "layers[0].n"; empty for the whole file.

    Yields
    ------
    str
        "place: expected ..., got ..."
    """
    if "anyOf" in rule:
        yield from _closest(value, rule["anyOf"], place)
        return
    where = place or "top level"
    for keyword, (holds, words) in KEYWORDS.items():
        if keyword in rule and not holds(value, rule[keyword]):
            yield f"{where}: expected {words(rule[keyword])}, got {_short(value)}"
            return
    if isinstance(value, dict):
        known = rule.get("properties", {})
        yield from (f"{where}: expected {key}, got none" for key in rule.get("required", []) if key not in value)
        for key, item in value.items():
            if key in known:
                yield from faults(item, known[key], f"{place}.{key}" if place else key)
            elif rule.get("additionalProperties") is False:
                yield f"{where}: expected only {', '.join(known)}, got {_short(key)}"
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from faults(item, rule.get("items", {}), f"{place}[{k}]")


def _closest(value: Any, rules: list[dict[str, Any]], place: str) -> Iterator[str]:
    """Nothing if one of the rules holds; else the faults by the rule that comes closest: right type, fewest faults."""
    by_rule = [list(faults(value, rule, place)) for rule in rules]
    if all(by_rule):
        ranks = [(not _has_type(value, rule["type"]), len(lines)) for rule, lines in zip(rules, by_rule, strict=True)]
        yield from by_rule[ranks.index(min(ranks))]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
