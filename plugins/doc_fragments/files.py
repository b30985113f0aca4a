# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where relative paths begin."""

from __future__ import annotations


class ModuleDocFragment:
    # kubeconfigs, certificates, programs, and what is written
    DOCUMENTATION = r"""
options: {}
notes:
  - Relative paths of kubeconfigs, certificates, programs and of what is written begin in the current directory, on the
    machine where the module runs. With C(connection=local) that is where the run was started.
"""

    # files and directories that a declaration consists of
    SEARCHED = r"""
options: {}
notes:
  - Relative paths of files that a declaration consists of (manifests, templates, kustomizations, values, charts) are
    searched for on the controller as M(ansible.builtin.copy) and M(ansible.builtin.template) search for theirs. That is
    in the role, in the directory of the file that the task is in, and in the directory of the playbook. The current
    directory comes last. In each, C(files/) (C(templates/) for templates) comes before the directory itself. A path
    that is nowhere is refused, and the message lists where it was searched for.
  - On other connections than C(local) these files are on the other machine, templates excepted, and relative paths
    begin where Ansible runs modules there. Name absolute paths.
"""
