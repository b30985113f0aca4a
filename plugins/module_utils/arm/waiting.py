# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long-running operations: followed to their end, with the operation's own words when it ends badly."""

from __future__ import annotations

from ansible_collections.mcpops.platform.plugins.module_utils.arm import service_errors as errors
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import BACKOFF, Arm, Body, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.http import Response, retry_after

_ENDED_WELL = ("succeeded", "completed", "ready")
_ENDED_BADLY = ("failed", "canceled", "cancelled")
# an operation's own resource, or a resource just created, may be unknown to a replica for some seconds
_UNKNOWN_FOR_SECONDS = 30.0


def provisioning_state(body: Body | None) -> str:
    """Empty for a resource that has no such state, which is then as good as Succeeded."""
    properties = (body or {}).get("properties")
    return str(properties.get("provisioningState") or "") if isinstance(properties, dict) else ""


def in_progress(body: Body | None) -> bool:
    """Whether an operation is under way on the resource, or on one of the node pools that are inline in it."""
    return bool(busy_states(body))


def busy_states(body: Body | None) -> str:
    """What is under way, for people: `Updating`, or `node pool work Upgrading`."""
    state = provisioning_state(body)
    if is_busy_state(state):
        return state
    properties = (body or {}).get("properties")
    pools = properties.get("agentPoolProfiles") if isinstance(properties, dict) else None
    # a pool has operations of its own, of which its cluster's state tells nothing
    busy = [pool for pool in pools or () if is_busy_state(str(pool.get("provisioningState") or ""))]
    return ", ".join(f"node pool {pool.get('name')} {pool['provisioningState']}" for pool in busy)


def is_busy_state(state: str) -> bool:
    return bool(state) and state.lower() not in _ENDED_WELL and not is_failed_state(state)


def is_failed_state(state: str) -> bool:
    return state.lower() in _ENDED_BADLY


def failed(body: Body | None) -> bool:
    return is_failed_state(provisioning_state(body))


def follow(arm: Arm, response: Response, subject: str, action: str) -> None:
    """Wait for the operation that `response` started; returns when it succeeded, at once when there is none."""
    monitor = response.headers.get("azure-asyncoperation", "")
    if monitor:
        _follow_operation(arm, monitor, response, subject, action)
    elif response.status == 202 and response.headers.get("location"):
        _follow_location(arm, response.headers["location"], response, subject, action)


def _follow_operation(arm: Arm, url: str, response: Response, subject: str, action: str) -> None:
    attempt = 0
    status = "InProgress"
    while True:
        _pause(arm, response, attempt, subject, action, status)
        attempt += 1
        response = arm.call("GET", url, f"Following the operation of {subject}")
        if response.status == 404 and arm.deadline.elapsed < _UNKNOWN_FOR_SECONDS:
            continue
        if response.status >= 400:
            raise errors.to_failure(action, response)
        body = response.json_or_none()
        status = str(body.get("status") or "") if isinstance(body, dict) else ""
        if status.lower() in _ENDED_WELL:
            return
        if status.lower() in _ENDED_BADLY:
            raise errors.operation_failure(action, status, body)


def _follow_location(arm: Arm, url: str, response: Response, subject: str, action: str) -> None:
    attempt = 0
    while True:
        _pause(arm, response, attempt, subject, action, "in progress")
        attempt += 1
        response = arm.call("GET", url, f"Following the operation of {subject}")
        url = response.headers.get("location") or url
        if response.status in (200, 201, 204):
            return
        if response.status >= 400:
            raise errors.to_failure(action, response)


def settle(arm: Arm, reading: Reading, resource_id: str, api_version: str, subject: str) -> Reading:
    """Wait until no operation is in progress on the resource: ours of a killed run, or somebody else's."""
    attempt = 0
    while in_progress(reading.body):
        _pause(arm, None, attempt, subject, f"Waiting for {subject}", busy_states(reading.body))
        attempt += 1
        reading = arm.read(resource_id, f"Reading {subject}", api_version)
    return reading


def read_written(arm: Arm, resource_id: str, api_version: str, subject: str) -> Body:
    """The resource after it was written: it is there, even if a replica does not know it yet."""
    attempt = 0
    while True:
        reading = arm.read(resource_id, f"Reading {subject}", api_version)
        if reading.body is not None:
            return reading.body
        _pause(arm, None, attempt, subject, f"Reading {subject}", "not found yet")
        attempt += 1


def finished(arm: Arm, resource_id: str, api_version: str, subject: str, action: str, pool: str = "") -> Body:
    """The resource once nothing is in progress on it, also where the service gave no operation to follow. `pool` names
    the inline node pool that the operation was about, where it was about one."""
    written = Reading(read_written(arm, resource_id, api_version, subject))
    body = settle(arm, written, resource_id, api_version, subject).body or {}
    properties = body.get("properties") or {}
    concerned = properties
    if pool:
        pools = properties.get("agentPoolProfiles") or ()
        concerned = next((item for item in pools if str(item.get("name")).lower() == pool.lower()), {})
    state = str(concerned.get("provisioningState") or "") if isinstance(concerned, dict) else ""
    if is_failed_state(state):
        status = concerned.get("status") or {}
        error = status.get("provisioningError") if isinstance(status, dict) else None
        raise errors.operation_failure(action, state, {"error": error})
    return body


def _pause(arm: Arm, response: Response | None, attempt: int, subject: str, action: str, status: str) -> None:
    seconds = (retry_after(response.headers) if response is not None else None) or BACKOFF.after(attempt)
    arm.progress(f"{subject}: {status} ({arm.deadline.elapsed:.0f} s)")
    if not arm.deadline.pause(seconds):
        hint = "Run again to go on waiting (nothing is started twice), or raise wait_timeout"
        reason = Reason(subject, "Timeout", f"{action} has not ended, it is {status or 'in progress'}", hint)
        raise NotReady(subject, [reason], waited=arm.deadline.elapsed)
