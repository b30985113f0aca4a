# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a report says is text in its page: no value adds an element, an attribute or a reference."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2.exceptions import UndefinedError
from unit.plugins.module_utils.site import drift_rows as rows

from ansible_collections.mcpops.platform.plugins.plugin_utils.pages import drift_page

# what the page decides by, and never shows as it is
KEPT = ("state", "verdict", "generated_at", "schema_version")
HOSTILE = {
    "an element": "<script>alert(1)</script>",
    "the end of an attribute": '" onmouseover="alert(1)" x="',
    "the end of a quote": "' onmouseover='alert(1)",
    "the end of a table": "</td></table></section></main><img src=x onerror=alert(1)>",
    "an entity": "&lt;script&gt; &amp;quot;",
    "a template": "{{ report }}{% for host in report.hosts %}",
    "a comment": "--><!-- ]]>",
    "several lines": "a\nb <b>\u2028</b>",
}


class Structure(HTMLParser):
    """The elements of a page with the names of their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _value in attrs)))
        self.values += [value or "" for _name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.values.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def everywhere(text: str, reported: Any, key: str = "") -> Any:
    """The report with this text for every text in it."""
    if isinstance(reported, dict):
        return {name: everywhere(text, below, name) for name, below in reported.items()}
    if isinstance(reported, list):
        return [everywhere(text, item, key) for item in reported]
    return text if isinstance(reported, str) and reported and key not in KEPT else reported


def report() -> dict[str, Any]:
    found = rows.report()
    for host in found["hosts"]:
        for difference in host["differences"]:
            difference["leaves"].append(
                {"path": "a", "secret": False, "changed_by": "helm", "note": "here", "before": {"x": "y"}}
            )
    return found


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_text_of_a_report_is_escaped(text: str) -> None:
    harmless, hostile = (Structure(drift_page(everywhere(one, report()))) for one in ("harmless", text))
    assert hostile.elements == harmless.elements
    assert sum(text in value for value in hostile.values) >= sum("harmless" in value for value in harmless.values) / 2
    assert [value for value in hostile.values if value == f"host-{text}"]


def test_a_field_that_a_report_lacks_is_not_left_out_in_silence() -> None:
    lacking = rows.report()
    del lacking["hosts"][-1]["message"]
    with pytest.raises(UndefinedError):
        drift_page(lacking)
