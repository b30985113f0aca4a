# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a real registry, for one platform and for several, beside node pools of both architectures."""

from __future__ import annotations

import hashlib
import json
import ssl
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration

TaskRunner = Callable[..., dict[str, Any]]
INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
AMD, ARM = "Standard_D2s_v5", "Standard_D2ps_v5"


class Pushed:
    """One repository, to which images without layers are pushed."""

    def __init__(self, registry: str, trust: str) -> None:
        self.name = f"{registry}/platforms-{uuid.uuid4().hex[:8]}"
        self._path = self.name.partition("/")[2]
        self._http = httpx.Client(
            base_url=f"https://{registry}", verify=ssl.create_default_context(cafile=trust), trust_env=False, timeout=60
        )

    def close(self) -> None:
        self._http.close()

    def _blob(self, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self._http.post(f"/v2/{self._path}/blobs/uploads/")
        assert begun.status_code == 202, begun.text
        done = self._http.put(httpx.URL(begun.headers["Location"]).copy_add_param("digest", digest), content=content)
        assert done.status_code == 201, done.text
        return {"mediaType": CONFIGURATION, "digest": digest, "size": len(content)}

    def _manifest(self, reference: str, document: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(document).encode()
        kind = {"Content-Type": document["mediaType"]}
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        done = self._http.put(f"/v2/{self._path}/manifests/{reference or digest}", content=body, headers=kind)
        assert done.status_code == 201, done.text
        return {"mediaType": document["mediaType"], "digest": digest, "size": len(body)}

    def image(self, architecture: str, tag: str = "") -> dict[str, Any]:
        settings = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}}
        blob = self._blob(json.dumps(settings).encode())
        return self._manifest(tag, {"schemaVersion": 2, "mediaType": MANIFEST, "config": blob, "layers": []})

    def index(self, tag: str, *architectures: str) -> None:
        """With an attestation beside them, as BuildKit pushes one: it is of no platform."""
        rows = [{**self.image(one), "platform": {"os": "linux", "architecture": one}} for one in architectures]
        rows.append({**self.image("unknown"), "platform": {"os": "unknown", "architecture": "unknown"}})
        self._manifest(tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})


@pytest.fixture(scope="module")
def images(cloud: Any) -> Iterator[Pushed]:
    pushed = Pushed(cloud.registry, cloud.environment["ca_file"])
    pushed.image("amd64", "amd")
    pushed.index("both", "amd64", "arm64")
    pushed.index("arm", "arm64")
    yield pushed
    pushed.close()


@pytest.mark.parametrize(
    ("tag", "sizes", "selector", "words"),
    [
        ("both", [AMD, ARM], {}, ""),
        ("amd", [AMD], {}, ""),
        ("amd", [ARM], {}, "made for linux/amd64, and its pods may come to node pool p0"),
        ("arm", [AMD], {}, "made for linux/arm64, and its pods may come to node pool p0"),
        ("arm", [AMD, ARM], {"kubernetes.io/arch": "arm64"}, ""),
        ("amd", [AMD, ARM], {"agentpool": "p1"}, "node pool p1"),
    ],
)
def test_images_beside_the_pools_of_a_cluster(
    cloud: Any, run_task: TaskRunner, images: Pushed, tag: str, sizes: list[str], selector: dict[str, str], words: str
) -> None:
    pools = [
        {"name": f"p{n}", "mode": "System" if n == 0 else "User", "count": 1, "vm_size": size}
        for n, size in enumerate(sizes)
    ]
    cluster = {
        "name": "platforms",
        "resource_group": "rg-platforms",
        "location": "eastus2",
        "node_pools": pools,
    }
    image = {"image": f"{images.name}:{tag}", "where": "MCP server echo", "node_selector": selector}
    options = {"clusters": [{"host": "one", "cluster": cluster, "images": [image]}], "examine": "all"}
    answer = run_task("azure_preflight", options, fails=bool(words))
    if words:
        assert words in answer["msg"]
    else:
        assert "platform" not in json.dumps(answer.get("notes") or [])


def test_an_image_that_is_not_there_is_a_note(cloud: Any, run_task: TaskRunner, images: Pushed) -> None:
    pool = {"name": "p0", "mode": "System", "count": 1, "vm_size": AMD}
    cluster = {"name": "platforms", "resource_group": "rg-platforms", "location": "eastus2", "node_pools": [pool]}
    image = {"image": f"{images.name}:absent", "where": "agent dates"}
    options = {"clusters": [{"host": "one", "cluster": cluster, "images": [image]}], "examine": "all"}
    notes = json.dumps(run_task("azure_preflight", options)["notes"])
    assert "agent dates" in notes and "there is no such image (yet)" in notes
