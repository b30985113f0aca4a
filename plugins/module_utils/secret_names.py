# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names are names of secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any


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
SWITCH = re.compile(r"true|false|yes|no|on|off|null|none|enabled|disabled|\d{0,5}", re.IGNORECASE)
COMMON = _set_of(
    "admin administrator root user username default password passwd secret token changeme localhost production "
    "development staging opaque internal external"
)
"""Texts that stand everywhere: hiding them would hide nothing."""
# what Azure calls a secret and nobody else: cloud-init data, and addresses that are signed
_AZURE_SECRETS = ("customdata", "sasurl", "sasuri")
# everything below is secret: settings of extensions of VMs and of clusters
_ALL_BELOW = "protectedsettings"
_BRACKETS = re.compile(r'"([^"]*)"|\[([^\[\]]*)\]|([^.\[\]"]+)')
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def secret_name(path: str) -> bool:
    """Whether what stands at this dotted path (or under this name) is a secret, by the names on the way."""
    return is_secret_route(_route(path))


def could_be_secret(path: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return False
    text = str(value)
    head = _head(_route(path)[-1]) if path else ""
    if head in _DIGITS and re.fullmatch(r"\d{4,}", text):
        return True
    if not text or SWITCH.fullmatch(text) or _REFERENCE.fullmatch(text):
        return False
    if head == "auth" and text.lower() in _WAYS_IN:
        return False
    return not (head in _FILES and _PATH.fullmatch(text))


def is_random_key(path: str, value: Any) -> bool:
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


def speaks_for_another(path: str) -> bool:
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


def is_secret_route(route: tuple[str, ...]) -> bool:
    silent = True
    if any(all_below(name) for name in route):
        return True
    if len(route) > 1 and _words(route[-1]) == ("key",) and _HAVE_A_KEY & set(_words(route[-2])[-1:]):
        return True
    together = _said_together(route)
    if together is not None:
        return together
    for name in reversed(route):
        item = name.startswith("[")
        stated = _stated(name.strip("[]"))
        if item and not silent:
            # the name of a container or a volume says nothing of what is inside it
            continue
        if stated is not None:
            return stated
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
    return _stated(" ".join(words)) if above and own == ("key",) else None


def _above(route: tuple[str, ...]) -> tuple[str, ...]:
    """The words that a last name is read with; none where what is above is a list of such, or refers to an object."""
    for name in reversed(route[:-1]):
        words = _telling(name)
        if not words:
            continue
        head = words[-1]
        entries = head.endswith("s") and not head.endswith("ss") and head not in _KEY_OF and len(head) > 3
        refers = _stated(name) is False and not (head in _SETTINGS and head in _KEY_OF)
        return () if name.startswith("[") or entries or (refers and head not in _OPEN_KEYS) else words
    return ()


def _telling(name: str) -> tuple[str, ...]:
    return tuple(word for word in _words(name) if word not in _TRANSPARENT)


@lru_cache(maxsize=20000)
def all_below(name: str) -> bool:
    return "".join(_words(name)).endswith(_ALL_BELOW)


@lru_cache(maxsize=20000)
def _stated(name: str) -> bool | None:
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
    return next(reversed(_telling(name)), "")


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
