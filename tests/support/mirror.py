# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of images and charts under other names in the local registry, as `az acr import` makes them."""

from __future__ import annotations

import json
from typing import Any

from localcloud.images.builder import MANIFEST_TYPE
from localcloud.registry.client import RegistryClient


def mirror(cloud: Any, source: str, target: str, tag: str) -> None:
    """Another name for an image or a chart in the same registry."""
    client = RegistryClient(cloud.registry, cloud.settings.ca_file)
    try:
        status, _headers, manifest = client._request("GET", f"/v2/{source}/manifests/{tag}", accept=MANIFEST_TYPE)
        assert status == 200
        document = json.loads(manifest)
        for blob in (document["config"], *document["layers"]):
            path = f"/v2/{target}/blobs/uploads/?mount={blob['digest']}&from={source}"
            assert client._request("POST", path)[0] == 201
        assert client._request("PUT", f"/v2/{target}/manifests/{tag}", manifest, MANIFEST_TYPE)[0] == 201
    finally:
        client.close()
