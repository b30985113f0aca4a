# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of PostgreSQL, as what dumps takes the password out of them, beside libpq's own reader."""

from __future__ import annotations

import random
import string
import subprocess
from urllib.parse import quote

import pytest
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from ansible_collections.mcpops.platform.plugins.module_utils.mesh import backup_scripts
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_validate import ports_of, wrong_url

SIGNS = string.ascii_letters + string.digits + string.punctuation + " üж"
HOSTS = ("db.example.com", "db:6432", "[fd00::7]:5432", "one:7000,two", "10.0.0.1", "")
OTHERS = (
    "sslmode=require",
    "application_name=a@b:c",
    "connect_timeout=3",
    "options=-c%20a%3Db",
    "host=other",
    "port=7",
)


def taken_apart(url: str) -> tuple[int, str, str, str]:
    """Exit status of the script's first part, the address and the password that it has found, and what it said."""
    script = f'{backup_scripts._ADDRESS}printf "%s\\n%s." "$address" "${{PGPASSWORD-}}"'
    environment = {"PATH": "/usr/bin:/bin", "DATABASE_URL": url, "PGPASSWORD": "of somebody else"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=False)
    address, _line, password = done.stdout.decode().partition("\n")
    return done.returncode, address, password.removesuffix("."), done.stderr.decode()


def spelled(chosen: random.Random, text: str) -> str:
    """With what has to be percent-encoded, and some of what need not be."""

    def one_of(sign: str) -> str:
        if not (sign.isalnum() and sign.isascii()):
            return quote(sign, safe="")
        return f"%{ord(sign):02{chosen.choice('xX')}}" if chosen.random() < 0.2 else sign

    return "".join(map(one_of, text))


def made(chosen: random.Random) -> str:
    def word() -> str:
        return "".join(chosen.choice(SIGNS) for _ in range(chosen.randint(1, 12))) + chosen.choice(
            ["", "", "\n", "%41"]
        )

    user = spelled(chosen, word())
    front = chosen.choice([f"{user}:{spelled(chosen, word())}@", f"{user}@", f"{user}:@", f":{user}@", ""])
    parameters = [chosen.choice(OTHERS) for _ in range(chosen.randint(0, 2))]
    for _ in range(chosen.choice([0, 0, 1, 1, 2])):
        name = chosen.choice(["password", "password", "pass%77ord", "%70assword"])
        parameters.insert(chosen.randint(0, len(parameters)), f"{name}={spelled(chosen, word())}")
    query = f"?{'&'.join(parameters)}" if parameters else chosen.choice(["", "?"])
    place = f"{chosen.choice(HOSTS)}{chosen.choice(['', '/', '/mesh'])}"
    return f"{chosen.choice(['postgres', 'postgresql'])}://{front}{place}{query}"


@pytest.mark.parametrize("seed", range(4))
def test_nothing_but_the_password_is_taken_out(seed: int) -> None:
    chosen, passwords = random.Random(seed), 0
    for _ in range(25):
        url = made(chosen)
        meant = {**conninfo_to_dict(url)}
        status, address, password, said = taken_apart(url)
        assert status == 0, (url, said)
        left = conninfo_to_dict(address)
        assert "password" not in left, url
        assert {**left, "password": password} == {"password": "", **meant}, url
        passwords += bool(password)
        if wrong_url(url) == "":
            ports = str(meant.get("port") or "").split(",")
            assert ports_of(url) == tuple(sorted({int(port or 5432) for port in ports})), url
    assert passwords > 5


@pytest.mark.parametrize(
    "url",
    [
        "host=db user=mesh password=s3cr3t",
        "dbname=postgres://mesh:s3cr3t@db/mesh",
        "mesh:s3cr3t@db/mesh",
        "POSTGRES://mesh:s3cr3t@db/mesh",
        "postgres://mesh:s3cr3t%@db/mesh",
        "postgres://mesh:s3cr3t%zz@db/mesh",
        "postgres://mesh:s3cr3t%00@db/mesh",
        "postgres://mesh@db/mesh?password=s3cr3t%4",
        "postgres://mesh@db/mesh?sslpassword=s3cr3t",
        "postgres://mesh@db/mesh?ssl%70assword=s3cr3t",
        "postgres://mesh@db/mesh?oauth_client_secret=s3cr3t",
    ],
)
def test_what_cannot_be_taken_apart_is_no_argument_either(url: str) -> None:
    """The module refuses it; a Secret may change afterwards."""
    assert wrong_url(url)
    status, address, _password, said = taken_apart(url)
    assert (status, address) == (1, "")
    assert "DATABASE_URL" in said
    assert "s3cr3t" not in said + wrong_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://mesh:a@b@db/mesh",
        "postgres://db?user=a@b",
        "postgres://mesh:a#b@db/mesh",
        "postgres://mesh@db/mesh?sslmode=require#x",
        "postgres://mesh:a\nb@db/mesh",
        "postgres://mesh:a b@db/mesh",
        "postgres://mesh:a%@db/mesh",
        "postgres://db/mesh?host=x.postgres.database.azure.com",
        "postgres://x.postgres.database.azure.com/mesh?sslmode=require&sslmode=",
    ],
)
def test_what_the_registry_and_libpq_would_read_differently_is_refused(url: str) -> None:
    assert wrong_url(url)


@pytest.mark.parametrize("seed", range(4))
def test_what_libpq_does_not_take_is_refused(seed: int) -> None:
    """Whatever is wrong in a place where the module looks."""
    chosen, refused = random.Random(seed), 0
    for _ in range(60):
        url = made(chosen)
        at = chosen.randint(len("postgresql://"), len(url))
        url = f"{url[:at]}{chosen.choice(['%', '%zz', '%00', '%4'])}{url[at:]}"
        try:
            conninfo_to_dict(url)
        except ProgrammingError as wrong:
            if "invalid URI query parameter" in str(wrong):
                continue  # there are some that libpq does not know and the registry does
            refused += 1
            assert wrong_url(url), url
    assert refused > 20
