# SPDX-License-Identifier: GPL-3.0-or-later
"""How a registry is signed in to, what of it is shown, and what is told when it says no."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_registry import SERVICE, Login, Registry
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.arm.errors import Request, Unreachable
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response

HOST = "acr.example.com"
DIGEST = f"sha256:{'a' * 64}"
BEARER = f'Bearer realm="https://auth.example.com/token",service="{HOST}",scope="repository:echo:pull"'
Answer = tuple[int, dict[str, str], Any]


class Player:
    """Plays registries by a function from a request to an answer, and remembers what was asked."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.asked: list[Request] = []
        self._answer = answer

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        status, headers, body = self._answer(request)
        return Response(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())

    def renew(self) -> None:
        raise AssertionError("no token of ours has expired")


def registry(player: Player, secrets: set[str] | None = None, **options: Any) -> Registry:
    caller = Arm(player, "", "", timeout=5).beside(player, SERVICE)
    return Registry(caller, HOST, (secrets if secrets is not None else set()).add, **options)


def challenge(answers: Iterator[Answer]) -> Callable[[Request], Answer]:
    return lambda _request: next(answers)


def test_azure_is_asked_for_no_more_than_is_needed() -> None:
    """Two digests cost one access token; removing a tag costs one for that."""

    def answer(request: Request) -> Answer:
        if request.url.endswith("/oauth2/token"):
            return 200, {}, {"access_token": f"for {request.body['scope']}"}
        return (202 if request.method == "DELETE" else 200), {"docker-content-digest": DIGEST}, b""

    player, secrets = Player(answer), set[str]()
    asked = registry(player, secrets, refresh_token=lambda: "refresh")
    assert asked.digest_of("a/echo", "1") == asked.digest_of("a/echo", "2") == DIGEST
    asked.untag("a/echo", "1")
    tokens = [request for request in player.asked if request.url.endswith("/oauth2/token")]
    assert [request.body["scope"] for request in tokens] == ["repository:a/echo:pull", "repository:a/echo:delete"]
    assert all(request.body["service"] == HOST and request.body["refresh_token"] == "refresh" for request in tokens)
    sent = {request.headers.get("Authorization") for request in player.asked} - {None}
    assert sent == {"Bearer for repository:a/echo:pull", "Bearer for repository:a/echo:delete"}
    assert "for repository:a/echo:pull" in secrets


def test_a_challenge_is_answered_at_its_realm() -> None:
    answers = iter(
        [
            (401, {"www-authenticate": BEARER}, {}),
            (200, {}, {"token": "given"}),
            (200, {"docker-content-digest": DIGEST}, b""),
            (200, {"docker-content-digest": DIGEST}, b""),
        ]
    )
    player = Player(challenge(answers))
    asked = registry(player, login=Login("me", "mine"))
    assert asked.digest_of("echo", "1") == DIGEST
    assert asked.digest_of("echo", "2") == DIGEST, "the token is used again"
    first, token, again, _last = player.asked
    assert "Authorization" not in first.headers
    assert token.url == "https://auth.example.com/token?service=acr.example.com&scope=repository%3Aecho%3Apull"
    assert token.headers["Authorization"] == "Basic bWU6bWluZQ=="
    assert again.headers["Authorization"] == "Bearer given"


def test_nobody_signs_in_without_a_user() -> None:
    answers = iter([(401, {"www-authenticate": BEARER}, {}), (200, {}, {"access_token": "any"}), (404, {}, {})])
    player = Player(challenge(answers))
    assert registry(player).digest_of("echo", "1") is None
    assert "Authorization" not in player.asked[1].headers


@pytest.mark.parametrize("realm", ["http://auth.example.com/token", "file:///etc/passwd", ""])
def test_no_password_leaves_for_a_realm_without_tls(realm: str) -> None:
    player = Player(lambda _request: (401, {"www-authenticate": f'Bearer realm="{realm}"'}, {}))
    with pytest.raises(ServiceError) as failed:
        registry(player, login=Login("me", "mine")).digest_of("echo", "1")
    assert failed.value.code == "LoginNotSupported"
    assert len(player.asked) == 1


