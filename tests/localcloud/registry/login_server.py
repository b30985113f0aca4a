# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry's login server: the token flow and the tag API of Azure Container Registry, in front of the registry.

- `/oauth2/exchange` and `/oauth2/token` as https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md describes them, the
  latter also as Docker's clients use it (a GET with Basic, a POST with a password); the refusal is the one that public
  issues quote ("authentication required, visit https://aka.ms/acr/authorization for more information").
- `/acr/v1/{repository}/…` as the paths and answers of the package azure-containerregistry 1.2 have them.
- `/v2/…` goes to the registry as it came, which judges the access token by itself.
- `/blobs/…` stands for the storage account of a registry's tasks: whoever has the address, which is signed, may write a
  context and read a log there, all of it or from some byte on (Get Blob, https://learn.microsoft.com/rest/api/
  storageservices/specifying-the-range-header-for-blob-service-operations).
- `/metadata/identity/oauth2/token` is no part of a registry: it stands for 169.254.169.254, which tells machines apart
  by where they ask from, and lets a node's kubelet get a token of its cluster's identity.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import json
import re
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.registries import Access, AccessRefused
from localcloud.registry.component import LOOPBACK, Component
from localcloud.registry.tokens import RegistryTokens, TokenError, scopes

NULL_USER = "00000000-0000-0000-0000-000000000000"  # "the password is a refresh token"
UNAUTHORIZED = "authentication required, visit https://aka.ms/acr/authorization for more information."
CHUNK = 256 * 1024
# what has a meaning between two neighbours only
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length")
OWN = ("date", "server")  # of an answer: the door says them itself
TAG_PATH = re.compile(r"/acr/v1/(?P<repository>.+?)(?:/_(?P<kind>tags|manifests)(?:/(?P<name>[^/]+))?)?/?")


class LoginServer:
    """One registry's door. `tenant` is what its refresh tokens name."""

    def __init__(self, component: Component, port: int, tokens: RegistryTokens, access: Access, tenant: str) -> None:
        self.component = component
        self.port = port
        self.tokens = tokens
        self.access = access
        self.tenant = tenant
        settings = component.settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.registry_cert_file, settings.registry_key_file)
        host, _, own = component.service.rpartition(":")
        handler = type("Handler", (_Handler,), {"door": self})
        self._server = _Server((host, int(own)), handler, context)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def service(self) -> str:
        return self.component.service

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.component.stop()

    # --- the token flow

    def exchange(self, form: Mapping[str, str]) -> str:
        """A refresh token for an Entra token."""
        if form.get("grant_type") != "access_token":
            raise AccessRefused(f"The grant type {form.get('grant_type', '')!r} is not supported.")
        self._require_service(form)
        return self.tokens.refresh(self.service, self.access.principal_of(form.get("access_token", "")), self.tenant)

    def token(self, form: Mapping[str, str], wanted: Iterable[str], authorization: str) -> str:
        """An access token with as much of the wanted scopes as the subject may have; none at all is a refusal."""
        self._require_service(form)
        subject = self._subject(form, authorization)
        allowed = self.access.actions(subject)
        grants, asked = [], scopes(wanted)
        for scope in asked:
            got = [action for action in scope["actions"] if _is_allowed(scope["type"], action, allowed)]
            if got:
                grants.append({**scope, "actions": got})
        if (asked and not grants) or (not asked and not subject):
            raise AccessRefused(UNAUTHORIZED)
        return self.tokens.access(self.service, subject, grants)

    def _require_service(self, form: Mapping[str, str]) -> None:
        if form.get("service", self.service) != self.service:
            raise AccessRefused(f"The service {form['service']!r} is not this registry.")

    def _subject(self, form: Mapping[str, str], authorization: str) -> str:
        try:
            if form.get("grant_type") == "refresh_token":
                return self.tokens.subject_of(form.get("refresh_token", ""), self.service)
            user, password = form.get("username", ""), form.get("password", "")
            if authorization.lower().startswith("basic "):
                user, _, password = base64.b64decode(authorization[6:]).decode(errors="replace").partition(":")
            if user == NULL_USER:
                return self.tokens.subject_of(password, self.service)
            return self.access.signs_in(user, password) if user else ""
        except (TokenError, ValueError) as exc:
            raise AccessRefused(UNAUTHORIZED) from exc


