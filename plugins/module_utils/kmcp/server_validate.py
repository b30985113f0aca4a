# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server accepts in an MCPServer and the controller or the pods then fail on: one row a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import Problem
from ..kube.capacity import wrong_amounts
from ..kube.config_digest import as_mapping, as_mappings
from ..kube.syntax import json_problems
from ..names import IMAGE, SERVICE, SUBDOMAIN, path_problem, wrong_name
from ..secrets import credentials_in, is_secret
from . import server_fields, server_policies, server_spec, server_types
from .server_fields import nanoseconds, unreadable_fields
from .server_spec import Declared

Found = Iterator[tuple[str, str]]
Rule = Callable[[Declared], Found]

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
# arguments behind a program; the path of a program may have a blank
_SEVERAL_WORDS = re.compile(r"[^/\s]+\s|\S+\s+-")
# agentgateway, which carries stdio servers, listens there: port → the variable that moves it
_ADAPTER_PORTS = {15000: "ADMIN_ADDR", 15020: "STATS_ADDR", 15021: "READINESS_ADDR"}
# what the controller adds to every pod
_OWN_VOLUMES = {"http": ("config",), "stdio": ("config", "binary")}
_OWN_MOUNTS = {"http": ("/config",), "stdio": ("/config", "/adapterbin")}
_OWN_CONTAINER = "mcp-server"
_SELECTOR_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance")
_CONFIG_MAP_NAME = 63 - len("cm-")


def server_problems(servers: Sequence[Declared]) -> list[Problem]:
    found = [
        Problem(f"{server.where}.{path}" if server.where else path, message)
        for server in servers
        for path, message in _of_server(server)
    ]
    seen: dict[tuple[str, str], str] = {}
    for server in servers:
        found += json_problems(server.options, server.where)
        if server.key in seen and server.name:
            found.append(Problem(f"{server.where}.name", f"{server.label} is declared twice (also {seen[server.key]})"))
        seen.setdefault(server.key, server.where)
    return found


def _of_server(server: Declared) -> Found:
    wrong = server_types.wrong_types(server)
    seen: set[str] = set()
    for one in wrong:
        option = server_types.option_path(one.path)
        seen.add(option)
        yield (one.path if server_types.is_raw(server, one) else option), one.message
    # whatever is missing now was of another type
    spoiled = frozenset(seen).union(*(server_types.FOLLOWING.get(path, ()) for path in seen))
    sound = server_types.without_values(server, wrong) if wrong else server
    for rule in (_name, server_policies.server_caller_problems) if "spec.deployment" in seen else RULES:
        for path, message in rule(sound):
            if not server_types.is_part(path, spoiled):
                seen.add(path)
                yield path, message
    for field in unreadable_fields(sound.resource):
        path = server_types.option_path(field.path)
        # where a rule has a better word for it, that was said; both ports follow from one option
        if path not in seen and (field.value != sound.deployment.get("port") or "port" not in seen):
            yield path, f"{field.value!r}, {field.why}; the controller would stop working for all servers"


def absence_problems(servers: Sequence[Declared]) -> list[Problem]:
    """To remove a server, its name is enough."""
    return [
        Problem(f"{server.where}.{path}" if server.where else path, message)
        for server in servers
        for path, message in _name(server)
    ]


def server_warnings(server: Declared) -> list[str]:
    """What works and is likely not meant."""
    deployment, found = server.deployment, []
    exposed = sorted(secret_env(server.deployment))
    if exposed:
        found.append(
            f"{server.label}: env holds {', '.join(exposed)} in plain text, for all who may read the "
            "MCPServer; put it into a Secret and name that in secret_refs."
        )
    found += [
        f"{server.label}: {text}" for text in (_sessions(server), *server_fields.identity_warnings(server)) if text
    ]
    tls = (server.resource["spec"].get("httpTransport") or {}).get("tls") or {}
    if tls.get("insecureSkipVerify"):
        found.append(f"{server.label}: tls.insecure_skip_verify lets clients believe any certificate.")
    image = deployment.get("image")
    if isinstance(image, str) and "@" not in image and image.rpartition("/")[2].partition(":")[2] in ("", "latest"):
        found.append(f"{server.label}: image {image} names no version, so nodes may run different ones.")
    found += [
        f"{server.label}: {path} is not a field of an MCPServer of KMCP 0.3.0; it works only where the cluster's own "
        "definition has it."
        for path in server_types.unknown_fields(server)
    ]
    command, arguments = str(deployment.get("cmd")), [str(one) for one in deployment.get("args") or []]
    if command in server_spec.COMMANDS_WITH_IMAGE and not arguments:
        found.append(
            f"{server.label}: {command} without args runs no package, so there is no server; name one in args, as "
            f"{server_fields.pin_advice(command)}."
        )
    floating = server_fields.floating_packages(command, arguments)
    if floating:
        found.append(
            f"{server.label}: {command} runs {', '.join(floating)} in whatever version it finds when a session begins; "
            f"name one, as {server_fields.pin_advice(command)}."
        )
    return found


