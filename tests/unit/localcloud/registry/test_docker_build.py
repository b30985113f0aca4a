# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a Dockerfile the local cloud builds, and what it refuses by name."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest

from localcloud.registry.docker_build import Base, BuildFailed, Built, build

FILES = {"server.py": "x", "lib/a.py": "a", "lib/deep/b.py": "b"}


def made(dockerfile: str, arguments: Mapping[str, str] | None = None, base: Base | None = None) -> Built:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in {**FILES, "Dockerfile": dockerfile}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return build(buffer.getvalue(), "Dockerfile", arguments or {}, lambda _: base or Base({}), lambda _: None)


def names(built: Built) -> list[str]:
    found = []
    for raw, _ in built.layers:
        with tarfile.open(fileobj=io.BytesIO(raw)) as layer:
            found += [member.name for member in layer.getmembers() if member.isreg()]
    return found


@pytest.mark.parametrize(
    ("copy", "copied"),
    [
        ("COPY server.py .", ["app/server.py"]),
        ("COPY server.py main.py", ["app/main.py"]),
        ("COPY server.py /srv/", ["srv/server.py"]),
        ('COPY ["server.py", "/srv/"]', ["srv/server.py"]),
        ("COPY lib .", ["app/a.py", "app/deep/b.py"]),
        ("COPY lib/ /lib/", ["lib/a.py", "lib/deep/b.py"]),
        ("COPY lib/*.py /x/", ["x/a.py"]),
        ("COPY server.py lib /all/", ["all/a.py", "all/deep/b.py", "all/server.py"]),
    ],
)
def test_what_is_copied_where(copy: str, copied: list[str]) -> None:
    assert names(made(f"FROM scratch\nWORKDIR /app\n{copy}\n")) == copied


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        ('ENV A=1 B="two words"', {"Env": ["A=1", "B=two words"]}),
        ("ARG V=1\nENV A=$V", {"Env": ["A=9"]}),
        ("ARG W=1\nENV A=${W}", {"Env": ["A=1"]}),
        ("WORKDIR /a\nWORKDIR b", {"WorkingDir": "/a/b"}),
        ("USER 1000", {"User": "1000"}),
        ("EXPOSE 80 53/udp", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        ('ENTRYPOINT ["a", "b"]', {"Entrypoint": ["a", "b"]}),
        ("CMD run \\\n  it", {"Cmd": ["/bin/sh", "-c", "run    it"]}),
        ("# RUN nothing\nLABEL a=b", {"Labels": {"a": "b"}}),
    ],
)
def test_settings(lines: str, settings: dict[str, Any]) -> None:
    assert made(f"FROM base:1\n{lines}\n", {"V": "9"}).config["config"] == settings


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        ("FROM scratch\nRUN true\n", "the instruction RUN is not supported"),
        ("FROM scratch\nADD a b\n", "the instruction ADD is not supported"),
        ("FROM scratch AS a\nFROM a\n", "several stages"),
        ("FROM scratch\nCOPY --from=a b c\n", "COPY --from is not supported"),
        ("FROM scratch\nCOPY missing .\n", 'file not found in build context: "missing"'),
        ("COPY a b\n", "no build stage"),
        ("# nothing\n", "is empty"),
    ],
)
def test_refused(dockerfile: str, said: str) -> None:
    with pytest.raises(BuildFailed, match=said):
        made(dockerfile)


def test_what_the_base_has_stays() -> None:
    base = Base(
        {"architecture": "arm64", "config": {"Env": ["A=1"]}, "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]}},
        ({"digest": "sha256:l", "size": 1},),
    )
    built = made("FROM base:1\nENV B=2\nCOPY server.py /\n", base=base)
    assert built.config["architecture"] == "arm64"
    assert built.config["config"]["Env"] == ["A=1", "B=2"]
    assert built.manifest()["layers"][0]["digest"] == "sha256:l"
    assert base.config["config"]["Env"] == ["A=1"], "the base is not touched"
