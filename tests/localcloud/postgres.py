# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the local Azure Database for PostgreSQL: the programs of the image of PostgreSQL, as a process.

One of them at a time: a client is given a name without a port, so that it has to be 5432, at the address that clusters
share with this host. PostgreSQL does not run as root; in a user namespace its user is another one, and the files stay
those of whoever runs the local cloud.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from localcloud.assemble import building, link
from localcloud.databases import Admission, DatabaseFailure
from localcloud.debian import library_directory
from localcloud.files import fresh_directory, write_atomically
from localcloud.images import postgres, python_base
from localcloud.images.catalog import ensure_image
from localcloud.processes import Server, start_time, wait_until_gone
from localcloud.settings import Settings

PREFIX = "postgres-"
AZURE = "0.0.0.0"
"""As a range of its own, in a firewall rule: whatever comes from within Azure."""
SUPERUSER, ADMINISTRATORS = "azuresu", "azure_pg_admin"
START_SECONDS, STOP_SECONDS = 30.0, 10.0
_UID = 65534  # nobody, whom every machine has a name for
_AS_ANOTHER = ("unshare", "--user", f"--map-user={_UID}", f"--map-group={_UID}")
_SETTINGS = {
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "max_connections": "50",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    # a machine that loses its power loses the local cloud
    "fsync": "off",
}


