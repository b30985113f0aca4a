# SPDX-License-Identifier: GPL-3.0-or-later
"""Build an image of a Dockerfile that runs nothing: as much of `docker build` as needs no container.

FROM (one), ARG, ENV, LABEL, WORKDIR, COPY (from the context, without flags), USER, EXPOSE, ENTRYPOINT, CMD and
STOPSIGNAL, as https://docs.docker.com/reference/dockerfile/ describes them. Everything else, RUN above all, is refused
by name.
"""

from __future__ import annotations

import fnmatch
import io
import json
import posixpath
import re
import shlex
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.images.builder import (
    CONFIG_TYPE,
    CREATED,
    DEFAULT_PATH,
    EPOCH,
    LAYER_TYPE,
    MANIFEST_TYPE,
    gzip_stored,
    sha256,
)

Config = dict[str, Any]


class BuildFailed(Exception):
    """The Dockerfile cannot be built; the message is the last line of the log."""


@dataclass(frozen=True)
class Base:
    """What FROM names: its configuration and the descriptors of its layers."""

    config: Config
    layers: Sequence[Mapping[str, Any]] = ()


SCRATCH = Base({"architecture": "amd64", "os": "linux", "config": {"Env": [f"PATH={DEFAULT_PATH}"]}, "rootfs": {}})


@dataclass
class Built:
    """A configuration and the layers that were added to the base's."""

    base: Base
    config: Config
    layers: list[tuple[bytes, str]] = field(default_factory=list)  # as stored, and the digest of the tar

    def document(self) -> bytes:
        """The image's configuration."""
        below = list(self.base.config.get("rootfs", {}).get("diff_ids") or [])
        rootfs = {"type": "layers", "diff_ids": [*below, *(diff_id for _, diff_id in self.layers)]}
        return json.dumps({**self.config, "created": CREATED, "rootfs": rootfs, "history": []}, sort_keys=True).encode()

    def manifest(self) -> dict[str, Any]:
        config = self.document()
        own = [{"mediaType": LAYER_TYPE, "digest": sha256(raw), "size": len(raw)} for raw, _ in self.layers]
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": sha256(config), "size": len(config)},
            "layers": [*self.base.layers, *own],
        }


@dataclass
class _Stage:
    files: Mapping[str, tuple[int, bytes]]
    arguments: Mapping[str, str]
    built: Built
    known: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Config:
        settings: Config = self.built.config["config"]
        return settings


def build(
    context: bytes,
    dockerfile: str,
    arguments: Mapping[str, str],
    base_of: Callable[[str], Base],
    log: Callable[[str], None],
) -> Built:
    files = _files(context)
    path = posixpath.normpath(dockerfile)
    if path not in files:
        raise BuildFailed(
            f"unable to prepare context: unable to evaluate symlinks in Dockerfile path: {path}: no such file"
        )
    steps = _instructions(files[path][1].decode())
    stage: _Stage | None = None
    before: dict[str, str] = {}
    for number, (name, rest) in enumerate(steps, 1):
        log(f"Step {number}/{len(steps)} : {name} {rest}")
        if name == "ARG" and stage is None:
            before.update(_argument(rest, arguments))
        elif name == "FROM":
            if stage is not None:
                raise BuildFailed("several stages are not supported by this builder")
            image = _expand(rest.split()[0], before)
            found = SCRATCH if image == "scratch" else base_of(image)
            config = json.loads(json.dumps(found.config))
            config.setdefault("config", {})
            stage = _Stage(files, arguments, Built(found, config))
        elif stage is None:
            raise BuildFailed("no build stage in current context")
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](stage, rest)
        else:
            raise BuildFailed(f"the instruction {name} is not supported by this builder")
    if stage is None:
        raise BuildFailed("the Dockerfile is empty")
    return stage.built


