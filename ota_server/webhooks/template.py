# SPDX-License-Identifier: Apache-2.0
"""The templates of webhooks: `{{name}}` and `{{{name}}}` of Mustache (mustache.github.io), and nothing else of it.

Sections and partials would let a short template make an endless text; whole Mustache libraries have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from ota_server.errors import Invalid

RENDERED_MAX = 64 * 1024
DEPTH_MAX = 8

_TAG = re.compile(r"\{\{\{\s*([^{}]*?)\s*\}\}\}|\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[A-Za-z0-9_\-]{1,64}(\.[A-Za-z0-9_\-]{1,64}){0,7}")


def check(template: str, field: str) -> None:
    """Raises Invalid for tags that are not just names."""
    for match in _TAG.finditer(template):
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if not _NAME.fullmatch(name):
            tag = match.group(0)[:40]
            raise Invalid(f"{field} has the tag {tag}: a tag is a name, such as {{{{PARTICLE_EVENT_VALUE}}}}", field)


def render(template: str, values: Mapping[str, object], escape: Callable[[str], str]) -> str:
    """The text with its tags filled in: `{{name}}` escaped, `{{{name}}}` as it is. What is not there is empty.

    Raises:
        Invalid: it would be too long.
    """
    made: list[str] = []
    size = at = 0
    for match in _TAG.finditer(template):
        is_plain = match.group(1) is not None
        value = _look_up(match.group(1) if is_plain else match.group(2), values)
        piece = template[at : match.start()] + (value if is_plain else escape(value))
        made.append(piece)
        size += len(piece)
        at = match.end()
        if size > RENDERED_MAX:
            break
    made.append(template[at:])
    if size + len(template) - at > RENDERED_MAX:
        raise Invalid(f"a filled-in template is longer than {RENDERED_MAX} characters")
    return "".join(made)


def values_of(name: str, data: str, core_id: str, published_at: str) -> dict[str, object]:
    """What tags may name: Particle's words, and the fields of the event's data if that is a JSON object."""
    values: dict[str, object] = {}
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        values.update(fields)
    return values | {
        "PARTICLE_EVENT_NAME": name,
        "PARTICLE_EVENT_VALUE": data,
        "PARTICLE_DEVICE_ID": core_id,
        "PARTICLE_PUBLISHED_AT": published_at,
    }


def _look_up(name: str, values: Mapping[str, object]) -> str:
    found: object = values
    for part in name.split(".")[:DEPTH_MAX]:
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and len(part) < 9 and int(part) < len(found):
            found = found[int(part)]
        else:
            return ""
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found)
