# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a secret, by its name and by how a text looks, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .secret_names import (
    COMMON,
    SWITCH,
    all_below,
    could_be_secret,
    is_random_key,
    is_secret_route,
    secret_name,
    speaks_for_another,
)

REDACTED = "********"

SHORTEST_SECRET = 4
"""Shorter texts stand in too many others: masking them would make results unreadable and hide nothing."""
SHORTEST_VALUE = 6
"""The same for values that are not known to be secret by their own name: of variables, of a Secret's keys."""

_PASSWORD = re.compile(r"(passwords?|passwd|pwd|passphrase)$", re.IGNORECASE)


def is_secret(path: str, value: Any) -> bool:
    """Whether this value is a secret by the names on its path; switches, numbers and paths of files are shown."""
    return (secret_name(path) and could_be_secret(path, value)) or is_random_key(path, value)


def looks_secret(path: str, value: Any, beside: Any = None) -> bool:
    """The same for a value with the name that stands beside it: `env: [{name: DB_PASSWORD, value: ...}]`."""
    if isinstance(beside, str) and speaks_for_another(path):
        return is_secret(beside, value) or is_secret(path, value)
    return is_secret(path, value)


def secret_property(key: str, value: Any, above: Sequence[str] = ()) -> bool:
    """The same for a property of an Azure resource; `above` are the keys that lead to it."""
    if (
        not isinstance(value, (str, int, float))
        or isinstance(value, bool)
        or str(value).lower() in ("", "true", "false")
    ):
        return False
    # secrets: [{name: a, value: b}], as Container Apps and others have them
    in_list = key.lower() == "value" and bool(above) and above[-1].lower().endswith("secrets")
    if in_list or any(all_below(name) for name in above):
        return True
    # a number is a password of digits only, before it is made text; `tokens: 4096` is none
    return secret_name(key) if isinstance(value, str) else bool(_PASSWORD.search(key))


def name_beside(path: str, document: Mapping[str, Any]) -> Any:
    """The name that stands beside a leaf among the leaves of its document, as `secrets_in` finds it."""
    above = path.rpartition(".")[0]
    found = (document.get(f"{above}.{key}") for key in ("name", "key"))
    return next((name for name in found if isinstance(name, str)), None)


def is_common(text: str) -> bool:
    """A switch, a small number, or a word that stands everywhere: hiding it hides no secret."""
    return bool(SWITCH.fullmatch(text)) or text.strip().lower() in COMMON


def secrets_in(document: Any, route: tuple[str, ...] = ()) -> Iterator[str]:
    """Every text of a structure that is secret by its name, by the name beside it, or by how it looks."""
    if isinstance(document, Mapping):
        beside = next((document[key] for key in ("name", "key") if isinstance(document.get(key), str)), None)
        for key, below in document.items():
            own = str(key)
            named = beside is not None and speaks_for_another(own)
            yield from secrets_in(below, (*route, f"[{beside}]", own) if named else (*route, own))
    elif isinstance(document, Sequence) and not isinstance(document, (str, bytes)):
        option = ""
        for item in document:
            # of a command line: `--password`, `hunter2`
            yield from secrets_in(item, (*route, option) if option else route)
            option = item.lstrip("-") if isinstance(item, str) and re.fullmatch(r"--?[A-Za-z][\w-]*", item) else ""
    elif isinstance(document, (str, int, float)) and not isinstance(document, bool):
        text = str(document)
        name = route[-1] if route else ""
        if (is_secret_route(route) and could_be_secret(name, document)) or is_random_key(
            ".".join(route[-2:]), document
        ):
            yield text
        elif isinstance(document, str):
            yield from credentials_in(text)


