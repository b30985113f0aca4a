# SPDX-License-Identifier: GPL-3.0-or-later
"""The blobs of a storage account, at the account's own host, for Entra tokens alone: containers and block blobs.

Paths, headers, bodies and statuses: azure-storage-blob 12.31 and https://learn.microsoft.com/rest/api/storageservices/
blob-service-rest-api; which action or data action an operation needs, the audience and that x-ms-version has to be
2017-11-09 or newer: …/authorize-with-azure-active-directory; codes and texts: …/blob-service-error-codes. The details
of InvalidAuthenticationInfo are recalled. Not here: account keys, SAS, anonymous access, blocks, snapshots, leases.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import jwt

from . import rbac
from .entra import STORAGE, bearer
from .storage_accounts import BLOB, CONTAINER, forget
from .store import Resource
from .wire import ArmError, Body, Call, Reply

if TYPE_CHECKING:
    from .routes import Route

CONTAINER_NAME = re.compile(r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]")
OLDEST = "2017-11-09"
XML = "application/xml"
LARGEST = 64 * 1024 * 1024
PAGE = 5000
SIGN_IN = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."


class BlobError(ArmError):
    """A refusal as the blob service spells it: XML, and the code in a header."""

    def __init__(
        self, status: int, code: str, message: str, detail: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, code, message, headers)
        self.detail = detail

    def reply(self) -> Reply:
        at = time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
        detail = f"<AuthenticationErrorDetail>{escape(self.detail)}</AuthenticationErrorDetail>" if self.detail else ""
        text = f"{self.message}\nRequestId:{uuid.uuid4()}\nTime:{at}"
        body = f"<Error><Code>{self.code}</Code><Message>{escape(text)}</Message>{detail}</Error>"
        headers = {**self.headers, "x-ms-error-code": self.code}
        return Reply(self.status, headers=headers, raw=_xml(body), media=XML)


def _xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{body}'.encode()


# --- who may


def shape(call: Call) -> str:
    """The path as the rows of `data_routes` write it."""
    container, _, blob = call.path.lstrip("/").partition("/")
    if blob:
        return "/{container}/{blob}"
    asked = [f"{name}={call.query[name]}" for name in ("restype", "comp") if name in call.query]
    return ("/{container}" if container else "/") + (f"?{'&'.join(asked)}" if asked else "")


def admit(call: Call, route: Route) -> None:
    """A token for storage, then the action on a container or the data action on a blob."""
    claims = claims_of(call)
    scope, data = _scope(call), "/blobs/" in route.action
    if not data and call.cloud.entra.knows(str(claims["oid"])):
        return
    if not rbac.allowed(call.cloud.store, str(claims["oid"]), route.action, scope, data=data):
        raise BlobError(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )


def claims_of(call: Call) -> Body:
    version = call.headers.get("x-ms-version", "")
    token = bearer(call.headers.get("authorization", ""))
    if not token and call.headers.get("authorization"):
        raise BlobError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    if not token:
        raise _unauthorized(call, "NoAuthenticationInformation", "")
    if version < OLDEST:
        raise _unauthorized(
            call, "InvalidAuthenticationInfo", "Authentication scheme Bearer is not supported in this version."
        )
    try:
        claims = call.cloud.entra.verify(token)
    except jwt.ExpiredSignatureError as exc:
        raise _unauthorized(
            call, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired."
        ) from exc
    except jwt.InvalidTokenError as exc:
        raise _unauthorized(call, "InvalidAuthenticationInfo", "Signature validation failed.") from exc
    name = _account(call).name
    if str(claims.get("aud", "")).rstrip("/") not in (STORAGE, f"https://{name}.blob.core.windows.net"):
        text = "Audience validation failed. Audience did not match."
        raise _unauthorized(call, "InvalidAuthenticationInfo", text)
    return claims


def _unauthorized(call: Call, code: str, detail: str) -> BlobError:
    config = call.cloud.config
    place = f"{config.endpoint}/{config.tenant_id}/oauth2/authorize"
    challenge = f"Bearer authorization_uri={place} resource_id={STORAGE}"
    return BlobError(401, code, SIGN_IN, detail, {"WWW-Authenticate": challenge})


# --- what is kept


def _account(call: Call) -> Resource:
    assert call.held is not None
    return call.held


def _names(call: Call) -> tuple[str, str]:
    container, _, blob = call.path.lstrip("/").partition("/")
    return container, blob


def _container_id(call: Call) -> str:
    return f"{_account(call).id}/blobServices/default/containers/{_names(call)[0]}"


def _blob_id(call: Call) -> str:
    """Blobs' names are compared with case, unlike ids."""
    return f"{_container_id(call)}/blobs/{hashlib.sha256(_names(call)[1].encode()).hexdigest()}"


