# SPDX-License-Identifier: Apache-2.0
"""What the management API shows of each thing: plain JSON, with Particle's names where Particle has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from muster.layout import PLATFORM_IDS, PlatformName, platform_name
from ota_server.accounts.models import Account, AccountInfo, Browser, Token
from ota_server.audit.models import Line
from ota_server.customers.models import Customer
from ota_server.devices.models import Device, DeviceStatus, Group
from ota_server.devices.service import fingerprint
from ota_server.oauth.models import Client
from ota_server.organizations.api_users import ApiUser
from ota_server.organizations.models import Invitation, Member, Organization
from ota_server.organizations.roles import Role
from ota_server.products.models import Product
from ota_server.releases.models import Release, StoredImage, StoredPatch
from ota_server.rollouts.cohort import Cohort
from ota_server.rollouts.decide import Trace
from ota_server.rollouts.killing import Killed
from ota_server.rollouts.models import Attempt, SavedCohort
from ota_server.rollouts.outcomes import reason_text
from ota_server.rollouts.preview import Preview, Sampled
from ota_server.telemetry.models import EventEntry, HistoryLine, LogEntry
from ota_server.times import rfc3339
from ota_server.usage.models import Amounts, Day, Limits
from ota_server.webhooks.hook import Hook
from ota_server.webhooks.models import Delivery, Webhook

Json = dict[str, object]


def time(at_ms: int | None) -> str | None:
    """A time as RFC 3339 in UTC."""
    return None if at_ms is None else rfc3339(at_ms)


def user(account: Account, info: AccountInfo, mfa: bool, recovery_codes: int) -> Json:
    """`recovery_codes`: how many were not used."""
    return {
        "username": account.email,
        "subscription_ids": [],
        "account_info": asdict(info),
        "mfa": {"enabled": mfa, "recovery_codes": recovery_codes},
        "scim_provisioned": False,
        "no_password": False,
    }


def amounts(item: Amounts) -> Json:
    return {"seats": item.seats, "devices": item.devices, "storage_bytes": item.storage_bytes}


def limits(item: Limits) -> Json:
    return {"seats": item.seats, "devices": item.devices, "storage_bytes": item.storage_bytes}


def usage_day(item: Day) -> Json:
    return {"check_ins": item.check_ins, "bytes_served": item.bytes_served, **amounts(item.amounts)}


def token(item: Token) -> Json:
    return {
        "id": item.id,
        "token": f"{item.prefix}...",
        "label": item.label,
        "client": item.client,
        "created_at": time(item.created_ms),
        "expires_at": time(item.expires_ms),
        "scopes": [] if item.scopes is None else item.scopes.split(),
        "product_id": item.product_id,
        "last_used_at": time(item.used_ms),
    }


def browser(item: Browser) -> Json:
    return {
        "id": item.id,
        "signed_in_at": time(item.created_ms),
        "last_used_at": time(item.used_ms),
        "expires_at": time(item.expires_ms),
        "address": item.address,
        "agent": item.agent,
    }


def client(item: Client) -> Json:
    """An OAuth client without its secret."""
    return {
        "id": item.client_id,
        "name": item.name,
        "type": item.type.value,
        "redirect_uri": item.redirect_uri,
        "scope": item.scope.value,
        "product_id": item.product_id,
        "created_at": time(item.created_ms),
    }


def organization(item: Organization, role: Role | None) -> Json:
    """`role`: the asking account's; an API user has none."""
    return {
        "id": str(item.id),
        "slug": item.slug,
        "name": item.name,
        "created_at": time(item.created_ms),
        "role": None if role is None else member_role(role),
    }


def member_role(role: Role) -> Json:
    return {"id": role.value, "name": role.label}


def member(item: Member, team: Organization) -> Json:
    return {
        "username": item.email,
        "role": member_role(item.role),
        "owner": item.account_id == team.owner_id,
        "joined_at": time(item.created_ms),
    }


