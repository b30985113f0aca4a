# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML pages from the collection's own templates: every value that a template shows is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..module_utils.site.drift_report import INCOMPLETE, conclusion, headline

TEMPLATES = Path(__file__).parents[1] / "templates"


def drift_page(report: Mapping[str, Any]) -> str:
    """The drift report as a page."""
    incomplete = any(host["state"] in INCOMPLETE for host in report["hosts"])
    return _page(
        "drift_report.html.j2",
        report=report,
        headline=headline(report),
        conclusion=conclusion(report) if incomplete else "",
    )


def _page(template: str, **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["as_json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.get_template(template).render(values)
