# SPDX-License-Identifier: GPL-3.0-or-later
"""Three kinds of custom resources with everything that a schema can say of structure, and objects of them from a seed.

Gadget: lists with keys (also defaulted ones), sets, one-piece lists and maps. Widget: nullable fields, unknown fields,
ints or strings, defaults. Gizmo: of the cluster, with hardly a schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.random_objects import Maker, Object

GROUP = "drift.mcpops.test"

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
_MAP = {"type": "object", "additionalProperties": TEXT}


def _object(**properties: Any) -> Object:
    return {"type": "object", "properties": properties}


def _keyed(item: Object, *keys: str) -> Object:
    required = [key for key in keys if "default" not in item["properties"][key]]
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "items": {**item, "required": required},
    }


PORT = _object(port=NUMBER, protocol={"type": "string", "default": "TCP"}, label=TEXT, options=_MAP)
GADGET = _object(
    ports=_keyed(PORT, "port", "protocol"),
    rooms=_keyed(_object(name=TEXT, size=NUMBER, chairs=_keyed(_object(id=NUMBER, color=TEXT), "id")), "name"),
    tags={"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
    steps={"type": "array", "items": _object(run=TEXT, retries={"type": "integer", "default": 3})},
    selector={"x-kubernetes-map-type": "atomic", **_object(match=_MAP, mode={"type": "string", "default": "all"})},
    settings=_MAP,
    numbers={"type": "array", "items": NUMBER},
)
WIDGET = _object(
    owner={"type": "string", "nullable": True},
    house={"nullable": True, **_object(door=TEXT, floor=NUMBER)},
    limit={"x-kubernetes-int-or-string": True},
    free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    retry={"default": {}, **_object(times={"type": "integer", "default": 3}, wait={"type": "string", "default": "1s"})},
    enabled={"type": "boolean", "default": True},
    ratio={"type": "number"},
    memory=TEXT,
)
GIZMO = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(kind: str, schema: Object, scope: str = "Namespaced", group: str = GROUP) -> Object:
    plural = f"{kind.lower()}s"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object(spec=schema)},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": [version]},
    }


def definitions() -> list[Object]:
    return [definition("Gadget", GADGET), definition("Widget", WIDGET), definition("Gizmo", GIZMO, "Cluster")]


def gadget(make: Maker, name: str) -> Object:
    ports = [{"port": 53}, {"port": 53, "protocol": "UDP"}, {"port": 80, "protocol": "TCP", "label": make.word()}]
    chairs = [{"id": 1, "color": make.word()}, {"id": 2}]
    spec = {
        "ports": make.some(*ports),
        "rooms": make.some({"name": "a", "size": make.number(), "chairs": make.some(*chairs)}, {"name": "b"}),
        **make.maybe(
            tags=make.some("x", "y", "z"),
            steps=[{"run": make.word()}, {"run": make.word(), "retries": make.number()}],
            selector=make.one({"match": make.words()}, {"match": make.words(), "mode": "any"}, {}),
            settings=make.one(make.words(), {}),
            numbers=make.one([1, 2, 2], []),
        ),
    }
    return make.object(f"{GROUP}/v1", "Gadget", name, spec=spec)


def widget(make: Maker, name: str) -> Object:
    anything = {"list": [{"name": "a", "v": 1}, {"name": "b"}], "map": {"x": 1, "y": {"z": "1.10"}}, "cpu": "1000m"}
    spec = {
        "memory": make.one("1024Mi", "1Gi"),
        **make.maybe(
            owner=make.one(None, make.word()),
            house=make.one(None, {}, {"door": make.word()}),
            limit=make.one(5, "50%", "5"),
            free=make.one(anything, {}),
            retry=make.one({}, {"times": make.number()}),
            enabled=make.one(True, False),
            ratio=make.one(0.5, 1.5),
        ),
    }
    return make.object(f"{GROUP}/v1", "Widget", name, spec=spec)


def gizmo(make: Maker, name: str) -> Object:
    spec = {"a": {"b": {"c": make.word()}}, "items": [make.word(), make.number()], **make.maybe(limits={"cpu": "1.10"})}
    return make.object(f"{GROUP}/v1", "Gizmo", f"{make.prefix}-{name}", spec=spec)


def other_definition(make: Maker, name: str) -> Object:
    """A definition that nobody has objects of: its schema is what others may edit."""
    schema = make.one(GADGET, WIDGET)
    found = definition("Thing", schema, group=f"{name}.{make.prefix}.{GROUP}")
    columns = [{"name": "Limit", "type": "string", "jsonPath": ".spec.limit"}]
    found["spec"]["versions"][0] |= make.maybe(additionalPrinterColumns=columns)
    found["spec"]["names"] |= make.maybe(shortNames=["th"], categories=["all"])
    return found


CUSTOM: dict[str, Callable[[Maker, str], Object]] = {
    "Gadget": gadget,
    "Widget": widget,
    "Gizmo": gizmo,
    "CustomResourceDefinition": other_definition,
}
