# SPDX-License-Identifier: Apache-2.0
"""What is done without a request: patches, mails, webhooks, and what waits for a time. In a server, or beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ota_server.clock import Clock, SystemClock
from ota_server.figures.collector import Collector
from ota_server.forgetter import Forgetter
from ota_server.mail.postman import Postman
from ota_server.mail.smtp import SmtpMailer
from ota_server.releases.encoder import Encoder, ProcessEncoder
from ota_server.releases.patcher import Patcher
from ota_server.rollouts.evictor import Evictor
from ota_server.rollouts.scanner import Scanner
from ota_server.rollouts.timekeeper import Timekeeper
from ota_server.settings import Settings
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.storage.migrate import migrate
from ota_server.storage.relay import Relay, open_relay
from ota_server.telemetry.feed import Feed
from ota_server.telemetry.presence import Presence
from ota_server.telemetry.streams import Streams
from ota_server.webhooks.courier import Courier
from ota_server.webhooks.network import Sender
from ota_server.worker import Worker

ANY_KEYSET = 0xFFFF_FFFF
"""No device holds a newer one."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """The workers, and what they work with. Made by `open_jobs`."""

    settings: Settings
    clock: Clock
    database: Database
    kept: BlobStore
    served: BlobStore
    relay: Relay
    feed: Feed
    streams: Streams
    presence: Presence
    courier: Courier
    patcher: Patcher
    scanner: Scanner
    evictor: Evictor
    postman: Postman
    timekeeper: Timekeeper
    collector: Collector
    forgetter: Forgetter

    @property
    def workers(self) -> tuple[Worker, ...]:
        return (
            self.presence,
            self.courier,
            self.patcher,
            self.postman,
            self.timekeeper,
            self.scanner,
            self.collector,
            self.evictor,
            self.forgetter,
        )

    def start(self) -> None:
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Ends after the jobs under way."""
        for worker in self.workers:
            worker.stop()


def open_jobs(
    settings: Settings, clock: Clock | None = None, encoder: Encoder | None = None, keyset_version: int = ANY_KEYSET
) -> Jobs:
    """Brings the database up to date and opens it.

    Args:
        keyset_version: of the newest key set; a worker knows none.

    Raises:
        EnvironmentFault: the database cannot be used.
    """
    clock = clock or SystemClock()
    migrate(settings.database)
    database = Database(settings.database)
    kept, served = settings.open_blobs()
    relay = open_relay(settings.database)
    feed = Feed(relay)
    streams = Streams(database, feed, relay)
    patcher = Patcher(database, kept, served, encoder or ProcessEncoder(), feed, clock)
    jobs = Jobs(
        settings=settings,
        clock=clock,
        database=database,
        kept=kept,
        served=served,
        relay=relay,
        feed=feed,
        streams=streams,
        presence=Presence(database, streams, clock),
        courier=Courier(database, streams, Sender(settings.hook_networks), clock),
        patcher=patcher,
        postman=Postman(database, None if settings.smtp is None else SmtpMailer(settings.smtp), clock),
        timekeeper=Timekeeper(database, feed, clock),
        scanner=Scanner(database, feed, clock, keyset_version, patcher),
        collector=Collector(database, feed, clock),
        forgetter=Forgetter(database, settings.keep_telemetry_days, clock),
        evictor=Evictor(database, served, settings.patch_budget),
    )
    for worker in jobs.workers:
        worker.join(relay)
    return jobs
