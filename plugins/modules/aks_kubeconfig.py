#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aks_kubeconfig
short_description: Keeps the kubeconfig of an AKS cluster in a private file
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Writes the kubeconfig that the service gives for the cluster into a file of its own, readable by its owner only,
    completely or not at all. A directory that has to be made for it is private too.
  - The user of a cluster with Entra authentication logs in as O(login) says. The page C(docs/entra.md) is about
    such clusters, and about private ones.
  - A file that holds contexts of other clusters is never touched, and no current context but the file's own is set.
  - In check mode the file is not touched; later tasks of the run find a private copy, or learn that the cluster does
    not exist yet.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes
  - mcpops.platform.files
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  resource_group:
    description: Resource group of the cluster.
    type: str
    required: true
  path:
    description: The file. Use one per cluster.
    type: path
    required: true
  credential:
    description: Whose credential it holds, the cluster V(user)'s or the V(admin)'s.
    type: str
    choices: [user, admin]
    default: user
  login:
    description:
      - How the user of a cluster with Entra authentication logs in. Refused for a cluster without it, and for
        O(credential=admin).
      - V(token) takes a token of the task's own credential, for the AKS server application, and keeps it in a private
        file beside the kubeconfig (O(path) with C(.token) behind it), which the kubeconfig names. No other program is
        needed. The token is good for about an hour; tasks of the same playbook run renew it. A renewed token is not a
        change. It is not for a kubeconfig that people use afterwards.
      - The others are what the exec plugin C(kubelogin) is told, exactly as C(kubelogin convert-kubeconfig) writes it.
        V(azurecli) is the Azure CLI's login; V(spn) the application of the task (its O(client_id), O(tenant), and the
        path of its certificate), with the secret from E(AZURE_CLIENT_SECRET); V(msi) the managed identity of the
        machine; V(workloadidentity) the federated token of the pod or job; V(devicecode) a person with a browser.
        No secret is written.
      - Without this option the login is what the service gives, V(devicecode), and what a person has made of it with
        C(kubelogin convert-kubeconfig) stays. With it, options that convert-kubeconfig adds for the same login stay.
        Any other edit is drift.
    type: str
    choices: [azurecli, spn, msi, workloadidentity, devicecode, token]
  proxy_url:
    description:
      - URL of a proxy by which the API server is reached, for this kubeconfig alone, such as that of a jump host to a
        private cluster. An empty one removes it. Without the option, what stands in the file stays.
      - A login in the URL is kept in the file. It is not shown.
    type: str
  state:
    description: V(absent) removes the file, and the token beside it, without asking the service.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: The kubeconfig of the cluster
  mcpops.platform.aks_kubeconfig:
    name: agents
    resource_group: rg-agents
    path: ~/.kube/agents

- name: The administrator's
  mcpops.platform.aks_kubeconfig:
    name: agents
    resource_group: rg-agents
    path: ~/.kube/agents-admin
    credential: admin

- name: A cluster with Entra and without local accounts, used unattended
  mcpops.platform.aks_kubeconfig:
    name: agents
    resource_group: rg-agents
    path: ~/.kube/agents
    login: token

- name: For people who have logged in with the Azure CLI
  mcpops.platform.aks_kubeconfig:
    name: agents
    resource_group: rg-agents
    path: ~/.kube/agents
    login: azurecli
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
context:
  description: Its current context; null when it is absent, or in check mode when the cluster does not exist yet.
  returned: success
  type: str
server:
  description: Address of the API server; null when RV(context) is.
  returned: success
  type: str
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, for example that the cluster does not exist yet.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.arm import aks_kubeconfig
from ..module_utils.arm.kubelogin import LOGINS
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "name": {"type": "str", "required": True},
    "resource_group": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "credential": {"type": "str", "choices": ["user", "admin"], "default": "user"},
    "login": {"type": "str", "choices": list(LOGINS)},
    "proxy_url": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
PROBLEMS = aks_kubeconfig.problems
OPERATION = aks_kubeconfig.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