def _is_allowed(kind: str, action: str, allowed: frozenset[str]) -> bool:
    if kind == "registry":
        return "catalog" in allowed
    if action == "*":
        return {"pull", "push", "delete"} <= allowed
    return action in allowed


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: Any, context: ssl.SSLContext) -> None:
        super().__init__(address, handler)
        # the handshake is the handler's, in a thread of its own: a silent client must not hold up the others
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not trust us, is no event; anything else is a defect to look at."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc(file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    door: LoginServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class has it so
        """Quiet: what reached a registry is in the answers."""

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        try:
            if path.startswith("/v2/") or path == "/v2":
                self._pass_on()
            elif path == "/oauth2/exchange" and self.command == "POST":
                self._send(200, {"refresh_token": self.door.exchange(self._form()[0])})
            elif path == "/oauth2/token" and self.command in ("GET", "POST"):
                form, wanted = self._form()
                self._send(200, {"access_token": self.door.token(form, wanted, self._authorization)})
            elif path == "/metadata/identity/oauth2/token":
                self._identity()
            elif path.startswith("/blobs/"):
                self._blob(path)
            elif path.startswith("/acr/v1/"):
                self._tags(path)
            else:
                self._refuse(404, "NOT_FOUND", f"{path} is not an address of a registry")
        except AccessRefused as exc:
            self._refuse(401, "UNAUTHORIZED", str(exc))

    @property
    def _authorization(self) -> str:
        return self.headers.get("Authorization") or ""

    def _form(self) -> tuple[dict[str, str], list[str]]:
        """The parameters of the query or of the form, and all scopes among them."""
        text = urlsplit(self.path).query
        if self.command == "POST":
            text = b"".join(self._body()).decode(errors="replace")
        values = parse_qs(text, keep_blank_values=True)
        return {name: found[0] for name, found in values.items()}, values.get("scope", [])

    def _identity(self) -> None:
        wanted = parse_qs(urlsplit(self.path).query).get("resource", [""])[0]
        if self.headers.get("Metadata", "").lower() != "true":
            self._refuse(400, "BAD_REQUEST", "Required metadata header not specified")
            return
        token = self.door.access.identity_token(self.client_address[0], wanted)
        expires = str(int(time.time()) + 3600)
        self._send(200, {"access_token": token, "expires_on": expires, "resource": wanted, "token_type": "Bearer"})

    def _blob(self, path: str) -> None:
        name = path.removeprefix("/blobs/")
        signature = parse_qs(urlsplit(self.path).query).get("sig", [""])[0]
        if not hmac.compare_digest(signature, self.door.component.signature(name)):
            self._refuse(403, "AuthenticationFailed", "Server failed to authenticate the request.")
            return
        file = self.door.component.blob(name)
        if self.command == "PUT":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"".join(self._body()))
            self._send(201, None)
        elif self.command == "GET" and file.is_file():
            content, wanted = file.read_bytes(), re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            begin = int(wanted[1]) if wanted else 0
            if wanted and begin >= len(content):
                text = "The range specified is invalid for the current size of the resource."
                self._refuse(416, "InvalidRange", text)
                return
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            content = content[begin:]
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        else:
            self._refuse(404, "BlobNotFound", "The specified blob does not exist.")

    # --- tags and manifests

    def _tags(self, path: str) -> None:
        found = TAG_PATH.fullmatch(unquote(path))
        if found is None or (self.command, found["kind"]) not in _TAG_REQUESTS:
            self._refuse(405, "UNSUPPORTED", "The operation is unsupported.")
            return
        repository, name = found["repository"], found["name"] or ""
        needed = "delete" if self.command == "DELETE" else "metadata_read"
        if not self._has(repository, needed):
            challenge = (
                f'Bearer realm="https://{self.door.service}/oauth2/token",service="{self.door.service}",'
                f'scope="repository:{repository}:{needed}"'
            )
            self._refuse(401, "UNAUTHORIZED", UNAUTHORIZED, {"WWW-Authenticate": challenge})
            return
        status, body = _TAG_REQUESTS[self.command, found["kind"]](self.door, repository, name)
        self._send(status, body)

    def _has(self, repository: str, action: str) -> bool:
        """Whether the bearer token has this; of the same signature as those that the registry takes."""
        scheme, _, token = self._authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        grants = self.door.tokens.grants_of(token, self.door.service)
        return any(one["name"] == repository and action in one["actions"] for one in grants)

    # --- the registry behind

    def _pass_on(self) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, self.door.port, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= {"Host": self.door.service, "X-Forwarded-Proto": "https"}
        length = self.headers.get("Content-Length")
        chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "").lower()
        if length is not None:
            headers["Content-Length"] = length
        body = self._body() if length is not None or chunked else None
        try:
            connection.request(self.command, self.path, body=body, headers=headers, encode_chunked=chunked)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (*HOP_BY_HOP, *OWN):
                    self.send_header(name, value)
            self._relay(answer)
        finally:
            connection.close()

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        size = answer.getheader("Content-Length")
        if self.command == "HEAD" or answer.status in (204, 304):
            if size is not None:
                self.send_header("Content-Length", size)
            self.end_headers()
            return
        if size is None:
            content = answer.read()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_header("Content-Length", size)
        self.end_headers()
        while part := answer.read(CHUNK):
            self.wfile.write(part)

    def _body(self) -> Iterator[bytes]:
        """What the client sends, in parts."""
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            with contextlib.suppress(OSError):
                self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (part := self.rfile.read(min(left, CHUNK))):
            left -= len(part)
            yield part

    def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        # what the client may still be sending is nobody's any more
        self.close_connection = True
        self._send(status, {"errors": [{"code": code, "message": message, "detail": None}]}, headers)


