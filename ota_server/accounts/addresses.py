# SPDX-License-Identifier: Apache-2.0
"""E-mail addresses."""

from __future__ import annotations

import re

from ota_server.errors import Invalid

EMAIL_MAX = 200

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# What browsers take as an address (html.spec.whatwg.org, "valid e-mail address"): nothing that could begin a header.
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@({_LABEL}(?:\.{_LABEL}){{0,20}})")


def normal_email(text: str) -> str:
    """An address as it is kept and compared."""
    return text.strip().lower()


def clean_email(text: str) -> str:
    """An address as it is kept. Raises Invalid for what cannot be one."""
    email = normal_email(text)
    if len(email) > EMAIL_MAX or not _EMAIL.fullmatch(email):
        raise Invalid("not an e-mail address", "email")
    return email


def domain_of(email: str) -> str:
    """What is behind the @."""
    return email.rpartition("@")[2]
