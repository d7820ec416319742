# SPDX-License-Identifier: Apache-2.0
"""The parts of one running server, put together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.errors import EnvironmentFault, MusterError
from muster.protocol import SealedMessage
from muster.signing.signer import KeySigner, Signer
from ota_server.accounts.by_mail import ByMail
from ota_server.accounts.first_run import FirstRun
from ota_server.accounts.letters import Letters
from ota_server.accounts.service import Passwords
from ota_server.accounts.sign_in import SignIns
from ota_server.calls.service import Calls
from ota_server.clock import Clock
from ota_server.customers.by_mail import CustomersByMail
from ota_server.devices import sessions
from ota_server.devices import store as devices
from ota_server.devices.admission import Admission
from ota_server.devices.calendar import Calendar
from ota_server.devices.check_in import CheckedIn, CheckIns
from ota_server.devices.sessions import KeySetChain, NewDeviceLimit
from ota_server.errors import Unavailable
from ota_server.jobs import Jobs, open_jobs
from ota_server.mail.limits import MailLimits
from ota_server.observe.measures import ConnectionMeasures, DeviceMeasures
from ota_server.organizations import store as organizations
from ota_server.rates import Rate
from ota_server.releases.encoder import Encoder
from ota_server.rollouts import baseline
from ota_server.rollouts.forecast import Simulations
from ota_server.settings import Settings, prepare
from ota_server.storage import restore
from ota_server.storage.database import Database
from ota_server.telemetry.feed import Feed
from ota_server.usage import store as usage_store
from ota_server.usage.meter import Meter
from ota_server.usage.service import DAY_MS
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

    jobs: Jobs
    settings: Settings
    clock: Clock
    database: Database
    feed: Feed
    simulations: Simulations
    chain: KeySetChain
    signer: Signer
    passwords: Passwords
    sign_ins: SignIns
    first_run: FirstRun
    sign_ups: Rate
    by_mail: ByMail
    customers_by_mail: CustomersByMail
    calendar: Calendar
    admission: Admission
    check_ins: CheckIns
    calls: Calls
    publish_rate: Rate
    limit: NewDeviceLimit
    meter: Meter
    device_measures: DeviceMeasures
    connection_measures: ConnectionMeasures

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Those of this process."""
        return self.jobs.workers if self.settings.is_working else ()

    def start(self) -> None:
        """Begins to serve and to work, with new sessions unless this very database was stopped cleanly, or is used."""
        place = self.settings.token_place
        with restore.changing(self.settings.database) as is_unserved:
            if is_unserved():
                outside = place.take_token()
                if not self.database.write(lambda connection: restore.take_stop_token(connection, outside)):
                    _logger.info("the last stop was not clean or the database was restored: devices open new sessions")
                    self.database.write(lambda connection: devices.drop_sessions(connection, ATTEMPTS_SKIPPED))
            self.jobs.relay.start(restore.SERVING)
        if self.settings.is_working:
            self.jobs.start()

    def stop(self) -> None:
        """Ends held requests, the jobs under way and the writer, and marks the stop as clean if it was the last one."""
        self.feed.close()
        self.jobs.stop()
        try:
            self.write_usage().result()
            with restore.changing(self.settings.database) as is_unserved:
                self.jobs.relay.stop()
                token = self.database.write(restore.write_stop_token) if is_unserved() else None
                self.database.close()
                if token is not None:
                    self.settings.token_place.keep_token(token)
        except (Unavailable, EnvironmentFault) as error:
            # The next start drops the sessions, which is always safe.
            _logger.warning("the stop is not clean: %s", error)
            self.jobs.relay.stop()
            self.database.close()

    def open_session(self, opening: sessions.Opening) -> Future[tuple[bytes, int]]:
        """Lets a device in; see `sessions.open_session`. Raises TooMany, Unavailable."""
        self.admission.check()
        now_ms = self.clock.now_ms()
        return self.database.submit(lambda connection: sessions.open_session(connection, opening, self.limit, now_ms))

    def check_in(self, message: SealedMessage) -> asyncio.Future[CheckedIn]:
        """Counts a message, together with others; see `CheckIns.take`. Raises TooMany, Unavailable."""
        self.admission.check()
        return self.database.submit_together(self.check_ins, (message, self.clock.now_ms()))

    def look_again(self, held: CheckedIn) -> Future[CheckedIn]:
        """Decides anew for an answer that is held; see `CheckIns.look_again`."""
        now_ms = self.clock.now_ms()
        return self.database.submit(lambda connection: self.check_ins.look_again(connection, held, now_ms))

    def after(self, checked_in: CheckedIn) -> None:
        """Tells whoever must know of a committed check-in."""
        if checked_in.wants_patch:
            self.jobs.patcher.wake()
        if checked_in.is_news:
            self.feed.publish(checked_in.product_id)
            self.jobs.streams.wake()
            self.jobs.courier.wake()

    def write_usage(self) -> Future[None]:
        """Writes down what the meter has counted."""
        counts, day = self.meter.take(), self.clock.now_ms() // DAY_MS

        def write(connection: Connection) -> None:
            usage_store.add_counts(connection, counts, day)
            baseline.add_heard(connection, counts.heard)

        def done(future: Future[None]) -> None:
            if future.cancelled() or future.exception() is not None:
                self.meter.give_back(counts)

        try:
            future = self.database.submit(write)
        except Unavailable:
            self.meter.give_back(counts)
            raise
        future.add_done_callback(done)
        return future


def open_services(settings: Settings, clock: Clock | None = None, encoder: Encoder | None = None) -> Services:
    """Opens the data folder, reads the keys and brings the database up to date.

    Raises:
        FileFault, KeyFormatError, KeySetFormatError: keys or key sets cannot be read.
        ValueOutOfRange: the key sets' versions do not rise.
        KeySetRefused: the newest key set does not name the online key.
    """
    prepare(settings)
    keysets = settings.read_keysets()
    jobs = open_jobs(settings, clock, encoder, keysets[-1].content.version)
    try:
        chain = KeySetChain(keysets, jobs.served)
        signer = KeySigner(settings.read_online_key())
        chain.check_online_key(signer)
    except MusterError:
        jobs.database.close()
        raise
    calendar = Calendar(settings.check_ins_per_s)
    passwords = Passwords()
    letters = None if settings.smtp is None else Letters(settings.public_url)
    limits = MailLimits()
    database, feed, clock = jobs.database, jobs.feed, jobs.clock
    return Services(
        jobs=jobs,
        settings=settings,
        clock=clock,
        database=database,
        feed=feed,
        simulations=Simulations(),
        chain=chain,
        signer=signer,
        passwords=passwords,
        sign_ins=SignIns(database, passwords),
        first_run=FirstRun(),
        sign_ups=Rate(SIGN_UPS_MAX, 3600, "too many customers were made from here: wait an hour"),
        by_mail=ByMail(database, passwords, letters, settings.sign_up, limits, organizations.is_invited),
        customers_by_mail=CustomersByMail(
            database, passwords, None if settings.smtp is None else settings.public_url, limits
        ),
        calendar=calendar,
        admission=Admission(database, calendar, clock),
        check_ins=CheckIns(chain, calendar),
        calls=Calls(database, feed, clock, settings.call_timeout_s),
        publish_rate=Rate(PUBLISHED_MAX, 60, f"at most {PUBLISHED_MAX} events a minute are published by an account"),
        limit=NewDeviceLimit(),
        meter=Meter(),
        device_measures=DeviceMeasures(),
        connection_measures=ConnectionMeasures(),
    )
