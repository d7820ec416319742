# SPDX-License-Identifier: Apache-2.0
"""Changes to many devices in the pages' words, and who may make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ota_server.devices.bulk import Change, Verb
from ota_server.organizations.roles import Permission


@dataclass(frozen=True, slots=True)
class Wording:
    """How a verb is spoken of; `{devices}`, `{group}` and `{version}` are filled in.

    Attributes:
        choice: in a list of what can be done.
        does: what is about to be done.
        did: what was done.
        skips: why some devices stay as they are.
        back: how it is taken back where there is no button for it.
    """

    choice: str
    does: str
    did: str
    skips: str
    back: str
    permission: Permission = Permission.CONTROL_FIRMWARE


VERBS: Mapping[Verb, Wording] = {
    Verb.LOCK: Wording(
        "Lock to a version",
        "Lock {devices} to version {version}",
        "{devices} locked to version {version}",
        "locked to a version already, or not trusted",
        "Unlock them.",
    ),
    Verb.UNLOCK: Wording(
        "Unlock",
        "Unlock {devices}",
        "{devices} unlocked",
        "not locked, or not trusted",
        "They were locked to different versions: lock them again, version by version.",
    ),
    Verb.JOIN: Wording(
        "Add to a group",
        "Add {devices} to group {group}",
        "{devices} added to group {group}",
        "in the group already, or not trusted",
        "Take them out of the group.",
    ),
    Verb.LEAVE: Wording(
        "Take out of a group",
        "Take {devices} out of group {group}",
        "{devices} taken out of group {group}",
        "not in the group, or not trusted",
        "Add them to the group.",
    ),
    Verb.DEVELOP: Wording(
        "Mark for development",
        "Mark {devices} for development: they get only what is flashed",
        "{devices} marked for development",
        "marked already, or not trusted",
        "Take the mark away.",
    ),
    Verb.END_DEVELOPMENT: Wording(
        "End development",
        "End the development of {devices}: they keep to the product's plan",
        "{devices} no longer for development",
        "not marked for development, or not trusted",
        "Mark them again. What was flashed to them has to be flashed again.",
    ),
    Verb.APPROVE: Wording(
        "Approve",
        "Approve {devices}: their keys are trusted from then on",
        "{devices} approved",
        "not quarantined, or several keys claim the id: compare fingerprints on the device's own page",
        "Deny them.",
        Permission.MANAGE_DEVICES,
    ),
    Verb.DENY: Wording(
        "Deny",
        "Deny {devices}: they may not open sessions any more",
        "{devices} denied",
        "denied already",
        "Remove them: then they come back as new devices, and wait for approval.",
        Permission.MANAGE_DEVICES,
    ),
    Verb.REMOVE: Wording(
        "Remove from the product",
        "Remove {devices} from the product, with owner, groups and serial number",
        "{devices} removed",
        "removed already",
        "Import them again. Owner, groups and serial number are gone.",
        Permission.MANAGE_DEVICES,
    ),
}
"""In the order in which they are offered."""


def count_words(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"


def words(template: str, change: Change, count: int) -> str:
    """A sentence of a Wording about so many devices."""
    return template.format(devices=count_words(count), group=change.group, version=change.version)
