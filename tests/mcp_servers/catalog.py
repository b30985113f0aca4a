# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers, and what each of them is known to do: measured on the very versions that are installed."""

from __future__ import annotations

from dataclasses import dataclass, replace

MODERN_VERSION = "2026-07-28"
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
MODERN, LEGACY = "modern", "legacy"
# What becomes of a call whose tool asks the user, when the client said that it cannot be asked.
NEEDS_INPUT = "NeedsInput"  # the verdict; whether by the result, a request to the client, or the error -32021
REFUSED = "an error, or a result that is one"
SILENT = "Timeout"  # the verdict: nothing comes, because the request has no way to the client


@dataclass(frozen=True)
class Server:
    """One variant of a program (running.py) and what is expected of it."""

    program: str
    variant: str
    eras: tuple[str, ...]
    info: tuple[str, str]  # name and version of itself
    # Whether a client of the older era gets a session, and has to end it.
    sessions: bool = False
    # Content types of the answers to tools/call: of the newer era, of the older.
    answers: tuple[str, str] = ("application/json", "text/event-stream")
    # The versions that discovery names; empty where there is no discovery.
    discovered: tuple[str, ...] = ()
    # HTTP status for a Host header of somebody else, and for /mcp/ instead of /mcp; 200: as if nothing were wrong.
    other_host: int = 200
    slash: int = 404
    # What becomes of the tool `ask` in the newer era, and in the older.
    asks: tuple[str, str] = ("", "")
    # Whether an unknown tool is a result with isError, in the newer era and in the older; else an error.
    unknown_is_result: tuple[bool, bool] = (True, True)
    failure: str = "the disk is full"
    # What it makes of a client of the older era that asks for the newest revision of that.
    negotiated: str = LEGACY_VERSIONS[0]

    @property
    def name(self) -> str:
        return f"{self.program}-{self.variant}"

    @property
    def preferred(self) -> str:
        """The era of a client that speaks both."""
        return MODERN if MODERN in self.eras else LEGACY

    @property
    def ours(self) -> bool:
        """Whether it has the tools of our programs, and counts its sessions for us."""
        return self.program != "everything"


def _variants(base: Server, **changes: dict[str, object]) -> list[Server]:
    return [replace(base, variant=variant, **fields) for variant, fields in changes.items()]  # type: ignore[arg-type]


JSON, STREAM = "application/json", "text/event-stream"
_EARLY = Server(
    "mcp1early",
    "stateful",
    (LEGACY,),
    ("mcp1early", "1.12.4"),
    sessions=True,
    negotiated="2025-06-18",
    slash=307,
    asks=("", NEEDS_INPUT),
)
_MCP1 = Server("mcp1", "", (LEGACY,), ("mcp1", "1.30.0"), other_host=421, slash=307, asks=("", NEEDS_INPUT))
_MCP2 = Server(
    "mcp2",
    "",
    (MODERN, LEGACY),
    ("mcp2", ""),
    discovered=(MODERN_VERSION,),
    other_host=421,
    slash=307,
    asks=(NEEDS_INPUT, REFUSED),
    # the newest SDK keeps to itself what went wrong
    failure="Error executing tool fail",
)
_FASTMCP3 = Server("fastmcp3", "", (LEGACY,), ("fastmcp3", "3.4.11"), slash=307, asks=("", NEEDS_INPUT))
_FASTMCP4 = Server(
    "fastmcp4",
    "",
    (MODERN, LEGACY),
    ("fastmcp4", "4.2.3"),
    discovered=(MODERN_VERSION,),
    slash=307,
    asks=(REFUSED, REFUSED),
)
_SDK = Server("sdk", "", (LEGACY,), ("sdk", "1.2.3"), asks=("", REFUSED))
_SERVER = Server(
    "server",
    "",
    (MODERN,),
    ("server", "1.2.3"),
    discovered=(MODERN_VERSION,),
    asks=(NEEDS_INPUT, REFUSED),
    unknown_is_result=(False, False),
)
_GO = Server(
    "go",
    "",
    (LEGACY,),
    ("go", "1.2.3"),
    answers=(STREAM, STREAM),
    discovered=LEGACY_VERSIONS,
    other_host=403,
    asks=("", REFUSED),
    unknown_is_result=(False, False),
)

SERVERS: tuple[Server, ...] = (
    _EARLY,
    *_variants(
        _MCP1,
        stateful={"sessions": True},
        stateless={},
        json={"sessions": True, "answers": (JSON, JSON), "asks": ("", SILENT)},
    ),
    *_variants(
        _MCP2,
        stateful={"sessions": True, "asks": (NEEDS_INPUT, NEEDS_INPUT)},
        stateless={},
        json={"sessions": True, "answers": (JSON, JSON)},
    ),
    *_variants(
        _FASTMCP3,
        stateful={"sessions": True},
        stateless={},
        json={"sessions": True, "answers": (JSON, JSON), "asks": ("", SILENT)},
        guarded={"sessions": True, "other_host": 421},
    ),
    *_variants(
        _FASTMCP4,
        stateful={"sessions": True, "asks": (REFUSED, NEEDS_INPUT)},
        stateless={},
        json={"sessions": True, "answers": (JSON, JSON)},
        guarded={"sessions": True, "other_host": 421, "asks": (REFUSED, NEEDS_INPUT)},
    ),
    *_variants(
        _SDK,
        stateful={"sessions": True},
        stateless={},
        json={"sessions": True, "answers": (JSON, JSON)},
    ),
    *_variants(
        _SERVER,
        dual={"eras": (MODERN, LEGACY)},
        modern={},
        streaming={"answers": (STREAM, STREAM)},
    ),
    *_variants(
        _GO,
        stateful={"sessions": True},
        stateless={
            "eras": (MODERN, LEGACY),
            "discovered": (MODERN_VERSION, *LEGACY_VERSIONS),
            "asks": (NEEDS_INPUT, REFUSED),
        },
        json={"sessions": True, "answers": (JSON, JSON)},
    ),
    Server(
        "everything",
        "stateful",
        (LEGACY,),
        ("mcp-servers/everything", "2.0.0"),
        sessions=True,
        slash=200,
        asks=("", REFUSED),
    ),
)
BY_NAME = {server.name: server for server in SERVERS}