def _files(context: bytes) -> dict[str, tuple[int, bytes]]:
    """Path → mode and content of every file of the context."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(context), mode="r:gz") as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                found[posixpath.normpath(member.name)] = (member.mode, content.read())
    return found


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        name, _, rest = line.strip().partition(" ")
        found.append((name.upper(), rest.strip()))
    return found


def _expand(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda match: values.get(match[1] or match[2], ""), text)


def _argument(rest: str, given: Mapping[str, str]) -> dict[str, str]:
    name, equals, default = rest.partition("=")
    return {name: given.get(name, default.strip('"'))} if equals or name in given else {}


def _arg(stage: _Stage, rest: str) -> None:
    stage.known.update(_argument(rest, stage.arguments))


def _pairs(stage: _Stage, rest: str) -> dict[str, str]:
    words = shlex.split(_expand(rest, {**stage.known, **_environment(stage)}))
    return dict(word.partition("=")[::2] for word in words)


def _environment(stage: _Stage) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in stage.settings.get("Env") or [])


def _env(stage: _Stage, rest: str) -> None:
    values = {**_environment(stage), **_pairs(stage, rest)}
    stage.settings["Env"] = [f"{name}={value}" for name, value in values.items()]


def _label(stage: _Stage, rest: str) -> None:
    stage.settings["Labels"] = {**(stage.settings.get("Labels") or {}), **_pairs(stage, rest)}


def _workdir(stage: _Stage, rest: str) -> None:
    path = _expand(rest, {**stage.known, **_environment(stage)})
    stage.settings["WorkingDir"] = posixpath.join(stage.settings.get("WorkingDir") or "/", path)


def _copy(stage: _Stage, rest: str) -> None:
    words = json.loads(rest) if rest.startswith("[") else shlex.split(_expand(rest, stage.known))
    if words and words[0].startswith("--"):
        raise BuildFailed(f"COPY {words[0].split('=')[0]} is not supported by this builder")
    *sources, target = words
    place = posixpath.join(stage.settings.get("WorkingDir") or "/", target)
    copied: dict[str, tuple[int, bytes]] = {}
    for source in sources:
        found = _matching(stage.files, posixpath.normpath(source.lstrip("/")))
        if not found:
            raise BuildFailed(f'COPY failed: file not found in build context: "{source}"')
        for name, entry in found.items():
            is_file = name == ""
            into = target.endswith("/") or len(sources) > 1 or target in (".", "./")
            own = posixpath.basename(source) if is_file and into else name
            copied[posixpath.normpath(posixpath.join(place, own)).lstrip("/")] = entry
    stage.built.layers.append(_layer(copied))


def _matching(files: Mapping[str, tuple[int, bytes]], source: str) -> dict[str, tuple[int, bytes]]:
    """What a source of COPY names: a file under "", the files of a directory below it."""
    if source in files:
        return {"": files[source]}
    prefix = "" if source == "." else f"{source}/"
    below = {name[len(prefix) :]: entry for name, entry in files.items() if name.startswith(prefix)}
    if below:
        return below
    return {posixpath.basename(name): entry for name, entry in files.items() if _is_like(name, source)}


def _is_like(name: str, pattern: str) -> bool:
    """Go's filepath.Match: a star does not reach beyond its part of the path."""
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _layer(files: Mapping[str, tuple[int, bytes]]) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    directories = {parent for name in files for parent in _parents(name)}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(directories | set(files)):
            entry = tarfile.TarInfo(name)
            entry.mtime = EPOCH
            if name in files:
                entry.mode, content = files[name]
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
    raw = buffer.getvalue()
    return gzip_stored(raw), sha256(raw)


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _command(name: str) -> Callable[[_Stage, str], None]:
    def put(stage: _Stage, rest: str) -> None:
        stage.settings[name] = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]

    return put


def _text(name: str) -> Callable[[_Stage, str], None]:
    def put(stage: _Stage, rest: str) -> None:
        stage.settings[name] = _expand(rest, {**stage.known, **_environment(stage)})

    return put


def _expose(stage: _Stage, rest: str) -> None:
    ports: dict[str, Config] = {
        port if "/" in port else f"{port}/tcp": {} for port in _expand(rest, stage.known).split()
    }
    stage.settings["ExposedPorts"] = {**(stage.settings.get("ExposedPorts") or {}), **ports}


_INSTRUCTIONS: dict[str, Callable[[_Stage, str], None]] = {
    "ARG": _arg,
    "ENV": _env,
    "LABEL": _label,
    "WORKDIR": _workdir,
    "COPY": _copy,
    "USER": _text("User"),
    "EXPOSE": _expose,
    "ENTRYPOINT": _command("Entrypoint"),
    "CMD": _command("Cmd"),
    "STOPSIGNAL": _text("StopSignal"),
}
