# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables a template reads, so that they may be rendered before it, as the template engine parses it."""

from __future__ import annotations

import pytest
from jinja2 import Environment, meta

from ansible_collections.mcpops.platform.plugins.module_utils.site.expressions import names_read

TEMPLATES = (
    "{{ a }}",
    "{{a}}/b",
    "{{ a.b.c }}-{{ b['c'] }}",
    "{{ a ~ 'b or c' ~ \"if d\" }}",
    "{{ a | combine(b) | to_json }}",
    "{{ a |\n  to_json(indent=b) }}",
    "{{ (a ~ '/' ~ b) | lower | hash('sha256') }}",
    "{{ {'a': b.c,\n    'd': lookup('ansible.builtin.file', e.f)} }}",
    "{{ a == b }}",
    "{{ 'it\\'s a' }}",
    "{{ [a][0] if b else c }}",
    "{{ a or b and not c }}",
    "{{ a | default(b) }}",
    "{{ a is defined or (b ~ c) is not file }}",
    "{{ a | map('extract', b) | list }}",
    "text",
)
WORDS = {"if", "else", "or", "and", "not", "lookup"}


@pytest.mark.parametrize("text", TEMPLATES)
def test_the_names_are_those_that_the_template_engine_finds(text: str) -> None:
    engine = Environment()
    for name in ("combine", "to_json", "hash"):
        engine.filters[name] = str
    engine.tests["file"] = str
    assert set(names_read(text)) - WORDS == meta.find_undeclared_variables(engine.parse(text)) - WORDS


@pytest.mark.parametrize("text", ["{% if a %}{{ b }}{% endif %}", "{# {{ a }} #}", "{% set a = 1 %}{{ a }}"])
def test_templates_with_blocks_are_left_alone(text: str) -> None:
    assert names_read(text) == ()
