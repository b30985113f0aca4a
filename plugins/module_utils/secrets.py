# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a secret: the one place that knows it by names, and by how a text looks. Pure.

A name is read as English reads a compound: its last noun says what it is. `dbPassword` and `DB_PWD` are passwords;
`passwordPolicy`, `secretName` and `tokenAudience` are a policy, a name and an audience. A name that says nothing
(`value`, `data`, `alice`) is what the mapping around it is: `tokens.alice`, `secrets.db.value`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

REDACTED = "********"

SHORTEST_SECRET = 4
"""Shorter texts stand in too many others: masking them would make results unreadable and hide nothing."""
SHORTEST_VALUE = 6
"""The same for values that are not known to be secret by their own name: of variables, of a Secret's keys."""


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NOUNS = _set_of(
    "password passwd passphrase passcode pass pwd pw pgpass secret token credential cred apikey accesskey "
    "secretkey privatekey accountkey sharedkey signingkey encryptionkey sas bearer jwt pat dsn htpasswd "
    "kubeconfig dockercfg dockerconfigjson dockerconfig connectionstring psk passwort kennwort"
)
# run together in lower case, as chart values and old variables are: the noun at the end or at the start of a word
_LONG_NOUNS = sorted((noun for noun in _NOUNS if len(noun) > 4), key=len, reverse=True)
_ENDS = (*_LONG_NOUNS, "pass", "pwd", "pw")
_NOT_PASSWORDS = _set_of("bypass compass encompass trespass surpass overpass underpass lowpass highpass")
# what a key is for or of when it is to be kept secret; a `key` alone, a partition key or a topology key is none
_KEY_OF = _set_of(
    "api access account private secret shared encryption encrypt decryption crypt signing sign signature master "
    "storage client license licence subscription function functions admin query session cookie hmac aes fernet "
    "rsa ecdsa ssl tls ssh gpg pgp jwt webhook integration auth authentication consumer app application deploy "
    "ingestion ingest write read root ca server service user primary secondary cosmos openai search"
)
_OPEN_KEYS = _set_of(
    "public pub partition sort topology foreign row object cache group label annotation map dict index unique "
    "route routing field tag config registry path host file hash range bucket message lock queue shard metric "
    "pattern id name context known authorized selector translation i"
)
# what they are is a secret where they are the value itself: below them stand settings (`basicAuth: {realm: ...}`)
_LEAVES = _set_of("pin salt otp totp mnemonic hotp")
# and these only of what is said before them: `otpSeed`, not the seed of a test; `smtp.auth`, not `metrics.auth`
_LEAVES_OF = {
    "seed": _set_of("otp totp hotp mfa wallet recovery"),
    "phrase": _set_of("seed recovery secret pass wallet mnemonic"),
    "code": _set_of("recovery backup otp totp mfa pin scratch"),
    "auth": _set_of("basic smtp http proxy digest redis registry docker mail"),
    "webhook": _set_of("slack discord teams mattermost"),
}
_DIGITS = _set_of("pin otp totp hotp code")
_WAYS_IN = _set_of(
    "plain login basic digest ntlm oauth oauth2 xoauth2 oidc ldap saml jwt scram starttls cram-md5 custom"
)
# they add how a secret is written or which of several it is, and say nothing of their own
_TRANSPARENT = _set_of(
    "value values data text plain plaintext content contents encoded hash hashed raw default old new current "
    "previous string stringdata bytes json yaml"
)
# what is known by itself not to be a secret, wherever it stands
_SETTINGS = _set_of(
    "name namespace ref reference selector enabled disabled enable disable create type kind class path file "
    "filename dir directory host hostname port url uri endpoint address user username email region location "
    "issuer audience scope scopes label labels annotation annotations tag tags image repository version policy "
    "provider method mode length size ttl expiration duration interval timeout schedule format encoding algorithm "
    "header claim description title items optional template driver count limit api"
)
# `existingSecret`, `imagePullSecrets`, `tlsSecret`: an object of that name; `useToken`, `maxTokens`: a switch, a number
_OBJECT_OF = _set_of("existing pull image from tls ca cert certificate external")
_VERBS = _set_of(
    "use enable disable require required has have is allow create generate mount automount rotate auto max min "
    "num number total skip ignore no without with show hide"
)
# a file that holds the secret is named, not the secret itself
_FILES = _set_of("credential cred kubeconfig htpasswd dockercfg dockerconfig pgpass key pat")
# `tls: {key: ...}`: of a certificate
_HAVE_A_KEY = frozenset(["tls", "ssl", "cert", "certificate", "ca"])
_REFERENCE = re.compile(r"\$(?:\([\w.-]+\)|\{[\w.-]+\})")
_PATH = re.compile(r"(?:~|\.{1,2})?(?:/[\w.@-]+)+/?")
_SWITCH = re.compile(r"true|false|yes|no|on|off|null|none|enabled|disabled|\d{0,5}", re.IGNORECASE)
_COMMON = _set_of(
    "admin administrator root user username default password passwd secret token changeme localhost production "
    "development staging opaque internal external"
)
# what Azure calls a secret and nobody else: cloud-init data, and addresses that are signed
_AZURE_SECRETS = ("customdata", "sasurl", "sasuri")
# everything below is secret: settings of extensions of VMs and of clusters
_ALL_BELOW = "protectedsettings"
_PASSWORD = re.compile(r"(passwords?|passwd|pwd|passphrase)$", re.IGNORECASE)
_BRACKETS = re.compile(r'"([^"]*)"|\[([^\[\]]*)\]|([^.\[\]"]+)')
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def secret_name(path: str) -> bool:
    """Whether what stands at this dotted path (or under this name) is a secret, by the names on the way."""
    return _is_secret_route(_route(path))


