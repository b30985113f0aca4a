#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_registry
short_description: Runs the registry of an MCP Mesh with its database
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Makes the registry of an MCP Mesh, the Secret with the address of its database and, if declared so, the database.
  - With a database of PostgreSQL the registry is a Deployment, of which several pods may share it. With a file it is a
    StatefulSet of one pod.
  - The address of the database is always in a Secret. The password of a database that is made here is generated once,
    and kept as long as the Secret stands.
  - A pod of the registry is ready while it can read its agents. C(/health), which says healthy whatever happens to the
    database, only decides whether the pod is restarted.
  - C(/admin) of the registry is moved to a port that no Service leads to and no network policy opens.
  - The objects are owned whole. What somebody else has changed in them, or deleted, is shown as a change and repaired;
    what the declaration no longer needs is removed, but for volumes and the Secret.
  - Pods fulfil the Pod Security level C(restricted), have no token, and a read-only root file system.
  - The registry asks nobody for a login. Network policies let in the agents and the API server of AKS only, where the
    cluster enforces them.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
options:
  state:
    description:
      - V(present) makes the registry as declared.
      - V(absent) removes it. Volumes, the Secret with the database's password, and the Job of O(restore) stay unless
        O(delete_data). Without that Job the next V(present) would restore the dump over the data that was kept.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the registry. It must exist.
    type: str
    required: true
  name:
    description: Name of the registry and of its Service.
    type: str
    default: mcp-mesh-registry
  image:
    description: Image of the registry; C(mcpmesh/registry:3.7.1) if not set.
    type: str
  allow_downgrade:
    description:
      - Whether O(image) may be of an older version than the one that runs, as far as their tags tell. An older registry
        drops from its tables what it does not know, so dump the database first, see O(backup).
    type: bool
    default: false
  image_pull_policy:
    description: When nodes pull the images of the registry and of its database.
    type: str
    choices: [Always, IfNotPresent, Never]
  image_pull_secrets:
    description: Names of Secrets with registry credentials.
    type: list
    elements: str
  replicas:
    description: Number of pods. Two or more share a database of PostgreSQL, and get a PodDisruptionBudget.
    type: int
    default: 1
  database:
    description: Where the registry keeps its agents. They register anew within seconds when it is empty.
    type: dict
    suboptions:
      type:
        description:
          - V(bundled) is a PostgreSQL of one pod that is made with the registry.
          - V(sqlite) is a file on a volume of the registry.
          - V(existing) is a PostgreSQL of yours, such as an Azure Database for PostgreSQL.
        type: str
        choices: [bundled, sqlite, existing]
        default: bundled
      existing_secret:
        description:
          - The Secret with the address of an existing database, C(postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=require).
            What the registry would take for a file, and an Azure Database without C(sslmode), is refused.
            The network policies let out to the port of the address.
        type: dict
        suboptions:
          name:
            description: Name of the Secret.
            type: str
            required: true
          key:
            description: Key in it.
            type: str
            default: database-url
      image:
        description:
          - Image of the bundled PostgreSQL, and of what dumps and restores a database; C(postgres:15) if not set.
          - With V(existing) it belongs to O(backup) and O(restore), and its major version must be that of the server or
            a newer one, because C(pg_dump) refuses newer servers.
        type: str
      size:
        description:
          - Size of the volume. One that stands is grown where its StorageClass allows it, and the StatefulSet is made
            anew around its running pods. A smaller size, or another class, is refused.
        type: str
        default: 8Gi
      storage_class:
        description: StorageClass of the volume; the cluster's default if not set.
        type: str
      resources:
        description:
          - Requests and limits of the bundled PostgreSQL, and of what dumps and restores. If not set, 50m and 128Mi are
            requested, and the limits are 1 and 512Mi.
        type: dict
  resources:
    description:
      - Requests and limits of the registry. Requests of processor and memory and a limit of memory are required. If not
        set, 50m and 128Mi are requested, and the limits are 1 and 512Mi.
    type: dict
  log_level:
    description: Log level. With V(DEBUG) the log holds what agents send.
    type: str
    choices: [ERROR, WARNING, INFO, DEBUG]
    default: INFO
  env:
    description: Further environment variables, such as C(MCP_MESH_RETENTION) or C(DB_MAX_OPEN_CONNECTIONS).
    type: dict
  node_selector:
    description: Labels of the nodes the pods may run on.
    type: dict
  tolerations:
    description: Tolerations, as in Kubernetes.
    type: list
    elements: dict
  agent_namespaces:
    description: Namespaces beside its own whose agents may call the registry.
    type: list
    elements: str
  network_policy:
    description: Whether NetworkPolicies let in agents only, and out only to the database and DNS.
    type: bool
    default: true
  exposed:
    description:
      - A load balancer for agents of other clusters, the Service C(NAME-exposed) at port 8000.
    type: dict
    suboptions:
      internal:
        description: Whether the address is one of the virtual network only.
        type: bool
        default: true
      ip:
        description: Address of the virtual network that the load balancer gets; any if not set.
        type: str
      public_ip:
        description: A public IP of yours, with O(exposed.internal=false).
        type: dict
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          resource_group:
            description: Its resource group. The cluster's identity needs the role Network Contributor there.
            type: str
            required: true
      source_ranges:
        description:
          - Ranges of addresses that may come, for the load balancer and for the network policy.
          - Nothing of a mesh asks for a token, so there is no default, and everybody is refused. They are needed.
        type: list
        elements: str
      annotations:
        description: Further annotations of the Service.
        type: dict
      agent_ranges:
        description:
          - Ranges of addresses at which agents of other clusters are called. The network policy lets the registry call
            them, through which a diagnosis sees whether this cluster reaches them.
        type: list
        elements: str
  api_server_cidrs:
    description:
      - Ranges of addresses from which the API server reaches pods where it has addresses of its own (API Server VNet
        Integration, kubeadm). The network policies let them in beside the pods C(konnectivity-agent) of C(kube-system),
        through which the API server of AKS comes otherwise.
    type: list
    elements: str
  backup:
    description:
      - Dumps the database to a volume at regular times (C(pg_dump) in a CronJob of the name O(name)C(-backup)). A dump
        at once is C(kubectl create job --from=cronjob/NAME-backup NAME). Of a database of PostgreSQL only.
      - What the registry knows is derived and comes back by itself; other tables in its database do not.
    type: dict
    suboptions:
      schedule:
        description: When, as Kubernetes writes it for a CronJob (names and C(@daily) as well), in UTC.
        type: str
        default: 17 2 * * *
      keep:
        description: How many dumps are kept.
        type: int
        default: 7
      size:
        description:
          - Size of the volume for the dumps. It stays when the registry is removed, unless O(delete_data).
          - With O(blob), how much of the node's disk a dump may take.
        type: str
        default: 1Gi
      storage_class:
        description: StorageClass of the volume; the cluster's default if not set.
        type: str
      claim:
        description: A claim of yours that the dumps go to instead, such as one of a share that other clusters have too.
        type: str
  restore:
    description:
      - Restores a dump to the database before the registry is made, once. As long as the Job O(name)C(-restore) stands,
        it is not done again; another O(restore.file), O(restore.claim) or O(blob.url) is another Job, any other option
        is not. Take the option out afterwards, and the Job goes.
      - A Job that has failed wrote nothing. The registry is made all the same; then the task fails with the reason, and
        the next run makes the Job anew.
    type: dict
    suboptions:
      file:
        description: Name of the dump, or V(latest).
        type: str
        default: latest
      claim:
        description: The claim that holds it; that of O(backup) if not set.
        type: str
  blob:
    description:
      - Where O(backup) sends dumps and O(restore) gets them, instead of a volume. An identity of Azure stands behind it
        by the token of the service account O(name)C(-backup) of O(namespace). It needs a federated credential for that
        (C(aks_cluster_federated_credentials)), and the role C(Storage Blob Data Contributor) at the container. No key
        of the account is used.
      - Removing the registry leaves what is there.
    type: dict
    suboptions:
      url:
        description:
          - Address of the container, or of a folder in it, such as
            C(https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER). It is needed.
        type: str
      client_id:
        description: Client id of the managed identity. It is needed.
        type: str
      tenant_id:
        description: Tenant of the identity. It is needed.
        type: str
      authority_host:
        description: Address of Entra, of another cloud than the public one.
        type: str
        default: https://login.microsoftonline.com
      image:
        description: Image with Python 3.9 or newer that sends and gets; C(mcpmesh/python-runtime:3.8.0) if not set.
        type: str
      ca_config_map:
        description: A ConfigMap with the authorities that these pods trust, where the ones of the image are not enough.
        type: dict
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          key:
            description: Its key.
            type: str
            default: ca.crt
  delete_data:
    description: Whether O(state=absent) removes volumes, the Secret and the Job of O(restore) as well.
    type: bool
    default: false
  wait:
    description: Whether to wait until the registry can read its agents, or until the objects are gone.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: A registry with a database of its own
  mcpops.platform.mesh_registry:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh

- name: Two pods on an Azure Database for PostgreSQL
  mcpops.platform.mesh_registry:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    replicas: 2
    database:
      type: existing
      existing_secret:
        name: mesh-postgres
        key: url
    agent_namespaces: [team-a, team-b]

- name: One whose database is dumped every night, and restored from its last dump
  mcpops.platform.mesh_registry:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    backup:
      keep: 14
    restore:
      file: latest

- name: Another cluster's registry, with what the last dump in Blob storage holds
  mcpops.platform.mesh_registry:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    restore: {}
    blob:
      url: https://stmeshdumps.blob.core.windows.net/dumps/prod
      client_id: 3f0e3d5c-0d54-4d3c-9a3f-2a4ab2b6c9d1
      tenant_id: 6f1c2b0e-7a55-4f0e-9a43-2f6f3f0d1b11

- name: The smallest one, for development
  mcpops.platform.mesh_registry:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    database:
      type: sqlite
      size: 1Gi
"""

RETURN = r"""
registry:
  description: The registry.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    namespace:
      description: Its namespace.
      type: str
    url:
      description: Its address in the cluster; only with O(state=present).
      type: str
    database:
      description: Kind of its database; only with O(state=present).
      type: str
  sample:
    name: mcp-mesh-registry
    namespace: mcp-mesh
    url: http://mcp-mesh-registry.mcp-mesh:8000
    database: bundled
