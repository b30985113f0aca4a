# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of a registry's own API (OCI distribution), and how one signs in: Azure's token flow, or a challenge.

https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md and https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from ..errors import ServiceError
from ..http_terms import Response
from ..run_cache import RunCache
from ..task import Task
from .client import Arm
from .options import Cloud, Identity, resolve_identity
from .role_assignment_plan import IGNORED_BY_REPOSITORIES, by_repository

SERVICE = "registry"
_ELSEWHERE = (301, 302, 303, 307, 308)
_ACCEPT = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# the audience of the registries themselves, for those that do not take Resource Manager's tokens
ACR_SCOPE = "https://containerregistry.azure.net/.default"
_REFRESH_TOKEN_SECONDS = 3600.0
# https://learn.microsoft.com/azure/container-registry/container-registry-image-lock
_LOCKED = (
    "It is locked: `az acr repository show` shows what is (changeableAttributes), and `az acr repository update "
    "--delete-enabled true --write-enabled true` unlocks it."
)
# which built-in role has an action of the token flow
# (https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview)
_ROLES = {"pull": "AcrPull", "metadata_read": "AcrPull", "push": "AcrPush", "delete": "AcrDelete"}
_BY_REPOSITORY = dict(IGNORED_BY_REPOSITORIES.values())


@dataclass(frozen=True)
class Login:
    """How one signs in to a registry that is none of Azure's; without a user, as anybody."""

    user: str = ""
    password: str = ""

    def basic(self) -> dict[str, str]:
        both = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {both}"} if self.user else {}