def api_user(item: ApiUser) -> Json:
    """A program in the team, without its token."""
    return {
        "username": item.username,
        "is_programmatic": True,
        "friendly_name": item.name,
        "scopes": item.scopes.split(),
        "product_id": item.product_id,
        "joined_at": time(item.created_ms),
    }


def invitation(item: Invitation) -> Json:
    return {
        "organization": {"slug": item.organization.slug, "name": item.organization.name},
        "username": item.email,
        "role": member_role(item.role),
        "invited_by": item.invited_by,
        "invited_at": time(item.created_ms),
    }


def audit_line(item: Line) -> Json:
    return {
        "id": item.id,
        "at": time(item.at_ms),
        "by": item.email,
        "from": item.address,
        "action": item.action,
        "subject": item.subject,
        "detail": item.detail,
    }


def product(item: Product, owner: Organization) -> Json:
    return {
        "id": item.id,
        "org": owner.slug,
        "slug": item.slug,
        "name": item.name,
        "description": item.description,
        "auto_approve": item.auto_approve,
        "check_in_interval_s": item.check_in_interval_s,
        "quarantine_max": item.quarantine_max,
        "patch_wait": item.patch_wait,
        "default_version": item.default_version,
        "claiming": item.claiming.value,
        "reprogrammers": item.reprogrammers.value,
        "time_zone": item.time_zone,
        "keep_logs_days": item.keep_logs_days,
        "keep_events_days": item.keep_events_days,
        "platform_id": None,
        "settings": {"quarantine": not item.auto_approve, "location": {}, "known_application": {"opt_in": False}},
    }


def group(item: Group, device_count: int) -> Json:
    return {
        "name": item.name,
        "description": item.description,
        "color": item.color,
        "fw_version": item.released_version,
        "device_count": device_count,
    }


def cohort(item: SavedCohort) -> Json:
    return {
        "name": item.name,
        "description": item.description,
        "cohort": item.cohort.to_json(),
        "in_words": item.cohort.in_words(),
    }


def preview(item: Preview, some: Sequence[Sampled], of: Cohort) -> Json:
    """What a cohort holds now."""
    return {
        "in_words": of.in_words(),
        "devices": item.devices,
        "of": item.of,
        "left_out": dict(item.left_out),
        "platforms": {_platform(key) or "unknown": count for key, count in _most_first(item.platforms)},
        "versions": {"unknown" if key is None else str(key): count for key, count in _most_first(item.versions)},
        "sample": [
            {"id": one.device_id, "name": one.name, "platform": _platform(one.platform_id), "version": one.version}
            for one in some
        ],
    }


def _platform(platform_id: int | None) -> str | None:
    return None if platform_id is None else platform_name(platform_id)