def is_secret(path: str, value: Any) -> bool:
    """The same for a value that is known: switches, numbers and paths of files are shown."""
    return (secret_name(path) and _could_be_secret(path, value)) or _is_random_key(path, value)


def looks_secret(path: str, value: Any, beside: Any = None) -> bool:
    """The same for a value with the name that stands beside it: `env: [{name: DB_PASSWORD, value: ...}]`."""
    if isinstance(beside, str) and _speaks_for_another(path):
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
    if in_list or any(_all_below(name) for name in above):
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
    return bool(_SWITCH.fullmatch(text)) or text.strip().lower() in _COMMON


def secrets_in(document: Any, route: tuple[str, ...] = ()) -> Iterator[str]:
    """Every text of a structure that is secret by its name, by the name beside it, or by how it looks."""
    if isinstance(document, Mapping):
        beside = next((document[key] for key in ("name", "key") if isinstance(document.get(key), str)), None)
        for key, below in document.items():
            own = str(key)
            named = beside is not None and _speaks_for_another(own)
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
        if (_is_secret_route(route) and _could_be_secret(name, document)) or _is_random_key(
            ".".join(route[-2:]), document
        ):
            yield text
        elif isinstance(document, str):
            yield from credentials_in(text)


def variable_values(pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Value → name of every environment variable that these pods spell out."""
    found: dict[str, str] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        for key in ("initContainers", "containers"):
            for container in spec.get(key) or []:
                for variable in container.get("env") or []:
                    value = str(variable.get("value") or "")
                    if len(value) >= SHORTEST_VALUE and not _SWITCH.fullmatch(value) and not value.isdigit():
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
        if value is None or not bare or bare == REDACTED or not _could_be_secret(name["name"], bare):
            continue
        shown += [text[done:position], REDACTED]
        found.append(bare)
        done = position = value.end() - (1 if value[0].endswith("\n") else 0)
    return "".join([*shown, text[done:]]), found


def _could_be_secret(path: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return False
    text = str(value)
    head = _head(_route(path)[-1]) if path else ""
    if head in _DIGITS and re.fullmatch(r"\d{4,}", text):
        return True
    if not text or _SWITCH.fullmatch(text) or _REFERENCE.fullmatch(text):
        return False
    if head == "auth" and text.lower() in _WAYS_IN:
        return False
    return not (head in _FILES and _PATH.fullmatch(text))


def _is_random_key(path: str, value: Any) -> bool:
    """Some `...Key` that nobody listed, with a value that nobody thinks up."""
    if not isinstance(value, str) or len(value) < 20 or re.search(r"[\s./:]", value):
        return False
    route = _route(path)
    words = _words(route[-1]) if route else ()
    if words == ("key",):
        words = (*_above(route), *words)
    return (
        len(words) > 1
        and words[-1] == "key"
        and not _OPEN_KEYS & set(words)
        and bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value))
    )


def _speaks_for_another(path: str) -> bool:
    """`value`, `secureValue`: the name that stands beside it says what it is."""
    route = _route(path)
    words = _words(route[-1]) if route else ()
    return bool(words) and all(word in _TRANSPARENT or word == "secure" for word in words)


@lru_cache(maxsize=20000)
def _route(path: str) -> tuple[str, ...]:
    """The names on the way: keys as they are, items of lists in brackets, without those that are numbers."""
    found = []
    for quoted, item, key in _BRACKETS.findall(path):
        if item:
            if not re.fullmatch(r"\d+", item):
                found.append(f"[{item}]")
        elif quoted or key:
            found.append(quoted or key)
    return tuple(found)


def _is_secret_route(route: tuple[str, ...]) -> bool:
    silent = True
    if any(_all_below(name) for name in route):
        return True
    if len(route) > 1 and _words(route[-1]) == ("key",) and _HAVE_A_KEY & set(_words(route[-2])[-1:]):
        return True
    together = _said_together(route)
    if together is not None:
        return together
    for name in reversed(route):
        item = name.startswith("[")
        said = _said(name.strip("[]"))
        if item and not silent:
            # the name of a container or a volume says nothing of what is inside it
            continue
        if said is not None:
            return said
        words = _words(name)
        silent = silent and not item and all(word in _TRANSPARENT for word in words)
    return False


def _said_together(route: tuple[str, ...]) -> bool | None:
    """What the last name says with the one above it: `api: {key: ...}` is an `apiKey`, `otp: {seed: ...}` a seed."""
    if not route or route[-1].startswith("["):
        return None
    own = _telling(route[-1])
    if own[-2:] == ("webhook", "url"):
        own = own[:-1]
    head = own[-1] if own else ""
    head = head[:-1] if head.endswith("s") else head
    if head in _LEAVES and not _VERBS & set(own[:1]):
        return True
    above = () if len(own) > 1 else _above(route)
    words = (*above, *own)
    if head in _LEAVES_OF and _LEAVES_OF[head] & set(words[:-1]):
        return not _VERBS & set(words[:1])
    return _said(" ".join(words)) if above and own == ("key",) else None


def _above(route: tuple[str, ...]) -> tuple[str, ...]:
    """The words that a last name is read with; none where what is above is a list of such, or refers to an object."""
    for name in reversed(route[:-1]):
        words = _telling(name)
        if not words:
            continue
        head = words[-1]
        entries = head.endswith("s") and not head.endswith("ss") and head not in _KEY_OF and len(head) > 3
        refers = _said(name) is False and not (head in _SETTINGS and head in _KEY_OF)
        return () if name.startswith("[") or entries or (refers and head not in _OPEN_KEYS) else words
    return ()


def _telling(name: str) -> tuple[str, ...]:
    return tuple(word for word in _words(name) if word not in _TRANSPARENT)


@lru_cache(maxsize=20000)
def _all_below(name: str) -> bool:
    return "".join(_words(name)).endswith(_ALL_BELOW)


@lru_cache(maxsize=20000)
def _said(name: str) -> bool | None:
    """What a name says of itself: a secret, something else, or nothing."""
    if name in ("PWD", "OLDPWD"):
        return False
    words = list(_words(name))
    if "".join(words).endswith(_AZURE_SECRETS):
        return True
    if words[:1] == ["secure"] and len(words) > 1 and words[-1] in ("value", "string", "object"):
        return True
    while words and words[-1] in _TRANSPARENT and not _is_connection_string(words):
        words.pop()
    if not words:
        return None
    head = words[-1]
    if head in _NOUNS or _is_connection_string(words):
        if head == "secret" and _OBJECT_OF & set(words[:-1]):
            return False
        return not (len(words) > 1 and words[0] in _VERBS)
    if head == "key" and len(words) > 1:
        if _OPEN_KEYS & set(words[:-1]):
            return False
        if _KEY_OF & set(words[:-1]) or _NOUNS & set(words[:-1]) or (name.isupper() and "_" in name):
            return True
        return None
    if head in _SETTINGS or _NOUNS & set(words) or _has_secret_key(words):
        return False
    return None


def _has_secret_key(words: Sequence[str]) -> bool:
    """`accessKeyId`: the id of a key."""
    return any(word == "key" and before in _KEY_OF for before, word in pairwise(words))


def _is_connection_string(words: Sequence[str]) -> bool:
    return tuple(words[-2:]) in (("connection", "string"), ("conn", "string"), ("connection", "str"), ("conn", "str"))


def _head(name: str) -> str:
    words = [word for word in _words(name.strip("[]")) if word not in _TRANSPARENT]
    return words[-1] if words else ""


@lru_cache(maxsize=20000)
def _words(name: str) -> tuple[str, ...]:
    """A name in its words: camelCase, snake_case, kebab-case and dots; plurals as singulars, digits left out."""
    found: list[str] = []
    for part in re.findall(r"[a-z]+", _CAMEL.sub(" ", re.sub(r"(?i)(?:base|b)64", "", name)).lower()):
        word = part[:-1] if part.endswith("s") and (part[:-1] in _NOUNS or part[:-1] in ("key", "string")) else part
        found += _apart(word)
    return tuple(found)


def _apart(word: str) -> list[str]:
    if word in _NOUNS:
        return [word]
    single = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
    for noun in _ENDS:
        if single.endswith(noun) and word not in _NOT_PASSWORDS:
            return [single[: -len(noun)], noun]
        if noun in _LONG_NOUNS and word.startswith(noun):
            return [noun, word[len(noun) :]]
    return [word]