def test_a_digest_that_is_not_told_is_computed() -> None:
    manifest = b'{"schemaVersion": 2}'
    player = Player(lambda request: (200, {}, manifest if request.method == "GET" else b""))
    assert registry(player).digest_of("echo", "1") == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"refresh_token": lambda: "r"}, "Give this identity the role AcrPull at the registry"),
        # the older roles give nothing there
        (
            {"refresh_token": lambda: "r", "by_repository": True},
            "Give this identity the role Container Registry Repository Reader at the registry",
        ),
        ({"login": Login("me", "mine")}, "Check source.username and source.password"),
        ({}, "Set source.username and source.password, or source.registry_id"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_what_to_do_when_access_is_refused(options: dict[str, Any], hint: str, status: int) -> None:
    body = {"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}
    player = Player(lambda _request: (status, {"www-authenticate": "Basic realm=x"}, body))
    with pytest.raises(ServiceError) as failed:
        registry(player, **options).digest_of("echo", "1")
    assert (failed.value.code, failed.value.status) == ("DENIED", status)
    assert hint in failed.value.message()
    assert "mine" not in str(failed.value.to_result())


def test_removing_names_the_role_that_removes() -> None:
    player = Player(lambda _request: (401, {}, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}))
    with pytest.raises(ServiceError, match="AcrDelete"):
        registry(player, refresh_token=lambda: "r").untag("echo", "1")


def test_a_token_that_expired_meanwhile_is_renewed_once() -> None:
    """A build may take eight hours, and a token is good for a fraction of one."""
    tokens = iter(range(9))
    taken = ["Bearer 0"]

    def answer(request: Request) -> Answer:
        if request.url.endswith("/oauth2/token"):
            return 200, {}, {"access_token": str(next(tokens))}
        ok = request.headers["Authorization"] in taken
        return (200, {"docker-content-digest": DIGEST}, b"") if ok else (401, {}, {})

    player = Player(answer)
    asked = registry(player, refresh_token=lambda: "refresh")
    assert asked.digest_of("echo", "1") == DIGEST
    taken[:] = ["Bearer 1"]
    assert asked.digest_of("echo", "1") == DIGEST
    taken.clear()
    with pytest.raises(ServiceError, match="AcrPull"):
        asked.digest_of("echo", "1")
    assert next(tokens) == 3


def test_a_fresh_token_that_is_refused_is_not_asked_for_again() -> None:
    def answer(request: Request) -> Answer:
        return (200, {}, {"access_token": "fresh"}) if request.url.endswith("/oauth2/token") else (401, {}, {})

    player = Player(answer)
    with pytest.raises(ServiceError, match="AcrPull"):
        registry(player, refresh_token=lambda: "refresh").digest_of("echo", "1")
    assert sum(request.url.endswith("/oauth2/token") for request in player.asked) == 1


def test_what_is_locked_is_told_as_such() -> None:
    text = "The operation is disallowed on this registry, repository or image"
    said = {"errors": [{"code": "DENIED", "message": text}]}

    def answer(request: Request) -> Answer:
        return (200, {}, {"access_token": "a"}) if request.method == "POST" else (405, {}, said)

    with pytest.raises(ServiceError) as failed:
        registry(Player(answer), refresh_token=lambda: "r").untag("echo", "1")
    assert "disallowed" in failed.value.message() and "az acr repository update" in failed.value.message()


def test_what_is_not_json_is_no_message() -> None:
    player = Player(lambda _request: (403, {}, b"<html>proxy</html>"))
    with pytest.raises(ServiceError) as failed:
        registry(player).digest_of("echo", "1")
    assert "the registry answered 403" in failed.value.message()
    assert "<html>" not in failed.value.message()


def test_a_registry_that_is_not_reached() -> None:
    def answer(_request: Request) -> Answer:
        raise Unreachable("name or service not known", sent=False)

    caller = Arm(Player(answer), "", "", timeout=0.01).beside(Player(answer), SERVICE)
    with pytest.raises(ServiceError) as failed:
        Registry(caller, HOST, set[str]().add).digest_of("echo", "1")
    assert failed.value.code == "Unreachable"
    assert "name the digest in source.image" in failed.value.message()
