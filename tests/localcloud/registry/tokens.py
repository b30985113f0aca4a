# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens of a registry's token flow: refresh tokens that say who, access tokens that say what.

Claims as https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md shows them. The registry itself judges access tokens:
distribution's token authentication takes them by the certificate in their header (`x5c`).
"""

from __future__ import annotations

import base64
import datetime as dt
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.files import write_atomically

ISSUER = "Azure Container Registry"
REFRESH_SECONDS = 3 * 3600
ACCESS_SECONDS = 75 * 60
VALID_DAYS = 3650

Grant = dict[str, Any]
"""One entry of a token's `access`: type, name and actions."""


class TokenError(Exception):
    """A token that is not one of ours, or not for this."""


class RegistryTokens:
    """Signs and reads the tokens of all registries of one local cloud."""

    def __init__(self, directory: Path) -> None:
        self.certificate_file = directory / "token-signing.crt"
        self._key = _load_or_make(directory / "token-signing.key", self.certificate_file)
        certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        self._x5c = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]

    def refresh(self, service: str, subject: str, tenant: str) -> str:
        return self._sign(service, subject, REFRESH_SECONDS, {"grant_type": "refresh_token", "tenant": tenant})

    def subject_of(self, token: str, service: str) -> str:
        """Whom a refresh token of this registry was made for."""
        try:
            claims = jwt.decode(token, self._key.public_key(), algorithms=["RS256"], audience=service, issuer=ISSUER)
        except jwt.InvalidTokenError as exc:
            raise TokenError(str(exc)) from exc
        if claims.get("grant_type") != "refresh_token":
            raise TokenError("this is no refresh token")
        return str(claims["sub"])

    def grants_of(self, token: str, service: str) -> list[Grant]:
        """What an access token of this registry allows; nothing where it is none."""
        try:
            claims = jwt.decode(token, self._key.public_key(), algorithms=["RS256"], audience=service, issuer=ISSUER)
        except jwt.InvalidTokenError:
            return []
        return list(claims.get("access") or [])

    def access(self, service: str, subject: str, grants: Iterable[Grant]) -> str:
        claims = {"grant_type": "access_token", "access": list(grants)}
        return self._sign(service, subject, ACCESS_SECONDS, claims)

    def _sign(self, service: str, subject: str, seconds: int, claims: Mapping[str, Any]) -> str:
        now = int(time.time())
        payload = {
            "jti": str(uuid.uuid4()),
            "sub": subject,
            "nbf": now - 60,
            "iat": now,
            "exp": now + seconds,
            "iss": ISSUER,
            "aud": service,
            "version": "1.0",
            "roles": [],
            **claims,
        }
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"x5c": self._x5c})


def scopes(texts: Iterable[str]) -> list[Grant]:
    """`repository:a/b:pull,push` as a grant; a name may hold colons (a registry's port does)."""
    found = []
    for text in (one for several in texts for one in several.split(" ") if one):
        kind, _, rest = text.partition(":")
        name, _, actions = rest.rpartition(":")
        found.append({"type": kind, "name": name, "actions": [action for action in actions.split(",") if action]})
    return found


def _load_or_make(key_file: Path, certificate_file: Path) -> rsa.RSAPrivateKey:
    """Kept across restarts, so that a token of before is still good after one."""
    if key_file.exists() and certificate_file.exists():
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if isinstance(loaded, rsa.RSAPrivateKey):
            return loaded
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=10))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(key_file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    write_atomically(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return key
