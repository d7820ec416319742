# SPDX-License-Identifier: Apache-2.0
"""Particle's own SDK signs people up, changes their accounts and deletes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ota_server.accounts.policy import SignUpPolicy
from ota_server.clock import SystemClock
from tests.foreign.packages import installed
from tests.foreign.sdk import CLIENT, SOURCES, ParticleSdk
from tests.ota_server.conftest import listen_app
from tests.ota_server.mail.mail_server import link_in, mailing_settings, run_mail_server

BEN, PASSWORD, OTHER = "ben@example.com", "bens password", "another password"


@dataclass(frozen=True)
class World:
    """The SDK, and the mails that the server has sent since they were looked at."""

    sdk: ParticleSdk
    mails: Callable[[], list[EmailMessage]]

    def token(self, recipient: str) -> str:
        """That of the link in the mail to an address."""
        [mail] = [mail for mail in self.mails() if mail["To"] == recipient]
        [token] = parse_qs(urlsplit(link_in(mail)).query)["token"]
        return token


def login(email: str, password: str) -> tuple[str, dict[str, str]]:
    return ("login", {"username": email, "password": password})


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    cache = request.config.cache
    assert cache is not None
    folder = installed(SOURCES, cache.mkdir("node"), tmp_path_factory.mktemp("particle_users"))
    with run_mail_server() as mail_server:
        changes = {"sign_up": SignUpPolicy(is_open=True), "password_clients": (CLIENT,)}
        settings = mailing_settings(tmp_path / "server", mail_server, **changes)
        with listen_app(settings, SystemClock()) as (services, url):

            def mails() -> list[EmailMessage]:
                services.jobs.postman.work_off()
                found = list(mail_server.received)
                mail_server.received.clear()
                return found

            yield World(ParticleSdk(folder, url), mails)


def test_person_signs_up_changes_everything_and_goes(world: World) -> None:
    info = {"first_name": "Ben", "last_name": "Lind", "company_name": "Warm Rooms", "business_account": True}
    made = world.sdk.run(("createUser", {"username": BEN, "password": PASSWORD, "accountInfo": info}))
    assert [(one["status"], one["body"]["ok"]) for one in made] == [(200, True)]
    assert world.sdk.run(login(BEN, PASSWORD))[0]["status"] == 400
    verify = {"token": world.token(BEN), "password": PASSWORD}
    assert httpx.post(f"{world.sdk.url}/v1/user/verify", json=verify).status_code == 200

    _, named, user, wrong, changed, moved = world.sdk.run(
        login(BEN, PASSWORD),
        ("setUserInfo", {"accountInfo": info}),
        ("getUserInfo", {}),
        ("changeUserPassword", {"currentPassword": "guessed", "password": OTHER}),
        ("changeUserPassword", {"currentPassword": PASSWORD, "password": OTHER}),
        ("changeUsername", {"currentPassword": OTHER, "username": "ben@example.org"}),
    )
    assert [one["status"] for one in (named, user, wrong, changed, moved)] == [200, 200, 400, 200, 200]
    assert user["body"]["account_info"] == info
    verify = {"token": world.token("ben@example.org"), "password": OTHER}
    assert httpx.post(f"{world.sdk.url}/v1/user/verify", json=verify).status_code == 200

    assert world.sdk.run(("resetPassword", {"username": "ben@example.org"}))[0]["status"] == 200
    reset = {"token": world.token("ben@example.org"), "password": PASSWORD}
    assert httpx.put(f"{world.sdk.url}/v1/user/password-reset", json=reset).status_code == 200
    _, kept, deleted, after = world.sdk.run(
        login("ben@example.org", PASSWORD),
        ("deleteUser", {"password": "guessed"}),
        ("deleteUser", {"password": PASSWORD}),
        ("getUserInfo", {}),
    )
    assert [one["status"] for one in (kept, deleted, after)] == [400, 200, 401]
