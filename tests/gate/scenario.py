# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m gate.scenario NAME`: `molecule test -s NAME`, without what molecule does again before every playbook.

It starts `ansible-playbook --version` to see that there is one: 0.7 s of processor for each of the 34 playbooks.
"""

from __future__ import annotations

import sys

from molecule.provisioner.ansible_playbook import AnsiblePlaybook
from molecule.shell import main


def run(name: str) -> None:
    AnsiblePlaybook._validate_backend = lambda self, backend: None  # type: ignore[method-assign]
    main(["test", "-s", name])


if __name__ == "__main__":
    run(sys.argv[1])
