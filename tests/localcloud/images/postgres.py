# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server from Debian's packages, with as much of the entrypoint of Docker's official image as is used."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from localcloud.binaries import machine
from localcloud.command import run
from localcloud.debian import download, library_directory, release, unpack
from localcloud.files import Progress, key_of
from localcloud.images import python_base
from localcloud.images.builder import ImageConfig, Layer, Tree, layer
from localcloud.images.recipe import Recipe
from localcloud.settings import Settings, SettingsError

IMAGE = "library/postgres:15"
"""Docker Hub calls what has no owner library/…."""
RELEASE = "debian 12"
USER = "999:999"
PASSWD = "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
DATA = "/var/lib/postgresql/data"
PROGRAMS = ("postgres", "initdb", "pg_ctl", "psql", "pg_isready", "pg_dump", "pg_restore", "createdb")
ENTRYPOINT = Path(__file__).parent / "postgres-entrypoint.sh"
# What the programs load, by the loader's own word; what the packages depend on is far more (perl, systemd).
PACKAGES = (
    *("postgresql-15", "postgresql-client-15", "libpq5", "libc-bin", "libssl3", "libzstd1", "liblz4-1"),
    *("libicu72", "libxml2", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libcom-err2"),
    *("libkeyutils1", "libldap-2.5-0", "libsasl2-2", "libpam0g", "libaudit1", "libcap-ng0", "libselinux1"),
    *("libpcre2-8-0", "libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "libreadline8", "libtinfo6"),
    *("libgnutls30", "libp11-kit0", "libidn2-0", "libunistring2", "libtasn1-6", "libnettle8", "libhogweed6"),
    "libgmp10",
)
UNNEEDED = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/bug", "usr/share/locale"),
    *("usr/share/menu", "usr/share/postgresql-common", "usr/share/perl5", "usr/lib/postgresql/15/lib/bitcode"),
    *("usr/share/postgresql/15/man", "var", "etc"),
)


def server(settings: Settings, base: Path, progress: Progress) -> Recipe:
    config = ImageConfig(
        entrypoint=["/usr/local/bin/docker-entrypoint.sh", "postgres"],
        user=USER,
        ports=[5432],
        environment={"PGDATA": DATA, "LANG": "C.UTF-8"},
    )
    key = key_of(base.name, Path(__file__).read_bytes(), ENTRYPOINT.read_bytes())
    return Recipe(IMAGE, key, lambda: _layers(settings, base, progress), config)


def _layers(settings: Settings, base: Path, progress: Progress) -> list[Layer]:
    if release().lower() != RELEASE:
        raise SettingsError(f"The image of PostgreSQL is made of Debian 12's packages; this machine is {release()}.")
    with tempfile.TemporaryDirectory() as temporary:
        downloads, root = Path(temporary) / "downloads", Path(temporary) / "root"
        downloads.mkdir()
        # the same links as below: a directory in their place would hide what the base has
        (root / "usr").mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / "usr" / name).mkdir()
            (root / name).symlink_to(f"usr/{name}")
        for package in download(settings, PACKAGES, downloads, progress):
            unpack(package, root)
        for name in UNNEEDED:
            shutil.rmtree(root / name, ignore_errors=True)
        shutil.rmtree(root / library_directory() / "gconv", ignore_errors=True)
        for program in PROGRAMS:
            link = root / "usr/bin" / program
            link.unlink(missing_ok=True)
            link.symlink_to(f"../lib/postgresql/15/bin/{program}")
        for name in (DATA, "/run/postgresql"):
            place = root / name.lstrip("/")
            place.mkdir(parents=True)
            place.chmod(0o777)  # layers are owned by root
        # initdb and the server want a name for their user
        (root / "etc").mkdir()
        (root / "etc/passwd").write_text(PASSWD)
        _require_libraries(base, root)
        script = root / "usr/local/bin/docker-entrypoint.sh"
        script.parent.mkdir(parents=True)
        shutil.copyfile(ENTRYPOINT, script)
        script.chmod(0o755)
        return [layer(Tree(base)), layer(Tree(root))]


def _require_libraries(base: Path, root: Path) -> None:
    """A library that is missing shows here, not in a pod."""
    libraries = library_directory()
    loader = base / "usr" / ("lib64" if machine() == "amd64" else "lib") / python_base.LOADERS[machine()]
    for program in PROGRAMS:
        binary = root / "usr/lib/postgresql/15/bin" / program
        argv = [str(loader), "--library-path", f"{root / libraries}:{base / libraries}", "--list", str(binary)]
        lines = run(argv, why=f"list the libraries of {program}").splitlines()
        missing = [line.strip() for line in lines if "not found" in line]
        if missing:
            raise SettingsError(f"The image of PostgreSQL lacks libraries of {program}: {', '.join(missing)}")
