# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod reaches the local Azure where the host does too: it logs in, and asks Resource Manager."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

ASK = """
import json, os, ssl, urllib.parse, urllib.request
azure, context = os.environ["AZURE"], ssl.create_default_context(cadata=os.environ["CA"])
def ask(path, form=None, **headers):
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(azure + path, body, headers)
    return json.load(urllib.request.urlopen(request, context=context, timeout=20))
cloud = ask("/metadata/endpoints?api-version=2022-09-01")
audience = cloud["authentication"]["audiences"][0].rstrip("/")
form = {"grant_type": "client_credentials", "client_id": os.environ["CLIENT"], "client_secret": os.environ["SECRET"]}
given = ask("/" + os.environ["TENANT"] + "/oauth2/v2.0/token", {**form, "scope": audience + "/.default"})
found = ask("/subscriptions?api-version=2022-12-01", Authorization="Bearer " + given["access_token"])
print(audience, found["value"][0]["subscriptionId"])
"""


def test_a_pod_asks_for_a_token_and_uses_it(cloud: Any, cluster: Any, namespace: str) -> None:
    settings = cloud.settings
    endpoint = f"https://{settings.host_address}:{settings.azure_port}"
    values = {
        "AZURE": endpoint,
        "CA": Path(cloud.environment["ca_file"]).read_text(),
        "TENANT": cloud.environment["tenant_id"],
        "CLIENT": cloud.environment["client_id"],
        "SECRET": cloud.secret,
    }
    container = {
        "name": "ask",
        "image": f"{cloud.registry}/echo-mcp:1.0.0",
        "command": ["python", "-c", ASK],
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ask", "namespace": namespace},
        "spec": {"restartPolicy": "Never", "securityContext": security, "containers": [container]},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    deadline = time.monotonic() + 180
    while cluster.get("pod", "ask", "-n", namespace)["status"]["phase"] not in ("Succeeded", "Failed"):
        assert time.monotonic() < deadline, "the pod does not come to its end"
        time.sleep(0.5)
    said = cluster.kubectl("logs", "ask", "-n", namespace)
    assert said.split() == [endpoint, cloud.environment["subscription_id"]], said
