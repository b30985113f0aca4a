#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acr_image
short_description: Manages images in an Azure container registry
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Sees to it that the declared tags of a repository name one image, which the registry copies from another registry by
    itself (C(importImage)). No image passes through this machine, and none is needed on it.
  - The registry can build the image instead, of files that are uploaded.
  - Images are compared by digest. A tag that names another image is drift and is put back; an image that is in the
    repository already gets its tags without being copied again.
  - Answers the digest and RV(image), a reference by digest that servers and agents can be declared with.
  - This identity needs the actions of C(importImage) at the registry (V(Contributor), or V(Container Registry Data
    Importer and Data Reader)) and V(AcrPull) there, and V(AcrPull) at a source that O(source.registry_id) names. To
    remove tags it needs V(AcrDelete) and V(AcrPull).
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes
  - mcpops.platform.files
options:
  registry:
    description: Name of the container registry, which exists.
    type: str
    required: true
  resource_group:
    description: Resource group of the registry.
    type: str
    required: true
  repository:
    description: Repository in the registry, for example V(tools/echo-mcp).
    type: str
    required: true
  tags:
    description: Tags of the repository that name the image. Other tags of the repository are left alone.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(absent) takes the tags away, and the image with the last of its tags.
    type: str
    choices: [present, absent]
    default: present
  source:
    description: The image that is copied; it or O(build) is needed with O(state=present).
    type: dict
    suboptions:
      image:
        description:
          - The image with its registry, and with a tag or, better, a digest, V(ghcr.io/team/server:1.4.2) or
            V(ghcr.io/team/server@sha256:...).
          - Without a registry where O(source.registry_id) names it.
          - All platforms of an image are copied.
        type: str
        required: true
      registry_id:
        description:
          - Id of the source where it is a container registry of Azure, in any subscription of the tenant.
          - This identity's own rights are used there.
        type: str
      username:
        description: User of a private source that is not named by O(source.registry_id).
        type: str
      password:
        description: Password or token of O(source.username). It is never shown.
        type: str
  build:
    description:
      - The image is built by the registry (a quick run of its tasks) of the files of a directory, which are uploaded.
        What its log says is shown while it goes on, and of a failed run the end of the log.
      - An image is built when no image of the repository was built of the same files, Dockerfile, arguments, platform
        and target. Files are compared by content; times and owners do not count, and what C(.dockerignore) names, or
        a C(Dockerfile.dockerignore) beside the Dockerfile, is left out. So are empty directories, what version control
        keeps (C(.git) and its like) and C(.venv), as C(az acr build) does. A newer base image is no difference.
      - A tag that begins with C(mcpops-) says what an image was built of. It goes with the image.
    type: dict
    suboptions:
      context:
        description: Directory with the files, on the machine that the task runs on. No more than 1 GiB is sent.
        type: path
        required: true
      dockerfile:
        description: Path of the Dockerfile below O(build.context).
        type: str
        default: Dockerfile
      platform:
        description: Platform of the image, for example V(linux/arm64/v8).
        type: str
        default: linux/amd64
      target:
        description: Stage of the Dockerfile; the last one if not set.
        type: str
      arguments:
        description: Values of C(ARG) instructions. They can be read in the image, so none may be secret.
        type: dict
  follow_source:
    description:
      - Whether a tag of the source that names another image than before is followed. Then the source is asked for its
        digest in each run, from this machine.
      - With V(false) the tags that are there stay as they are, and the source is not asked; a declared tag that is
        missing gets the image of those that are there.
      - Without effect on an O(source.image) with a digest, of which nothing has to be asked.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait for the copy or the build, in seconds.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: The echo server's image is in our registry
  mcpops.platform.acr_image:
    registry: mcpacr
    resource_group: rg-agents
    repository: tools/echo-mcp
    tags: ["1.4.2"]
    source:
      image: ghcr.io/team/echo-mcp:1.4.2
  register: echo_image

- name: A server that runs exactly this image
  mcpops.platform.mcp_server:
    kubeconfig: ~/.kube/agents
    name: echo
    namespace: tools
    image: "{{ echo_image.image }}"
    port: 3000

- name: An image of another registry of Azure, under two tags
  mcpops.platform.acr_image:
    registry: mcpacr
    resource_group: rg-agents
    repository: docs-mcp
    tags: ["2.0", "2.0.1"]
    source:
      registry_id: "{{ build_registry.id }}"
      image: docs-mcp:2.0.1

- name: A private image, which stays what it was when it was first imported
  mcpops.platform.acr_image:
    registry: mcpacr
    resource_group: rg-agents
    repository: vendor/agent
    tags: [stable]
    source:
      image: registry.example.com/vendor/agent:stable
      username: "{{ vendor_user }}"
      password: "{{ vendor_token }}"
    follow_source: false

- name: An image of our own files, built in the registry
  mcpops.platform.acr_image:
    registry: mcpacr
    resource_group: rg-agents
    repository: tools/echo-mcp
    tags: ["1.5.0"]
    build:
      context: servers/echo-mcp
      arguments:
        VERSION: "1.5.0"
    wait_timeout: 900

- name: An old version is gone
  mcpops.platform.acr_image:
    registry: mcpacr
    resource_group: rg-agents
    repository: tools/echo-mcp
    tags: ["1.4.2"]
    state: absent
"""

RETURN = r"""
digest:
  description: Digest of the image; null when it is absent, and in check mode while it is not known.
  returned: success
  type: str
  sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
image:
  description:
    - The image by digest, as a pod can name it; in check mode by its first tag while the digest is not known.
    - Null when it is absent, or when the registry does not exist yet.
  returned: success
  type: str
  sample: mcpacr.azurecr.io/tools/echo-mcp@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
is_new:
  description:
    - Whether a run would make another image, whose digest is known after that only. In check mode; else always false.
  returned: success
  type: bool
tags:
  description: Digest by tag, of the declared tags.
  returned: success
  type: dict
repository:
  description: The repository.
  returned: success
  type: str
login_server:
  description: Host of the registry; null when it does not exist yet.
  returned: success
  type: str
  sample: mcpacr.azurecr.io
registry_id:
  description: Id of the registry.
  returned: success
  type: str
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, for example which prerequisite does not exist yet.
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

from ..module_utils.arm import acr_image
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "registry": {"type": "str", "required": True},
    "resource_group": {"type": "str", "required": True},
    "repository": {"type": "str", "required": True},
    "tags": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "source": {
        "type": "dict",
        "options": {
            "image": {"type": "str", "required": True},
            "registry_id": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
        },
    },
    "build": {
        "type": "dict",
        "options": {
            "context": {"type": "path", "required": True},
            "dockerfile": {"type": "str", "default": "Dockerfile"},
            "platform": {"type": "str", "default": "linux/amd64"},
            "target": {"type": "str"},
            "arguments": {"type": "dict"},
        },
    },
    "follow_source": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 1800},
}
RULES = {"mutually_exclusive": [["source", "build"]]}
PROBLEMS = acr_image.problems
OPERATION = acr_image.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
