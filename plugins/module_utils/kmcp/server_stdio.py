# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server of standard input and output needs beside its command. No input or output.

KMCP puts an adapter before it, agentgateway, which an init container brings along; and it knows images for the commands
npx and uvx. All three images run as root unless somebody says otherwise, which Pod Security "restricted" refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason

# what KMCP takes, with the tag VERSION-musl: pkg/controller/transportadapter/transportadapter_translator.go of 0.3.0
ADAPTER_IMAGE = "ghcr.io/agentgateway/agentgateway"
ADAPTER_CONTAINER = "copy-binary"
# commands for which the controller knows an image
COMMANDS_WITH_IMAGE: Mapping[str, str] = {"npx": "node:24-alpine3.21", "uvx": "ghcr.io/astral-sh/uv:debian"}
# any that is not root's: the adapter is one file that everybody may read
_ADAPTER_USER = 65532
# node's own user in its image; that of uv has none, and needs none
_RUNNER_USER = 1000
# the one directory of both images in which every user may write
_HOME = "/tmp"
# where the commands write, by variable; the first that is set counts. From "npm config" (cache) and "uv help" (UV_…)
_WRITES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "npx": (("npm_config_cache", "NPM_CONFIG_CACHE", "HOME"),),
    "uvx": (("UV_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), ("UV_TOOL_DIR", "XDG_DATA_HOME", "HOME")),
}
# volumes that nobody can write to
_READ_ONLY = ("configMap", "secret", "projected", "downwardAPI")
_HELP = (
    f"mirror {ADAPTER_IMAGE} and name the copy in adapter_image (or init_container.image), or choose another version "
    "with the controller's adapter_version"
)


def defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `spec.deployment` without which a server would not start, where nothing is said of them."""
    deployment = spec.get("deployment")
    if not isinstance(deployment, Mapping) or _says_user(deployment):
        user: dict[str, Any] = {}
    elif _runs_in_default_image(deployment):
        user = {"podSecurityContext": {"runAsUser": _RUNNER_USER, "runAsGroup": _RUNNER_USER}}
    elif spec.get("transportType") == "stdio":
        # the server's own image says who runs it; the adapter's says root
        own = deployment.get("securityContext")
        context = {**(own if isinstance(own, Mapping) else {}), "runAsUser": _ADAPTER_USER}
        user = {"initContainer": {"securityContext": context}}
    else:
        user = {}
    if isinstance(deployment, Mapping) and _runs_in_default_image(deployment):
        user["env"] = {"HOME": _HOME}
    return user


def problems(deployment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """npx and uvx fetch packages when they start: they need a place to write to."""
    command, context = _command(deployment), deployment.get("securityContext")
    if command not in _WRITES or not isinstance(context, Mapping) or not context.get("readOnlyRootFilesystem"):
        return
    env = deployment.get("env")
    variables = env if isinstance(env, Mapping) else {}
    told = set()
    for names in _WRITES[command]:
        name = next((one for one in names if variables.get(one)), names[-1])
        place = str(variables.get(name) or "")
        if name not in told and not _is_writable(deployment, place):
            told.add(name)
            where = f"{place} (env {name})" if place else f"its home, which env {name} does not name"
            yield (
                "security_context.readOnlyRootFilesystem",
                f"{command} writes below {where}, and no volume is mounted there that can be written to: mount an "
                f"emptyDir and set env {names[0]} or HOME to it",
            )


def adapter_problems(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    own = options.get("init_container")
    named = own.get("image") if isinstance(own, Mapping) else None
    given = options.get("adapter_image")
    if given == "":
        yield "adapter_image", "is empty; leave it out for the one that KMCP takes"
    elif given and named and given != named:
        yield "init_container.image", f"is {named}, and adapter_image is {given}: name one image"


def about_adapter(reason: Reason) -> Reason:
    """A reason of the init container, told as what it is: nothing about the server's own image or program."""
    if not reason.subject.endswith(f" container {ADAPTER_CONTAINER}"):
        return reason
    message, hint = adapter_words(reason.code, reason.message)
    return replace(reason, message=message, hint=hint or reason.hint)


def adapter_words(code: str, message: str) -> tuple[str, str]:
    """(message, advice) for a fault of the init container that brings the adapter."""
    if code == "ImagePull":
        told = message.replace("image ", "the image of KMCP's adapter for stdio servers, ", 1)
        return told, f"This is not the server's own image: {_HELP}."
    if code == "ConfigError" and "run as root" in message:
        return (
            f"the adapter for stdio servers: {message}",
            "The adapter's image runs as root: set init_container.security_context.runAsUser to any other number.",
        )
    if code in ("CannotStart", "CrashLoop", "Crashed"):
        return (
            f"the adapter for stdio servers does not copy itself: {message}",
            f"Only images with the tag VERSION-musl of {ADAPTER_IMAGE} can (from 1.0.0 on vVERSION-musl); {_HELP}.",
        )
    return f"the adapter for stdio servers: {message}", ""


def _says_user(deployment: Mapping[str, Any]) -> bool:
    """Whether somebody has chosen a user, for the pod, the container or the init container."""
    init = deployment.get("initContainer")
    contexts = (
        deployment.get("podSecurityContext"),
        deployment.get("securityContext"),
        init.get("securityContext") if isinstance(init, Mapping) else None,
    )
    return any(isinstance(one, Mapping) and one.get("runAsUser") is not None for one in contexts)


def _runs_in_default_image(deployment: Mapping[str, Any]) -> bool:
    return not deployment.get("image") and _command(deployment) in COMMANDS_WITH_IMAGE


def _command(deployment: Mapping[str, Any]) -> str:
    """The program; anything else than a text is told by a rule."""
    command = deployment.get("cmd")
    return command if isinstance(command, str) else ""


def _is_writable(deployment: Mapping[str, Any], place: str) -> bool:
    """Whether the deepest mount above a directory is a volume that can be written to."""
    if not place.startswith("/"):
        return False
    volumes = {
        str(one.get("name")): not any(kind in one for kind in _READ_ONLY)
        for one in deployment.get("volumes") or []
        if isinstance(one, Mapping)
    }
    above = [
        one
        for one in deployment.get("volumeMounts") or []
        if isinstance(one, Mapping) and f"{place}/".startswith(str(one.get("mountPath", "")).rstrip("/") + "/")
    ]
    if not above:
        return False
    deepest = max(above, key=lambda one: len(str(one.get("mountPath"))))
    return not deepest.get("readOnly") and volumes.get(str(deepest.get("name")), False)
