# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of a registry say for whom and for what, and are good for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.registry.tokens import RegistryTokens, TokenError, scopes

HOST, OTHER = "10.213.0.1:5001", "10.213.0.1:5002"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> RegistryTokens:
    return RegistryTokens(tmp_path_factory.mktemp("tokens"))


def test_a_refresh_token_is_for_one_registry(tokens: RegistryTokens) -> None:
    token = tokens.refresh(HOST, "somebody", "tenant")
    assert tokens.subject_of(token, HOST) == "somebody"
    with pytest.raises(TokenError):
        tokens.subject_of(token, OTHER)


def test_an_access_token_is_no_refresh_token(tokens: RegistryTokens) -> None:
    grant = {"type": "repository", "name": "echo", "actions": ["pull"]}
    token = tokens.access(HOST, "somebody", [grant])
    assert tokens.grants_of(token, HOST) == [grant]
    assert tokens.grants_of(token, OTHER) == []
    assert tokens.grants_of(tokens.refresh(HOST, "somebody", "tenant"), HOST) == []
    with pytest.raises(TokenError):
        tokens.subject_of(token, HOST)


def test_tokens_of_others_are_nothing(tokens: RegistryTokens, tmp_path: Path) -> None:
    token = RegistryTokens(tmp_path).refresh(HOST, "somebody", "tenant")
    with pytest.raises(TokenError):
        tokens.subject_of(token, HOST)


def test_the_key_outlives_a_restart(tokens: RegistryTokens) -> None:
    token = tokens.refresh(HOST, "somebody", "tenant")
    again = RegistryTokens(tokens.certificate_file.parent)
    assert again.subject_of(token, HOST) == "somebody"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["repository:a/b:pull,push"], [("repository", "a/b", ["pull", "push"])]),
        (["repository:host:5000/a:pull"], [("repository", "host:5000/a", ["pull"])]),
        (
            ["repository:a:pull repository:b:pull", "registry:catalog:*"],
            [("repository", "a", ["pull"]), ("repository", "b", ["pull"]), ("registry", "catalog", ["*"])],
        ),
        ([""], []),
    ],
)
def test_scopes(texts: list[str], found: list[tuple[str, str, list[str]]]) -> None:
    assert [(one["type"], one["name"], one["actions"]) for one in scopes(texts)] == found
