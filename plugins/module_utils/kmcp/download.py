# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloading a program and its SHA-256 from a release page or a mirror, next to where it is to be."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from ..errors import ServiceError
from ..waiting import Deadline

CHUNK = 1024 * 1024
LARGEST = 512 * CHUNK
"""More than any build of kmcp (60 MB): an endless answer must not fill the disk."""
LARGEST_CHECKSUM = 4096
WHOLE = 10
"""How many times the longest wait for one answer a whole download may take."""
# how a network, HTTP and a compressed answer break
_BROKEN = (OSError, HTTPException, EOFError, zlib.error)
# a release has `<hash>  dist/kmcp-linux-amd64`, a mirror may have the hash alone: the first word counts
_HASH = re.compile(r"\s*\\?([0-9a-fA-F]{64})(?:\s|$)")
_HINTS: Mapping[int, str] = {
    401: "Set username and password.",
    403: "Set username and password, or check what they may read.",
    404: "Check version and url; the releases are at https://github.com/kagent-dev/kmcp/releases.",
    407: "The proxy wants a login: set it in HTTPS_PROXY.",
}


Source = Mapping[str, Any]
"""How the files are asked for: options of open_url."""


def source_of(params: Mapping[str, Any]) -> Source:
    ca_file = params.get("ca_file")
    return {
        "timeout": params["timeout"],
        "ca_path": str(Path(ca_file).expanduser()) if ca_file else None,
        "url_username": params.get("username"),
        "url_password": params.get("password"),
        "force_basic_auth": bool(params.get("username")),
        "http_agent": "mcpops.platform kmcp_cli",
        # a mirror that sends us elsewhere does not send its login along
        "unredirected_headers": ["Authorization"],
    }


def release_checksum(source: Source, url: str) -> str:
    """The SHA-256 that the release says its file has."""
    content = b""
    for piece in _pieces(source, url, f"Reading the checksum at {without_query(url)}"):
        content += piece
        if len(content) >= LARGEST_CHECKSUM:
            break
    text = content[:LARGEST_CHECKSUM].decode("utf-8", "replace")
    found = _HASH.match(text)
    if found is None:
        begins = " ".join(text.split())[:60]
        raise ServiceError(
            f"Reading the checksum at {without_query(url)}",
            f"it does not begin with a SHA-256: {begins!r}",
            code="NoChecksum",
            hint="Nothing was installed. Set checksum_url to the file with the hash, or checksum to the hash itself.",
        )
    return found[1].lower()


def must_exist(source: Source, url: str) -> None:
    """That there is something to download, without downloading it."""
    try:
        for _piece in _pieces(source, url, f"Looking for {without_query(url)}", method="HEAD"):
            # of a file address, which has no HEAD
            break
    except ServiceError as refused:
        # some servers answer to GET only
        if refused.status not in (405, 501):
            raise


