# SPDX-License-Identifier: Apache-2.0
"""What the parts of a server measure as they work. Each part owns its measures; `observe.registry` exposes them.

Names and meanings are in docs/howto/watch.md, and a test holds that table equal to what is exposed.
No label comes from outside: routes are those that the server has, everything else is one of few words.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
JOBS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
OTHER = "other"
"""What any other method is counted as."""

REASONS = {
    400: "malformed",
    401: "session",
    404: "unknown",
    408: "slow",
    413: "too_large",
    415: "content_type",
    429: "too_many",
    503: "unavailable",
}
"""Why devices are refused, by the status of the answer."""


class DatabaseMeasures:
    """Of the writer and of reads that fail."""

    def __init__(self) -> None:
        self.commit_s = Histogram(
            "muster_commit_seconds", "Time of one commit with all its jobs.", buckets=SECONDS, registry=None
        )
        self.commit_jobs = Histogram("muster_commit_jobs", "Jobs in one commit.", buckets=JOBS, registry=None)
        self.errors = Counter("muster_database_errors", "Reads and commits that failed.", ("work",), registry=None)
        for work in ("read", "commit"):
            self.errors.labels(work)

    def all(self) -> Iterable[Collector]:
        return self.commit_s, self.commit_jobs, self.errors


class DeviceMeasures:
    """Of what devices ask. `held`: check-ins that are held now."""

    def __init__(self) -> None:
        self.check_in_s = Histogram(
            "muster_check_in_seconds",
            "Time of a check-in from its last byte to its commit, without being held.",
            buckets=SECONDS,
            registry=None,
        )
        self.openings = Counter("muster_openings", "Sessions that were opened.", registry=None)
        self.held = 0
        self._held = Gauge("muster_held_check_ins", "Check-ins that are held now.", registry=None)
        self._held.set_function(lambda: self.held)
        self.refused = Counter(
            "muster_device_refusals", "Requests of devices that were refused.", ("reason",), registry=None
        )
        for reason in REASONS.values():
            self.refused.labels(reason)

    def all(self) -> Iterable[Collector]:
        return self.check_in_s, self.openings, self._held, self.refused


class ConnectionMeasures:
    """Of connections. `open`: how many there are."""

    def __init__(self) -> None:
        self.open = 0
        self._open = Gauge("muster_connections", "Connections that are open.", registry=None)
        self._open.set_function(lambda: self.open)
        self._ended = Counter(
            "muster_connections_ended", "Connections that the server refused or ended.", ("reason",), registry=None
        )
        for reason in ("address", "full", "idle", "head", "reader"):
            self._ended.labels(reason)

    def all(self) -> Iterable[Collector]:
        return self._open, self._ended

    def ended(self, reason: str) -> None:
        self._ended.labels(reason).inc()


class RequestMeasures:
    """Of HTTP, used from one event loop. `route` is the route's template, or `none`.

    Attributes:
        open: requests that are not answered to the end.
    """

    def __init__(self) -> None:
        self._total = Counter(
            "muster_http_requests", "Requests answered.", ("method", "route", "status"), registry=None
        )
        self._seconds = Histogram(
            "muster_http_request_seconds",
            "Time until an answer begins; of a held check-in until it is let go.",
            ("route",),
            buckets=SECONDS,
            registry=None,
        )
        self.open = 0
        self._open = Gauge("muster_http_requests_open", "Requests that are not answered to the end.", registry=None)
        self._open.set_function(lambda: self.open)
        # Looking labels up costs more than counting: each combination is looked up once.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def all(self) -> Iterable[Collector]:
        return self._total, self._seconds, self._open

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """`method` is one of METHODS, or OTHER."""
        found = self._known.get((method, route, status))
        if found is None:
            found = self._total.labels(method, route, str(status)), self._seconds.labels(route)
            self._known[(method, route, status)] = found
        found[0].inc()
        found[1].observe(seconds)
