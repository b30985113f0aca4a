# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Entra token of a kubeconfig with `login: token`: a private file beside it, good for as long as a run takes.

The kubeconfig names the file (`tokenFile`), so that a renewed token is no change of it, and clients read it again. For
the length of a run, and in its private directory only, there is also what a new token is asked for with. That is sealed
with a key that is in the memory of this run's processes and nowhere else: what a killed run leaves opens nothing.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Failure
from ..plan import ABSENT, Change
from ..run_cache import RunCache, login_records, write_private
from ..task import SilentTask, Task
from ..waiting import sleep
from .client import sign_in
from .options import Cloud, Identity

LOOK_SECONDS = 2.0
"""How often the thread looks whether a token is due."""
_THREAD = "mcpops token renewal"
# made where this is imported first, which is before Ansible forks its workers: they all have it
_SEAL = base64.urlsafe_b64encode(os.urandom(32))
# who a token is for: what may differ between two tokens of one identity is left out
_WHO = ("aud", "tid", "oid", "appid", "azp")

_keepers: dict[Path, threading.Thread] = {}


def token_file(kubeconfig: Path) -> Path:
    return kubeconfig.with_name(f"{kubeconfig.name}.token")


def check_mode_token_file(task: Task, kubeconfig: Path) -> Path:
    """Where the token is in check mode: the file beside the kubeconfig is not touched."""
    if task.run_directory is None:
        return token_file(kubeconfig)
    return task.run_directory / "mcpops" / f"token-{_digest(kubeconfig)}"


@dataclass(frozen=True)
class ClusterToken:
    """A token for API servers, and what the next one is asked for with."""

    text: str = field(repr=False)
    expires_on: float
    scope: str
    identity: Identity
    cloud: Cloud


def request_token(task: Task, server_id: str) -> ClusterToken:
    """A token of the task's own credential for the server application; asked for once a run."""
    identity, cloud, credential = sign_in(task)
    scope = f"{server_id.rstrip('/')}/.default"
    found = credential.get_token(scope)
    return ClusterToken(found.token, float(found.expires_on), scope, identity, cloud)


def keep_token(task: Task, file: Path, kubeconfig: Path, token: ClusterToken) -> None:
    """Write the token where it differs, and leave what renews it for the other tasks of this run."""
    _write(file, token.text)
    if task.run_directory is not None:
        who = {"identity": asdict(token.identity), "cloud": asdict(token.cloud)}
        record = {"file": str(file), "scope": token.scope, **who}
        _save(_record_path(task.run_directory, kubeconfig), _sealed(record), token.expires_on)


def forget_token(task: Task, kubeconfig: Path) -> None:
    """Remove the token, and renew it no longer."""
    token_file(kubeconfig).unlink(missing_ok=True)
    if task.run_directory is not None:
        _record_path(task.run_directory, kubeconfig).unlink(missing_ok=True)


def token_changes(file: Path, token: str) -> list[Change]:
    """Whether the file is there, private, and holds a token of this identity: a renewal is no change."""
    try:
        before, mode = file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777
    except (OSError, UnicodeDecodeError):
        return [Change("token", ABSENT, "", secret=True)]
    found = [Change("token mode", f"{mode:04o}", "0600")] if mode & 0o077 else []
    if _who(before) != _who(token):
        found.append(Change("token", before, token, secret=True, note="of another identity"))
    return found


def _who(token: str) -> Mapping[str, Any]:
    """Whose token it is; nothing where that cannot be read, so that it is replaced."""
    try:
        payload = token.strip().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return {name: claims[name] for name in _WHO if name in claims}
    except (IndexError, ValueError, TypeError, binascii.Error):
        return {"unreadable": hashlib.sha256(token.encode()).hexdigest()}


def start_renewal(task: Task, directory: Path) -> None:
    """Renew what is due, and go on doing so until this process ends."""
    _renew_due(task, directory)
    keeper = _keepers.get(directory)
    if keeper is None or not keeper.is_alive():
        keeper = threading.Thread(target=_keep, args=(task, directory), daemon=True, name=_THREAD)
        _keepers[directory] = keeper
        keeper.start()


def _keep(task: Task, directory: Path) -> None:
    while login_records(directory):
        sleep(LOOK_SECONDS)
        _renew_due(task, directory)


def _renew_due(task: Task, directory: Path) -> None:
    for file in login_records(directory):
        # what cannot be renewed is told by the API server that refuses it, and tried again at the next look
        with contextlib.suppress(Failure, OSError):
            _renew(task, file)


def _renew(task: Task, record_file: Path) -> None:
    try:
        saved = json.loads(record_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    if saved["due"] > time.time():
        return
    record = _opened(saved["sealed"])
    if record is None:
        return
    from .sdk import CachedCredential

    silent = SilentTask(task, {})
    identity, cloud = Identity(**record["identity"]), Cloud(**record["cloud"])
    credential = CachedCredential(identity, cloud, RunCache(task.run_directory), silent.secret)
    fresh = credential.get_token(record["scope"])
    _write(Path(record["file"]), fresh.token)
    _save(record_file, saved["sealed"], float(fresh.expires_on))


def _save(file: Path, sealed: str, expires_on: float) -> None:
    from .sdk import good_for

    write_private(file, json.dumps({"due": time.time() + good_for(expires_on), "sealed": sealed}))


def _write(file: Path, token: str) -> None:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if file.read_text(encoding="utf-8") == token and not file.stat().st_mode & 0o077:
            return
    write_private(file, token)


def _sealed(record: Mapping[str, Any]) -> str:
    # of azure-identity's own requirements
    from cryptography.fernet import Fernet

    return Fernet(_SEAL).encrypt(json.dumps(record).encode()).decode()


def _opened(sealed: str) -> dict[str, Any] | None:
    """None where another process, not one of this run, has sealed it."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        found: dict[str, Any] = json.loads(Fernet(_SEAL).decrypt(sealed.encode()))
    except InvalidToken:
        return None
    return found


def _record_path(directory: Path, kubeconfig: Path) -> Path:
    return directory / "mcpops" / f"login-{_digest(kubeconfig)}.json"


def _digest(kubeconfig: Path) -> str:
    return hashlib.sha256(os.path.abspath(kubeconfig).encode()).hexdigest()[:24]
