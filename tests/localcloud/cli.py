# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the local cloud."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from localcloud import apis, doctor, lifecycle, names, routing, shell
from localcloud.assemble import build, build_kubernetes
from localcloud.binaries import kubernetes_versions
from localcloud.clusters import ClusterError
from localcloud.command import CommandError
from localcloud.extra_images import IMAGE_SETS, build_set, provide_set
from localcloud.extra_programs import EXTRA_PROGRAMS, ensure_program
from localcloud.files import write_atomically
from localcloud.processes import ProcessError
from localcloud.progress import say
from localcloud.registry.client import RegistryError
from localcloud.settings import Settings, SettingsError

EXPECTED = (SettingsError, ClusterError, CommandError, ProcessError, RegistryError, OSError)


def _up(settings: Settings, arguments: argparse.Namespace) -> int:
    problems = [finding for finding in doctor.examine(settings) if finding.problem]
    if problems:
        print(doctor.render(problems), file=sys.stderr)
        return 1
    lifecycle.up(settings, say, with_azure=not arguments.no_azure)
    return 0


def _down(settings: Settings, _: argparse.Namespace) -> int:
    lifecycle.down(settings, say)
    return 0


def _reset(settings: Settings, _: argparse.Namespace) -> int:
    lifecycle.down(settings, say, remove=True)
    return 0


def _status(settings: Settings, _: argparse.Namespace) -> int:
    rows = lifecycle.status(settings)
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for part, state, detail in rows:
        print(f"{part:<{widths[0]}}  {state:<{widths[1]}}  {detail}")
    return 0 if settings.environment_file.exists() else 3


def _env(settings: Settings, _: argparse.Namespace) -> int:
    if not settings.environment_file.exists():
        raise SettingsError(f"No local cloud is up in {settings.state}. Run `localcloud up`.")
    print(shell.exports(settings))
    return 0


def _build(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.background:
        os.nice(10)
    build(settings, say)
    for name in IMAGE_SETS if arguments.all else arguments.images:
        build_set(name, settings, say)
    if arguments.all:
        build_kubernetes(settings, kubernetes_versions(), say)
        for program in EXTRA_PROGRAMS:
            ensure_program(program, settings, say)
    return 0


def _images(settings: Settings, arguments: argparse.Namespace) -> int:
    for name in arguments.sets:
        for image in provide_set(name, settings, say):
            print(f"{settings.registry}/{image}")
    return 0


def _names(settings: Settings, arguments: argparse.Namespace) -> int:
    if not settings.environment_file.exists():
        raise SettingsError(f"No local cloud is up in {settings.state}. Run `localcloud up`.")
    found = names.changed(names.known(settings), arguments.names)
    write_atomically(names.names_file(settings), json.dumps(found, indent=1) + "\n")
    for name, address in sorted(found.items()):
        print(f"# {name} and below: {address}")
    proxy = names.ensure_running(settings)
    print(f"export HTTPS_PROXY={proxy} https_proxy={proxy}")
    return 0


def _api(settings: Settings, arguments: argparse.Namespace) -> int:
    if not settings.environment_file.exists():
        raise SettingsError(f"No local cloud is up in {settings.state}. Run `localcloud up`.")
    found = apis.register(settings, arguments.uris)
    print(f"audience of its tokens: {found['audience']}\nissuer: {found['issuer']}")
    print(f"its role {apis.ROLE} has the daemon of `localcloud token`, and not that of `localcloud token --stranger`")
    return 0


def _token(settings: Settings, arguments: argparse.Namespace) -> int:
    print(apis.token(settings, apis.STRANGER if arguments.stranger else apis.CALLER))
    return 0


def _route(settings: Settings, arguments: argparse.Namespace) -> int:
    pairs = [(arguments.source, arguments.target)]
    if arguments.both:
        pairs.append((arguments.target, arguments.source))
    for source, target in sorted(routing.change(settings, pairs, opened=arguments.command == "route")):
        print(f"{source} reaches {target}")
    return 0


def _doctor(settings: Settings, _: argparse.Namespace) -> int:
    findings = [*doctor.examine(settings), *doctor.examine_tests()]
    print(doctor.render(findings))
    return 1 if any(finding.problem for finding in findings) else 0


COMMANDS = {
    "up": (_up, "build what is missing and start the registry and the local Azure"),
    "down": (_down, "end everything; the state stays"),
    "reset": (_reset, "end everything and remove the state"),
    "status": (_status, "what runs (exit status 3 when it is not up)"),
    "env": (_env, 'shell exports for clients: eval "$(localcloud env)"'),
    "build": (_build, "build and fetch what `up` needs, and start nothing"),
    "images": (_images, "put images that only some use into the registry of the cloud that is up"),
    "names": (_names, "names for addresses of clusters, by an HTTPS proxy: NAME=ADDRESS ..."),
    "api": (_api, "register an API at the local Entra, by the URLs of its servers: URI ..."),
    "token": (_token, "an access token for it"),
    "route": (_route, "let pods of one cluster reach addresses of another one's load balancers"),
    "cut": (_route, "take that back"),
    "doctor": (_doctor, "what this machine lacks and how to get it"),
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="localcloud", description="An Azure on this machine with real Kubernetes in it.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, description) in COMMANDS.items():
        command = commands.add_parser(name, help=description, description=description)
        if name == "up":
            command.add_argument("--no-azure", action="store_true", help="clusters and registry only")
        if name == "images":
            command.add_argument(
                "sets", nargs="+", choices=sorted(IMAGE_SETS), metavar="SET", help=", ".join(IMAGE_SETS)
            )
        if name == "names":
            command.add_argument("names", nargs="*", metavar="NAME=ADDRESS", help="without an address: forget the name")
        if name == "api":
            command.add_argument("uris", nargs="+", metavar="URI")
        if name == "token":
            command.add_argument("--stranger", action="store_true", help="for a daemon that no role was given")
        if name in ("route", "cut"):
            command.add_argument(
                "source", metavar="FROM", help="a cluster: its name, or GROUP/NAME of the AKS resource"
            )
            command.add_argument("target", metavar="TO")
            command.add_argument("--both", action="store_true", help="in both directions")
        if name == "build":
            command.add_argument("--background", action="store_true", help="at low priority")
            command.add_argument(
                "--images", nargs="+", choices=sorted(IMAGE_SETS), default=[], metavar="SET", help="a set of images too"
            )
            command.add_argument(
                "--all", action="store_true", help="every Kubernetes version, and what only slow tests use"
            )
    commands.add_parser("fault", help="make the local Azure misbehave; see `localcloud fault --help`", add_help=False)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["fault"]:
            from localcloud.azure import faults

            return int(faults.main(words[1:]) or 0)
        arguments = parser().parse_args(words)
        run, _ = COMMANDS[arguments.command]
        return run(Settings.load(), arguments)
    except EXPECTED as exc:
        print(f"localcloud: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("localcloud: interrupted; `localcloud up` or `localcloud down` picks up from here", file=sys.stderr)
        return 130
