# SPDX-License-Identifier: GPL-3.0-or-later
"""How a node's kubelet signs in to a container registry of the local Azure: a credential provider, as AKS has one.

The program stands for acr-credential-provider of cloud-provider-azure: kubelet asks it for each image of these
registries, it gets an Entra token of the kubelet's identity from the machine's metadata address, and has the registry
exchange it. What the identity may not pull is refused by the registry.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "acr-credential-provider"
DIRECTORY = "credential-provider"
# standard library only: it runs as root on the node, beside kubelet
PROGRAM = """#!{python} -I
import json, ssl, sys, urllib.parse, urllib.request

def ask(url, form=None, headers=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({{}}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile={ca_file!r})),
    )
    with opener.open(urllib.request.Request(url, data, headers or {{}}), timeout=20) as answer:
        return json.load(answer)

registry = json.load(sys.stdin)["image"].split("/")[0]
query = urllib.parse.urlencode({{"api-version": "2018-02-01", "resource": "https://containerregistry.azure.net"}})
token = ask(f"https://{{registry}}/metadata/identity/oauth2/token?{{query}}", headers={{"Metadata": "true"}})
form = {{"grant_type": "access_token", "service": registry, "access_token": token["access_token"]}}
refresh = ask(f"https://{{registry}}/oauth2/exchange", form)["refresh_token"]
login = {{"username": "00000000-0000-0000-0000-000000000000", "password": refresh}}
json.dump(
    {{
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": "5m0s",
        "auth": {{registry: login}},
    }},
    sys.stdout,
)
"""


def program(ca_file: Path) -> str:
    return PROGRAM.format(python=sys.executable, ca_file=str(ca_file))


def configuration(login_servers: Sequence[str]) -> str:
    """A pattern's port has to be the image's: each address is named."""
    provider = {
        "name": NAME,
        "matchImages": list(login_servers),
        "defaultCacheDuration": "5m0s",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    }
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [provider],
    }
    return json.dumps(document, indent=1)


def files(ca_file: Path, login_servers: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Path below the cluster's directory → content and mode."""
    return {
        f"{DIRECTORY}/config.yaml": (configuration(login_servers), 0o644),
        f"{DIRECTORY}/bin/{NAME}": (program(ca_file), 0o755),
    }