def _sessions(server: Declared) -> str:
    """What more than one replica does to sessions, which live in the memory of one pod."""
    replicas, stateless = server.deployment.get("replicas"), server.options.get("stateless")
    if not isinstance(replicas, int) or replicas <= 1 or stateless:
        return ""
    lost = "the Service has no affinity, so clients get 404 Session not found"
    if server.resource["spec"].get("transportType") == "stdio":
        return f"{replicas} replicas of a stdio server, whose adapter keeps sessions in its pod: {lost}. Declare 1."
    if stateless is False:
        return f"{replicas} replicas of a server that keeps sessions (stateless: false): {lost}. Declare 1."
    return (
        f"{replicas} replicas share no sessions: if the server keeps any, {lost}. "
        "Set stateless: true if it keeps none, or declare 1."
    )


def secret_env(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Variables of `spec.deployment.env` whose names say that their values are secret."""
    return secret_values(as_mapping(deployment.get("env")))


def secret_values(variables: Mapping[str, Any]) -> dict[str, str]:
    """Those whose name says so, and those that hold a credential, such as the password in a URL."""
    return {
        name: value
        for name, value in variables.items()
        if isinstance(value, str) and (is_secret(name, value) or credentials_in(value))
    }


def _name(server: Declared) -> Found:
    if not server.name:
        yield "name", "is missing"
    elif wrong := wrong_name(server.name, "Service name", SERVICE):
        yield "name", wrong
    if not server.namespace:
        yield "namespace", "is missing"
    elif wrong := wrong_name(server.namespace, "namespace name"):
        yield "namespace", wrong


def _ports(server: Declared) -> Found:
    port = server.deployment.get("port")
    if not _is_port(port):
        # such a number is stored, and then no MCPServer of the cluster is reconciled any more
        yield "port", f"{port!r} is not a valid port (1 to 65535); the controller would stop working for all servers"
    transport = server.resource["spec"].get("transportType")
    target = (server.resource["spec"].get("httpTransport") or {}).get("targetPort")
    if transport == "http" and target != port:
        yield (
            "spec.httpTransport.targetPort",
            f"is {target}, and the Service leads to port {port}: they must be equal, the controller maps nothing",
        )
    env = server.deployment.get("env") or {}
    moved_by = _ADAPTER_PORTS.get(port) if isinstance(port, int) else None
    if transport == "stdio" and moved_by and moved_by not in env:
        yield (
            "port",
            f"{port} is the adapter's own: it would run, answer other things there and never the server; choose "
            f"another, or move the adapter's with env {moved_by}",
        )


def _transport(server: Declared) -> Found:
    spec = server.resource["spec"]
    transport, deployment = spec.get("transportType"), server.deployment
    if transport not in ("http", "stdio"):
        yield "transport", f"{transport!r} is neither http nor stdio"
    command, image = deployment.get("cmd"), deployment.get("image")
    if not image and str(command) not in server_spec.COMMANDS_WITH_IMAGE:
        yield "image", "is missing; only the commands npx and uvx have an image of their own"
    if image and not IMAGE.fullmatch(str(image)):
        yield "image", f"{image!r} is not a valid image reference, for example registry.example.com/team/server:1.4.2"
    if str(command).startswith(("[", "{")):
        # a structure, or what Ansible has made of one
        yield "command", "is a list or a mapping: name the program alone, its arguments belong into args"
    elif isinstance(command, str) and _SEVERAL_WORDS.match(command):
        # KMCP makes one word of it, and no program has such a name
        yield "command", f"{command!r} is more than a program: name it alone, what follows belongs into args"
    if transport == "stdio" and not command:
        yield "command", "is missing: a stdio server is started by it for every session"
    path = (spec.get("httpTransport") or {}).get("path")
    wrong_path = path_problem(str(path)) if path is not None else ""
    if wrong_path:
        yield "path", wrong_path
    timeout = spec.get("timeout")
    if timeout is not None and (nanoseconds(str(timeout)) or 0) <= 0:
        # such a text is stored, too, and ends the controller's list of all servers
        yield "timeout", f"{timeout!r} is not a valid duration such as 30s or 1m30s"
    if server.options.get("tls") is not None and transport == "stdio":
        yield "tls", "is about the connection to an HTTP server; a stdio server has none"
    if server.options.get("stateless") and transport == "stdio":
        yield "stateless", "is true, and the adapter that carries a stdio server always keeps sessions"


def _stdio(server: Declared) -> Found:
    yield from server_spec.adapter_problems(server.options)
    image = as_mapping(server.deployment.get("initContainer")).get("image")
    if image and not IMAGE.fullmatch(str(image)):
        option = "adapter_image" if server.options.get("adapter_image") == image else "init_container.image"
        yield (
            option,
            f"{image!r} is not a valid image reference such as registry.example.com/mirror/agentgateway:0.9.0-musl",
        )
    yield from server_spec.stdio_problems(server.deployment)


def _environment(server: Declared) -> Found:
    for name in server.deployment.get("env") or {}:
        if not _ENV_NAME.fullmatch(name):
            yield f"env.{name}", "is no name of an environment variable"


def _references(server: Declared) -> Found:
    for field, option in (("secretRefs", "secret_refs"), ("imagePullSecrets", "image_pull_secrets")):
        for index, item in enumerate(server.deployment.get(field) or []):
            name = str(as_mapping(item).get("name") or "")
            if not name:
                yield f"{option}[{index}]", "names no Secret"
            elif wrong := _wrong_reference(name, "Secret"):
                yield f"{option}[{index}]", wrong
    for index, item in enumerate(server.deployment.get("configMapRefs") or []):
        name = str(as_mapping(item).get("name") or "")
        if name and name == server.name:
            yield (
                f"config_map_refs[{index}]",
                f"{name!r} is the ConfigMap that KMCP makes for this server and overwrites",
            )
        elif wrong := _wrong_reference(name, "ConfigMap") or wrong_name(
            name, f"ConfigMap name here, where it becomes the volume cm-{name}", longest=_CONFIG_MAP_NAME
        ):
            yield f"config_map_refs[{index}]", wrong
    tls = str(((server.resource["spec"].get("httpTransport") or {}).get("tls") or {}).get("secretRef") or "")
    if tls and (wrong := _wrong_reference(tls, "Secret")):
        yield "tls.secret_ref", wrong
    account = server.deployment.get("serviceAccountName")
    if account is not None and (wrong := _wrong_reference(str(account), "ServiceAccount")):
        yield "service_account_name", wrong


def _wrong_reference(name: str, kind: str) -> str:
    """Why an object of this kind cannot have this name."""
    if name.startswith("{"):
        # an item of a list of names that was a mapping: Ansible has made a text of it
        return f"{name!r} is not a valid {kind} name: give the name alone, as a text"
    return wrong_name(name, f"{kind} name", SUBDOMAIN)


def _resources(server: Declared) -> Found:
    deployment = server.deployment
    yield from wrong_amounts("resources", deployment.get("resources"))
    yield from wrong_amounts("init_container.resources", as_mapping(deployment.get("initContainer")).get("resources"))
    for index, sidecar in enumerate(deployment.get("sidecars") or []):
        yield from wrong_amounts(f"sidecars[{index}].resources", as_mapping(sidecar).get("resources"))


def _identity(server: Declared) -> Found:
    deployment = server.deployment
    if deployment.get("serviceAccount") is not None and deployment.get("serviceAccountName") is not None:
        yield "service_account", "and service_account_name exclude each other: one makes an account, one uses another's"
    for label in _SELECTOR_LABELS:
        if label in (deployment.get("labels") or {}):
            yield f"labels.{label}", "is what the Deployment selects its pods by; overriding it breaks the server"
    replicas = deployment.get("replicas")
    if replicas is not None and (not isinstance(replicas, int) or replicas < 0):
        yield "replicas", f"{replicas!r} is not a valid number of pods"


def _volumes(server: Declared) -> Found:
    deployment, transport = server.deployment, str(server.resource["spec"].get("transportType"))
    own = [*_OWN_VOLUMES.get(transport, ()), *(f"cm-{item}" for item in _names(deployment.get("configMapRefs")))]
    known = set(own)
    for index, name in enumerate(_names(deployment.get("volumes"))):
        if name in known:
            yield f"volumes[{index}]", f"the volume name {name!r} is taken{' by the controller' if name in own else ''}"
        known.add(name)
    taken = {
        *_OWN_MOUNTS.get(transport, ()),
        *(f"/configmaps/{item}" for item in _names(deployment.get("configMapRefs"))),
    }
    for index, mount in enumerate(deployment.get("volumeMounts") or []):
        name, place = mount.get("name"), str(mount.get("mountPath", "")).rstrip("/") or "/"
        if name not in known:
            yield f"volume_mounts[{index}]", f"mounts the volume {name!r}, which is not declared in volumes"
        if place in taken:
            yield f"volume_mounts[{index}]", f"{place} is mounted already"
        taken.add(place)
    containers = {_OWN_CONTAINER}
    for index, name in enumerate(_names(deployment.get("sidecars"))):
        if name in containers:
            yield f"sidecars[{index}]", f"the container name {name!r} is taken"
        containers.add(name)


RULES: tuple[Rule, ...] = (
    *(_name, _transport, _ports, _stdio, _environment),
    *(server_fields.text_problems, server_fields.label_problems, _references, _resources, _identity, _volumes),
    *(server_fields.identity_problems, server_policies.server_caller_problems),
)


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def _names(items: Any) -> list[str]:
    return [str(item.get("name")) for item in as_mappings(items)]
