# SPDX-License-Identifier: Apache-2.0
"""The parts of one running server, put together."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.protocol import SealedMessage
from muster.signing.signer import KeySigner, Signer
from ota_server.accounts.by_mail import ByMail
from ota_server.accounts.letters import Letters
from ota_server.accounts.service import Passwords
from ota_server.accounts.sign_in import SignIns
from ota_server.calls import store as calls_store
from ota_server.calls.service import Calls
from ota_server.clock import Clock, SystemClock
from ota_server.customers.by_mail import CustomersByMail
from ota_server.devices import sessions
from ota_server.devices import store as devices
from ota_server.devices.check_in import CheckedIn, CheckIns
from ota_server.devices.sessions import KeySetChain, NewDeviceLimit
from ota_server.errors import Unavailable
from ota_server.mail import outbox
from ota_server.mail.limits import MailLimits
from ota_server.mail.postman import Postman
from ota_server.mail.smtp import SmtpMailer
from ota_server.observe.measures import DeviceMeasures
from ota_server.organizations import store as organizations
from ota_server.rates import Rate
from ota_server.releases.encoder import Encoder, ProcessEncoder
from ota_server.releases.patcher import Patcher
from ota_server.rollouts.scanner import Scanner
from ota_server.rollouts.timekeeper import Timekeeper
from ota_server.settings import Settings, prepare
from ota_server.storage import restore
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.storage.migrate import migrate
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.feed import Feed
from ota_server.telemetry.presence import Presence
from ota_server.telemetry.streams import Streams
from ota_server.usage import store as usage_store
from ota_server.usage.meter import Meter
from ota_server.usage.service import DAY_MS, note_amounts
from ota_server.webhooks.courier import Courier
from ota_server.webhooks.network import Sender
from ota_server.worker import Worker

ATTEMPTS_SKIPPED = 1024
"""Attempt numbers that are skipped when a database may be older than what devices have seen."""
PUBLISHED_MAX = 600
"""Events that an account publishes in a minute."""

SIGN_UPS_MAX = 100
"""Customers that apps make from one address in an hour."""

_logger = logging.getLogger("ota_server")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes need. Made by `open_services`; `start` and `stop` frame its life."""

    settings: Settings
    clock: Clock
    database: Database
    kept: BlobStore
    served: BlobStore
    feed: Feed
    streams: Streams
    presence: Presence
    courier: Courier
    patcher: Patcher
    scanner: Scanner
    postman: Postman
    timekeeper: Timekeeper
    chain: KeySetChain
    signer: Signer
    passwords: Passwords
    sign_ins: SignIns
    sign_ups: Rate
    by_mail: ByMail
    customers_by_mail: CustomersByMail
    check_ins: CheckIns
    calls: Calls
    publish_rate: Rate
    limit: NewDeviceLimit
    meter: Meter
    device_measures: DeviceMeasures

    @property
    def workers(self) -> tuple[Worker, ...]:
        return self.patcher, self.postman, self.presence, self.courier, self.timekeeper, self.scanner

    def start(self) -> None:
        """Drops the sessions unless this very database was stopped cleanly, and starts the threads."""
        folder = self.settings.data_dir
        if not self.database.write(lambda connection: restore.take_stop_token(connection, folder)):
            _logger.info("the last stop was not clean or the database was restored: devices open new sessions")
            self.database.write(lambda connection: devices.drop_sessions(connection, ATTEMPTS_SKIPPED))
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Ends held requests, the patch and the mail under way and the writer, and marks the stop as clean."""
        self.feed.close()
        for worker in self.workers:
            worker.stop()
        try:
            self.write_usage().result()
            token = self.database.write(restore.write_stop_token)
        except Unavailable:
            # The next start drops the sessions, which is always safe.
            token = None
        self.database.close()
        if token is not None:
            restore.publish_stop_token(token, self.settings.data_dir)

    def open_session(self, opening: sessions.Opening) -> Future[tuple[bytes, int]]:
        """Lets a device in; see `sessions.open_session`."""
        now_ms = self.clock.now_ms()
        return self.database.submit(lambda connection: sessions.open_session(connection, opening, self.limit, now_ms))

    def check_in(self, message: SealedMessage) -> Future[CheckedIn]:
        """Counts a message; see `CheckIns.take`."""
        now_ms = self.clock.now_ms()
        return self.database.submit(lambda connection: self.check_ins.take(connection, message, now_ms))

    def look_again(self, held: CheckedIn) -> Future[CheckedIn]:
        """Decides anew for an answer that is held; see `CheckIns.look_again`."""
        now_ms = self.clock.now_ms()
        return self.database.submit(lambda connection: self.check_ins.look_again(connection, held, now_ms))

    def after(self, checked_in: CheckedIn) -> None:
        """Tells whoever must know of a committed check-in."""
        if checked_in.wants_patch:
            self.patcher.wake()
        if checked_in.is_news:
            self.feed.publish(checked_in.product_id)
            self.streams.wake()
            self.courier.wake()

    def write_usage(self) -> Future[None]:
        """Writes down what the meter has counted."""
        counts, day = self.meter.take(), self.clock.now_ms() // DAY_MS

        def done(future: Future[None]) -> None:
            if future.cancelled() or future.exception() is not None:
                self.meter.give_back(counts)

        try:
            future = self.database.submit(lambda connection: usage_store.add_counts(connection, counts, day))
        except Unavailable:
            self.meter.give_back(counts)
            raise
        future.add_done_callback(done)
        return future

    def forget_old(self) -> Future[int]:
        """Writes down what organizations have, and removes what is kept long enough.

        That are logs and events, mails that failed, calls that nobody waits for.
        """
        now_ms = self.clock.now_ms()
        before_ms = now_ms - self.settings.keep_telemetry_days * 24 * 3600 * 1000

        def write(connection: Connection) -> int:
            outbox.forget_before(connection, before_ms)
            calls_store.forget_before(connection, now_ms)
            note_amounts(connection, self.kept.size_of, now_ms)
            return telemetry.forget_old(connection, now_ms, self.settings.keep_telemetry_days)

        return self.database.submit(write)


def open_services(settings: Settings, clock: Clock | None = None, encoder: Encoder | None = None) -> Services:
    """Opens the data folder, reads the keys and brings the database up to date.

    Raises:
        FileFault, KeyFormatError, KeySetFormatError: keys or key sets cannot be read.
        ValueOutOfRange: the key sets' versions do not rise.
        KeySetRefused: the newest key set does not name the online key.
    """
    clock = clock or SystemClock()
    prepare(settings)
    served = BlobStore(settings.served_dir)
    chain = KeySetChain(settings.read_keysets(), served)
    signer = KeySigner(settings.read_online_key())
    chain.check_online_key(signer)
    migrate(settings.database)
    database = Database(settings.database)
    kept = BlobStore(settings.kept_dir)
    feed = Feed()
    streams = Streams(database, feed)
    passwords = Passwords()
    letters = None if settings.smtp is None else Letters(settings.public_url)
    limits = MailLimits()
    return Services(
        settings=settings,
        clock=clock,
        database=database,
        kept=kept,
        served=served,
        feed=feed,
        streams=streams,
        presence=Presence(database, streams, clock),
        courier=Courier(database, streams, Sender(settings.hook_networks), clock),
        patcher=Patcher(database, kept, served, encoder or ProcessEncoder(), feed, clock),
        postman=Postman(database, None if settings.smtp is None else SmtpMailer(settings.smtp), clock),
        timekeeper=Timekeeper(database, feed, clock),
        scanner=Scanner(database, feed, clock, chain.version),
        chain=chain,
        signer=signer,
        passwords=passwords,
        sign_ins=SignIns(database, passwords),
        sign_ups=Rate(SIGN_UPS_MAX, 3600, "too many customers were made from here: wait an hour"),
        by_mail=ByMail(database, passwords, letters, settings.sign_up, limits, organizations.is_invited),
        customers_by_mail=CustomersByMail(
            database, passwords, None if settings.smtp is None else settings.public_url, limits
        ),
        check_ins=CheckIns(chain),
        calls=Calls(database, feed, clock, settings.call_timeout_s),
        publish_rate=Rate(PUBLISHED_MAX, 60, f"at most {PUBLISHED_MAX} events a minute are published by an account"),
        limit=NewDeviceLimit(),
        meter=Meter(),
        device_measures=DeviceMeasures(),
    )
