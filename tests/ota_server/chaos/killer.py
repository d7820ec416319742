# SPDX-License-Identifier: Apache-2.0
"""Kills a server that runs in this process: from some statement of its writer on nothing is done any more."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Connection, event

from ota_server.storage.database import Database


class Moment(Enum):
    STATEMENT = "before a statement"
    COMMIT = "before a commit"
    ANSWER = "after a commit, before its answers"


class Killed(Exception):
    """The process is gone."""


class Killer:
    """Armed for a moment that comes; afterwards the database refuses everything until another server is attached."""

    def __init__(self) -> None:
        self._moment: Moment | None = None
        self._after = 0
        self.is_dead = False

    def arm(self, moment: Moment, after: int) -> None:
        self._moment, self._after = moment, after

    def attach(self, database: Database) -> None:
        """From now on this is the server."""
        self._moment, self.is_dead = None, False
        event.listen(database._writer_engine, "before_cursor_execute", self._on_statement)
        event.listen(database._writer_engine, "commit", self._on_commit)

    def _on_statement(self, *_arguments: object) -> None:
        self._pass(Moment.STATEMENT)

    def _on_commit(self, _connection: Connection) -> None:
        self._pass(Moment.COMMIT)
        if not self.is_dead and self._moment is Moment.ANSWER:
            self._after -= 1
            # This commit is the last thing that is done.
            self.is_dead = self._after < 0

    def _pass(self, moment: Moment) -> None:
        if self._moment is moment and not self.is_dead:
            self._after -= 1
            self.is_dead = self._after < 0
        if self.is_dead:
            raise Killed
