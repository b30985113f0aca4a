# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cloud's authority, the certificates of its two servers, and the client secret it hands out."""

from __future__ import annotations

import secrets
import ssl
from pathlib import Path

from localcloud.authority import Authority, serves
from localcloud.files import write_atomically
from localcloud.settings import Settings


def ensure_certificates(settings: Settings) -> None:
    """Make what is missing, about to expire, or for another address; what clients already trust stays."""
    settings.ca_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.ca_file.exists() and settings.ca_key_file.exists():
        authority = Authority.load(settings.ca_file, settings.ca_key_file)
    else:
        authority = Authority.create("localcloud CA")
        authority.pair.write(settings.ca_file, settings.ca_key_file)
    # Both names of loopback, because clients differ in which one they accept as an authority host; the host
    # address, because controllers inside a cluster reach the same server there.
    names = ["localhost", settings.azure_address, settings.host_address, "*.vault.localhost", "*.blob.localhost"]
    for certificate, key in (
        (settings.azure_cert_file, settings.azure_key_file),
        (settings.registry_cert_file, settings.registry_key_file),
    ):
        if not (key.exists() and serves(certificate, authority, names)):
            authority.issue(certificate.stem, names=names, server=True).write(certificate, key)


def ensure_bundle(settings: Settings) -> None:
    """Clients that take one file for every server need the public authorities in it too."""
    public = Path(ssl.get_default_verify_paths().openssl_cafile)
    debian = Path("/etc/ssl/certs/ca-certificates.crt")
    source = next((path for path in (debian, public) if path.is_file()), None)
    content = (source.read_bytes() if source else b"") + settings.ca_file.read_bytes()
    if not settings.ca_bundle_file.exists() or settings.ca_bundle_file.read_bytes() != content:
        write_atomically(settings.ca_bundle_file, content, 0o644)


def ensure_client_secret(settings: Settings) -> None:
    if not settings.client_secret_file.exists():
        write_atomically(settings.client_secret_file, secrets.token_urlsafe(30) + "\n", 0o600)
