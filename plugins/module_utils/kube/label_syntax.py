# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The syntax of labels and annotations, as Kubernetes checks it (k8s.io/apimachinery/pkg/util/validation). Pure."""

from __future__ import annotations

import re

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LONGEST = 63
_LONGEST_PREFIX = 253
_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_WORDS = "letters (a to z), digits, -, _ and ., with a letter or digit at both ends"


def wrong_label_name(name: str) -> str:
    """Why a label cannot have this name; empty if it can."""
    prefix, slash, own = name.rpartition("/")
    if slash and (len(prefix) > _LONGEST_PREFIX or not _DOMAIN.fullmatch(prefix)):
        return (
            f"{prefix!r} before the slash is not a domain: lower-case letters, digits, - and ., "
            f"{_LONGEST_PREFIX} at most, as in example.com/team"
        )
    if len(own) > _LONGEST or not _WORD.fullmatch(own):
        return f"{own!r} cannot be the name: {_WORDS}, 1 to {_LONGEST} of them"
    return ""


def wrong_label_value(value: str) -> str:
    """Why a label cannot have this value; empty if it can."""
    if value and (len(value) > _LONGEST or not _WORD.fullmatch(value)):
        return f"{value!r} cannot be the value of a label: {_WORDS}, {_LONGEST} at most, or nothing"
    return ""


def wrong_annotation_name(name: str) -> str:
    """Why an annotation cannot have this name; the domain may have capitals there."""
    prefix, slash, own = name.rpartition("/")
    return wrong_label_name(f"{prefix.lower()}{slash}{own}")
