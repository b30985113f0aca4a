# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate runs of this directory: a job that asks Azure, with credentials as AWX gives them."""

from __future__ import annotations

import pytest

from .conftest import Controller

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("spelling", ["awx", "sdk"])
def test_a_job_logs_in_with_what_it_is_given_and_leaves_no_secret(controller: Controller, spelling: str) -> None:
    job = controller.job("preflight", spelling).run()
    assert job.status == "successful", job.output
    assert job.leaks(controller.secrets) == []
