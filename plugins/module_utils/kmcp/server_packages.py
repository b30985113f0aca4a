# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages npx and uvx are told to run, and whether it is the same ones tomorrow. No input or output."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Options without a value: those of type Boolean in npm 11's config definitions, and its shorthands for such. npx takes
# the argument after any other option for its value, unless it begins with a dash (bin/npx-cli.js).
_SWITCHES = """
    all allow-same-version audit bin-links browser bypass-2fa color commit-hooks description dev diff-ignore-all-space
    diff-name-only diff-no-prefix diff-text dry-run engine-strict expect-results force foreground-scripts
    format-package-lock fund git-tag-version global global-style if-present ignore-scripts include-attestations
    include-staged include-workspace-root init-private install-links json legacy-bundling legacy-peer-deps long
    offline omit-lockfile-registry-resolved optional package-lock package-lock-only parseable prefer-dedupe
    prefer-offline prefer-online production progress provenance read-only rebuild-bundle save save-bundle save-dev
    save-exact save-optional save-peer save-prod shrinkwrap sign-git-commit sign-git-tag strict-peer-deps
    strict-ssl timing unicode update-notifier usage version versions workspaces workspaces-update yes
    y n no no-install quiet q s silent verbose d dd ddd f g l a B D E O P S ws iwr local h help v
"""
# Options with a value, of "uvx --help" 0.13; every other is a switch.
_OPTIONS = """
    --from -w --with --with-editable --with-requirements -c --constraints -b --build-constraints --overrides --env-file
    --python-platform --torch-backend --index --default-index -i --index-url --extra-index-url -f --find-links
    --index-strategy --keyring-provider -P --upgrade-package --upgrade-group --resolution --prerelease
    --prerelease-package --fork-strategy --exclude-newer --exclude-newer-package --no-sources-package
    --reinstall-package --link-mode -C --config-setting --config-settings-package --no-build-isolation-package
    --no-build-package --no-binary-package --cache-dir --refresh-package -p --python --color --allow-insecure-host
    --directory --project --config-file --refresh-package --constraint --override --build-constraint
"""
_NPX_SWITCHES, _UVX_OPTIONS = frozenset(_SWITCHES.split()), frozenset(_OPTIONS.split())
# with one of these the same versions are found tomorrow
_NPX_PINS, _UVX_PINS = ("before", "enjoy-by"), ("-c", "--constraints", "--exclude-newer")
_LOCAL = re.compile(r"(\.{0,2}/|file:|~/)")
_ARCHIVE = re.compile(r"https?://")
_EXACT_NPM = re.compile(r"[v=]?\d+\.\d+\.\d+([-+][\w.+-]+)?")
_EXACT_PYTHON = re.compile(r"===?\s*(?!.*\*)[\w.!+-]+")
_COMMIT = re.compile(r"[#@][0-9a-f]{7,40}$")


def floating(command: str, arguments: Sequence[str]) -> list[str]:
    """The packages whose version is left open, as they are written; none of a command that fetches nothing."""
    if command == "npx":
        return [one for one in _npx_packages(arguments) if not _is_exact_npm(one)]
    if command == "uvx":
        return [one for one in _uvx_packages(arguments) if not _is_exact_python(one)]
    return []


def advice(command: str) -> str:
    return "NAME@1.2.3" if command == "npx" else "NAME==1.2.3"


def _npx_packages(arguments: Sequence[str]) -> list[str]:
    found, called, rest = [], False, list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, has_value, value = rest.pop(0).lstrip("-").partition("=")
        if not has_value and name not in _NPX_SWITCHES and not name.startswith("no-") and rest:
            value = rest.pop(0) if not rest[0].startswith("-") else ""
        if name in ("package", "p") and value:
            found.append(value)
        if name in _NPX_PINS:
            return []
        called = called or name in ("call", "c")
    rest = rest[1:] if rest[:1] == ["--"] else rest
    # with packages named, the first argument is a command of theirs
    return found or (rest[:1] if not called else [])


def _uvx_packages(arguments: Sequence[str]) -> list[str]:
    found: list[str] = []
    named, rest = False, list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, has_value, value = rest.pop(0).partition("=")
        if not has_value and name in _UVX_OPTIONS and rest:
            value = rest.pop(0)
        if name in _UVX_PINS:
            return []
        if name in ("--from", "--with", "-w") and value:
            found += [value] if name == "--from" else value.split(",")
            named = named or name == "--from"
    rest = rest[1:] if rest[:1] == ["--"] else rest
    return found if named else [*rest[:1], *found]


def _is_exact_npm(package: str) -> bool:
    if _LOCAL.match(package) or _ARCHIVE.match(package):
        return True
    if ":" in package or "/" in package.removeprefix("@").partition("/")[2] or _is_github(package):
        return bool(_COMMIT.search(package))
    version = package[1:].partition("@")[2]
    return bool(_EXACT_NPM.fullmatch(version))


def _is_github(package: str) -> bool:
    """owner/repository stands for one of GitHub."""
    return "/" in package and not package.startswith("@")


def _is_exact_python(package: str) -> bool:
    text = package.strip()
    if _LOCAL.match(text):
        return True
    if "git+" in text:
        return bool(_COMMIT.search(text))
    if _ARCHIVE.search(text):
        return True
    name = re.match(r"[A-Za-z0-9][\w.-]*(\[[^]]*\])?", text)
    version = text[name.end() :].partition(";")[0].strip() if name else ""
    if version.startswith("@"):
        return bool(re.fullmatch(r"\d[\w.!+-]*", version[1:].strip()))
    return bool(_EXACT_PYTHON.fullmatch(version))