class PostgresServers:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()

    def versions(self) -> tuple[str, ...]:
        return (postgres.IMAGE.rpartition(":")[2],)

    def host(self, name: str) -> str:
        others = [place.name for place in self._root.glob("*/") if (place / "data").exists() and place.name != name]
        if others:
            raise DatabaseFailure(f"This local cloud runs one server at a time, and {others[0]} is there. Delete it.")
        return self.settings.host_address

    def open(self, name: str, login: str, password: str, admission: Admission) -> None:
        with self._lock:
            self.host(name)
            data = self._place(name) / "data"
            if not (data / "PG_VERSION").exists():
                shutil.rmtree(data, ignore_errors=True)
                self._place(name).mkdir(parents=True, exist_ok=True, mode=0o700)
                self._run("initdb", "-D", str(data), "-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
            self._write_admission(name, admission)
            process = self._process(name)
            if process.pid() is None:
                # of a server that was killed
                (data / "postmaster.pid").unlink(missing_ok=True)
                process.start(self._serve(data), self._environment())
                self._await(process)
            else:
                self._reload(name)
            if password:
                self._set_login(login, password)

    def admit(self, name: str, admission: Admission) -> None:
        with self._lock:
            self._write_admission(name, admission)
            self._reload(name)

    def databases(self, name: str, wanted: Sequence[str], unwanted: Sequence[str] = ()) -> None:
        with self._lock:
            known = set(self._sql("SELECT datname FROM pg_database;").split())
            for database in wanted:
                if database not in known:
                    self._sql(f"CREATE DATABASE {_quoted(database)} OWNER {ADMINISTRATORS};")
            for database in unwanted:
                self._sql(f"DROP DATABASE IF EXISTS {_quoted(database)} WITH (FORCE);")

    def delete(self, name: str) -> None:
        with self._lock:
            stop(self.settings, self._process(name).name)
            shutil.rmtree(self._place(name), ignore_errors=True)

    def close(self) -> None:
        for name in processes(self.settings):
            stop(self.settings, name)

    @property
    def _root(self) -> Path:
        return self.settings.state / "postgres"

    def _place(self, name: str) -> Path:
        return self._root / name

    def _process(self, name: str) -> Server:
        return Server(self.settings, f"{PREFIX}{name}")

    def _programs(self) -> Path:
        """The image's files: the same programs as in pods. Who has had them once waits for nobody's build."""
        known = self._root / ".programs"
        if known.exists():
            return known.resolve()

        def progress(_text: str) -> None:
            """Nobody waits for its words."""

        with building(self.settings, progress):
            base = python_base.ensure_python_base(self.settings, progress)
            layout = ensure_image(self.settings, postgres.server(self.settings, base, progress), progress)
            target = self.settings.cache / "postgres" / layout.name
            if not target.exists():
                with fresh_directory(target) as directory:
                    _unpack_last_layer(layout, directory)
        link(target, known)
        return target

    def _environment(self) -> dict[str, str]:
        root = self._programs()
        libraries = root / library_directory()
        path = f"{root / 'usr/lib/postgresql/15/bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "LD_LIBRARY_PATH": str(libraries), "LANG": "C.UTF-8", "PGHOST": str(self._sockets)}

    @property
    def _sockets(self) -> Path:
        """A short path: that of a socket may not be long."""
        return self.settings.processes

    def _serve(self, data: Path) -> list[str]:
        own = {
            **_SETTINGS,
            "listen_addresses": self.settings.host_address,
            "unix_socket_directories": str(self._sockets),
            "ssl_cert_file": str(self.settings.registry_cert_file),
            "ssl_key_file": str(self.settings.registry_key_file),
        }
        options = [part for name, value in own.items() for part in ("-c", f"{name}={value}")]
        return [*_AS_ANOTHER, "postgres", "-D", str(data), *options]

    def _run(self, *argv: str, text: str = "") -> str:
        done = subprocess.run(
            [*_AS_ANOTHER, *argv], env=self._environment(), input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DatabaseFailure(f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _sql(self, text: str) -> str:
        """Over its standard input, which no list of processes shows."""
        return self._run("psql", "-U", SUPERUSER, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qAt", text=text)

    def _set_login(self, login: str, password: str) -> None:
        """The administrator is no superuser: https://learn.microsoft.com/azure/postgresql/security/security-manage-users."""
        words = "'" + password.replace("'", "''") + "'"
        for role in (ADMINISTRATORS, login):
            self._sql(
                f"DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN "
                f"CREATE ROLE {_quoted(role)}; END IF; END $do$;"
            )
        self._sql(
            f"ALTER ROLE {_quoted(login)} LOGIN CREATEDB CREATEROLE PASSWORD {words};\n"
            f"GRANT {ADMINISTRATORS} TO {_quoted(login)};"
        )

    def _write_admission(self, name: str, admission: Admission) -> None:
        lines = [f"local all {SUPERUSER} trust"]
        for first, last in admission.ranges:
            ends = (ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
            networks = [ipaddress.IPv4Network(self.settings.network)]
            if (first, last) != (AZURE, AZURE):
                networks = list(ipaddress.summarize_address_range(*ends))
            for network in networks:
                lines.append(f"hostssl all all {network} scram-sha-256")
                if admission.plain:
                    lines.append(f"hostnossl all all {network} scram-sha-256")
        write_atomically(self._place(name) / "data" / "pg_hba.conf", "\n".join(lines) + "\n", 0o600)

    def _reload(self, name: str) -> None:
        pid = self._process(name).pid()
        if pid is None:
            raise DatabaseFailure(f"The server {name} does not run.")
        os.kill(pid, signal.SIGHUP)

    def _await(self, process: Server) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(DatabaseFailure):
                self._sql("SELECT 1;")
                return
            if process.pid() is None:
                raise DatabaseFailure(str(process.failure("ended right after its start")))
            if time.monotonic() > deadline:
                raise DatabaseFailure(str(process.failure(f"does not answer within {START_SECONDS:.0f} s")))
            time.sleep(0.1)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unpack_last_layer(layout: Path, directory: Path) -> None:
    def blob(digest: str) -> bytes:
        return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()

    [described] = json.loads((layout / "index.json").read_text())["manifests"]
    content = blob(json.loads(blob(described["digest"]))["layers"][-1]["digest"])
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        archive.extractall(directory, filter="tar")


def processes(settings: Settings) -> list[str]:
    """The names of the processes that were started for servers, also by a local Azure that was killed."""
    return sorted(file.stem for file in settings.processes.glob(f"{PREFIX}*.json"))


def stop(settings: Settings, name: str) -> None:
    """Without waiting for those who are connected, as SIGTERM would."""
    process = Server(settings, name)
    pid = process.pid()
    if pid is not None:
        started = start_time(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        if started is not None:
            wait_until_gone(pid, started, STOP_SECONDS)
    process.stop()
