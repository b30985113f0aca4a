# SPDX-License-Identifier: GPL-3.0-or-later
"""What all HTTP services have in common."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from ansible_collections.mcpops.platform.plugins.module_utils import http_terms
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response, bypasses, retry_after

BYPASS = [
    ("https://10.213.1.2:6443", "10.213.0.0/16", True),
    ("https://10.214.1.2:6443", "10.213.0.0/16", False),
    ("https://api.example.com", ".example.com", True),
    ("https://api.example.com", "example.com", True),
    ("https://badexample.com", "example.com", False),
    ("https://api.example.com", "*", True),
    ("https://localhost:6443", "127.0.0.1, localhost", True),
    ("https://api.example.com", "", False),
]


@pytest.mark.parametrize(("url", "no_proxy", "expected"), BYPASS)
def test_no_proxy(url: str, no_proxy: str, expected: bool) -> None:
    assert bypasses(url, no_proxy) is expected


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p"}, "http://p"),
        ({"HTTP_PROXY": "http://p"}, None),
        ({"HTTPS_PROXY": "http://p", "https_proxy": "http://q"}, "http://q"),
        # empty in small letters: none, although another variable names one
        ({"HTTPS_PROXY": "http://p", "https_proxy": ""}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "example.com"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "example.com", "no_proxy": "other"}, "http://p"),
    ],
)
def test_the_proxy_of_the_environment(environ: dict[str, str], proxy: str | None) -> None:
    assert http_terms.environment_proxy("https://mcp.example.com/mcp", environ) == proxy


@pytest.mark.parametrize(
    ("address", "login"),
    [
        ("http://p:3128", None),
        ("http://ann:secret@p", "ann:secret"),
        # what an address cannot hold as it is
        ("http://ann%40corp:a%3Ab%2Fc@p", "ann@corp:a:b/c"),
        ("http://ann@p", "ann:"),
    ],
)
def test_the_login_of_a_proxy(address: str, login: str | None) -> None:
    headers = {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    assert http_terms.proxy_login(address) == headers


@pytest.mark.parametrize("proxy", ["p:3128", "ftp://p", "//p"])
def test_an_address_that_is_not_a_proxys(proxy: str) -> None:
    with pytest.raises(InvalidInput, match="http://, https:// or socks5://"):
        http_terms.connection_pool("a test", proxy, {})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "50", "retry-after": "7"}, 0.05),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    assert retry_after(urllib3.HTTPHeaderDict({name.title(): text for name, text in headers.items()})) == seconds


@pytest.mark.parametrize(
    ("failure", "stated"),
    [
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1028)",
            "presents a certificate that is not trusted: self-signed certificate",
        ),
        (
            "HTTPSConnectionPool(host='x', port=443): Max retries exceeded (Caused by SSLError(SSLCertVerificationError"
            '(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not '
            "valid for 'x'. (_ssl.c:1000)\")))",
            "presents a certificate that is not trusted: Hostname mismatch, certificate is not valid for 'x'",
        ),
        ("CERTIFICATE_VERIFY_FAILED", "presents a certificate that is not trusted"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1028)", ""),
        ("connection refused", ""),
    ],
)
def test_why_a_certificate_is_not_trusted(failure: str, stated: str) -> None:
    assert http_terms.untrusted(ssl.SSLError(failure)) == stated


@pytest.mark.parametrize(
    ("failure", "ended"),
    [
        (ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol"), True),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"), True),
        (ssl.SSLError("The handshake operation timed out"), True),
        (ssl.SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), False),
        (ssl.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: EOF occurred"), False),
        (ssl.SSLError("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"), False),
    ],
)
def test_a_connection_that_ended_is_no_port_without_tls(failure: ssl.SSLError, ended: bool) -> None:
    assert http_terms.cut_off(failure) is ended


def test_tls_that_ends_before_a_request_is_a_connection_that_ended() -> None:
    """Real sockets: what Python says of a server that hangs up in the handshake, and of one that speaks plain HTTP."""

    def greeted(answer: bytes) -> ssl.SSLError | OSError:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            context = http_terms.tls_context(verify=False)
            try:
                with socket.create_connection(server.getsockname()) as plain, context.wrap_socket(plain):
                    raise AssertionError("no TLS here")
            except OSError as failure:
                return failure
            finally:
                thread.join()

    assert http_terms.cut_off(greeted(b""))
    assert not http_terms.cut_off(greeted(b"HTTP/1.0 400 Bad Request\r\n\r\n"))


def test_an_answer_that_is_not_json() -> None:
    page = Response(200, {}, b"<html>")
    assert page.json_or_none() is None
    assert Response(200, {}, b"").json_or_none() is None
    assert Response(200, {}, b'{"a": 1}').json_or_none() == {"a": 1}
    with pytest.raises(ValueError):
        page.json()


@pytest.mark.parametrize("make", [http_terms.tls_context, lambda: http_terms.tls_context(verify=False)])
def test_authorities_without_key_identifiers_are_accepted(make: Callable[[], Any]) -> None:
    assert not make().verify_flags & ssl.VERIFY_X509_STRICT


def test_certificates_are_checked_unless_the_user_says_otherwise() -> None:
    assert http_terms.tls_context().verify_mode is ssl.CERT_REQUIRED
    assert http_terms.tls_context(verify=False).verify_mode is ssl.CERT_NONE