class Registry:
    """One registry at `host`. `refresh_token` makes it one of Azure's, which this identity signs in to."""

    def __init__(
        self,
        caller: Arm,
        host: str,
        secret: Callable[[str], None],
        *,
        refresh_token: Callable[[], str] | None = None,
        login: Login | None = None,
        by_repository: bool = False,
    ) -> None:
        self.host = host
        self._by_repository = by_repository
        self._caller = caller
        self._secret = secret
        self._refresh_token = refresh_token
        self._login = login or Login()
        self._headers: dict[str, dict[str, str]] = {}

    # --- images

    def digest_of(self, repository: str, reference: str) -> str | None:
        """The digest of what a tag or digest names; None where there is no such thing."""
        action = f"Reading {self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._call("HEAD", path, action, repository, "pull", {"Accept": _ACCEPT})
        if response.status == 404:
            return None
        self._require(response, action, "pull")
        digest = response.headers.get("docker-content-digest")
        if digest:
            return str(digest)
        # the header is not every registry's, and the digest is that of the manifest as it was sent
        whole = self._call("GET", path, action, repository, "pull", {"Accept": _ACCEPT})
        self._require(whole, action, "pull")
        return f"sha256:{hashlib.sha256(whole.body).hexdigest()}"

    def platforms_of(self, repository: str, reference: str) -> list[tuple[str, str]] | None:
        """Operating system and architecture of each image that a name stands for; None where there is no such thing.

        An index lists them (https://github.com/opencontainers/image-spec/blob/main/image-index.md), and attestations
        beside them, which are of no platform; the configuration of a single image has its own.
        """
        action = f"Reading {self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"
        response = self._call(
            "GET", f"/v2/{repository}/manifests/{reference}", action, repository, "pull", {"Accept": _ACCEPT}
        )
        if response.status == 404:
            return None
        self._require(response, action, "pull")
        manifest = _mapping(response.json_or_none())
        if isinstance(manifest.get("manifests"), list):
            return [one for row in manifest["manifests"] if (one := _platform(_mapping(_mapping(row).get("platform"))))]
        digest = str(_mapping(manifest.get("config")).get("digest") or "")
        configuration = self._call("GET", f"/v2/{repository}/blobs/{digest}", action, repository, "pull")
        if configuration.status in _ELSEWHERE:
            # where the content is; its address carries its own signature
            place = urljoin(f"https://{self.host}/", configuration.headers.get("location", ""))
            configuration = self._send("GET", place, action, {})
        self._require(configuration, action, "pull")
        found = _platform(_mapping(configuration.json_or_none()))
        return [found] if found else []

    def untag(self, repository: str, tag: str) -> None:
        """Take a tag away (of Azure's registries only); absent is fine."""
        action = f"Removing the tag {tag} of {self.host}/{repository}"
        self._delete(f"/acr/v1/{quote(repository)}/_tags/{tag}", action, repository)

    def tags_of(self, repository: str, digest: str) -> list[str]:
        """What still names a manifest (of Azure's registries only)."""
        action = f"Reading the tags of {self.host}/{repository}@{digest}"
        path = f"/acr/v1/{quote(repository)}/_manifests/{digest}"
        response = self._call("GET", path, action, repository, "metadata_read")
        if response.status == 404:
            return []
        self._require(response, action, "metadata_read")
        document = response.json_or_none()
        manifest = document.get("manifest") if isinstance(document, dict) else None
        return [str(tag) for tag in (manifest or {}).get("tags") or []]

    def delete_manifest(self, repository: str, digest: str) -> None:
        self._delete(f"/v2/{repository}/manifests/{digest}", f"Removing {self.host}/{repository}@{digest}", repository)

    def _delete(self, path: str, action: str, repository: str) -> None:
        response = self._call("DELETE", path, action, repository, "delete")
        if response.status != 404:
            self._require(response, action, "delete")

    # --- requests

    def _call(
        self,
        method: str,
        path: str,
        action: str,
        repository: str,
        needs: str,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request with whatever signs it. A challenge is answered once: of somebody who has not signed in yet, or
        whose token has expired meanwhile, as it does during a long build."""
        url = f"https://{self.host}{path}"
        key = f"{repository}:{needs}"
        is_fresh = self._refresh_token is not None and key not in self._headers
        if is_fresh:
            self._headers[key] = self._bearer(repository, needs)
        response = self._send(method, url, action, {**(headers or {}), **self._headers.get(key, {})})
        if response.status == 401 and not is_fresh:
            challenge = response.headers.get("www-authenticate", "")
            self._headers[key] = (
                self._answer(challenge, action) if self._refresh_token is None else self._bearer(repository, needs)
            )
            response = self._send(method, url, action, {**(headers or {}), **self._headers[key]})
        return response

    def _send(self, method: str, url: str, action: str, headers: Mapping[str, str], body: Any = None) -> Response:
        try:
            return self._caller.call(method, url, action, body, headers)
        except ServiceError as failure:
            if failure.code == "Unreachable":
                failure.hint = (
                    f"See that this machine reaches {self.host} (network rules, private endpoint, proxy, CA bundle in "
                    "REQUESTS_CA_BUNDLE). Of a source that only the registry itself reaches, name the digest in "
                    "source.image."
                )
            elif failure.status:
                # said in the registries' own form, which Resource Manager's parser does not know
                raise self._failure(Response(failure.status, {}, _encoded(failure.body)), action, "") from failure
            raise

    def _bearer(self, repository: str, needs: str) -> dict[str, str]:
        """Azure's token flow: a refresh token of this identity gives an access token for what is about to be done."""
        if self._refresh_token is None:
            raise AssertionError("who signs in with a password has no token flow")
        action = f"Getting access to {self.host}/{repository}"
        form = {
            "grant_type": "refresh_token",
            "service": self.host,
            "scope": f"repository:{repository}:{needs}",
            "refresh_token": self._refresh_token(),
        }
        response = self._send("POST", f"https://{self.host}/oauth2/token", action, _FORM, form)
        self._require(response, action, needs)
        return self._authorization(response, "access_token")

    def _answer(self, challenge: str, action: str) -> dict[str, str]:
        """What a registry wants to be signed in to, by its challenge."""
        if challenge.lower().startswith("basic"):
            return self._login.basic()
        parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = parts.get("realm", "")
        if not challenge.lower().startswith("bearer") or urlsplit(realm).scheme != "https":
            shown = challenge.split(" ")[0] or "none"
            raise ServiceError(
                action, f"its way of signing in ({shown}) is not supported", code="LoginNotSupported", status=401
            )
        query = urlencode({name: parts[name] for name in ("service", "scope") if parts.get(name)})
        response = self._send("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", action, self._login.basic())
        self._require(response, action, "")
        return self._authorization(response, "token", "access_token")

    def _authorization(self, response: Response, *names: str) -> dict[str, str]:
        document = response.json_or_none()
        found = next((document[name] for name in names if document.get(name)), "") if isinstance(document, dict) else ""
        if found:
            self._secret(str(found))
        return {"Authorization": f"Bearer {found}"}

    def _require(self, response: Response, action: str, needs: str) -> None:
        if response.status >= 400:
            raise self._failure(response, action, needs)

    def _failure(self, response: Response, action: str, needs: str) -> ServiceError:
        document = response.json_or_none()
        listed = document.get("errors") if isinstance(document, dict) else None
        first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
        reason = str(first.get("message") or f"the registry answered {response.status}")
        hint = ""
        if response.status in (401, 403):
            hint = self._access_hint(needs)
        elif response.status == 405 and self._refresh_token is not None:
            hint = _LOCKED
        code = str(first.get("code") or "")
        return ServiceError(action, reason, code=code, status=response.status, hint=hint)

    def _access_hint(self, needs: str) -> str:
        if self._refresh_token is not None:
            role = _ROLES.get(needs, "AcrPull")
            role = _BY_REPOSITORY[role] if self._by_repository else role
            return (
                f"Give this identity the role {role} at the registry (one that was given a moment ago takes some "
                "minutes to count); network rules of the registry may forbid it, too."
            )
        if self._login.user:
            return "Check source.username and source.password: the registry does not take them, or not for this image."
        return "Set source.username and source.password, or source.registry_id where it is a registry of Azure."


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _platform(given: Mapping[str, Any]) -> tuple[str, str] | None:
    system, architecture = str(given.get("os") or ""), str(given.get("architecture") or "")
    return (system, architecture) if system and architecture and "unknown" not in (system, architecture) else None


def _encoded(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


class Registries:
    """The registries of one task: who asks, and how."""

    def __init__(self, task: Task, arm: Arm) -> None:
        # Azure's libraries are imported by who connects (see Arm.connect)
        from .sdk import CachedCredential, PipelineSender

        self._task = task
        self._arm = arm
        self._identity: Identity = resolve_identity(task.params)
        self._cache = RunCache(task.run_directory)
        cloud = arm.cloud
        self._credential = CachedCredential(self._identity, cloud, self._cache, task.secret)
        self._sender = PipelineSender(
            Cloud("https://registry.invalid", "", "", False), self._identity, task.check_mode, None, SERVICE
        )

    def azure(self, properties: Mapping[str, Any]) -> Registry:
        """A registry of Azure's, as Resource Manager answers it, that this identity signs in to."""
        host = str(properties.get("loginServer"))
        policy = (properties.get("policies") or {}).get("azureADAuthenticationAsArmPolicy") or {}
        takes_arm_tokens = str(policy.get("status") or "enabled").lower() != "disabled"
        scope = self._arm.cloud.scope if takes_arm_tokens else ACR_SCOPE
        caller, narrow = self._caller(), by_repository(properties)

        def exchange() -> tuple[str, float]:
            token = str(self._credential.get_token(scope).token)
            action = f"Signing in to {host}"
            form = {"grant_type": "access_token", "service": host, "access_token": token}
            form |= {"tenant": tenant} if (tenant := self._identity.tenant or _tenant_of(token)) else {}
            response = Registry(caller, host, self._task.secret)._send(
                "POST", f"https://{host}/oauth2/exchange", action, _FORM, form
            )
            if response.status >= 400:
                registry = Registry(caller, host, self._task.secret, refresh_token=lambda: "", by_repository=narrow)
                raise registry._failure(response, action, "pull")
            found = response.json_or_none()
            return str(found.get("refresh_token") if isinstance(found, dict) else ""), _REFRESH_TOKEN_SECONDS

        def refresh_token() -> str:
            token = str(self._cache.get_or_make(("acr-token", self._identity.fingerprint(), host), exchange))
            if token:
                self._task.secret(token)
            return token

        return Registry(caller, host, self._task.secret, refresh_token=refresh_token, by_repository=narrow)

    def foreign(self, host: str, login: Login) -> Registry:
        return Registry(self._caller(), host, self._task.secret, login=login)

    def storage(self) -> Arm:
        """For addresses that carry their own signature: where a build's context goes, and where its log is."""
        return self._caller()

    def _caller(self) -> Arm:
        """Requests with the patience and the deadline of this task."""
        return self._arm.beside(self._sender, SERVICE)


def _tenant_of(token: str) -> str:
    """The tenant that an Entra token names; nothing is decided by it."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims.get("tid") or "")
    except (IndexError, ValueError, AttributeError):
        return ""
