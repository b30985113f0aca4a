# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift page in a real browser: complete, legible in light and dark, and without a request to anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, chromium
from unit.plugins.module_utils.site import drift_rows as rows

from ansible_collections.mcpops.platform.plugins.plugin_utils.pages import drift_page

# WCAG's contrast of every visible text with what lies behind it; returns those below 4.5
LOW_CONTRAST = """
const channel = value => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
const parse = text => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0) return colour;
  }
  return [255, 255, 255, 1];
};
const low = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility()) continue;
  const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (ratio < 4.5) low.push(`${element.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
}
return low;
"""
# elements that cannot be told by a screen reader
NAMELESS = """
const wrong = [];
for (const element of document.querySelectorAll("[aria-labelledby]"))
  if (!document.getElementById(element.getAttribute("aria-labelledby"))) wrong.push(element.outerHTML.slice(0, 80));
for (const element of document.querySelectorAll("th")) if (!element.scope) wrong.push(element.outerHTML.slice(0, 80));
for (const link of document.querySelectorAll("a"))
  if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(link.outerHTML);
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3")) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) wrong.push(`${heading.tagName} follows h${level}`);
  level = now;
}
return wrong;
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("page") / "drift-report.html"
    found.write_text(drift_page(rows.report()), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser(file: Path) -> Iterator[Browser]:
    with chromium() as found:
        found.open(file.as_uri())
        yield found


def test_nothing_is_loaded_and_nothing_is_complained_of(browser: Browser, file: Path) -> None:
    events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked == [file.as_uri()]
    assert browser.log("browser") == []
    # what values hold is text, not elements
    assert browser.script("return document.querySelectorAll('script, img, link, iframe').length") == 0
    assert rows.EVIL in browser.script("return document.body.innerText")


def test_everything_is_there_the_worst_first(browser: Browser) -> None:
    names = browser.script("return [...document.querySelectorAll('h2')].map(element => element.textContent)")
    assert names == ["failed", "never-reached", "unreachable", "gone", "stopped", "drifted", "As declared"]
    text = browser.script("return document.body.innerText")
    for words in ("az aks start --name stopped", "--tags kmcp", "All 30 values", "set by", rows.SECRET, "in-sync"):
        assert words in text
    signs = "return [...document.querySelectorAll('.chip')].every(chip => chip.dataset.sign && chip.textContent)"
    assert browser.script(signs) is True, "a state must not be told by colour only"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_legible(browser: Browser, scheme: str) -> None:
    browser.emulate(scheme=scheme)
    ground = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 19, 26)") == (scheme == "dark")
    assert browser.script(LOW_CONTRAST) == []


def test_a_screen_reader_finds_its_way(browser: Browser) -> None:
    assert browser.script(NAMELESS) == []
    assert browser.script("return document.documentElement.lang") == "en"


@pytest.mark.parametrize("width", [1600, 1024, 360])
def test_no_width_needs_sideways_scrolling(browser: Browser, width: int) -> None:
    browser.resize(width, 900)
    assert browser.script("return document.documentElement.scrollWidth") <= width


def test_it_prints_whole_and_on_white(browser: Browser) -> None:
    browser.emulate(media="print", scheme="dark")
    assert browser.script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    # what is folded on the screen is open on paper
    assert browser.script("return document.querySelector('details td').checkVisibility({contentVisibilityAuto: true})")
    assert browser.script(LOW_CONTRAST) == []
    assert browser.pdf().startswith(b"%PDF")
