# SPDX-License-Identifier: Apache-2.0
"""Watches what is logged during all tests: no password, token, code or key may be in it.

Every process of a test run remembers the secrets that come up, where the sources take them in, and every line that is
logged at any level. When the tests have run, none of the former may be in the latter, nor in a file `*.log` that a test
had another process write; there, whatever looks like an access token or a private key counts too.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from muster.signing.keys import PrivateKey
from ota_server.accounts import mfa, service

LOOKS_SECRET = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])|PRIVATE KEY")
"""An access token, or a key as PEM."""
NOT_OURS = ("httpcore", "httpcore2", "httpx", "httpx2", "mail", "sqlalchemy")
"""The tests' own clients log addresses with what the tests put there, and the tests' mail server (aiosmtpd) the mails;
SQLAlchemy logs values when it is told to."""
_LEAKS = "leaks"
"""What a worker tells the process that started it."""
SECRET_MIN = 8
"""Shorter ones are what a test sends to be refused."""


class LogWatch(logging.Handler):
    """What was logged, and what must not have been."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: dict[str, str] = {}
        """Each line with the logger that wrote it."""
        self.secrets: set[str] = set()

    def start(self) -> None:
        """Listens to every logger, and remembers what passes where secrets come in."""
        logging.getLogger().addHandler(self)
        logging.getLogger().setLevel(logging.DEBUG)
        for name in NOT_OURS:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._remember(service, "hash_of", lambda arguments, _result: arguments[0])
        self._remember(mfa, "hash_of", lambda arguments, _result: arguments[0])
        self._remember(mfa, "new_secret", lambda _arguments, result: result)
        self._remember(service.Passwords, "hash", lambda arguments, _result: arguments[1])
        self._remember(service.Passwords, "check", lambda arguments, _result: arguments[3])
        self._remember(PrivateKey, "__post_init__", lambda arguments, _result: arguments[0].seed.hex())

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            self.lines[line] = record.name

    def leaks(self, files: Iterable[Path]) -> list[str]:
        """Where a secret was written; the report does not repeat it."""
        secrets = [one for one in self.secrets if len(one) >= SECRET_MIN]
        logged = "\n".join(self.lines)
        told = [one for one in secrets if one in logged]
        places = [(name, line) for line, name in self.lines.items() if any(one in line for one in told)]
        for path in files:
            text = path.read_text(errors="replace")
            told += [one for one in secrets if one in text] + LOOKS_SECRET.findall(text)
            places += [(path.name, line) for line in text.splitlines() if any(one in line for one in told)]
        return [f"{place}: {_hidden(line, told)}" for place, line in places]

    def _remember(self, owner: Any, name: str, pick: Callable[[tuple[Any, ...], Any], str]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            result = original(*arguments, **named)
            self.secrets.add(pick(arguments, result))
            return result

        setattr(owner, name, wrapper)


class LogWatchPlugin:
    """Fails a run of pytest in which a secret was logged, in this process or in a worker of xdist."""

    def __init__(self) -> None:
        self._watch = LogWatch()
        self._watch.start()
        self._leaks: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._leaks += getattr(node, "workeroutput", {}).get(_LEAKS, [])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        base: Path = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        told = getattr(session.config, "workeroutput", None)
        if told is not None:
            told[_LEAKS] = self._watch.leaks(base.rglob("*.log"))
            return
        self._leaks += self._watch.leaks(path for path in base.rglob("*.log") if not _is_of_worker(path, base))
        if self._leaks and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._leaks:
            terminalreporter.section("secrets in logs", red=True)
            for leak in self._leaks:
                terminalreporter.line(leak)


def _is_of_worker(path: Path, base: Path) -> bool:
    return path.relative_to(base).parts[0].startswith("popen-")


def _hidden(line: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        line = line.replace(secret, "[secret]")
    return line
