# SPDX-License-Identifier: Apache-2.0
"""A thread that works off what waits in the database."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod

from ota_server.storage.relay import Heard, Relay

_logger = logging.getLogger("ota_server.worker")


class Worker(ABC):
    """Does its jobs when it is woken, and every so often. Jobs are idempotent: a killed one is done again.

    Args:
        every_s: how long to sleep at most; None: until it is woken.

    Attributes:
        jobs: how many were done.
        failures: how often it stopped at an error.
        busy_s: how long it has worked.
    """

    def __init__(self, name: str, every_s: float | None = None) -> None:
        self.name = name
        self.jobs = self.failures = 0
        self.busy_s = 0.0
        self._every_s = every_s
        self._wake = threading.Event()
        self._working = threading.Lock()
        self._is_stopping = False
        self._tell: Heard = lambda _text: None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def do_next(self) -> bool:
        """Does one job; False when nothing waits."""

    def join(self, relay: Relay) -> None:
        """From now on `wake` wakes the same worker of other processes, too."""
        self._tell = relay.join(self.name, lambda _text: self._wake.set())

    def start(self) -> None:
        self._thread.start()
        self._wake.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()
        self._tell("")

    def stop(self) -> None:
        """Ends after the job that is under way."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def work_off(self) -> int:
        """Does every job that waits now; returns how many there were."""
        done = 0
        # One at a time: two would do the same job twice.
        with self._working:
            while not self._is_stopping and self._do_next():
                done += 1
        return done

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _do_next(self) -> bool:
        began = time.perf_counter()
        try:
            found = self.do_next()
        finally:
            self.busy_s += time.perf_counter() - began
        self.jobs += found
        return found

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait(self._every_s)
            self._wake.clear()
            try:
                self.work_off()
            # Nobody waits for this thread, so nobody else could say it: errors end here. Only the kind of the
            # error is told, since its text may hold what was to be written.
            except Exception as error:
                self.failures += 1
                _logger.error("%s stopped at %s; it goes on when it is woken", self.name, type(error).__name__)
