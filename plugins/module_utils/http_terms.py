# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all HTTP services have in common. Responses, Retry-After, certificates, and the way through a proxy."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from .errors import InvalidInput, Problem, pip_install
from .waiting import watched_pool

_NOT_TRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED(?:\] certificate verify failed)?(?:: (?P<why>[^()]*[^()\s]))?")

# in the words of OpenSSL and of Python, without those for a certificate or for a port that speaks no TLS
_CUT_OFF = re.compile(r"UNEXPECTED_EOF|EOF occurred|connection has been closed|reset by peer|Broken pipe|timed out")


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    """Names are found in lower case."""
    body: bytes

    def json(self) -> Any:
        """The decoded body; ValueError where it is not JSON."""
        return json.loads(self.body)

    def json_or_none(self) -> Any:
        """The decoded body, None where there is none or it is not JSON (a proxy's error page)."""
        try:
            return self.json()
        except ValueError:
            return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the service asks to stay away, in the three spellings that azure-core honours too."""
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None


def untrusted(failure: BaseException) -> str:
    """Why a server's certificate is not accepted, for "it …"; empty where something else failed.

    Asking again changes nothing, as it may for other breaks of TLS.
    """
    found = _NOT_TRUSTED.search(str(failure))
    if found is None:
        return ""
    # within the text of another exception its quotes are escaped
    why = (found["why"] or "").replace("\\", "").rstrip(".")
    return "presents a certificate that is not trusted" + (f": {why}" if why else "")


def cut_off(failure: BaseException) -> bool:
    """Whether a failure of TLS is a connection that ended, as by a server between two lives: it may pass by itself."""
    return not untrusted(failure) and _CUT_OFF.search(str(failure)) is not None


def expect_unverified() -> None:
    """The user asked not to check certificates; a warning per request would bury everything else."""
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def tls_context(*, ca_file: str | None = None, ca_pem: str | None = None, verify: bool = True) -> ssl.SSLContext:
    """How a server's certificate is checked; OSError (ssl.SSLError) where there is no certificate of an authority."""
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_pem)
    # Python 3.13 began to refuse authorities without key identifiers, which are common, and which Go accepts
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        expect_unverified()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def environment_proxy(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for this URL, unless NO_PROXY excepts it."""
    found = _variable(f"{urlsplit(url).scheme}_proxy", environ)
    return found if found and not bypasses(url, _variable("no_proxy", environ)) else None


def _variable(name: str, environ: Mapping[str, str]) -> str:
    """As curl and Python do it: in small letters first, even if it is empty then."""
    return environ.get(name, environ.get(name.upper(), ""))


def bypasses(url: str, no_proxy: str) -> bool:
    """NO_PROXY as curl and Go read it: names, domains, addresses and networks."""
    host = (urlsplit(url).hostname or "").lower()
    return any(
        entry == "*"
        or host == entry.split(":")[0].lstrip(".")
        or host.endswith("." + entry.lstrip("*").lstrip("."))
        or _in_network(host, entry)
        for entry in (part.strip().lower() for part in no_proxy.split(","))
        if entry
    )


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def proxy_login(proxy: str) -> dict[str, str]:
    """The header with the login that a proxy's address holds, if it holds one; its parts are percent-encoded there."""
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    return {"Proxy-Authorization": basic_auth(unquote_to_bytes(f"{parts.username}:{parts.password or ''}"))}


def basic_auth(login: bytes) -> str:
    """The value of an Authorization header for `user:password`."""
    return f"Basic {base64.b64encode(login).decode()}"


def connection_pool(subject: str, proxy: str | None, settings: Mapping[str, Any]) -> Any:
    """A pool manager of urllib3, through the proxy if there is one; InvalidInput where its address is not a proxy's."""
    import urllib3

    if proxy is None:
        return watched_pool(urllib3.PoolManager(**settings))
    scheme = proxy.partition("://")[0].lower() if "://" in proxy else ""
    if scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        problem = "is an address without http://, https:// or socks5:// before it"
        raise InvalidInput(subject, [Problem("proxy", problem)])
    if scheme.startswith("socks"):
        try:
            from urllib3.contrib.socks import SOCKSProxyManager
        except ImportError as exc:
            problem = f"a SOCKS proxy needs the library PySocks: {pip_install('PySocks')}"
            raise InvalidInput(subject, [Problem("proxy", problem)]) from exc
        return watched_pool(SOCKSProxyManager(proxy, **settings))
    return watched_pool(urllib3.ProxyManager(proxy, proxy_headers=proxy_login(proxy), **settings))
