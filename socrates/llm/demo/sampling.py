"""The plainest value that fits a JSON schema."""

from collections.abc import Mapping
from typing import Any

_PLAIN: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def sample(schema: Mapping[str, Any]) -> Any:
    """Empty strings and arrays, zeros, the first of an enumeration, null where it may be; every property of an object.

    It knows references within the schema; bounds of lengths and numbers are not looked at.
    """
    return _sample(schema, schema)


def _sample(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(_resolved(schema["$ref"], root), root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            nullable = {"type": "null"} in schema[union]
            return None if nullable else _sample(schema[union][0], root)
    return _of_type(schema, root)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else kind[0]
    if kind == "array":
        return []
    if kind == "object":
        return {name: _sample(inner, root) for name, inner in schema.get("properties", {}).items()}
    return _PLAIN[kind]


def _resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found
