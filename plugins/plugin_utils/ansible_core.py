# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plugins take from ansible-core that older ones lack: an older one is named before an import fails."""

from __future__ import annotations

import sys

from ansible.errors import AnsibleError
from ansible.release import __version__

__all__ = ["AnsibleValueOmittedError", "EncryptedString", "is_trusted_as_template", "trust_as_template"]

OLDEST = (2, 19)
"""As `requires_ansible` in meta/runtime.yml says, which Ansible itself only warns of."""


def require(version: str) -> None:
    """AnsibleError unless this version is one of those that are supported."""
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < OLDEST:
        raise AnsibleError(
            f"mcpops.platform needs ansible-core {OLDEST[0]}.{OLDEST[1]} or newer, and this is {version} (it runs in "
            f"{sys.executable}). Install a newer one there, or run the playbook with a newer one."
        )


require(__version__)

from ansible.errors import AnsibleValueOmittedError  # noqa: E402
from ansible.parsing.vault import EncryptedString  # noqa: E402
from ansible.template import is_trusted_as_template, trust_as_template  # noqa: E402
