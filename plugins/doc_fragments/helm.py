# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where charts come from, which helm installs them and how, and what of their live objects is not compared."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ca_file:
    description: PEM file of the authority that signed the registry's or repository's certificate.
    type: path
  plain_http:
    description: Speak HTTP instead of HTTPS with the registry; let a repository be one of plain HTTP.
    type: bool
    default: false
  registry_username:
    description:
      - User name for the registry or repository.
      - Without it, what C(helm registry login) or C(docker login) stored is used for a registry, and nothing for a
        repository. What is stored is never changed.
    type: str
  registry_password:
    description:
      - Password or token for the registry or repository. It reaches C(helm) in a file of mode 0600 that lives as long
        as the task, never on a command line or in the environment.
    type: str
  helm_binary:
    description:
      - Path of the C(helm) program.
      - It is looked for in E(PATH) and beside the Python interpreter if not set.
    type: path
  purge_values:
    description:
      - Whether the declared values are the whole. Values the release has and the task has not are removed then.
      - With V(false) the declared values are merged into those of the release.
    type: bool
    default: true
  take_ownership:
    description:
      - Let an install or upgrade take objects over that exist already, without Helm's marks or with those of another
        release. Without it such an object is refused.
      - Needs Helm 3.17 or newer.
    type: bool
    default: false
  atomic:
    description:
      - When an install or upgrade fails, or the workloads do not become ready, go back to the revision that was
        deployed before, or uninstall what had not been there. The task fails all the same, with the first reason.
      - Needs O(wait=true). Definitions stay.
    type: bool
    default: false
  history_max:
    description: How many revisions Helm keeps, counted at the next install or upgrade; V(0) keeps all.
    type: int
    default: 10
  wait:
    description:
      - Wait until the workloads of the release are ready. What keeps them from it is explained, and what will not
        become ready by waiting fails at once.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait, for readiness, for hooks and for an uninstall, each.
    type: int
    default: 300
  stale_after:
    description:
      - Seconds after which a release that is still pending counts as left behind by a killed C(helm). A younger one is
        waited for, because another C(helm) may be at work.
    type: int
    default: 60
  ignore_differences:
    description: Leaves of live objects that others may set without it being drift.
    type: list
    elements: dict
    suboptions:
      kind:
        description: Kind of the objects.
        type: str
        required: true
      name:
        description: Name of the object; all of this kind if not set.
        type: str
      paths:
        description:
          - Paths such as C(spec.replicas), C(data.cache) or C(spec.template.spec.containers[main].image); C(*) stands
            for one key or list item, and a path covers everything below it.
        type: list
        elements: str
        required: true
"""
