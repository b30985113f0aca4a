# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of a registry's database and what is restored: their objects, their scripts, and what is refused."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import manifest_problems
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import backup_scripts, mesh_registry
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.backup_spec import backup_objects
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_spec import (
    DeclaredRegistry,
    claims,
    every_object,
    in_order,
    registry_objects,
)
from ansible_collections.mcpops.platform.plugins.modules import mesh_registry as module

EXISTING = {"type": "existing", "existing_secret": {"name": "mine", "key": "url"}}
NAME = "mcp-mesh-registry-backup"


def options(**given: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate({"namespace": "mesh", "kubeconfig": "/k", **given})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def registry(**given: Any) -> DeclaredRegistry:
    return DeclaredRegistry(options(**given), "0123456789abcdef")


def made(**given: Any) -> dict[tuple[str, str], dict[str, Any]]:
    declared = registry(**given)
    objects = [*registry_objects(declared), *backup_objects(declared)]
    assert manifest_problems(objects) == []
    known = {*every_object(declared), *claims(declared)}
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    assert len(found) == len(objects)
    assert set(found) <= known
    return found


def pod_of(item: dict[str, Any]) -> dict[str, Any]:
    spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
    return dict(spec["template"]["spec"])


def test_nothing_is_dumped_unless_declared() -> None:
    assert backup_objects(registry()) == []
    assert not [kind for kind, _name in made() if kind in ("CronJob", "Job")]


@pytest.mark.parametrize("database", [{}, EXISTING])
def test_what_dumps_and_restores(database: dict[str, Any]) -> None:
    given = {"backup": {"keep": 3, "storage_class": "managed-csi"}, "restore": {}, "database": database}
    objects = made(**given)
    schedule, job = objects["CronJob", NAME], objects["Job", "mcp-mesh-registry-restore"]
    assert objects["PersistentVolumeClaim", NAME]["spec"]["storageClassName"] == "managed-csi"
    assert schedule["spec"]["concurrencyPolicy"] == "Forbid"
    secret = ("mine", "url") if database else ("mcp-mesh-registry-database", "database-url")
    for item, variable in ((schedule, ("KEEP", "3")), (job, ("FILE", "latest"))):
        pod = pod_of(item)
        [container] = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container["resources"]) == {"requests", "limits"}
        variables = {one["name"]: one for one in container["env"]}
        reference = variables["DATABASE_URL"]["valueFrom"]["secretKeyRef"]
        assert (reference["name"], reference["key"]) == secret
        assert variables[variable[0]]["value"] == variable[1]
        claimed = [one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if "emptyDir" not in one]
        assert claimed == [NAME]


def test_the_database_lets_in_who_dumps_it_and_nobody_lets_in_that() -> None:
    objects = made(backup={})
    labels = objects["CronJob", NAME]["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    [rule] = objects["NetworkPolicy", "mcp-mesh-registry-db"]["spec"]["ingress"]
    assert any(selector_matches(peer["podSelector"], labels) for peer in rule["from"])
    [rule] = made()["NetworkPolicy", "mcp-mesh-registry-db"]["spec"]["ingress"]
    assert not any(selector_matches(peer["podSelector"], labels) for peer in rule["from"])
    own = objects["NetworkPolicy", NAME]["spec"]
    assert selector_matches(own["podSelector"], labels)
    assert own["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in own
    assert ("NetworkPolicy", NAME) not in made(backup={}, network_policy=False)
    # no Service of the registry or the database leads to it
    for (kind, name), item in objects.items():
        if kind == "Service":
            assert not selector_matches({"matchLabels": item["spec"]["selector"]}, labels), name


def test_a_dump_is_restored_behind_the_database_and_before_the_registry() -> None:
    objects = list(made(restore={}, backup={}).values())
    turns = [{item["kind"] for item in some} for some in in_order(objects)]
    assert ["Job" in one for one in turns] == [False, True, False]
    assert ["Deployment" in one for one in turns] == [False, False, True]
    assert "StatefulSet" in turns[0]


def test_a_claim_of_ones_own() -> None:
    objects = made(backup={"claim": "share"}, restore={"claim": "other", "file": "mesh-20261130T021700Z.dump"})
    assert ("PersistentVolumeClaim", NAME) not in objects
    found = {
        kind: one["persistentVolumeClaim"]["claimName"]
        for (kind, _name), item in objects.items()
        if kind in ("CronJob", "Job")
        for one in pod_of(item)["volumes"]
        if "emptyDir" not in one
    }
    assert found == {"CronJob": "share", "Job": "other"}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"backup": {"schedule": "daily"}}, "backup.schedule"),
        ({"backup": {"schedule": "17 2 * *"}}, "backup.schedule"),
        ({"backup": {"keep": 0}}, "backup.keep"),
        ({"backup": {"size": "much"}}, "backup.size"),
        ({"backup": {"storage_class": "No_Class"}}, "backup.storage_class"),
        ({"backup": {"storage_class": "fast", "claim": "mine"}}, "backup.storage_class"),
        ({"backup": {"claim": "Mine!"}}, "backup.claim"),
        ({"restore": {"claim": "Mine!"}}, "restore.claim"),
        ({"restore": {"file": "../../etc/passwd"}}, "restore.file"),
        ({"backup": {}, "database": {"type": "sqlite"}}, "backup"),
        ({"restore": {}, "database": {"type": "sqlite"}}, "restore"),
    ],
)
def test_what_is_refused(given: dict[str, Any], path: str) -> None:
    assert [one.path for one in mesh_registry.problems(options(**given))] == [path]


