"""The published JSON Schemas, and the part of JSON Schema that they use, checked with one clear line per fault."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from decolle_ref._util.check import InputError

LARGEST = 1 << 20  # bytes of JSON; a case needs a few hundred

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("at least", lambda value, limit: value >= limit),
    "exclusiveMinimum": ("more than", lambda value, limit: value > limit),
    "exclusiveMaximum": ("less than", lambda value, limit: value < limit),
    "minLength": ("length at least", lambda value, limit: len(value) >= limit),
    "minItems": ("items at least", lambda value, limit: len(value) >= limit),
}


@cache
def schema(name: str) -> dict[str, Any]:
    """The published schema `name`: "case" or "trace"."""
    text = (files("decolle_ref.cases") / "schemas" / f"{name}.schema.json").read_text()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def read(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in `path`, which follows schema `name`.

    Raises InputError for a file that is missing, too large, not JSON, of a newer version, or against the schema.
    """
    content = parse(path)
    newest = schema(name)["properties"]["version"]["const"]
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > newest:
        raise InputError(f"{path}: expected format version {newest}, got {version}, which is newer than this program")
    for fault in faults(content, schema(name)):
        raise InputError(f"{path}: {fault}")
    assert isinstance(content, dict)
    return content


def parse(path: Path) -> Any:
    """The JSON in `path`.  Raises InputError, in one line, for a file that is missing, too large, or not JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a JSON number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key stands twice in one object")
        return dict(pairs)

    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        return json.loads(raw.decode(), parse_constant=refuse, object_pairs_hook=unique, parse_float=_number)
    except OSError as problem:
        raise InputError(f"{path}: expected a JSON file, got none ({problem.strerror})") from None
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path}: expected JSON, got something else ({problem})") from None


def _number(text: str) -> int | float:
    """A JSON number; 2.0 is the integer 2, as JSON Schema has it."""
    number = float(text)
    return int(number) if number.is_integer() else number


def faults(value: Any, rule: dict[str, Any], place: str = "") -> Iterator[str]:
    """Every way in which `value` breaks `rule`, as "place: expected ..., got ..."."""
    where = place or "top level"
    if "anyOf" in rule:
        yield from _any_of(value, rule["anyOf"], place)
    elif "const" in rule and (value != rule["const"] or type(value) is not type(rule["const"])):
        yield f"{where}: expected {rule['const']!r}, got {_short(value)}"
    elif "enum" in rule and value not in rule["enum"]:
        yield f"{where}: expected one of {', '.join(rule['enum'])}, got {_short(value)}"
    elif "type" in rule and not _is(value, rule["type"]):
        yield f"{where}: expected {rule['type']}, got {_short(value)}"
    else:
        for key, (words, holds) in LIMITS.items():
            if key in rule and not holds(value, rule[key]):
                yield f"{where}: expected {words} {rule[key]}, got {_short(value)}"
        yield from _inside(value, rule, place)


def _inside(value: Any, rule: dict[str, Any], place: str) -> Iterator[str]:
    if isinstance(value, dict):
        known = rule.get("properties", {})
        for key in rule.get("required", []):
            if key not in value:
                yield f"{place or 'top level'}: expected {key}, got none"
        for key, item in value.items():
            if key in known:
                yield from faults(item, known[key], f"{place}.{key}" if place else key)
            elif rule.get("additionalProperties") is False:
                yield f"{place or 'top level'}: expected only {', '.join(known)}, got {_short(key)}"
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from faults(item, rule.get("items", {}), f"{place}[{k}]")


def _any_of(value: Any, rules: list[dict[str, Any]], place: str) -> Iterator[str]:
    """Nothing if one of the rules holds; else the faults by the rule that comes closest: fewest faults, type first."""
    tried = [list(faults(value, rule, place)) for rule in rules]
    if all(tried):
        order = [(not _is(value, rule["type"]), len(found)) for rule, found in zip(rules, tried, strict=True)]
        yield from tried[order.index(min(order))]


def _is(value: Any, name: str) -> bool:
    """JSON Schema's types; true is no integer."""
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
