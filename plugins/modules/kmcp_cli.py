#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kmcp_cli
short_description: Installs the kmcp command line program at one version
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Downloads C(kmcp), which developers of MCP servers use, verifies its SHA-256 and puts it in place in one step. What
    is not verified is never installed, nor is the page of a server that lacks the file.
  - Nothing is asked for when the program that is there says it is the wanted version, or has the O(checksum).
  - No other module of this collection needs the program.
  - It never uses sudo. It writes as the user that the task runs as; use C(become) where that is not enough.
extends_documentation_fragment:
  - mcpops.platform.attributes
  - mcpops.platform.files
attributes:
  action_group:
    description: Is in no action group, because it shares no option with other modules.
    support: none
    membership: []
options:
  version:
    description: Version of the program, exactly; a leading C(v) is accepted.
    type: str
    default: 0.3.0
  path:
    description:
      - Where the program is to be, with its name. C(~) is the home of the user that the task runs as. The directory is
        created if it does not exist.
      - A file of another name than C(kmcp) that does not say it is kmcp is neither replaced nor removed.
    type: str
    default: ~/.local/bin/kmcp
  url:
    description:
      - Address of the program, of http, https or file, for a mirror. C({version}) stands for O(version) without its
        C(v), C({os}) for V(linux) or V(darwin), C({arch}) for V(amd64) or V(arm64), as the machine is.
    type: str
    default: https://github.com/kagent-dev/kmcp/releases/download/v{version}/kmcp-{os}-{arch}
  checksum:
    description:
      - SHA-256 of the program, in hexadecimal, with or without C(sha256:) before it. With it, the file is what counts,
        not what it says of itself, and one that was replaced by hand is put back.
      - Without it, it is read from O(checksum_url), which proves an undamaged transfer and not who made the file.
    type: str
  checksum_url:
    description:
      - Address of the SHA-256; its first word counts. C({url}) stands for that of the program, and the placeholders of
        O(url) work here, too.
    type: str
    default: "{url}.sha256"
  ca_file:
    description: CA file of a mirror.
    type: path
  username:
    description: User name for a mirror.
    type: str
  password:
    description: Password for a mirror.
    type: str
  timeout:
    description:
      - Longest wait for an answer and for each part of it, in seconds. A whole download may take ten times as long.
    type: int
    default: 60
  state:
    description: Whether the program is to be there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: mcpops.platform.kmcp_install
"""

EXAMPLES = r"""
- name: The kmcp command for this user
  mcpops.platform.kmcp_cli:
    version: 0.3.0

- name: For everybody, from a mirror, pinned by its hash
  mcpops.platform.kmcp_cli:
    version: 0.3.0
    path: /usr/local/bin/kmcp
    url: https://mirror.example.org/kmcp/{version}/kmcp-{os}-{arch}
    checksum: 0c5e8b1f2d3a4c6b7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5
  become: true

- name: Without it
  mcpops.platform.kmcp_cli:
    path: /usr/local/bin/kmcp
    state: absent
  become: true
"""

RETURN = r"""
path:
  description: Where the program is, or was.
  returned: success
  type: str
  sample: /home/me/.local/bin/kmcp
version:
  description: The declared version.
  returned: when O(state=present)
  type: str
  sample: 0.3.0
sha256:
  description: SHA-256 of the program that was (or would be) installed.
  returned: when it was downloaded, or would be
  type: str
  sample: 0c5e8b1f2d3a4c6b7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, such as a directory that is not in the PATH.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kmcp import kmcp_cli
from ..module_utils.kmcp.spec import DEFAULT_VERSION
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    "version": {"type": "str", "default": DEFAULT_VERSION},
    "path": {"type": "str", "default": "~/.local/bin/kmcp"},
    "url": {"type": "str", "default": kmcp_cli.DEFAULT_URL},
    "checksum": {"type": "str"},
    "checksum_url": {"type": "str", "default": "{url}.sha256"},
    "ca_file": {"type": "path"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "timeout": {"type": "int", "default": 60},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
PROBLEMS = kmcp_cli.problems
OPERATION = kmcp_cli.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
