# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for a conversation with an MCP server.

Bounded in time, no redirects, and the HTTP+SSE transport of 2024-11-05.
"""

from __future__ import annotations

import http.client
import json
import os
import posixpath
import string
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from ..errors import InvalidInput, Problem
from ..http_terms import connection_pool, cut_off, environment_proxy, tls_context, untrusted
from ..intent import guard
from ..kube import sdk
from ..waiting import Watchdog
from . import protocol
from .protocol import EventStream, Exchange, Reply
from .verdicts import Code, Unanswered, refusal, shortened, without_secrets


def is_ambiguous_path(path: str) -> bool:
    """Whether some reader of the path (a library, a proxy, a server) may go elsewhere than it seems to lead."""
    plain = fully_decoded(path.partition("?")[0])
    # readers drop tabs and line ends, and take a backslash for a slash
    if not plain.startswith("/") or plain.startswith("//") or "\\" in plain or not plain.isprintable():
        return True
    return any(part in (".", "..") for part in plain.split("/"))


def stays_under(prefix: str, path: str) -> bool:
    """Whether a path is still under a prefix when it is decoded and its dot segments are resolved."""
    plain = fully_decoded(path.partition("?")[0]).replace("\\", "/")
    resolved = posixpath.normpath(plain)
    return plain.isprintable() and (resolved == prefix or resolved.startswith(prefix + "/"))


def fully_decoded(path: str) -> str:
    """Without percent signs, however often they were encoded: each reader on the way may decode once."""
    while (plain := unquote(path)) != path:
        path = plain
    return path


def in_ascii(path: str) -> str:
    """A path with its query as a request has it: only what is not ASCII is encoded."""
    return quote(path, safe=string.punctuation)


def at_origin(base: str, path: str) -> str:
    """The address of a path (with its query) at the origin of `base`."""
    here = urlsplit(base)
    bare, _mark, query = path.partition("?")
    address = urlunsplit((here.scheme, here.netloc, bare, query, ""))
    there = urlsplit(address)
    if is_ambiguous_path(path) or (there.scheme, there.netloc) != (here.scheme, here.netloc):
        raise foreign_address(path)
    return address


def foreign_address(address: str) -> Unanswered:
    """The verdict on a server that names an address elsewhere."""
    return Unanswered(
        "ForeignAddress",
        "its stream names an address for requests that is of another origin, or leads out of its own: "
        f"{without_secrets(address)}",
        "Nothing was sent there. The server, or a proxy in front of it, must name a path of its own.",
        terminal=True,
        status=200,
    )


CHUNK = 65536
# how many requests a stream that brings several answers may last
STREAM_TIMES = 6
# zero would mean something else to a socket
SHORTEST_WAIT = 0.01
# Opens a request and returns a urllib3 response whose body is not read yet.
Opener = Callable[[str, Mapping[str, str], "bytes | None", float], Any]


@dataclass(frozen=True)
class HttpExchange:
    """An Exchange whose every request, body included, ends within about `timeout` seconds.

    `base` is the address as the server knows it, and `elsewhere` opens requests to other paths of it. On a way
    `through_api_server`, that one may answer instead of the server.
    """

    opener: Opener
    timeout: float
    base: str = ""
    elsewhere: Callable[[str], Opener] | None = None
    longest: float = 0.0
    through_api_server: bool = False

    @contextmanager
    def __call__(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Reply]:
        deadline = Watchdog(max(self.timeout, self.longest))
        response = None
        try:
            with deadline.watching():
                response = self._opened(method, headers, body, deadline)
                names = _by_name(response.headers.items())
                pieces = _decompressed(_chunks(response, deadline, self.timeout), names, response.status)
                yield Reply(response.status, names, pieces, self.through_api_server)
        finally:
            # before the connection goes to another request
            deadline.end()
            if response is not None:
                _release(response)

    def _opened(self, method: str, headers: Mapping[str, str], body: bytes | None, deadline: Watchdog) -> Any:
        if deadline.passed:
            raise timed_out(self.timeout)
        try:
            response = self.opener(method, headers, body, max(SHORTEST_WAIT, min(self.timeout, deadline.left)))
        except Exception as exc:
            if deadline.passed and not isinstance(exc, sdk.urllib3.exceptions.ConnectTimeoutError):
                raise timed_out(self.timeout) from exc
            if isinstance(exc, sdk.urllib3.exceptions.HTTPError):
                raise http_unreached(exc, self.timeout) from exc
            raise
        if deadline.passed:
            # headers that end with the connection look complete
            response.close()
            response.release_conn()
            raise timed_out(self.timeout)
        return response

    def at(self, path: str) -> Exchange:
        if self.elsewhere is None:
            return self
        at_origin(self.base, path)
        return replace(self, opener=self.elsewhere(path))

    def lasting(self) -> Exchange:
        """For a stream that brings several answers; what is silent for the time of one request still ends."""
        return replace(self, longest=self.timeout * STREAM_TIMES)


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """By name in small letters: the last of several, and of challenges all, since a login may answer any of them."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key == "www-authenticate" and key in found else value
    return found


