# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict JSON schemas and operations taken from Microsoft's installed SDKs: a judge that was not written here.

The server reads request bodies by them as the AKS provider does (members it does not know are dropped, wrong types and
unknown values refused); the tests validate every answer against them.
"""

from __future__ import annotations

import ast
import enum
import importlib
import re
import sys
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from .wire import AksError

CONTAINER_SERVICE, COMPUTE = "azure.mgmt.containerservice", "azure.mgmt.compute"
CONTAINER_REGISTRY = "azure.mgmt.containerregistry"
KEY_VAULT, STORAGE = "azure.mgmt.keyvault", "azure.mgmt.storage"
POSTGRES = "azure.mgmt.postgresqlflexibleservers"
NETWORK, DNS, PRIVATE_DNS = "azure.mgmt.network", "azure.mgmt.dns", "azure.mgmt.privatedns"
# Of a very large package that is read which serves us: its client alone takes seconds to import.
PARTS = {NETWORK: "public_ip_addresses_"}
Schema = dict[str, Any]

SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bytes: {"type": "string", "format": "byte"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    timedelta: {"type": "string", "format": "duration"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


# --- models


class _Models:
    """The models of one SDK package as definitions of one schema."""

    def __init__(self, package: str) -> None:
        without_client(package)
        self.module = importlib.import_module(f"{package}.models")
        self.base: type[Any] = importlib.import_module(f"{package}._utils.model_base").Model
        self.definitions: dict[str, Schema] = {}

    def reference(self, model: type[Any]) -> Schema:
        name = model.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # models refer to themselves
            self.definitions[name] = self._object(model)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, model: type[Any]) -> Schema:
        model({})  # its fields are bound when it is made for the first time
        hints = typing.get_type_hints(model, localns={"_models": self.module})
        properties, required = {}, []
        for attribute, field in model._attr_to_rest_field.items():
            visibility = list(field._visibility or [])
            schema = dict(self.schema(hints[attribute]))
            if visibility == ["read"]:
                schema["readOnly"] = True
            elif type(None) not in typing.get_args(hints[attribute]):
                required.append(field._rest_name)
            properties[field._rest_name] = schema
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def schema(self, hint: Any) -> Schema:
        if hint in SIMPLE:
            return SIMPLE[hint]
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is list:
            return {"type": "array", "items": self.schema(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        if origin is typing.Literal:
            return {"enum": [value.value if isinstance(value, enum.Enum) else value for value in arguments]}
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"type": "string", "x-known-values": [member.value for member in hint]}
        if isinstance(hint, type) and issubclass(hint, self.base):
            return self.reference(hint)
        raise TypeError(f"The SDK has an annotation this generator does not know: {hint!r}")

    def _union(self, arguments: tuple[Any, ...]) -> Schema:
        """An open enumeration is `str | Enum`: any text, with the values known to this version."""
        enums = [self.schema(item) for item in arguments if isinstance(item, type) and issubclass(item, enum.Enum)]
        rest = [item for item in arguments if not (isinstance(item, type) and issubclass(item, enum.Enum))]
        if enums:
            rest = [item for item in rest if item is not str]
        options = enums + [self.schema(item) for item in rest]
        return options[0] if len(options) == 1 else {"anyOf": options}


def directory_of(package: str) -> Path:
    """Where a package of Microsoft's lies, which is not imported for that."""
    above, _, name = package.rpartition(".")
    places = [Path(place) / name for place in importlib.import_module(above).__path__]
    return next(place for place in places if place.is_dir())


def without_client(package: str) -> None:
    """Let the models of a large package be imported without its client."""
    if package in PARTS and package not in sys.modules:
        bare = types.ModuleType(package)
        bare.__path__ = [str(directory_of(package))]
        sys.modules[package] = bare


class _OlderModels:
    """The same of a package from before: models say their fields in tables (msrest)."""

    WORDS: typing.ClassVar = {"str": str, "int": int, "bool": bool, "float": float, "object": object}

    def __init__(self, package: str) -> None:
        self.module = importlib.import_module(f"{package}.models")
        self.definitions: dict[str, Schema] = {}

    def reference(self, model: type[Any]) -> Schema:
        name = model.__name__
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._object(model)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, model: type[Any]) -> Schema:
        found: Schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        for attribute, field in model._attribute_map.items():
            *outer, last = field["key"].split(".")
            into = found
            for part in outer:
                empty: Schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
                into = into["properties"].setdefault(part, empty)
            into["properties"][last] = {"anyOf": [self._schema(field["type"]), {"type": "null"}]}
            if model._validation.get(attribute, {}).get("required"):
                into["required"].append(last)
        return found

    def _schema(self, word: str) -> Schema:
        if word[0] == "[":
            return {"type": "array", "items": self._schema(word[1:-1])}
        if word[0] == "{":
            return {"type": "object", "additionalProperties": self._schema(word[1:-1])}
        if word in self.WORDS:
            return SIMPLE[self.WORDS[word]]
        return self.reference(getattr(self.module, word))


@lru_cache(maxsize=32)
def model_schema(package: str, model: str, many: bool = False) -> Schema:
    """The strict schema of one model, or of a page of them."""
    models = _OlderModels(package) if package == DNS else _Models(package)
    reference = models.reference(getattr(models.module, model))
    if many:
        properties = {"value": {"type": "array", "items": reference}, "nextLink": {"type": "string"}}
        reference = {"type": "object", "properties": properties, "required": ["value"], "additionalProperties": False}
    return {**reference, "$defs": models.definitions}


