# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refusal of k8s_objects tells the reader to raise, the role lets them raise."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles" / "cluster_setup"


@pytest.mark.parametrize("option", ["prune", "prune_max_percent"])
def test_the_role_passes_the_option_on(option: str) -> None:
    variable = f"cluster_setup_{option}"
    [task, _releases] = yaml.safe_load((ROLE / "tasks/main.yml").read_text())
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert variable in yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert variable in specs
    assert task["mcpops.platform.k8s_objects"][option] == f"{{{{ {variable} }}}}"
    assert f"`{variable}`" in (ROLE / "README.md").read_text()
