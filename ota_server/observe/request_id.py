# SPDX-License-Identifier: Apache-2.0
"""A name for each request, by which its log lines are found. It follows a request through tasks and threads."""

from __future__ import annotations

import itertools
import os
import re
from contextvars import ContextVar

CURRENT: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is worked for; empty outside of one."""
_SAFE = re.compile(rb"[A-Za-z0-9._:/=+-]{1,64}")


class RequestIds:
    """Makes ids that no other process makes."""

    def __init__(self) -> None:
        self._prefix = os.urandom(5).hex()
        self._numbers = itertools.count(1)

    def next(self, given: bytes | None) -> str:
        """What a proxy gave, if it cannot garble a log; else a new one."""
        if given is not None and _SAFE.fullmatch(given):
            return given.decode()
        return f"{self._prefix}-{next(self._numbers):x}"