def _scope(call: Call) -> str:
    container, blob = _names(call)
    if not container:
        return _account(call).id
    return f"{_container_id(call)}/blobs/{blob}" if blob else _container_id(call)


def _container(call: Call) -> Resource:
    found = call.cloud.store.get(_container_id(call))
    if found is None:
        raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
    return found


def _blob(call: Call) -> Resource:
    _container(call)
    found = call.cloud.store.get(_blob_id(call))
    if found is None:
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    return found


def _stamp() -> Body:
    return {"etag": f'"0x8D{uuid.uuid4().hex[:13].upper()}"', "modified": formatdate(usegmt=True)}


def _metadata(call: Call) -> dict[str, str]:
    return {name[10:]: value for name, value in call.headers.items() if name.startswith("x-ms-meta-")}


def _headers(call: Call, item: Resource) -> dict[str, str]:
    own = {"ETag": item.private["etag"], "Last-Modified": item.private["modified"]}
    version = call.headers.get("x-ms-version", OLDEST)
    meta = {f"x-ms-meta-{name}": value for name, value in item.private["metadata"].items()}
    return {**own, "x-ms-version": version, **meta}


def _store(call: Call, place: str, kind: str, name: str, private: Body) -> Resource:
    account = _account(call)
    made = Resource(place, kind, account.subscription, account.group, name, {}, private)
    call.cloud.store.put(made)
    return made


# --- containers


def list_containers(call: Call) -> Reply:
    items = _below(call, _account(call), CONTAINER)
    shown = [
        f"<Container><Name>{item.name}</Name><Properties>{_properties(item)}<LeaseStatus>unlocked</LeaseStatus>"
        "<LeaseState>available</LeaseState><HasImmutabilityPolicy>false</HasImmutabilityPolicy>"
        "<HasLegalHold>false</HasLegalHold></Properties></Container>"
        for item in items
    ]
    return _listed(call, "", "Containers", list(zip([item.name for item in items], shown)))


def create_container(call: Call) -> Reply:
    name = _names(call)[0]
    if not CONTAINER_NAME.fullmatch(name):
        raise BlobError(400, "InvalidResourceName", "The specifed resource name contains invalid characters.")
    if call.cloud.store.get(_container_id(call)) is not None:
        raise BlobError(409, "ContainerAlreadyExists", "The specified container already exists.")
    private = {**_stamp(), "metadata": _metadata(call)}
    return Reply(201, headers=_headers(call, _store(call, _container_id(call), CONTAINER, name, private)))


def get_container(call: Call) -> Reply:
    own = {"x-ms-lease-status": "unlocked", "x-ms-lease-state": "available", "x-ms-has-legal-hold": "false"}
    return Reply(200, headers={**_headers(call, _container(call)), **own, "x-ms-has-immutability-policy": "false"})


def delete_container(call: Call) -> Reply:
    found = _container(call)
    for item in _below(call, found, BLOB):
        forget(call.cloud, item)
    forget(call.cloud, found)
    return Reply(202)


def _below(call: Call, above: Resource, kind: str) -> list[Resource]:
    account = _account(call)
    found = call.cloud.store.find(kind=kind, subscription=account.subscription, group=account.group)
    return sorted((item for item in found if item.key.startswith(f"{above.key}/")), key=lambda item: item.name)


def _properties(item: Resource) -> str:
    own = item.private
    return f"<Last-Modified>{own['modified']}</Last-Modified><Etag>{escape(own['etag'])}</Etag>"


# --- blobs


def list_blobs(call: Call) -> Reply:
    items = _below(call, _container(call), BLOB)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    shown: dict[str, str] = {}
    for item in items:
        if not item.name.startswith(prefix):
            continue
        folder, found, _ = item.name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        name = f"{prefix}{folder}{delimiter}" if found else item.name
        shown[name] = f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" if found else _entry(item)
    return _listed(call, f" ContainerName={quoteattr(_names(call)[0])}", "Blobs", list(shown.items()))


def _entry(item: Resource) -> str:
    own = item.private
    values = {
        "Creation-Time": own["created"],
        "Content-Length": own["length"],
        "Content-Type": own["type"],
        "Content-MD5": own["md5"],
        "BlobType": "BlockBlob",
        "AccessTier": "Hot",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    text = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())
    return f"<Blob><Name>{escape(item.name)}</Name><Properties>{_properties(item)}{text}</Properties></Blob>"