objects:
  description: The objects it consists of, and what became of each.
  returned: always
  type: list
  elements: dict
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What a check mode run depends on.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.mesh import mesh_registry
from ..module_utils.mesh.exposure import OPTIONS as EXPOSURE
from ..module_utils.module import run_module

EXISTING_SECRET: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "key": {"type": "str", "default": "database-url", "no_log": False},
}
BACKUP: dict[str, Any] = {
    "schedule": {"type": "str", "default": "17 2 * * *"},
    "keep": {"type": "int", "default": 7},
    "size": {"type": "str", "default": "1Gi"},
    "storage_class": {"type": "str"},
    "claim": {"type": "str"},
}
BLOB: dict[str, Any] = {
    "url": {"type": "str"},
    "client_id": {"type": "str"},
    "tenant_id": {"type": "str"},
    "authority_host": {"type": "str", "default": "https://login.microsoftonline.com"},
    "image": {"type": "str"},
    "ca_config_map": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "default": "ca.crt", "no_log": False},
        },
    },
}
RESTORE: dict[str, Any] = {"file": {"type": "str", "default": "latest"}, "claim": {"type": "str"}}
DATABASE: dict[str, Any] = {
    "type": {"type": "str", "choices": ["bundled", "sqlite", "existing"], "default": "bundled"},
    "existing_secret": {"type": "dict", "no_log": False, "options": EXISTING_SECRET},
    "image": {"type": "str"},
    "size": {"type": "str", "default": "8Gi"},
    "storage_class": {"type": "str"},
    "resources": {"type": "dict"},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "default": "mcp-mesh-registry"},
    "image": {"type": "str"},
    "allow_downgrade": {"type": "bool", "default": False},
    "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"]},
    "image_pull_secrets": {"type": "list", "elements": "str", "no_log": False},
    "replicas": {"type": "int", "default": 1},
    "database": {"type": "dict", "apply_defaults": True, "options": DATABASE},
    "resources": {"type": "dict"},
    "log_level": {"type": "str", "choices": ["ERROR", "WARNING", "INFO", "DEBUG"], "default": "INFO"},
    "env": {"type": "dict"},
    "node_selector": {"type": "dict"},
    "tolerations": {"type": "list", "elements": "dict"},
    "agent_namespaces": {"type": "list", "elements": "str"},
    "network_policy": {"type": "bool", "default": True},
    "api_server_cidrs": {"type": "list", "elements": "str"},
    "exposed": {"type": "dict", "options": {**EXPOSURE, "agent_ranges": {"type": "list", "elements": "str"}}},
    "backup": {"type": "dict", "options": BACKUP},
    "restore": {"type": "dict", "options": RESTORE},
    "blob": {"type": "dict", "options": BLOB},
    "delete_data": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}

PROBLEMS = mesh_registry.problems
OPERATION = mesh_registry.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
