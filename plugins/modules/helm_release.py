#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_release
short_description: Keeps a Helm release and all of its objects as declared
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Installs, upgrades, repairs and removes a release of a Helm chart.
  - What is installed is read from Helm's own record in the cluster. The C(helm) program is started only for a changed
    chart, changed values, a release that is not deployed, and a removal.
  - The live objects are compared with the manifest of the release. Objects that are missing, fields of the chart that
    somebody changed and fields under C(spec), C(data) or C(rules) that somebody added are shown with the name of the
    field manager who did so, and are restored by server-side apply as field manager C(helm), without C(helm) itself.
    Labels and annotations that others added are left alone.
  - What autoscalers, injectors of certificate authorities and controllers that fill empty Secrets and ConfigMaps write
    is not drift; more is named by O(ignore_differences).
  - A release that a killed C(helm) left C(pending-upgrade) or C(pending-rollback) goes back to its last deployed
    revision first. Where no revision was ever deployed, the unfinished record is deleted, and the objects that exist
    already are taken up by the install. Both are said in RV(notes).
  - Of charts that a domain of this collection knows, what would lose data is refused before C(helm) is started, with
    the way round it. For MCP Mesh's own charts C(docs/mesh.md) lists that.
  - Post-renderers are not offered. One is a program on the machine that happens to run Helm, its output depends on that
    machine, and what it changed cannot be told from drift. Set what a chart's values lack with
    M(mcpops.platform.k8s_objects) and name it in O(ignore_differences), or keep a wrapper chart.
  - Helm 3.8 and newer and Helm 4 do the same here.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.helm
  - mcpops.platform.attributes
  - mcpops.platform.files
  - mcpops.platform.files.searched
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
requirements:
  - helm >= 3.8 on the machine the module runs on, when something is to be installed, upgraded or removed
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  create_namespace:
    description: Create the namespace when it does not exist; it is not removed with the release.
    type: bool
    default: false
  chart_ref:
    description:
      - The chart, as C(oci://registry/path/name), as its name in the repository O(repo_url), or as the path of a chart
        directory or archive on the machine the module runs on.
      - What is in a directory or archive is compared with what the release was made of, so that an edited template,
        file, default value or subchart is an upgrade even if the version is the same. Of a release that somebody else
        has installed, Helm's record does not tell the subcharts, nor the defaults of a chart that has any; with Helm
        older than 3.13 it never does.
      - A chart from a registry or repository is known by its version. One that was published again under the same
        version is not noticed, because nothing is fetched for a release that stands; publish another version.
      - Required with O(state=present).
    type: str
  repo_url:
    description:
      - Address of an HTTP(S) chart repository, below which C(index.yaml) lies.
      - C(helm) downloads the chart, and its SHA-256 must be the one of the index. The credentials are sent to this
        address only, not where the index leads. A redirect takes them along within the same host name and its
        subdomains only.
    type: str
  chart_version:
    description:
      - One exact version, such as V(1.2.3), with a leading C(v) or without. A registry that lacks the tag as it is
        written is asked for the other one.
      - Or a range, such as V(~1.2), V(^2.1), V(>=1.2 <1.5) or V(1.x || 2.x). A release whose version fits it stays, and
        nobody is asked. Else the registry or repository is asked once for the newest version that fits, and
        RV(notes) and RV(release.chart_version) say which one it is. Pre-releases fit only a range that names one.
      - Required for a chart from a registry or repository. For a chart on disk its own version must be or fit it, if
        given.
    type: str
  chart_digest:
    description:
      - SHA-256 that the chart must have, with or without C(sha256:) before it. What is downloaded and has another one
        is not installed.
      - That of the archive, as C(index.yaml) and C(sha256sum) have it, or, of a chart in an OCI registry, that of its
        manifest, as C(helm pull) and C(helm push) print it.
      - The release remembers it, by the label C(mcpops.io/chart-digest) on Helm's record (Helm 3.13 and newer), so that
        another digest of the same version is an upgrade. A release that stands and was installed without this option is
        believed until its next upgrade.
    type: str
  values:
    description:
      - The user values, over those of O(values_files). O(purge_values) says whether they are the whole.
      - Without this option and O(values_files) the values of the release stay as they are. V({}) stands for no user
        values.
      - Values whose name says that they are secret (C(dbPwd), C(apiKey), C(connectionString), ...), Secrets among the
        values, and passwords in URLs are never shown. C(docs/secrets.md) says how a name is read.
      - Helm keeps every number as a 64-bit float. A whole number that has more digits than these hold (beyond 2^53) is
        rounded by helm and compared so, with a warning. Quote it if the chart takes text.
    type: dict
  values_files:
    description:
      - YAML files with user values on the machine the module runs on. Mappings of a later file are merged into those of
        an earlier one, anything else replaces.
      - They are read as helm reads them (C(y) and C(on) are booleans, also as keys), but a key that is given twice in
        one mapping is refused with the lines of both.
    type: list
    elements: path
  secret_values:
    description:
      - User values that are shown nowhere, whatever they are called, merged over O(values) and O(values_files). The
        others are shown; O(values_secret) hides all of them.
      - Helm stores them in its record, a Secret, like all values. A chart that takes the name of a Secret (often
        C(existingSecret)) keeps them out of it.
    type: dict
  values_secret:
    description:
      - Show none of the values.
      - The release remembers it, by the label C(mcpops.io/values) on Helm's record. A later task without this option
        does not show those values either, whether it changes, keeps or removes them. What it puts in their place is
        hidden once more; from then on the values are shown, unless O(purge_values=false) or a task without O(values)
        has kept some of the secret ones.
      - Set for a release whose values stand and stay, it marks Helm's record and is a change. It makes no revision.
        Who may not patch Secrets in the namespace is warned instead.
      - A person's own Helm carries the label on with an upgrade and a rollback, as of Helm 3.13.
    type: bool
    default: false
  crds:
    description:
      - What becomes of the definitions in the chart's C(crds/) directory. It means nothing to definitions among the
        chart's templates.
      - V(create) is Helm's own way. They are created with the first install, and no upgrade ever touches them.
      - With V(upgrade) they are applied before each install and upgrade, those of subcharts included, and served before
        the rest of the chart follows. The chart's own ones are also held to what the record says, as all other objects.
        A definition that the new chart has no more stays, and so do all of them when the release is removed.
      - With V(skip) they are left alone.
    type: str
    choices: [create, upgrade, skip]
    default: create
  state:
    description: Whether the release is to be there. V(absent) uninstalls it and waits until its objects are gone.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: mcpops.platform.kmcp_install
  - module: mcpops.platform.k8s_objects
"""

EXAMPLES = r"""
- name: A release with values, and everything of it as the chart says
  mcpops.platform.helm_release:
    kubeconfig: ~/.kube/demo
    name: podinfo
    namespace: web
    create_namespace: true
    chart_ref: oci://ghcr.io/stefanprodan/charts/podinfo
    chart_version: 6.9.1
    values:
      replicaCount: 2

- name: The newest 1.x of a chart in an HTTP repository, with values for all clusters and for this one
  mcpops.platform.helm_release:
    name: blog
    namespace: web
    repo_url: https://charts.example.org/stable
    chart_ref: blog
    chart_version: ^1.4
    values_files:
      - values/all.yaml
      - values/eastus2.yaml
    atomic: true

- name: An operator whose definitions are upgraded with it
  mcpops.platform.helm_release:
    name: operator
    namespace: operators
    chart_ref: oci://registry.example.org/charts/operator
    chart_version: 2.0.1
    chart_digest: sha256:2f4b0e1c6f6d3a0f5a8c4f1f0a2a1b0e5c3d7e9f8a6b4c2d1e0f9a8b7c6d5e4f
    crds: upgrade

- name: A chart of a private registry, whose replicas an autoscaler of somebody else sets
  mcpops.platform.helm_release:
    name: shop
    namespace: web
    chart_ref: oci://registry.example.org/charts/shop
    chart_version: 1.4.0
    registry_username: puller
    registry_password: "{{ registry_password }}"
    values:
      database:
        existingSecret: shop-database
    ignore_differences:
      - kind: Deployment
        name: shop
        paths: [spec.replicas]

- name: Without the release
  mcpops.platform.helm_release:
    name: podinfo
    namespace: web
    state: absent
"""

RETURN = r"""
release:
  description: The release as Helm's record says; null when there is none. Its values are never returned.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the release.
      type: str
      returned: always
    namespace:
      description: Namespace of the release.
      type: str
      returned: always
    revision:
      description: Helm's revision. It grows with each install and upgrade, not with repairs.
      type: int
      returned: always
    status:
      description: Helm's status.
      type: str
      returned: always
    chart:
      description: Name of the chart.
      type: str
      returned: always
    chart_version:
      description: Version of the chart.
      type: str
      returned: always
    app_version:
      description: Version of the application, as the chart says.
      type: str
      returned: always
  sample:
    name: podinfo
    namespace: web
    revision: 3
    status: deployed
    chart: podinfo
    chart_version: 6.9.1
    app_version: 6.9.1
previous:
  description:
    - The release as it was before this task, as RV(release); null when there was none. Its revision is what
      C(helm rollback) can go back to after a change.
  returned: success
  type: dict
rolled_back_to:
  description:
    - The revision that O(atomic) went back to; null when the release was uninstalled again, or when going back failed.
  returned: when the task failed and O(atomic=true)
  type: int
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, such as a recovered release or a dependency that does not exist yet.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["Installing release web/frontend (podinfo 6.9.1)"]
"""

from functools import partial
from typing import Any

from ..module_utils.domains import DOMAINS
from ..module_utils.helm import helm_release, spec
from ..module_utils.helm.spec import helm_argument_spec
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **helm_argument_spec(),
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "create_namespace": {"type": "bool", "default": False},
    "chart_ref": {"type": "str"},
    "repo_url": {"type": "str"},
    "chart_version": {"type": "str"},
    "chart_digest": {"type": "str"},
    "values": {"type": "dict"},
    "values_files": {"type": "list", "elements": "path"},
    "secret_values": {"type": "dict", "no_log": True},
    "values_secret": {"type": "bool", "default": False, "no_log": False},
    "crds": {"type": "str", "choices": ["create", "upgrade", "skip"], "default": "create"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULES = {"required_if": [("state", "present", ["chart_ref"])]}
FILE_OPTIONS = spec.file_options
PROBLEMS = spec.problems
OPERATION = partial(helm_release.converge, domains=DOMAINS)


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
