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

from ..errors import InvalidInput, Problem
from ..text import listed, text_of_scalar

IGNORE_FILE = ".dockerignore"
LARGEST = 1024**3
"""Bytes of a context: it is packed in memory."""
_SHOWN = 3
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
    if not build["context"]:
        yield Problem("build.context", "is empty: name the directory with the files (. for the current one)")
    # a stage by its number or its name (https://docs.docker.com/reference/dockerfile/#from)
    if build.get("target") and not re.fullmatch(r"[0-9]+|[A-Za-z][A-Za-z0-9_.-]*", build["target"]):
        message = f"{build['target']!r} is not a valid stage: a number, or letters, digits, - _ and . after a letter"
        yield Problem("build.target", message)
    place = os.path.normpath(build["dockerfile"])
    if os.path.isabs(place) or place.split("/")[0] == ".." or not build["dockerfile"]:
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
    else:
        try:
            yield from _too_large(build)
        except InvalidInput as failure:
            yield from failure.problems
        except OSError as failure:
            yield from _unreadable(failure).problems


def _too_large(build: BuildSpec) -> Iterator[Problem]:
    sizes: dict[str, int] = {}
    for name in _names(build):
        place = name.partition("/")[0]
        sizes[place] = sizes.get(place, 0) + (build.context / name).lstat().st_size
    total = sum(sizes.values())
    if total > LARGEST:
        largest = sorted(sizes, key=lambda place: (-sizes[place], place))
        shown = listed([f"{place} ({_size(sizes[place])})" for place in largest[:_SHOWN]], _SHOWN)
        message = (
            f"{build.context} holds {_size(total)}, and {_size(LARGEST)} is the most that is sent. The largest in it: "
            f"{shown}. Name what the build does not need in {IGNORE_FILE}"
        )
        yield Problem("build.context", message)


def _size(number: int) -> str:
    return f"{number / 1024**2:.0f} MiB" if number < 1024**3 else f"{number / 1024**3:.1f} GiB"


def archive(build: BuildSpec) -> bytes:
    """The context's files in one order, without times, owners and what a umask leaves of modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for name in _names(build):
            path = build.context / name
            entry = tarfile.TarInfo(name)
            try:
                if path.is_symlink():
                    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
                    packed.addfile(entry)
                elif path.is_file():
                    # as it is read: a file that somebody writes meanwhile has another size by now
                    content = path.read_bytes()
                    entry.size = len(content)
                    entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                    packed.addfile(entry, io.BytesIO(content))
            except OSError as exc:
                raise _unreadable(exc) from exc
    return buffer.getvalue()


def _unreadable(failure: OSError) -> InvalidInput:
    """A build without a file that cannot be read would be another build."""
    why = f"{failure.filename} cannot be read: {failure.strerror}. Correct its rights, or name it in {IGNORE_FILE}"
    return InvalidInput("container image", [Problem("build.context", why)])


def packed(content: bytes) -> bytes:
    """As it is uploaded."""
    return gzip.compress(content, 6, mtime=0)


def fingerprint(build: BuildSpec, content: bytes) -> str:
    """The tag that says what an image was built of. The images that FROM names are not part of it."""
    asked = [build.dockerfile, build.platform, build.target, dict(sorted(build.arguments.items()))]
    digest = hashlib.sha256(json.dumps(asked).encode() + b"\0" + content).hexdigest()
    return f"{FINGERPRINT_TAG}{digest[:_DIGITS]}"


def is_fingerprint(tag: str) -> bool:
    """Whether a build made it; what people call mcpops-1.0 is a tag like any other."""
    return bool(re.fullmatch(rf"{FINGERPRINT_TAG}[0-9a-f]{{{_DIGITS}}}", tag))


# what `az acr build` leaves out wherever it is (azure-cli 2.91, _archive_utils.py): it changes with every commit and is
# meant for no image
_NEVER_SENT = frozenset({".git", ".gitignore", ".bzr", "bzrignore", ".hg", ".hgignore", ".svn", ".venv"})


def _names(build: BuildSpec) -> list[str]:
    """What `az acr build` would send: all but what .dockerignore leaves out, and always the Dockerfile."""

    def stop(failure: OSError) -> None:
        raise _unreadable(failure) from failure

    rules = _rules_of(build)
    dockerfile = os.path.normpath(build.dockerfile)
    found = []
    for place, directories, files in os.walk(build.context, onerror=stop):
        below = Path(place).relative_to(build.context)
        directories[:] = [name for name in directories if name not in _NEVER_SENT]
        files = [name for name in files if name not in _NEVER_SENT]
        links = [name for name in directories if (Path(place) / name).is_symlink()]
        for name in (*files, *links):
            path = (below / name).as_posix()
            if path == dockerfile or not is_ignored(path, rules):
                found.append(path)
    return sorted(found)


Rule = tuple[bool, "re.Pattern[str]"]


def _rules_of(build: BuildSpec) -> tuple[Rule, ...]:
    """Of the file that is the Dockerfile's own (https://docs.docker.com/build/concepts/context/#filename-and-location),
    else of the context's."""
    for name in (f"{os.path.normpath(build.dockerfile)}{IGNORE_FILE}", IGNORE_FILE):
        file = build.context / name
        try:
            # names of files that are not UTF-8 are read the same way
            text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise _unreadable(exc) from exc
        try:
            return ignore_rules(text.splitlines())
        except ValueError as exc:
            raise InvalidInput("container image", [Problem("build.context", f"{file}: {exc}")]) from exc
    return ()


def ignore_rules(lines: Sequence[str]) -> tuple[Rule, ...]:
    """The lines of a .dockerignore (https://docs.docker.com/build/concepts/context/#dockerignore-files)."""
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        keeps = text.startswith("!")
        pattern = os.path.normpath(text[keeps:].strip().lstrip("/"))
        try:
            found.append((keeps, re.compile(_expression(pattern), re.DOTALL)))
        except re.error as exc:
            raise ValueError(f"line {number} is not a valid pattern: {text!r}") from exc
    return tuple(found)


# as the language of these files has them: classes of signs as in [co], \ before a sign that is meant as it is
_PARTS = re.compile(r"\*\*/?|\*|\?|\\.|\[\^?\]?[^\]]*\]|[^*?\\\[]+|.", re.DOTALL)


def _expression(pattern: str) -> str:
    return "".join(_part(found[0], found.end() == len(pattern)) for found in _PARTS.finditer(pattern))


def _part(part: str, is_last: bool) -> str:
    if part.startswith("**"):
        # any number of directories, none as well; at the end everything
        return ".*" if is_last else "(?:.*/)?"
    if part in ("[", "\\"):
        raise re.error("it is not closed")
    if part.startswith("["):
        begin = 2 if part.startswith("[^") else 1
        return part[:begin] + re.sub(r"([\\\[\]&~|])", r"\\\1", part[begin:-1]) + "]"
    if part.startswith("\\"):
        return re.escape(part[1])
    return {"*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part)


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
