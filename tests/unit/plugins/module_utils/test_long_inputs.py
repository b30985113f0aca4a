# SPDX-License-Identifier: GPL-3.0-or-later
"""Long inputs take time in proportion to their length: a reader that takes its square does not come to an end here."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import discovery, fields
from ansible_collections.mcpops.platform.plugins.module_utils.kube.errors import without_dumps
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import UNKNOWN
from ansible_collections.mcpops.platform.plugins.module_utils.kube.yaml_loader import read_declaration
from ansible_collections.mcpops.platform.plugins.module_utils.masking import MOST_LINES, forms
from ansible_collections.mcpops.platform.plugins.module_utils.secret_names import secret_name
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x=1 " + "eyJabcdefgh-" * 60_000, id="beginnings of web tokens"),
        pytest.param("x=1 " + "-----BEGIN RSA" + " PRIVATE KEY" * 60_000, id="beginnings of keys"),
        pytest.param("x=1 bearer" + " " * 400_000, id="bearer of nothing"),
        pytest.param("x=1 " + "ab." * 200_000, id="a long name"),
        pytest.param("x=1 " + "a://b:" * 100_000, id="addresses"),
    ],
)
def test_long_texts_are_searched_for_secrets(text: str) -> None:
    assert redact(text) == text


def test_a_long_path_is_a_name() -> None:
    assert not secret_name("[" * 300_000 + "a")


def test_a_web_token_is_found_behind_every_other_sign() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    for before in ("", "a=", '"', "(", "/", ">", "ü"):
        assert token not in redact(f"{before}{token} x=1")


def _block(label: str, count: int, salt: str = "") -> str:
    lines = [f"{salt}MIIF{index:060d}" for index in range(count)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def test_of_certificates_no_line_is_a_secret() -> None:
    bundle = "".join(_block("CERTIFICATE", 17, f"{index:03d}") for index in range(200))
    assert len(forms(bundle)) < 20


def test_the_key_beside_certificates_is_one_line_by_line() -> None:
    text = _block("CERTIFICATE", 20, "c") + _block("PRIVATE KEY", 52, "k") + _block("CERTIFICATE", 20, "d")
    found = forms(text)
    assert f"kMIIF{51:060d}" in found
    assert f"cMIIF{7:060d}" not in found
    assert f"dMIIF{7:060d}" not in found


def test_of_very_many_lines_the_longest_count() -> None:
    lines = [f"user{index:06d}:abcdefg1" for index in range(10_000)]
    lines[5_000] += "-and-a-longer-one-2"
    found = forms("\n".join(lines))
    assert lines[5_000] in found
    assert len(found) <= 6 * (MOST_LINES + 10)


def test_a_key_given_twice_among_many() -> None:
    # a tab between keys is JSON and no YAML, so that no line is looked for
    text = "{" + ",\t\n\t".join(f'"key{index}": 1' for index in range(40_000)) + ',"key7": 2}'
    _documents, twice = read_declaration(text)
    assert [one.key for one in twice] == ["key7"]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("a: Invalid value: v1.Pod{Name:1}: bad, " * 25_000, id="in Go's notation"),
        pytest.param('a: Invalid value: {"a":1}: bad, ' * 25_000, id="in JSON"),
        pytest.param('a: Invalid value: {"a":1}: bad, ' + "map[" * 100_000, id="maps that are none"),
        pytest.param('a: Invalid value: {"a":1}: bad, ' + "[]" * 100_000, id="lists that are none"),
        pytest.param('a: Invalid value: {"a":1}: bad, ' + " " * 200_000 + "x", id="spaces"),
    ],
)
def test_messages_with_many_objects(message: str) -> None:
    assert "Name:1" not in without_dumps(message)
    assert '{"a"' not in without_dumps(message)


@pytest.mark.parametrize("part", ["a.", "a", "a-", "a.b/", "-."])
def test_messages_of_discovery_that_name_no_api(part: str) -> None:
    assert (discovery.deletion_advice(part * 60_000 + "!") or "") == ""


def test_the_apis_that_a_message_names() -> None:
    message = (
        "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: "
        "custom.metrics.example.net/v1beta2: stale GroupVersion discovery, x.io/v1: the server is down (apps/v1)"
    )
    advice = discovery.deletion_advice(message) or ""
    assert "kubectl delete apiservice v1beta2.custom.metrics.example.net v1.x.io." in advice


def test_many_routes_through_a_long_list() -> None:
    items = [{"name": f"n{index}", "value": "x"} for index in range(300)]
    routes = [("k:" + json.dumps({"name": item["name"]}),) for item in items]
    kept = fields.without_routes(items, list(islice(routes, 299)), UNKNOWN)
    assert kept == [items[299]]
    assert fields._parsed.cache_info().hits > 0
    with pytest.raises(TypeError):
        fields._parsed('{"name": "a"}')["name"] = "b"
