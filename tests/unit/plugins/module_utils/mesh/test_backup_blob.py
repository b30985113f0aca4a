# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps in Blob storage: the pods, what they may reach, what is refused, and the program that they run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import manifest_problems
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import mesh_registry
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.backup_scripts import BLOB_PROGRAM
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.backup_spec import backup_objects
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_plan import restoration
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_spec import DeclaredRegistry
from ansible_collections.mcpops.platform.plugins.modules import mesh_registry as module

GUID = "3f0e3d5c-0d54-4d3c-9a3f-2a4ab2b6c9d1"
URL = "https://stmesh.blob.core.windows.net/dumps/prod"
BLOB = {"url": URL, "client_id": GUID, "tenant_id": GUID}
NAME = "mcp-mesh-registry-backup"


def options(**given: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate({"namespace": "mesh", "kubeconfig": "/k", **given})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def made(**given: Any) -> dict[str, dict[str, Any]]:
    objects = backup_objects(DeclaredRegistry(options(**given), "0123456789abcdef"))
    assert manifest_problems(objects) == []
    return {item["kind"]: item for item in objects}


def pod_of(item: dict[str, Any]) -> dict[str, Any]:
    spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
    return dict(spec["template"]["spec"])


@pytest.mark.parametrize("kind", ["CronJob", "Job"])
def test_the_pods_of_a_dump_in_blob_storage(kind: str) -> None:
    authorities = {"name": "corporate", "key": "all.pem"}
    objects = made(backup={"size": "2Gi"}, restore={}, blob={**BLOB, "image": "py:1", "ca_config_map": authorities})
    assert "PersistentVolumeClaim" not in objects
    pod = pod_of(objects[kind])
    [first], [last] = pod["initContainers"], pod["containers"]
    # dumped, then sent; got, then restored
    dumps, sends = (first, last) if kind == "CronJob" else (last, first)
    assert (sends["image"], sends["command"][:2]) == ("py:1", ["python", "-c"])
    known = {one["name"]: one.get("value") for one in sends["env"]}
    assert known["BLOB_URL"] == URL
    assert known["ACTION"] == ("send" if kind == "CronJob" else "fetch")
    assert known["SSL_CERT_FILE"] == "/etc/authorities/all.pem"
    # each has what it needs: the address of the database, or the token
    assert "DATABASE_URL" not in known
    mounted = {one["name"]: {mount["name"] for mount in one["volumeMounts"]} for one in (dumps, sends)}
    assert mounted == {dumps["name"]: {"tmp", "backup"}, "blob": {"backup", "token", "authorities"}}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["backup"]["emptyDir"] == {"sizeLimit": "2Gi"}
    [source] = volumes["token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "api://AzureADTokenExchange"
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (NAME, False)
    for container in (first, last):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container["resources"]) == {"requests", "limits"}


def test_the_way_to_entra_and_the_account_is_open_where_there_is_need_of_it() -> None:
    def ports(**given: Any) -> list[list[int]]:
        rules = made(backup={}, **given)["NetworkPolicy"]["spec"]["egress"]
        return [[one["port"] for one in rule["ports"]] for rule in rules if "to" not in rule]

    assert ports() == []
    assert ports(blob=BLOB) == [[443]]
    other = {"url": "https://10.0.0.1:5020/dumps", "authority_host": "https://10.0.0.1:8443"}
    assert ports(blob={**BLOB, **other}) == [[5020, 8443]]


def test_another_place_is_another_job() -> None:
    here, there = (made(restore={}, blob={**BLOB, "url": url})["Job"] for url in (URL, f"{URL}2"))
    done = {**here, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert restoration(here, done).job is None
    assert restoration(there, done).job == there
    assert restoration(made(restore={})["Job"], done).job is not None


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to dump": ({"blob": BLOB}, "blob"),
    "a claim": ({"backup": {"claim": "mine"}, "blob": BLOB}, "backup.claim"),
    "a class": ({"backup": {"storage_class": "fast"}, "blob": BLOB}, "backup.storage_class"),
    "a claim of a dump": ({"restore": {"claim": "mine"}, "blob": BLOB}, "restore.claim"),
    "no url": ({"blob": {"client_id": GUID, "tenant_id": GUID}}, "blob.url"),
    "no client": ({"blob": {"url": URL, "tenant_id": GUID}}, "blob.client_id"),
    "no tenant": ({"blob": {"url": URL, "client_id": GUID}}, "blob.tenant_id"),
    "no tls": ({"blob": {**BLOB, "url": "http://a.blob.core.windows.net/dumps"}}, "blob.url"),
    "no container": ({"blob": {**BLOB, "url": "https://a.blob.core.windows.net/"}}, "blob.url"),
    "two hyphens": ({"blob": {**BLOB, "url": "https://a.blob.core.windows.net/du--mps"}}, "blob.url"),
    "a signature": ({"blob": {**BLOB, "url": f"{URL}?sv=2020&sig=secret"}}, "blob.url"),
    "a user": ({"blob": {**BLOB, "url": "https://me:pw@a.blob.core.windows.net/dumps"}}, "blob.url"),
    "a way up": ({"blob": {**BLOB, "url": f"{URL}/a b"}}, "blob.url"),
    "client": ({"blob": {**BLOB, "client_id": "me"}}, "blob.client_id"),
    "tenant": ({"blob": {**BLOB, "tenant_id": "contoso"}}, "blob.tenant_id"),
    "authority": ({"blob": {**BLOB, "authority_host": "login"}}, "blob.authority_host"),
    "image": ({"blob": {**BLOB, "image": "A B"}}, "blob.image"),
    "config map": ({"blob": {**BLOB, "ca_config_map": {"name": "A"}}}, "blob.ca_config_map.name"),
    "key": ({"blob": {**BLOB, "ca_config_map": {"name": "a", "key": "a/b"}}}, "blob.ca_config_map.key"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    given, path = REFUSED[case]
    declared = {} if case == "nothing to dump" else {"backup": {}}
    problems = mesh_registry.problems(options(**{**declared, **given}))
    assert [one.path for one in problems] == [path]
    assert "sig=secret" not in str(problems) or path == "blob.url"


class Played(ThreadingHTTPServer):
    """Entra and a storage account, as far as the program asks them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.blobs: dict[str, bytes] = {}
        self.forms: list[dict[str, list[str]]] = []
        self.refuses = ""
        self.page = 2
        self.spoils = False


class Asked(BaseHTTPRequestHandler):
    server: Played

    def log_message(self, *_given: Any) -> None:
        """Nobody reads it."""

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.forms.append(form)
        if self.server.refuses == "token":
            told = {"error": "invalid_client", "error_description": "AADSTS70025: no credential.\r\nTrace ID: x"}
            self._say(401, json.dumps(told).encode())
            return
        self._say(200, json.dumps({"access_token": "of Entra"}).encode())

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-MD5"] == base64.b64encode(hashlib.md5(content).digest()).decode()
        assert (self.headers["x-ms-blob-type"], self.headers["Authorization"]) == ("BlockBlob", "Bearer of Entra")
        if self.server.refuses == "put":
            self._say(403, b"<Error/>", x_ms_error_code="AuthorizationPermissionMismatch")
            return
        self.server.blobs[self.path] = content
        self._say(201)

    def do_DELETE(self) -> None:
        del self.server.blobs[self.path]
        self._say(202)

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = parse_qs(asked.query)
        if "comp" not in query:
            content = self.server.blobs.get(self.path)
            if content is None:
                self._say(404, x_ms_error_code="BlobNotFound")
                return
            md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
            self._say(200, content[:-1] + b"!" if self.server.spoils else content, Content_MD5=md5)
            return
        names = sorted(path.removeprefix(f"{asked.path}/") for path in self.server.blobs)
        names = [name for name in names if name.startswith(query["prefix"][0])]
        first = int(query.get("marker", ["0"])[0])
        shown = names[first : first + self.server.page]
        more = str(first + self.server.page) if first + self.server.page < len(names) else ""
        listed = "".join(f"<Blob><Name>{name}</Name></Blob>" for name in shown)
        body = f"<EnumerationResults><Blobs>{listed}</Blobs><NextMarker>{more}</NextMarker></EnumerationResults>"
        self._say(200, body.encode())


@pytest.fixture
def played() -> Iterator[Played]:
    server = Played()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def run(played: Played, place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The program, told that http is good enough for a server on loopback."""
    origin = f"http://127.0.0.1:{played.server_port}"
    token = place / "token"
    token.write_text("of the pod\n")
    environment = {
        "PATH": os.environ["PATH"],
        "PLACE": str(place),
        "BLOB_URL": f"{origin}/dumps/prod",
        "AZURE_CLIENT_ID": GUID,
        "AZURE_TENANT_ID": GUID,
        "AZURE_AUTHORITY_HOST": origin,
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
        **variables,
    }
    program = BLOB_PROGRAM.replace("(https://", "(http://")
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def dump(day: int) -> str:
    return f"mesh-202011{day:02}T021700Z.dump"


def test_a_dump_is_sent_and_the_oldest_go(played: Played, tmp_path: Path) -> None:
    others = {"/dumps/prod/readme.txt": b"x", "/dumps/other/" + dump(1): b"x"}
    played.blobs.update(others)
    for day in range(1, 6):
        played.blobs[f"/dumps/prod/{dump(day)}"] = b"old"
    (tmp_path / dump(30)).write_bytes(b"new" * 100_000)
    done = run(played, tmp_path, ACTION="send", KEEP="3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"/dumps/prod/{dump(30)}\n")
    assert {name.rpartition("/")[2] for name in set(played.blobs) - set(others)} == {dump(4), dump(5), dump(30)}
    assert played.blobs[f"/dumps/prod/{dump(30)}"] == b"new" * 100_000
    [form] = played.forms
    assert (form["client_assertion"], form["scope"]) == (["of the pod"], ["https://storage.azure.com/.default"])


def test_the_last_dump_is_got_or_the_one_that_is_named(played: Played, tmp_path: Path) -> None:
    for day in (3, 1, 2):
        played.blobs[f"/dumps/prod/{dump(day)}"] = f"of {day}".encode()
    assert run(played, tmp_path, ACTION="fetch", FILE="latest").returncode == 0
    assert (tmp_path / dump(3)).read_text() == "of 3"
    assert run(played, tmp_path, ACTION="fetch", FILE=dump(1)).returncode == 0
    assert (tmp_path / dump(1)).read_text() == "of 1"


@pytest.mark.parametrize(
    ("refuses", "action", "words"),
    [
        ("token", "fetch", "signing in with the token of the service account: 401 AADSTS70025: no credential."),
        ("put", "send", "403 AuthorizationPermissionMismatch"),
        ("", "fetch", "there is no dump in"),
        ("missing", "fetch", "404 BlobNotFound"),
        ("spoils", "fetch", "has not arrived whole"),
    ],
)
def test_why_it_failed(played: Played, tmp_path: Path, refuses: str, action: str, words: str) -> None:
    played.refuses, played.spoils = refuses, refuses == "spoils"
    if action == "send":
        (tmp_path / dump(1)).write_bytes(b"new")
    if played.spoils:
        played.blobs[f"/dumps/prod/{dump(1)}"] = b"old"
    file = dump(9) if refuses == "missing" else "latest"
    done = run(played, tmp_path, ACTION=action, FILE=file, KEEP="1")
    assert done.returncode == 1
    assert words in done.stderr
    assert "of the pod" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