def _most_first(counts: Mapping[int | None, int]) -> list[tuple[int | None, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def customer(item: Customer) -> Json:
    return {
        "id": str(item.id),
        "username": item.email,
        "has_password": item.password_hash is not None,
        "has_account": item.account_id is not None,
        "created_at": time(item.created_ms),
        "last_active": time(item.active_ms),
    }


def own_device(item: Device, now_ms: int, owner: str | None) -> Json:
    """What a device's owner sees of it; the names are all Particle's."""
    return {
        "id": item.device_id,
        "name": item.name,
        "owner": owner,
        "notes": item.notes,
        "serial_number": item.serial_number,
        "product_id": item.product_id,
        "platform_id": item.platform_id,
        "cellular": item.platform_id == PLATFORM_IDS[PlatformName.ELECTRON],
        "online": item.is_online(now_ms),
        "connected": item.is_online(now_ms),
        "status": "normal" if item.status is DeviceStatus.ACTIVE else item.status.value,
        "last_heard": time(item.last_seen_ms),
        "last_handshake_at": time(item.last_opened_ms),
        "last_ip_address": None,
        "system_firmware_version": None,
        "firmware_updates_enabled": True,
        "firmware_updates_forced": False,
        "current_build_target": None,
        "default_build_target": None,
        "mobile_secret": None,
        "functions": item.functions,
        "variables": item.variables,
    }


def variable(item: Device, name: str, value: object) -> Json:
    """What a device told of one of its variables."""
    return {
        "cmd": "VarReturn",
        "name": name,
        "result": value,
        "coreInfo": {
            "name": item.name,
            "deviceID": item.device_id,
            "connected": True,
            "last_handshake_at": time(item.last_opened_ms),
            "product_id": item.product_id,
        },
    }


def device(item: Device, now_ms: int, groups: Sequence[str], owner: str | None = None) -> Json:
    return {
        **own_device(item, now_ms, owner),
        "groups": list(groups),
        "tags": item.tags.split(),
        "country": item.country,
        "time_zone": item.time_zone,
        "firmware_product_id": item.product_id,
        "targeted_firmware_release_version": item.locked_version,
        "platform": _platform(item.platform_id),
        "status": item.status.value,
        "quarantined": item.status is DeviceStatus.QUARANTINED,
        "quarantine_reason": item.quarantine_reason,
        "denied": item.status is DeviceStatus.DENIED,
        "fingerprint": None if item.public_key is None else fingerprint(item.public_key),
        "firmware_version": item.product_version,
        "identity": None if item.identity is None else item.identity.hex(),
        "slot": None if item.slot is None else "AB"[item.slot],
        "boot_state": item.boot_state,
        "security_counter": item.security_counter,
        "hardware_revision": item.hardware_revision,
        "bootloader_version": item.bootloader_version,
        "keyset_version": item.keyset_version,
        "interval_s": item.interval_s,
        "watched_until": time(item.watched_until_ms),
        "uptime_s": item.uptime_s,
        "boots": item.boots,
        "health": json.loads(item.health),
        "development": item.development,
        "desired_firmware_version": item.locked_version,
        "blocked_identities": json.loads(item.blocked),
    }


def device_details(
    item: Device,
    now_ms: int,
    groups: Sequence[str],
    trace: Trace,
    attempts: Sequence[Attempt],
    history: Sequence[HistoryLine],
    logs: Sequence[LogEntry],
    events: Sequence[EventEntry],
    claims: Sequence[Device],
    owner: str | None,
) -> Json:
    return {
        **device(item, now_ms, groups, owner),
        "explanation": trace.winner.why,
        "trace": rulings(trace),
        "attempts": [attempt(one) for one in attempts],
        "history": [{"at": time(line.at_ms), "kind": line.kind.value, "text": line.text} for line in history],
        "logs": [{"at": time(line.at_ms), "level": line.level, "text": line.text} for line in logs],
        "events": [{"at": time(one.at_ms), "name": one.name, "data": one.data} for one in events],
        "claims": [
            {"fingerprint": fingerprint(one.public_key), "reason": one.quarantine_reason}
            for one in claims
            if one.public_key is not None
        ],
    }


def explanation(item: Device, trace: Trace) -> Json:
    target = trace.winner.target
    return {
        "id": item.device_id,
        "version": item.product_version,
        "offered": None if target is None else target.version,
        "explanation": trace.winner.why,
        "trace": rulings(trace),
    }


def rulings(trace: Trace) -> list[Json]:
    """What each rule says about a device; `wins` marks the one that decides."""
    winner = trace.winner
    return [
        {
            "rule": one.rule.value,
            "rollout": one.rollout_id,
            "stage": None if one.stage is None else one.stage + 1,
            "applies": one.applies,
            "wins": one is winner,
            "version": None if one.target is None else one.target.version,
            "why": one.why,
            "remedy": one.remedy,
        }
        for one in trace.rulings
    ]


def attempt(item: Attempt) -> Json:
    return {
        "attempt": item.number,
        "rollout": item.rollout_id,
        "stage": None if item.stage is None else item.stage + 1,
        "target_identity": item.target_identity.hex(),
        "base_version": item.base_version,
        "is_full": item.is_full,
        "patch_size": item.patch_size,
        "received": item.received,
        "status": item.status.value,
        "postponed_until": time(item.postponed_until_ms),
        "reason": None if item.reason is None else reason_text(item.reason),
        "offered_at": time(item.offered_ms),
        "ended_at": time(item.ended_ms),
    }


def image(item: StoredImage) -> Json:
    return {
        "platform": platform_name(item.platform_id),
        "platform_id": item.platform_id,
        "identity": item.identity.hex(),
        "sha256": item.blob.hex(),
        "size": item.size,
        "security_counter": item.security_counter,
        "hardware_revisions": [item.hardware_lowest, item.hardware_highest],
        "min_bootloader": item.min_bootloader,
        "signers": json.loads(item.signers),
        "has_elf": item.elf_blob is not None,
    }


def release(
    item: Release,
    images: Sequence[StoredImage],
    default_version: int | None,
    devices: int,
    groups: Mapping[str, int],
) -> Json:
    """`groups`: versions released to groups, by name."""
    own = [one for one in images if one.release_id == item.id]
    return {
        "_id": str(item.id),
        "version": item.version,
        "title": item.title,
        "description": item.description,
        "name": "firmware.bin",
        "size": max((one.size for one in own), default=0),
        "product_id": item.product_id,
        "product_default": item.version == default_version,
        "uploaded_on": time(item.created_ms),
        "uploaded_by": {"username": item.created_by},
        "groups": [name for name, version in groups.items() if version == item.version],
        "released_on": time(item.released_ms),
        "killed_on": time(item.killed_ms),
        "device_count": devices,
        "mandatory": False,
        "images": [image(one) for one in own],
    }


def killed(item: Killed) -> Json:
    return {
        "aborted_rollouts": list(item.aborted),
        "was_default": item.was_default,
        "groups": list(item.groups),
        "locked_devices": item.locked,
        "running_devices": item.running,
    }


def patch(item: StoredPatch, images: Mapping[bytes, StoredImage]) -> Json:
    base, target = images.get(item.base_identity), images.get(item.target_identity)
    return {
        "base_version": None if base is None else base.version,
        "target_version": None if target is None else target.version,
        "platform": None if target is None else platform_name(target.platform_id),
        "is_full": item.base_identity == b"",
        "status": item.status.value,
        "digest": None if item.digest is None else item.digest.hex(),
        "size": item.size,
        "error": item.error,
        "devices": item.devices,
        "duration_ms": item.duration_ms,
        "memory_bytes": item.memory_bytes,
    }


def webhook(item: Webhook, secret: str | None = None) -> Json:
    """Without its password and headers, which may be secrets; `secret` is shown when it is made, and never again."""
    hook = Hook.from_json(item.content)
    shown: Json = {
        "ok": True,
        "id": str(item.id),
        "event": item.event,
        "name": item.event,
        "url": hook.url,
        "hookUrl": hook.url,
        "requestType": hook.method,
        "deviceID": item.device_id,
        "product_id": item.product_id,
        "headers": sorted(hook.headers),
        "query": dict(hook.query),
        "form": dict(hook.form),
        "json": hook.json,
        "body": hook.body,
        "responseTemplate": hook.response_template,
        "responseTopic": hook.response_topic,
        "errorResponseTopic": hook.error_topic,
        "noDefaults": not hook.has_defaults,
        "created_at": time(item.created_ms),
        "disabled": item.off_reason != "",
        "disabled_reason": item.off_reason,
        "failures": item.failures,
    }
    return shown if secret is None else {**shown, "secret": secret}


def delivery(item: Delivery) -> Json:
    return {
        "event": item.name,
        "coreid": item.core_id,
        "published_at": time(item.at_ms),
        "status": item.status.value,
        "tries": item.tries,
        "at": time(item.due_ms),
        "http_status": item.http_status,
        "duration_ms": item.duration_ms,
        "error": item.error,
    }
