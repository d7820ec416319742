# SPDX-License-Identifier: Apache-2.0
"""All measures of a server, for Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ota_server.errors import Unavailable
from ota_server.jobs import Jobs
from ota_server.observe.facts import Facts, read_facts
from ota_server.observe.measures import RequestMeasures
from ota_server.services import Services
from ota_server.worker import Worker

FACTS_EVERY_S = 15.0
"""How old facts of the database may be: whoever asks more often costs it nothing."""


def server_registry(services: Services, requests: RequestMeasures) -> CollectorRegistry:
    """The measures of a server's parts."""
    registry = worker_registry(services.jobs, services.workers)
    for measures in (requests, services.connection_measures, services.device_measures):
        for measure in measures.all():
            registry.register(measure)
    registry.register(_Serving(services))
    return registry


def worker_registry(jobs: Jobs, workers: Sequence[Worker]) -> CollectorRegistry:
    """The measures of a process that does jobs."""
    # Series of when each counter was made, which would be as many again.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    # First: a read that fails is counted in the same answer.
    registry.register(_FromDatabase(jobs))
    ProcessCollector(registry=registry)
    for measure in jobs.database.measures.all():
        registry.register(measure)
    registry.register(_Working(jobs, workers))
    return registry


class _Serving(Collector):
    """What a server's parts know without asking anybody."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        services = self._services
        yield _gauge("muster_event_streams", "Streams of events that are open.", services.jobs.streams.count)
        yield CounterMetricFamily(
            "muster_devices_delayed", "Devices that were told to come later than they would.", services.calendar.delayed
        )


class _Working(Collector):
    """What the parts of any process know without asking anybody."""

    def __init__(self, jobs: Jobs, workers: Sequence[Worker]) -> None:
        self._jobs = jobs
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        jobs, workers = self._jobs, self._workers
        database = jobs.database
        yield _gauge("muster_write_queue", "Writes that wait for a commit, about.", database.waiting)
        yield _gauge("muster_write_wait_seconds", "How long a write will wait for its commit, about.", database.wait_s)
        for name, text, label, values in (
            ("muster_deliveries", "Tries to deliver to webhooks.", "result", jobs.courier.results),
            ("muster_mails", "Tries to send mails.", "result", jobs.postman.results),
            (
                "muster_blob_errors",
                "Accesses to blobs that failed.",
                "work",
                _sums(jobs.kept.failures, jobs.served.failures),
            ),
            ("muster_worker_jobs", "Jobs that a thread did.", "worker", {one.name: one.jobs for one in workers}),
            ("muster_worker_failures", "Errors it stopped at.", "worker", {one.name: one.failures for one in workers}),
            ("muster_worker_seconds", "Time that it worked.", "worker", {one.name: one.busy_s for one in workers}),
        ):
            yield _labelled(CounterMetricFamily(name, text, labels=(label,)), values)


class _FromDatabase(Collector):
    """What the database knows. While it is away only `muster_database_up` is told."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._read_at = -FACTS_EVERY_S

    def collect(self) -> Iterator[Metric]:
        facts = self._look()
        yield _gauge("muster_database_up", "1 when the database can be read.", facts is not None)
        if facts is None:
            return
        yield _gauge("muster_devices_online", "Devices that are online, quarantined ones too.", facts.online)
        for name, text, found in (
            ("muster_patches", "Patches.", facts.patches),
            ("muster_queued_mails", "Mails that wait or were given up.", facts.mails),
            ("muster_queued_deliveries", "Deliveries to webhooks that wait, or are over and kept.", facts.deliveries),
            ("muster_rollouts", "Rollouts.", facts.rollouts),
        ):
            yield _labelled(GaugeMetricFamily(name, text, labels=("status",)), found)
        labels = ("product", "rollout")
        stage = GaugeMetricFamily("muster_rollout_stage", "Stage of a running rollout, from 1.", labels=labels)
        devices = GaugeMetricFamily(
            "muster_rollout_devices", "Devices of a running rollout.", labels=(*labels, "outcome")
        )
        for one in facts.running:
            names = (str(one.product_id), str(one.id))
            stage.add_metric(names, one.stage + 1)
            for outcome, count in (("offered", one.offered), ("confirmed", one.confirmed), ("failed", one.failures)):
                devices.add_metric((*names, outcome), count)
        yield stage
        yield devices

    def _look(self) -> Facts | None:
        """The facts, new ones when they are old; one looks, whoever else asks waits for it."""
        with self._lock:
            if time.monotonic() - self._read_at >= FACTS_EVERY_S:
                try:
                    with self._jobs.database.read() as connection:
                        self._facts = read_facts(connection, self._jobs.clock.now_ms())
                except Unavailable:
                    self._facts = None
                self._read_at = time.monotonic()
            return self._facts


def _sums(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    return {key: one[key] + other[key] for key in one}


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, float]) -> Metric:
    for label, value in values.items():
        family.add_metric((label,), value)
    return family