# --- request bodies


def read_body(sent: Any, model: str) -> Any:
    """A request body as the AKS provider understands it."""
    schema = model_schema(CONTAINER_SERVICE, model)
    return _read(sent, {key: value for key, value in schema.items() if key != "$defs"}, schema["$defs"], "")


NAMES = {"string": str, "boolean": bool, "array": list, "object": dict}


def _read(value: Any, schema: Schema, definitions: dict[str, Schema], path: str) -> Any:
    if value is None or not schema:
        return value
    if "anyOf" in schema:
        schema = next(option for option in schema["anyOf"] if option.get("type") != "null")
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    fits = isinstance(value, NAMES[kind]) if kind in NAMES else isinstance(value, int | float)
    if kind in ("integer", "number"):
        fits = fits and not isinstance(value, bool) and (kind == "number" or isinstance(value, int))
    if kind and not fits:
        raise AksError(
            400,
            "UnmarshalError",
            f"UnmarshalEntity encountered error: cannot unmarshal {type(value).__name__} into field "
            f"{path or 'the resource'} of type {kind}.",
            target=path or None,
        )
    if kind == "array":
        return [_read(item, schema["items"], definitions, path) for item in value]
    if kind == "object":
        return _read_object(value, schema, definitions, path)
    known = schema.get("x-known-values")
    if known and value and value.lower() not in [name.lower() for name in known]:
        raise AksError(
            400,
            "InvalidParameter",
            f"The value of parameter {path} is invalid. Error details: '{value}' is none of {', '.join(known)}.",
            target=path,
        )
    return value


def _read_object(value: dict[str, Any], schema: Schema, definitions: dict[str, Schema], path: str) -> dict[str, Any]:
    inner = schema.get("properties")
    if inner is None:
        items = schema.get("additionalProperties") or {}
        return {name: _read(item, items, definitions, f"{path}.{name}".lstrip(".")) for name, item in value.items()}
    below = "" if path in ("", "properties") else f"{path}."
    return {name: _read(item, inner[name], definitions, below + name) for name, item in value.items() if name in inner}


# --- operations


@dataclass(frozen=True)
class SdkOperation:
    """One call of an SDK: where it goes and which answers it accepts."""

    name: str  # managed_clusters_create_or_update
    method: str
    path: str  # parameters as {}
    codes: frozenset[int]


def shape(path: str) -> str:
    """A path template with its parameters' names taken out, for comparing ours with theirs."""
    return re.sub(r"\{\w+\}", "{}", path).lower()


@lru_cache(maxsize=8)
def operations(package: str) -> tuple[SdkOperation, ...]:
    # an older package has a file a class, and may name builders of several alike
    files = sorted((directory_of(package) / "operations").glob("_*operations.py"))
    return tuple(one for file in files for one in _in(file, PARTS.get(package, "")))


def _in(file: Path, part: str) -> Iterator[SdkOperation]:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(_part(text, part) if part else text)
    builders = {
        node.name: found
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("build_") and (found := _request_of(node))
    }
    codes: dict[str, set[int]] = {}
    for klass in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for method in (node for node in klass.body if isinstance(node, ast.FunctionDef)):
            for called in _called(method) & set(builders):
                codes.setdefault(called, set()).update(_accepted(method))
    of = file.stem.removeprefix("_").removesuffix("operations")
    for name, (verb, url) in builders.items():
        if name in codes:
            bare = name.removeprefix("build_").removesuffix("_request")
            called = bare if bare.startswith(of) else of + bare
            yield SdkOperation(called, verb, shape(url), frozenset(codes[name]))


def _part(text: str, prefix: str) -> str:
    """The builders and the class of some operations: the whole file takes seconds to read."""
    klass = f"class {prefix.replace('_', '')}operations"
    blocks = re.split(r"(?m)^(?=def |class )", text)
    return "".join(one for one in blocks if one.startswith(f"def build_{prefix}") or one.lower().startswith(klass))


def _request_of(builder: ast.FunctionDef) -> tuple[str, str] | None:
    """The verb and the URL template that a request builder holds."""
    url = verb = ""
    for node in ast.walk(builder):
        if isinstance(node, ast.Assign) and _is_name(node.targets[0], "_url"):
            # an older package lets a caller replace it: kwargs.pop("template_url", "/subscriptions/...")
            last = node.value.args[-1] if isinstance(node.value, ast.Call) and node.value.args else node.value
            url = str(last.value) if isinstance(last, ast.Constant) else url
        if isinstance(node, ast.Call) and _is_name(node.func, "HttpRequest"):
            verb = next(str(key.value.value) for key in node.keywords if key.arg == "method" and _constant(key.value))
    return (verb, url) if url and verb else None


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _constant(node: ast.expr) -> typing.TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant)


def _called(method: ast.FunctionDef) -> set[str]:
    calls = (node.func for node in ast.walk(method) if isinstance(node, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)}


def _accepted(method: ast.FunctionDef) -> Iterator[int]:
    """The numbers of `if response.status_code not in [...]`."""
    for node in ast.walk(method):
        if not (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn)):
            continue
        values = node.comparators[0]
        if isinstance(node.left, ast.Attribute) and node.left.attr == "status_code" and isinstance(values, ast.List):
            yield from (item.value for item in values.elts if _constant(item) and isinstance(item.value, int))
