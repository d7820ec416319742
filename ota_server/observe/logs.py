# SPDX-License-Identifier: Apache-2.0
"""Log lines as people or programs read them, on standard error, each with the id of its request."""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from enum import StrEnum
from typing import TextIO

from ota_server.observe.request_id import CURRENT
from ota_server.times import rfc3339

ROOT = "ota_server"
ACCESS = "ota_server.access"
MESSAGE_MAX = 4000
"""Characters of a message that are written."""
KEPT_MAX = 1000
"""Lines that wait for a disk that is full; the oldest ones go first."""
REQUEST_FACTS = ("method", "route", "status", "duration_ms", "client")
"""What a request's own line holds besides its text."""


class LogForm(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Accesses(StrEnum):
    """Which requests get a line of their own; what failed has one anyway."""

    NONE = "none"
    PEOPLE = "people"
    """All but those of devices."""
    ALL = "all"


_ACCESS_LEVELS = {Accesses.NONE: logging.WARNING, Accesses.PEOPLE: logging.INFO, Accesses.ALL: logging.DEBUG}


def set_up(form: LogForm, level: LogLevel, accesses: Accesses = Accesses.NONE, stream: TextIO | None = None) -> None:
    """Sends the log of this process to standard error (or `stream`). Other libraries tell warnings only."""
    handler = logging.StreamHandler(KeptLines(stream or sys.stderr))
    handler.setFormatter(JsonLines() if form is LogForm.JSON else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(ROOT).setLevel(level.upper())
    logging.getLogger(ACCESS).setLevel(_ACCESS_LEVELS[accesses])
    # What is wrong with a log line must not stop what it is about.
    logging.raiseExceptions = False


class KeptLines:
    """Keeps what a stream does not take, as when the disk is full, and writes it with the next line that it takes.

    A handler's lock lets one thread at a time use it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._kept: deque[str] = deque(maxlen=KEPT_MAX)

    def write(self, line: str) -> None:
        self._kept.append(line)

    def flush(self) -> None:
        """Raises OSError."""
        while self._kept:
            self._stream.write(self._kept[0])
            self._stream.flush()
            self._kept.popleft()


class TextLines(logging.Formatter):
    """`2027-01-15T08:00:00.000Z warning ota_server.mail [5e0c-1f] mail 3 is given up`, then a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        name = CURRENT.get()
        shown = f" [{name}]" if name else ""
        facts = "".join(f" {key}={value}" for key, value in _facts(record).items() if key in ("duration_ms", "client"))
        line = f"{_time(record)} {record.levelname.lower()} {record.name}{shown} {_message(record)}{facts}"
        return line if record.exc_info is None else f"{line}\n{self.formatException(record.exc_info)}"


class JsonLines(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `thread`, `message`, and what there is of the rest."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": _message(record),
        }
        name = CURRENT.get()
        if name:
            told["request_id"] = name
        told |= _facts(record)
        if record.exc_info is not None:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told)


def _time(record: logging.LogRecord) -> str:
    return rfc3339(int(record.created * 1000))


def _message(record: logging.LogRecord) -> str:
    """On one line: what came from outside must not look like a line of ours."""
    text = record.getMessage()[:MESSAGE_MAX]
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: record.__dict__[key] for key in REQUEST_FACTS if key in record.__dict__}
