# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules for names: DNS labels and subdomains, label keys and values, URL paths; one message for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .errors import Problem
from .text import not_text

# what KMCP gives a server that says nothing else (api/v1alpha1 of kagent-dev/kmcp)
DEFAULT_PORT = 3000
DEFAULT_PATH = "/mcp"

NO_KUBECONFIG = (
    "is empty, and no other kubeconfig stands in for it: KUBECONFIG or ~/.kube/config may be of another cluster. Name "
    "the cluster's kubeconfig (roles take mcpops_kubeconfig, or a variable of their own), or omit the option to use "
    "that of the environment"
)


def path_problem(path: str) -> str:
    """What is wrong with it, or nothing."""
    if path.startswith("/") and path.isprintable() and " " not in path:
        return ""
    # a query may hold a key
    return f"{path.partition('?')[0]!r} is not a URL path: it starts with / and has no blanks or control characters"


_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def wrong_secret_key(key: str) -> str:
    """What is wrong with the name of a value in a Secret, or nothing."""
    return "" if _SECRET_KEY.fullmatch(key) else f"{key!r} is not a key of a Secret: letters, digits, -, _ and ."


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


@dataclass(frozen=True)
class Syntax:
    """Of what characters a name is made, and how long it may be."""

    pattern: re.Pattern[str]
    longest: int
    words: str


# RFC 1123 label: namespaces, containers, volumes
LABEL = Syntax(re.compile(_LABEL), 63, "lower-case letters (a to z), digits and -, with a letter or digit at both ends")
# RFC 1035 label: Services
SERVICE = Syntax(
    re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?"),
    63,
    "lower-case letters (a to z), digits and -, with a letter first and a letter or digit last",
)
# RFC 1123 subdomain: most objects
SUBDOMAIN = Syntax(
    re.compile(rf"{_LABEL}(\.{_LABEL})*"),
    253,
    "lower-case letters (a to z), digits, - and ., with a letter or digit at both ends of each part between dots",
)
# what follows the slash in the name of a label, and its value
QUALIFIED = Syntax(
    re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"),
    63,
    "letters (a to z), digits, -, _ and ., with a letter or digit at both ends",
)


IMAGE = re.compile(r"([a-zA-Z0-9.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?")
"""A reference of an image, with or without a registry, a tag and a digest."""


def wrong_name(name: str, what: str, syntax: Syntax = LABEL, longest: int | None = None) -> str:
    """Why this is not a valid `what` ("namespace name"); empty if it is one. `longest` where less than usual fits."""
    longest = longest or syntax.longest
    if len(name) <= longest and syntax.pattern.fullmatch(name):
        return ""
    return f"{name!r} is not a valid {what}: 1 to {longest} {syntax.words}"


def namespace_problems(path: str, namespace: Any) -> list[Problem]:
    """What is wrong with a namespace's name."""
    wrong = wrong_name(namespace, "namespace name") if isinstance(namespace, str) else not_text(namespace)
    return [Problem(path, wrong)] if wrong else []


def wrong_label_name(name: str) -> str:
    """Why a label cannot have this name; empty if it can."""
    prefix, slash, own = name.rpartition("/")
    wrong = wrong_name(prefix, "domain before the slash", SUBDOMAIN) if slash else ""
    return wrong or wrong_name(own, "label name", QUALIFIED)


def wrong_label_value(value: str) -> str:
    """Why a label cannot have this value; empty if it can, as it can be empty."""
    return wrong_name(value, "label value", QUALIFIED) if value else ""


def wrong_annotation_name(name: str) -> str:
    """Why an annotation cannot have this name; the domain may have capitals there."""
    prefix, slash, own = name.rpartition("/")
    return wrong_label_name(f"{prefix.lower()}{slash}{own}").replace("label name", "annotation name")