@pytest.mark.parametrize("schedule", ["*/15 * * * *", "0 2 * * 1-5", "0,30 1-3 1 */2 0", "@daily"])
def test_schedules_of_cron(schedule: str) -> None:
    assert mesh_registry.problems(options(backup={"schedule": schedule})) == []


def run(tmp_path: Path, item: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
    """A script with stand-ins for the programs of PostgreSQL, and another directory."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    dumps = '[ "$1" != --data-only ] || { printf "%s\\n" "$ROWS"; exit 0; }; echo dump > "$3"; exit ${DUMPS:-0}'
    restores = '[ "$1" != --data-only ] || { echo "-- of a file"; printf "%s\\n" "$HELD"; exit 0; }; echo "$@"; exit 0'
    for name, text in {"pg_dump": dumps, "pg_restore": restores}.items():
        told = f"{tmp_path}/{name}.told"
        Path(told).unlink(missing_ok=True)
        said = f'[ -e {told} ] || {{ echo "$0"; echo "$@"; printf %s "${{PGPASSWORD-}}"; }} > {told}'
        (programs / name).write_text(f"#!/bin/sh\n{said}\n{text}\n")
        (programs / name).chmod(0o755)
    [container] = pod_of(item)["containers"]
    script = container["command"][2].replace("/backup", str(tmp_path / "dumps"))
    script = script.replace(backup_scripts.REPORT, str(tmp_path / "report"))
    own = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "DATABASE_URL": "postgres://x", **own, **variables}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)


def dumps(tmp_path: Path, *names: str) -> list[str]:
    place = tmp_path / "dumps"
    place.mkdir(exist_ok=True)
    for name in names:
        (place / name).write_text("dump")
    return sorted(one.name for one in place.iterdir())


def test_the_newest_dumps_are_kept_and_a_failed_one_is_none(tmp_path: Path) -> None:
    old = [f"mesh-2020010{day}T000000Z.dump" for day in range(1, 6)]
    dumps(tmp_path, *old)
    schedule = made(backup={"keep": 3})["CronJob", NAME]
    assert run(tmp_path, schedule, DUMPS="1").returncode != 0
    assert dumps(tmp_path) == old
    assert run(tmp_path, schedule).returncode == 0
    kept = dumps(tmp_path)
    assert kept[:2] == old[-2:]
    assert len(kept) == 3


def test_the_last_dump_is_restored_or_the_one_that_is_named(tmp_path: Path) -> None:
    names = dumps(tmp_path, "mesh-20200101T000000Z.dump", "mesh-20210101T000000Z.dump")
    job = made(restore={})["Job", "mcp-mesh-registry-restore"]
    done = run(tmp_path, job)
    assert done.returncode == 0
    assert json.loads((tmp_path / "report").read_text())["dump"] == names[1]
    assert "--single-transaction" in done.stdout
    assert f"{names[0]}\n" in run(tmp_path, job, FILE=names[0]).stdout
    assert json.loads((tmp_path / "report").read_text())["dump"] == names[0]
    missing = run(tmp_path, job, FILE="mesh-19990101T000000Z.dump")
    assert missing.returncode == 1
    assert "there is no dump" in missing.stderr


@pytest.mark.parametrize(
    ("held", "rows", "equal"),
    [
        ("COPY a (b) FROM stdin;\n1\n2\n\\.", "-- of a server\n\nSET x = 1;\nCOPY a (b) FROM stdin;\n2\n1\n\\.", True),
        ("COPY a (b) FROM stdin;\n1\n2\n\\.", "COPY a (b) FROM stdin;\n1\n\\.", False),
        ("COPY a (b) FROM stdin;\n\\N\n1", "COPY a (b) FROM stdin;\n1", False),
        ("\\restrict abc\nCOPY a (b) FROM stdin;\n1", "\\restrict def\nCOPY a (b) FROM stdin;\n1", True),
    ],
)
def test_a_restoration_says_whether_the_database_holds_what_was_dumped(
    tmp_path: Path, held: str, rows: str, equal: bool
) -> None:
    dumps(tmp_path, OLD)
    job = made(restore={})["Job", "mcp-mesh-registry-restore"]
    assert run(tmp_path, job, HELD=held, ROWS=rows).returncode == 0
    report = json.loads((tmp_path / "report").read_text())
    assert (report["dumped"] == report["restored"]) is equal
    assert len(report["dumped"]) == 64


RESOURCES = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}


@pytest.mark.parametrize("given", [{"backup": {}}, {"restore": {}}, {"backup": {}, "restore": {}}])
def test_a_newer_server_is_dumped_by_its_own_version(given: dict[str, Any]) -> None:
    """pg_dump refuses servers that are newer than itself."""
    database = {**EXISTING, "image": "postgres:17", "resources": RESOURCES}
    assert mesh_registry.problems(options(database=database, **given)) == []
    jobs = [item for (kind, _name), item in made(database=database, **given).items() if kind in ("CronJob", "Job")]
    assert len(jobs) == len(given)
    for job in jobs:
        [container] = pod_of(job)["containers"]
        assert (container["image"], container["resources"]) == ("postgres:17", RESOURCES)


@pytest.mark.parametrize("option", [{"image": "postgres:17"}, {"resources": RESOURCES}, {"storage_class": "fast"}])
def test_nothing_is_said_of_a_database_of_ones_own_that_is_not_dumped(option: dict[str, Any]) -> None:
    [name] = option
    problems = mesh_registry.problems(options(database={**EXISTING, **option}))
    assert [one.path for one in problems] == [f"database.{name}"]


PASSWORDS = ["plain", "a@b:c/d?e#f", "100%", "\\\\n \\n", "'\"$(id)`*", "größe-ключ", " around ", "%41"]


@pytest.mark.parametrize("seed", range(12))
def test_no_argument_holds_the_password(tmp_path: Path, seed: int) -> None:
    """Whoever may list processes on the node sees arguments."""
    chosen = random.Random(seed)
    signs = "abcXYZ019" + string.punctuation + " üж"
    word = PASSWORDS[seed] if seed < len(PASSWORDS) else "".join(chosen.choice(signs) for _ in range(24))
    query = chosen.choice(["", "?sslmode=require", "/mesh", "/mesh?sslmode=require&application_name=a@b:c"])
    place = chosen.choice(["db.example.com", "db:6432", "[fd00::7]:5432", "one:7000,two"])
    url = f"postgres://us%40er:{quote(word, safe='')}@{place}{query}"
    dumps(tmp_path, OLD)
    objects = made(backup={"keep": 3}, restore={})
    for kind, name, program in (("CronJob", NAME, "pg_dump"), ("Job", "mcp-mesh-registry-restore", "pg_restore")):
        done = run(tmp_path, objects[kind, name], DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        _program, arguments, secret = (tmp_path / f"{program}.told").read_text("utf-8").split("\n", 2)
        assert secret == word
        assert f"-d postgres://us%40er@{place}{query}" in arguments
        assert quote(word, safe="") not in arguments.replace("/plain", "")


@pytest.mark.parametrize("url", ["postgres://db/mesh", "postgres://user@db:6432/mesh?sslmode=require&x=a:b@c"])
def test_an_address_without_a_password_is_left_as_it_is(tmp_path: Path, url: str) -> None:
    dumps(tmp_path, OLD)
    assert run(tmp_path, made(restore={})["Job", "mcp-mesh-registry-restore"], DATABASE_URL=url).returncode == 0
    _program, arguments, secret = (tmp_path / "pg_restore.told").read_text("utf-8").split("\n", 2)
    assert f"-d {url} " in arguments
    assert secret == ""


OLD = "mesh-20200101T000000Z.dump"
