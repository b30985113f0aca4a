# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build's context as one archive that is the same for the same files, and what tells one build from another."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Problem
from ..text import text_of_scalar

IGNORE_FILE = ".dockerignore"
PLATFORM = r"(?P<os>linux|windows)/(?P<architecture>amd64|x86|386|arm64|arm)(?:/(?P<variant>v[678]))?"
FINGERPRINT_TAG = "mcpops-"
"""What begins the tag that a build gets besides the declared ones: a later run finds by it what it was built of."""
_DIGITS = 40
_OS = {"linux": "Linux", "windows": "Windows"}


@dataclass(frozen=True)
class BuildSpec:
    """A declared build."""

    context: Path
    dockerfile: str = "Dockerfile"
    platform: str = "linux/amd64"
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"a build of {self.context}"


def build_spec(params: Mapping[str, Any]) -> BuildSpec:
    """Of an option `build` without problems."""
    return BuildSpec(
        context=Path(params["context"]),
        dockerfile=params["dockerfile"],
        platform=params["platform"],
        target=params.get("target") or "",
        arguments={str(name): text_of_scalar(value) for name, value in (params.get("arguments") or {}).items()},
    )


def build_problems(build: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the option by itself; no file is looked at."""
    if not re.fullmatch(PLATFORM, build["platform"]):
        message = f"{build['platform']!r} is not a valid platform such as linux/amd64 or linux/arm64/v8"
        yield Problem("build.platform", message)
    place = os.path.normpath(build["dockerfile"])
    if os.path.isabs(place) or place.startswith("..") or not build["dockerfile"]:
        yield Problem("build.dockerfile", f"{build['dockerfile']!r} is not a path below build.context")
    for name, value in (build.get("arguments") or {}).items():
        if not re.fullmatch(r"[A-Za-z_]\w*", str(name)):
            yield Problem(f"build.arguments.{name}", "is not a valid name: letters, digits and _, not a digit first")
        if isinstance(value, (Mapping, list)):
            yield Problem(f"build.arguments.{name}", "is not a text")


def context_problems(build: BuildSpec) -> Iterator[Problem]:
    """What is wrong with the files."""
    if not build.context.is_dir():
        yield Problem("build.context", f"{str(build.context)!r} is not a directory")
    elif not (build.context / build.dockerfile).is_file():
        yield Problem("build.dockerfile", f"{build.dockerfile!r} is not a file of {build.context}")


def archive(build: BuildSpec) -> bytes:
    """The context's files in one order, without times, owners and what a umask leaves of modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for name in _names(build):
            path = build.context / name
            entry = tarfile.TarInfo(name)
            if path.is_symlink():
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
                packed.addfile(entry)
            elif path.is_file():
                entry.size = path.stat().st_size
                entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                with path.open("rb") as content:
                    packed.addfile(entry, content)
    return buffer.getvalue()


def packed(content: bytes) -> bytes:
    """As it is uploaded."""
    return gzip.compress(content, 6, mtime=0)


def fingerprint(build: BuildSpec, content: bytes) -> str:
    """The tag that says what an image was built of. The images that FROM names are not part of it."""
    asked = [build.dockerfile, build.platform, build.target, dict(sorted(build.arguments.items()))]
    digest = hashlib.sha256(json.dumps(asked).encode() + b"\0" + content).hexdigest()
    return f"{FINGERPRINT_TAG}{digest[:_DIGITS]}"


def _names(build: BuildSpec) -> list[str]:
    """What Docker would send: all but what .dockerignore leaves out, and always the Dockerfile."""
    file = build.context / IGNORE_FILE
    rules = ignore_rules(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else ()
    found = []
    for place, directories, files in os.walk(build.context):
        below = Path(place).relative_to(build.context)
        links = [name for name in directories if (Path(place) / name).is_symlink()]
        for name in (*files, *links):
            path = (below / name).as_posix()
            if path == os.path.normpath(build.dockerfile) or not is_ignored(path, rules):
                found.append(path)
    return sorted(found)


Rule = tuple[bool, "re.Pattern[str]"]


def ignore_rules(lines: Sequence[str]) -> tuple[Rule, ...]:
    """The lines of a .dockerignore (https://docs.docker.com/build/concepts/context/#dockerignore-files)."""
    found = []
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        pattern = os.path.normpath(line[keeps:].strip().lstrip("/"))
        found.append((keeps, re.compile(_expression(pattern))))
    return tuple(found)


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", pattern)
    known = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(part, re.escape(part)) for part in parts)


def is_ignored(path: str, rules: Sequence[Rule]) -> bool:
    """The last rule that is about a path, or about a directory above it, decides."""
    parts = path.split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    ignored = False
    for keeps, pattern in rules:
        if any(pattern.fullmatch(place) for place in above):
            ignored = not keeps
    return ignored


def run_request(build: BuildSpec, images: Sequence[str], source: str, seconds: int) -> dict[str, Any]:
    """The body of scheduleRun."""
    platform = re.fullmatch(PLATFORM, build.platform)
    parts = platform.groupdict() if platform else {"os": "linux"}
    wanted = {**parts, "os": _OS.get(str(parts["os"]), "Linux")}
    return {
        "type": "DockerBuildRequest",
        "imageNames": list(images),
        "isPushEnabled": True,
        "noCache": False,
        "sourceLocation": source,
        "dockerFilePath": build.dockerfile,
        "platform": {name: value for name, value in wanted.items() if value},
        "timeout": seconds,
        "agentConfiguration": {"cpu": 2},
        "arguments": [{"name": name, "value": value, "isSecret": False} for name, value in build.arguments.items()],
        **({"target": build.target} if build.target else {}),
    }
