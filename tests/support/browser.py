# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to by the WebDriver protocol of Debian's chromium-driver."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ARGUMENTS = ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run")


class Browser:
    """One window. `script` runs JavaScript even where a page has none and may not have any."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, url: str) -> None:
        self._call("url", {"url": url})

    def script(self, body: str) -> Any:
        return self._call("execute/sync", {"script": body, "args": []})

    def emulate(self, media: str = "screen", scheme: str = "light") -> None:
        """Screen or print, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)

    def pdf(self) -> bytes:
        return base64.b64decode(self._call("print", {}))

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What was logged since it was asked last: `browser` (the console) or `performance` (DevTools events)."""
        found: list[dict[str, Any]] = self._call("se/log", {"type": kind})
        return found

    def _devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._call("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _call(self, path: str, body: dict[str, Any]) -> Any:
        return _post(f"{self._session}/{path}", body)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for the time of a with statement."""
    driver = shutil.which("chromedriver")
    assert driver, "chromedriver is missing: apt-get install chromium chromium-driver (bindep.txt, profile test)"
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        # "ChromeDriver was started successfully on port 38817."
        line = next(line for line in process.stdout if "started successfully on port" in line)
        port = line.split("port")[1].strip(" .\n")
        server = f"http://127.0.0.1:{port}"
        arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        wanted = {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = _post(f"{server}/session", {"capabilities": {"alwaysMatch": wanted}})
        session = f"{server}/session/{made['sessionId']}"
        try:
            yield Browser(session)
        finally:
            _send(urllib.request.Request(session, method="DELETE"))
    finally:
        process.terminate()
        process.communicate()


def _post(url: str, body: dict[str, Any]) -> Any:
    content = json.dumps(body).encode()
    return _send(urllib.request.Request(url, content, {"Content-Type": "application/json"}))


def _send(request: urllib.request.Request) -> Any:
    # straight to this machine, whatever proxy the environment names
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.loads(answer.read())["value"]