def url_exchange(url: str, opener: Callable[[str], Opener], timeout: float) -> HttpExchange:
    """An Exchange over a URL, whose other paths are on the same server."""
    return HttpExchange(opener(url), timeout, url, lambda path: opener(at_origin(url, path)))


def url_opener(
    url: str, extra: Mapping[str, str], *, ca_file: str | None, validate_certs: bool, check_mode: bool
) -> Opener:
    """Requests to a URL, one pool a target, through the environment's proxy if it names one."""
    sdk.require()
    settings: dict[str, Any] = {"retries": False}
    if urlsplit(url).scheme == "https":
        settings |= _tls(ca_file, validate_certs)
    pool = connection_pool("mcp_probe", environment_proxy(url, os.environ), settings)

    def opener(method: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Any:
        guard(check_mode, "mcp", method, url)
        return pool.request(
            method,
            url,
            headers={**extra, **headers},
            body=body,
            timeout=timeout,
            redirect=False,
            preload_content=False,
        )

    return opener


def _tls(ca_file: str | None, validate_certs: bool) -> dict[str, Any]:
    try:
        context = tls_context(ca_file=ca_file, verify=validate_certs)
    except OSError as exc:
        raise InvalidInput("mcp_probe", [Problem("ca_cert", f"{ca_file} holds no certificate (PEM)")]) from exc
    return {"ssl_context": context} if validate_certs else {"ssl_context": context, "assert_hostname": False}


def http_unreached(exc: Exception, timeout: float) -> Unanswered:
    """The verdict on a request that got no HTTP answer."""
    errors = sdk.urllib3.exceptions
    text = str(exc)
    if isinstance(exc, errors.NameResolutionError) or "Name or service not known" in text:
        return Unanswered("UnknownHost", "its host name does not resolve", "Check the url.")
    refused = proxy_refusal(text)
    if refused is not None:
        return refused
    if "Connection refused" in text:
        return Unanswered(
            "ConnectionRefused",
            "the connection was refused: nothing listens there",
            "Check the port, and that the server listens on 0.0.0.0 rather than on localhost.",
        )
    if isinstance(exc, errors.ConnectTimeoutError):
        return Unanswered(
            "Unreachable",
            f"no connection came about within {timeout:.3g} s",
            "A firewall or a network policy may be in the way, or the address is wrong.",
        )
    if isinstance(exc, (errors.ReadTimeoutError, errors.TimeoutError)):
        return timed_out(timeout)
    if isinstance(exc, errors.SSLError) and cut_off(exc):
        return Unanswered(
            "CutOff", f"the connection ended while TLS was agreed upon: {shortened(text)}", "See its log."
        )
    if isinstance(exc, errors.SSLError):
        return Unanswered(
            "Tls",
            f"TLS failed: {untrusted(exc) or shortened(text)}",
            "Give the CA with ca_cert, or check that the address speaks TLS.",
            terminal=True,
        )
    stated = f"the connection failed: {type(exc).__name__}: {shortened(text)}"
    return Unanswered("NotHttp", stated, "Is there an HTTP server?")


def proxy_refusal(text: str) -> Unanswered | None:
    """The verdict on a proxy that makes no tunnel without a login, from what http.client says of it."""
    return refusal(407, {}, b"") if "Tunnel connection failed: 407" in text else None


def timed_out(timeout: float) -> Unanswered:
    return Unanswered(
        "Timeout",
        f"it accepted the request and did not answer within {timeout:.3g} s",
        "It hangs or is overloaded; raise timeout for a server that starts slowly.",
    )


def _chunks(response: Any, deadline: Watchdog, timeout: float) -> Iterator[bytes]:
    """The body as it comes. The socket's timeout bounds one read, the deadline bounds all of them."""
    try:
        while chunk := response.read1(CHUNK, decode_content=False):
            yield chunk
            if deadline.passed:
                raise timed_out(timeout)
        # a body that ends with the connection may look complete
        if deadline.passed:
            raise timed_out(timeout)
    except (sdk.urllib3.exceptions.ReadTimeoutError, TimeoutError) as exc:
        raise timed_out(timeout) from exc
    except (sdk.urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as exc:
        if deadline.passed:
            raise timed_out(timeout) from exc
        raise Unanswered(
            "CutOff",
            f"the connection ended in the middle of the answer: {type(exc).__name__}",
            "See its own log.",
        ) from exc


def _decompressed(chunks: Iterator[bytes], headers: Mapping[str, str], status: int) -> Iterator[bytes]:
    """What some proxies compress although nobody asked for it; in pieces, because a few bytes may hold gigabytes."""
    coding = headers.get("content-encoding", "").strip().lower() or "identity"
    if coding == "identity":
        yield from chunks
        return
    broken = Unanswered(
        "NotMcp",
        f"its answer is compressed ({shortened(coding)}) in a way that cannot be read, and it was asked for plain text",
        "A proxy in front of it may compress what it passes on: have it respect Accept-Encoding.",
        terminal=True,
        status=status,
    )
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise broken
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        for chunk in chunks:
            while chunk:
                yield inflate.decompress(chunk, CHUNK)
                chunk = inflate.unconsumed_tail
    except zlib.error as exc:
        raise broken from exc


def _release(response: Any) -> None:
    """Keep a connection whose answer was read to its end; anything else is closed: a rest may never come."""
    if not response.closed and response.length_remaining != 0:
        response.close()
    # a closed connection goes back as well: the pool counts them, and waits for ever for one that is missing
    response.release_conn()


# the stream brings all answers of a conversation
MOST_BYTES = 4 * protocol.MAX_ANSWER_BYTES
# how a server refuses a POST at the address of such a stream
REFUSALS = (404, 405)

# what says more than that there is no such stream
TOLD: frozenset[Code] = frozenset(("ForeignAddress", "Oversize", "Unauthorized", "Forbidden", "ProxyUnauthorized"))


@contextmanager
def connected_sse(exchange: HttpExchange, headers: Mapping[str, str]) -> Iterator[Exchange]:
    """An Exchange over an open stream; Unanswered where the server has none."""
    with exchange.lasting()("GET", {**headers, "Accept": "text/event-stream"}, None) as reply:
        if not reply.successful or reply.content_type != "text/event-stream":
            raise protocol.refused(reply)
        stream = EventStream(protocol.limited(reply.chunks, MOST_BYTES))
        texts = iter(stream)
        reference = next(texts, "")
        if stream.name != "endpoint":
            raise Unanswered("NotMcp", "its stream begins without an endpoint", terminal=True, status=reply.status)
        yield _paired(exchange.at(endpoint_path(exchange.base, reference)), texts)


def endpoint_path(base: str, reference: str) -> str:
    """Path and query of the address for requests. Another origin would get the headers that are meant for this one."""
    here = urlsplit(base)
    try:
        there = urlsplit(urljoin(base, reference.strip()))
    except ValueError as exc:
        raise foreign_address(reference) from exc
    path = in_ascii((there.path or "/") + (f"?{there.query}" if there.query else ""))
    if (there.scheme, there.netloc) != (here.scheme, here.netloc) or is_ambiguous_path(path):
        raise foreign_address(reference)
    return path


def _paired(post: Exchange, texts: Iterator[str]) -> Exchange:
    @contextmanager
    def exchange(method: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Reply]:
        if method != "POST" or body is None:
            # the end of the stream ends the session
            yield Reply(405, {})
            return
        with post("POST", headers, body) as reply:
            if not reply.successful:
                raise protocol.refused(reply)
        sent = json.loads(body)
        if "method" not in sent or "id" not in sent:
            yield Reply(202, {})
            return
        events = (b"".join(b"data: %s\n" % line.encode() for line in text.split("\n")) + b"\n" for text in texts)
        yield Reply(200, {"content-type": "text/event-stream"}, events)

    return exchange
