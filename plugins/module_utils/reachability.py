# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether services answer at all from where the play runs: one request each, all at the same time.

Any answer will do, a refusal as well: it says that name, way, proxy and certificate are right.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from .errors import Failure, Problem
from .http_terms import connection_pool, environment_proxy, tls_context, untrusted

SECONDS = 10.0
_AT_ONCE = 16
_SUBJECT = "reachability"
# https://docs.docker.com/reference/cli/docker/image/pull: an image without a registry is one of Docker Hub
_DOCKER_HUB = "registry-1.docker.io"
_NAMES_OF_DOCKER_HUB = ("docker.io", "index.docker.io")
# of an image: a first part with a dot or a port is a registry (distribution/reference)
_REGISTRY = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|[\w.-]+:\d+)(:\d+)?(?=/)")
_IMAGE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")


def address_of(text: str) -> str:
    """The URL to ask: that of an `http(s)://` address itself, of an `oci://` chart or an image that of its registry's
    API; empty for what is none of these, such as the path of a chart."""
    if text.startswith(("https://", "http://")):
        return text
    if text.startswith("oci://"):
        return _api_of(urlsplit(text).netloc)
    if text.startswith(("/", ".", "~")) or not _IMAGE.fullmatch(text):
        return ""
    registry = _REGISTRY.match(text)
    return _api_of(registry[0] if registry else _DOCKER_HUB)


def _api_of(registry: str) -> str:
    # Docker Hub's API has another host than the names of its images
    return f"https://{_DOCKER_HUB if registry in _NAMES_OF_DOCKER_HUB else registry}/v2/"


def address_problems(option: str, texts: Iterable[str]) -> Iterator[Problem]:
    """What names nothing that could be asked."""
    for text in dict.fromkeys(texts):
        if not address_of(text) or not urlsplit(address_of(text)).hostname:
            message = f"{text!r} is not a URL, an oci:// chart or an image, for example https://charts.example.com"
            yield Problem(option, message)


def unreachable(
    urls: Iterable[str],
    *,
    verify: bool | str = True,
    seconds: float = SECONDS,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Of these URLs those that give no answer, with why not: "it …". `verify` as the Azure libraries take it."""
    asked = list(dict.fromkeys(urls))
    if not asked:
        return {}
    env = os.environ if environ is None else environ
    with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
        answers = list(pool.map(lambda url: _ask(url, verify, seconds, env), asked))
    return {url: reason for url, reason in zip(asked, answers) if reason}


def _ask(url: str, verify: bool | str, seconds: float, environ: Mapping[str, str]) -> str:
    import urllib3

    proxy = environment_proxy(url, environ)
    settings: dict[str, Any] = {"retries": False, "timeout": urllib3.Timeout(connect=seconds, read=seconds)}
    try:
        if urlsplit(url).scheme == "https":
            context = tls_context(ca_file=verify if isinstance(verify, str) else None, verify=verify is not False)
            settings |= {"ssl_context": context}
            settings |= {} if verify is not False else {"assert_hostname": False}
        connection_pool(_SUBJECT, proxy, settings).request("HEAD", url, redirect=False)
    except Failure as failure:
        return failure.message()
    except (OSError, urllib3.exceptions.HTTPError) as exc:
        through = f" through the proxy {_without_login(proxy)}" if proxy else ""
        return f"{_reason(exc, seconds)}{through}"
    return ""


def _reason(exc: BaseException, seconds: float) -> str:
    import urllib3.exceptions as known

    distrust = untrusted(exc)
    if distrust:
        return distrust
    cause = getattr(exc, "original_error", None) if isinstance(exc, known.ProxyError) else exc
    if isinstance(cause, known.NameResolutionError):
        return "has a name that does not resolve"
    # a refused connection is one of urllib3's timeouts
    if isinstance(cause, known.NewConnectionError):
        return "refuses connections" if "Connection refused" in str(cause) else "cannot be connected to"
    if isinstance(cause, (known.ConnectTimeoutError, known.ReadTimeoutError)):
        return f"does not answer within {seconds:g} s"
    text = str(cause if cause is not None else exc)
    return f"cannot be asked ({text[:200]})"


def _without_login(proxy: str | None) -> str:
    return re.sub(r"//[^@/]*@", "//", proxy or "")