@contextmanager
def downloaded_file(source: Source, url: str, path: Path) -> Iterator[tuple[Path, str]]:
    """(the file beside `path`, its SHA-256); it is gone afterwards unless somebody moved it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    fresh, digest, size = Path(name), hashlib.sha256(), 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in _pieces(source, url, f"Downloading {without_query(url)}"):
                size += len(chunk)
                if size > LARGEST:
                    raise ServiceError(
                        f"Downloading {without_query(url)}",
                        f"it is larger than {LARGEST // CHUNK} MiB",
                        code="TooLarge",
                    )
                digest.update(chunk)
                file.write(chunk)
        yield fresh, digest.hexdigest()
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Makes the directory, and says what is in the way of writing there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as failure:
        if isinstance(failure, URLError):
            raise
        raise unwritable(path, failure) from failure


def must_be_writable(path: Path) -> None:
    """What the real run would fail on, without writing: the nearest directory that exists decides."""
    place = next(one for one in path.parents if one.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        raise unwritable(path, PermissionError(13, f"{place} may not be written to by this user"))


def unwritable(path: Path, failure: OSError) -> ServiceError:
    return ServiceError(
        f"Writing {path}",
        failure.strerror or str(failure),
        code=type(failure).__name__,
        hint="Nothing was changed. Set path to a place that this user may write to, such as ~/.local/bin/kmcp, or run "
        "the task with become.",
    )


def describe_content(file: Path) -> str:
    """What a file that is not the program seems to be: many servers answer what they lack with a page."""
    with open(file, "rb") as content:
        begin = content.read(512).lstrip().lower()
    if not begin:
        return ": it is empty"
    return ": it is a web page" if begin.startswith((b"<!doctype", b"<html")) else ""


def without_query(url: str) -> str:
    """An address without its query, which may hold a key."""
    return url.partition("?")[0]


def _pieces(source: Source, url: str, action: str, method: str = "GET") -> Iterator[bytes]:
    """What the server answers; the whole of it has an end to its time, however slowly each byte comes.

    A thread reads, because one read, and the answer's head, may come byte by byte, each in time.
    """
    pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(4)
    left = threading.Event()
    threading.Thread(target=_read, args=(source, url, method, pieces, left), daemon=True).start()
    longest = source["timeout"] * WHOLE
    deadline = Deadline(longest)
    try:
        while (piece := pieces.get(timeout=max(0.0, deadline.left))) is not None:
            if isinstance(piece, BaseException):
                raise _failed(piece, action) from None
            yield piece
    except queue.Empty:
        raise ServiceError(
            action,
            f"it was not complete after {longest} s",
            code="TooSlow",
            hint=f"Nothing was installed. Use a nearer mirror (url), or raise timeout: the whole may take "
            f"{WHOLE} times as long.",
        ) from None
    finally:
        left.set()


def _read(
    source: Source, url: str, method: str, pieces: queue.Queue[bytes | BaseException | None], left: threading.Event
) -> None:
    """Hands over the answer in pieces, then None, or why there is no more; ends when nobody takes them."""

    def give(piece: bytes | BaseException | None) -> None:
        while not left.is_set():
            with suppress(queue.Full):
                pieces.put(piece, timeout=0.2)
                return

    try:
        answer = open_url(url, method=None if url.startswith("file:") else method, **source)
    except BaseException as failure:
        give(failure)
        return
    try:
        with closing(answer):
            while not left.is_set() and (piece := answer.read(CHUNK)):
                give(piece)
            missing = getattr(answer, "length", None)
            give(_Interrupted(f"{missing} bytes are missing at its end") if missing else None)
    except BaseException as failure:
        give(_Interrupted(_error_text(failure)) if isinstance(failure, _BROKEN) else failure)


class _Interrupted(Exception):
    """An answer that has begun and does not end as it should."""


def _failed(failure: BaseException, action: str) -> BaseException:
    if isinstance(failure, HTTPError):
        return ServiceError(
            action,
            f"the server answered HTTP {failure.code} {failure.reason}",
            code=f"HTTP{failure.code}",
            status=failure.code,
            hint=f"Nothing was installed. {_HINTS.get(failure.code, 'Try again later, or use a mirror (url).')}",
        )
    if isinstance(failure, _Interrupted):
        return ServiceError(
            action,
            f"the transfer broke off: {failure}",
            code="Interrupted",
            hint="Nothing was installed. Try again later, or use a mirror (url).",
        )
    if isinstance(failure, (*_BROKEN, ValueError)):
        return ServiceError(
            action,
            _error_text(failure),
            code="NotReachable",
            hint="Nothing was installed. Check url, proxy (HTTPS_PROXY) and ca_file; a mirror can be named with url.",
        )
    return failure


def _error_text(failure: BaseException) -> str:
    if isinstance(failure, HTTPException):
        return f"that is not proper HTTP ({type(failure).__name__}: {' '.join(str(failure).split())[:100]})"
    return str(getattr(failure, "reason", None) or failure or type(failure).__name__)