def variable_values(pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Value → name of every environment variable that these pods spell out."""
    variables = (
        variable
        for pod in pods
        for key in ("initContainers", "containers")
        for container in (pod.get("spec") or {}).get(key) or []
        for variable in container.get("env") or []
    )
    found: dict[str, str] = {}
    for variable in variables:
        value = str(variable.get("value") or "")
        if len(value) >= SHORTEST_VALUE and not SWITCH.fullmatch(value) and not value.isdigit():
            found.setdefault(value, str(variable.get("name")))
    return found


def redact(text: str, values: Mapping[str, str] | None = None) -> str:
    """The text without credentials; each value in `values` (value → name) becomes `$(NAME)`.

    What no name and no form tells (a password that a program prints without saying so) passes.
    """
    for value, name in sorted((values or {}).items(), key=lambda one: -len(one[0])):
        text = text.replace(value, f"$({name})")
    if not _MAY_HOLD_ONE.search(text):
        return text
    for pattern in _PATTERNS:
        text = pattern.sub(_without_secret, text)
    return _named_values(text)[0]


def credentials_in(text: str) -> list[str]:
    """The credentials that a text holds: what `redact` would take out of it."""
    if not _MAY_HOLD_ONE.search(text):
        return []
    found = [match["secret"] for pattern in _PATTERNS for match in pattern.finditer(text)]
    return found + _named_values(text)[1]


# each names what is to go; the rest of the match stays
_PATTERNS: tuple[re.Pattern[str], ...] = (
    # private keys, also cut off by a log's end
    re.compile(
        r"(?P<secret>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z))", re.DOTALL
    ),
    # a JSON web token (begun at every `-eyJ` of a long run, the search would take its length squared)
    re.compile(r"(?<![A-Za-z0-9_-])(?P<secret>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"),
    re.compile(
        r"\b(?:authorization|cookie|set-cookie|x-api-key)[\"']?\s*[:=]\s*[\"']?(?P<secret>[^\s\"']+(?: [^\s\"']+)?)",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:bearer|basic)\s+(?P<secret>(?=\S*[0-9+/=._~-])[A-Za-z0-9+/=._~-]{8,})", re.IGNORECASE),
    # credentials in a URL
    re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://(?P<secret>[^\s/@:\"']*:[^\s/@\"']+)@", re.IGNORECASE),
    # signatures of Azure shared access
    re.compile(r"[?&](?:sig|sharedaccesskey|code)=(?P<secret>[^&\s\"']+)", re.IGNORECASE),
    # addresses of webhooks and bots: who knows one may write there
    re.compile(
        r"\b(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api(?:/v\d+)?/webhooks"
        r"|[\w.-]{0,60}webhook\.office\.com/webhookb2|api\.telegram\.org)/(?P<secret>[^\s\"'<>?#]{8,})",
        re.IGNORECASE,
    ),
    # a line of a password file of PostgreSQL: host:port:database:user:password
    re.compile(r"^[\w.*-]{1,255}:(?:\d{4,5}|\*):[\w*-]{1,63}:[\w*-]{1,63}:(?P<secret>\S+)$", re.MULTILINE),
    # keys that services mark by a prefix
    re.compile(
        r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|xox[abeoprs]-[A-Za-z0-9-]{8,}"
        r"|sk-[A-Za-z0-9_-]{16,}|AKIA[A-Z0-9]{12,}|glpat-[A-Za-z0-9_-]{16,})"
    ),
)
# without one of these none of the patterns matches: most texts are done with here
_MAY_HOLD_ONE = re.compile(r"[=:]|\sis\s|eyJ|gh[pousr]_|github_pat_|xox|sk-|AKIA|glpat-|-----BEGIN|bearer|basic", re.I)
# name=value, name: value, "name": "value", name is value, and a block of YAML below its name
# (a name begins where a word does: tried at every letter of a long one, the search would take its length cubed)
_NAMED = re.compile(r"(?<![\w.-])(?P<name>(?=[\w.-]*[A-Za-z])[\w.-]+)(?:\\?[\"'])?(?P<between>\s*[=:][ \t]*|\s+is\s+)")
# in a text of JSON that is itself a text of JSON, quotes have a backslash before them
_VALUE = re.compile(
    r"\\\"(?:[^\"\\]|\\\\(?:\\.|[^\"\\]))*\\\""
    r"|[|>][+-]?[ \t]*\n(?:[ \t]+[^\n]*\n?)+|\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\?[\"']?[^\s,;&\"']+"
)


def _without_secret(match: re.Match[str]) -> str:
    whole, start = match[0], match.start()
    return whole[: match.start("secret") - start] + REDACTED + whole[match.end("secret") - start :]


def _named_values(text: str) -> tuple[str, list[str]]:
    """(the text without the values that stand behind names of secrets, those values)."""
    shown, found, done, position = [], [], 0, 0
    while (name := _NAMED.search(text, position)) is not None:
        position = name.end()
        if "is" in name["between"] and any(sign in name["name"] for sign in "._-"):
            continue
        value = _VALUE.match(text, position) if secret_name(name["name"]) else None
        bare = value[0].strip("\\\"'" if value[0].startswith("\\") else "\"'") if value else ""
        if value is None or not bare or bare == REDACTED or not could_be_secret(name["name"], bare):
            continue
        shown += [text[done:position], REDACTED]
        found.append(bare)
        done = position = value.end() - (1 if value[0].endswith("\n") else 0)
    return "".join([*shown, text[done:]]), found