def _listed(call: Call, attributes: str, part: str, entries: list[tuple[str, str]]) -> Reply:
    """A page of what is listed; the marker is the name that the next one starts with."""
    prefix, marker, size = (call.query.get(name, "") for name in ("prefix", "marker", "maxresults"))
    wanted = [(name, text) for name, text in entries if name.startswith(prefix) and name >= marker]
    many = min(int(size), PAGE) if size.isdigit() and int(size) else PAGE
    more = f"<NextMarker>{escape(wanted[many][0])}</NextMarker>" if len(wanted) > many else "<NextMarker />"
    endpoint = quoteattr(_account(call).body["properties"]["primaryEndpoints"]["blob"])
    shown = "".join(text for _name, text in wanted[:many])
    asked = f"<Prefix>{escape(prefix)}</Prefix><Marker>{escape(marker)}</Marker><MaxResults>{many}</MaxResults>"
    body = f"<EnumerationResults ServiceEndpoint={endpoint}{attributes}>{asked}<{part}>{shown}</{part}>{more}"
    return Reply(200, raw=_xml(f"{body}</EnumerationResults>"), media=XML)


def put_blob(call: Call) -> Reply:
    _container(call)
    content: bytes = call.body
    if call.headers.get("x-ms-blob-type", "").lower() != "blockblob" or "comp" in call.query:
        raise BlobError(400, "InvalidHeaderValue", "Only whole block blobs are taken here (x-ms-blob-type: BlockBlob).")
    if len(content) > LARGEST:
        raise BlobError(
            413, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit."
        )
    standing = call.cloud.store.get(_blob_id(call))
    if standing is not None and call.headers.get("if-none-match") == "*":
        raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    _require_match(call, standing)
    digest = base64.b64encode(hashlib.md5(content).digest()).decode()
    if call.headers.get("content-md5", digest) != digest:
        text = "The MD5 value specified in the request did not match with the MD5 value calculated by the server."
        raise BlobError(400, "Md5Mismatch", text)
    folder, file = call.cloud.config.state / "blobs", uuid.uuid4().hex
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / file).write_bytes(content)
    if standing is not None:
        forget(call.cloud, standing)
    stamp = _stamp()
    private = {
        **stamp,
        "file": file,
        "length": len(content),
        "md5": digest,
        "type": call.headers.get("x-ms-blob-content-type") or "application/octet-stream",
        "metadata": _metadata(call),
        "created": standing.private["created"] if standing else stamp["modified"],
    }
    made = _store(call, _blob_id(call), BLOB, _names(call)[1], private)
    encrypted = {"Content-MD5": digest, "x-ms-request-server-encrypted": "true"}
    return Reply(201, headers={**_headers(call, made), **encrypted})


def _require_match(call: Call, standing: Resource | None) -> None:
    wanted = call.headers.get("if-match", "")
    if wanted and (standing is None or wanted not in ("*", standing.private["etag"])):
        text = "The condition specified using HTTP conditional header(s) is not met."
        raise BlobError(412, "ConditionNotMet", text)


def _described(call: Call, blob: Resource) -> dict[str, str]:
    own = {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": blob.private["created"],
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
        "x-ms-access-tier": "Hot",
        "Accept-Ranges": "bytes",
    }
    return {**_headers(call, blob), **own}


def get_properties(call: Call) -> Reply:
    found = _blob(call)
    own = found.private
    content = {"Content-Length": str(own["length"]), "Content-Type": own["type"], "Content-MD5": own["md5"]}
    return Reply(200, headers={**_described(call, found), **content})


def get_blob(call: Call) -> Reply:
    found = _blob(call)
    _require_match(call, found)
    content = (call.cloud.config.state / "blobs" / found.private["file"]).read_bytes()
    headers, media = _described(call, found), str(found.private["type"])
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("x-ms-range") or call.headers.get("range", ""))
    if asked is None:
        return Reply(200, headers={**headers, "Content-MD5": found.private["md5"]}, raw=content, media=media)
    first = int(asked[1])
    if first >= len(content):
        raise BlobError(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    last = min(int(asked[2] or len(content)), len(content) - 1)
    own = {"Content-Range": f"bytes {first}-{last}/{len(content)}", "x-ms-blob-content-md5": found.private["md5"]}
    return Reply(206, headers={**headers, **own}, raw=content[first : last + 1], media=media)


def delete_blob(call: Call) -> Reply:
    found = _blob(call)
    _require_match(call, found)
    forget(call.cloud, found)
    return Reply(202)