# --- the answers of /acr/v1


def _get(door: LoginServer, path: str, repository: str, accept: str = "") -> tuple[int, http.client.HTTPMessage, bytes]:
    """Ask the registry itself, with a token of our own."""
    grants = [{"type": "repository", "name": repository, "actions": ["pull", "push", "delete"]}]
    headers = {"Authorization": f"Bearer {door.tokens.access(door.service, 'acr', grants)}", "Accept": accept or "*/*"}
    connection = http.client.HTTPConnection(LOOPBACK, door.port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


MANIFESTS = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.manifest.v1+json",
        "oci.image.index.v1+json",
        "docker.distribution.manifest.v2+json",
        "docker.distribution.manifest.list.v2+json",
    )
)


def _digest(door: LoginServer, repository: str, tag: str) -> str:
    status, headers, _ = _get(door, f"/v2/{repository}/manifests/{tag}", repository, MANIFESTS)
    return str(headers.get("Docker-Content-Digest")) if status == 200 else ""


def _all_tags(door: LoginServer, repository: str) -> list[str]:
    status, _, content = _get(door, f"/v2/{repository}/tags/list", repository)
    return sorted(json.loads(content).get("tags") or []) if status == 200 else []


def _unknown(code: str, what: str) -> tuple[int, Any]:
    return 404, {"errors": [{"code": code, "message": f"the specified {what} does not exist"}]}


def _tag(door: LoginServer, repository: str, tag: str) -> tuple[int, Any]:
    names = [tag] if tag else _all_tags(door, repository)
    found = [{"name": name, "digest": digest} for name in names if (digest := _digest(door, repository, name))]
    if tag and not found:
        return _unknown("TAG_UNKNOWN", "tag")
    body = {"registry": door.service, "imageName": repository}
    return 200, {**body, "tag": found[0]} if tag else {**body, "tags": found}


def _manifest(door: LoginServer, repository: str, digest: str) -> tuple[int, Any]:
    status, _, content = _get(door, f"/v2/{repository}/manifests/{digest}", repository, MANIFESTS)
    if not digest or status != 200:
        return _unknown("MANIFEST_UNKNOWN", "manifest")
    tags = [name for name in _all_tags(door, repository) if _digest(door, repository, name) == digest]
    described = {"digest": digest, "mediaType": json.loads(content).get("mediaType"), "tags": tags}
    return 200, {"registry": door.service, "imageName": repository, "manifest": described}


def _untag(door: LoginServer, repository: str, tag: str) -> tuple[int, Any]:
    return (202, None) if tag and door.component.untag(repository, tag) else _unknown("TAG_UNKNOWN", "tag")


_TAG_REQUESTS = {("GET", "tags"): _tag, ("GET", "manifests"): _manifest, ("DELETE", "tags"): _untag}
