# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where charts come from, which helm installs them, and what of their live objects is not compared."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ca_file:
    description: PEM file of the authority that signed the registry's certificate.
    type: path
  plain_http:
    description: Speak HTTP instead of HTTPS with the registry.
    type: bool
    default: false
  registry_username:
    description:
      - User name for the registry. Without it, what C(helm registry login) or C(docker login) stored is used.
    type: str
  registry_password:
    description: Password or token for the registry; it reaches C(helm) in a private file.
    type: str
  helm_binary:
    description:
      - Path of the C(helm) program.
      - It is looked for in E(PATH) and beside the Python interpreter if not set.
    type: path
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
