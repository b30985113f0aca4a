# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

import pytest

from localcloud import certs
from localcloud.settings import Settings


@pytest.fixture
def settings(cloud_settings: Settings) -> Settings:
    certs.ensure_certificates(cloud_settings)
    certs.ensure_bundle(cloud_settings)
    certs.ensure_client_secret(cloud_settings)
    return cloud_settings


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strict_client_accepts_the_azure_certificate(settings: Settings, name: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.azure_cert_file, settings.azure_key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    client = ssl.create_default_context(cafile=str(settings.ca_bundle_file))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with urlopen(f"https://{name}:{server.server_port}/", context=client, timeout=10) as response:
        assert response.status == 204
    thread.join(10)
    server.server_close()


def test_keys_and_secret_are_readable_by_the_owner_only(settings: Settings) -> None:
    for file in (
        settings.ca_key_file,
        settings.azure_key_file,
        settings.registry_key_file,
        settings.client_secret_file,
    ):
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_what_clients_trust_stays(settings: Settings) -> None:
    before = {file: file.read_bytes() for file in settings.ca_file.parent.iterdir()}
    secret = settings.client_secret
    certs.ensure_certificates(settings)
    certs.ensure_bundle(settings)
    certs.ensure_client_secret(settings)
    assert {file: file.read_bytes() for file in settings.ca_file.parent.iterdir()} == before
    assert settings.client_secret == secret


def test_another_network_gets_certificates_for_its_address_from_the_same_authority(settings: Settings) -> None:
    authority, leaf = settings.ca_file.read_bytes(), settings.registry_cert_file.read_bytes()
    certs.ensure_certificates(dataclasses.replace(settings, network="10.99.0.0/16"))
    assert settings.ca_file.read_bytes() == authority
    assert settings.registry_cert_file.read_bytes() != leaf


def test_a_damaged_certificate_is_made_again(settings: Settings) -> None:
    settings.azure_cert_file.write_text("not a certificate")
    certs.ensure_certificates(settings)
    assert b"BEGIN CERTIFICATE" in settings.azure_cert_file.read_bytes()
