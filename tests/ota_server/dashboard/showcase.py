# SPDX-License-Identifier: Apache-2.0
"""A server on which everything has happened that pages show: for whoever looks at all of them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import Connection

from muster.protocol import LogLevel, LogLine, LogReport, OutcomeType
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.organizations.service import add_administrator
from ota_server.telemetry import events
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, HandClock, Server, listen_app
from tests.ota_server.customers.conftest import App, make_client
from tests.ota_server.dashboard.conftest import ListeningServer
from tests.ota_server.mail.mail_server import mailing_settings, run_mail_server
from tests.ota_server.organizations.route_table import PAGES, PUBLIC_PAGES, filled
from tests.ota_server.organizations.test_api_users import holding

PRODUCT = f"/products/{keys.PRODUCT}"
ROOMS = ("Kitchen", "Living room", "Bedroom", "Hall", "Office", "Cellar", "Attic", "Nursery", "Workshop", "Garage")
QUERIES = {
    "GET /organizations/{organization}/team/remove": "who=ben@example.com",
    "GET /products/{product}/devices/change": "of=found&state=online&verb=lock&to_version=2",
}
"""What pages are asked for that show nothing else."""
OTHERS = {"ben": Role.DEVELOPER, "dora": Role.SUPPORT, "ida": Role.ADMINISTRATOR, "vera": Role.VIEW_ONLY}
"""Who else is in the team."""
FLATS = ("Lindenweg 3", "Hafenstrasse 12", "Am Markt 7")
FIVE = {"gate": {"min_confirmed": 5, "max_failures": 1}}


@dataclass(frozen=True)
class Showcase:
    """The server, and where its pages are.

    Attributes:
        url: of the server, without a slash at its end.
        pages: paths of all pages with a GET, by their routes; such as tell much are there with a query, too.
    """

    server: ListeningServer
    url: str
    pages: dict[str, str]


@contextlib.contextmanager
def showcase(folder: Path, mark: str = "") -> Iterator[Showcase]:
    """A server that listens. `mark` is put behind each text that people, customers and devices choose freely."""
    clock = HandClock()
    with (
        run_mail_server() as mail_server,
        listen_app(settings := mailing_settings(folder / "server", mail_server), clock) as (services, url),
        httpx.Client(base_url=url) as client,
    ):
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, clock.now_ms()))
        server = ListeningServer(settings.data_dir, clock, client, token)  # type: ignore[arg-type]
        server.parts = services
        yield Showcase(server, url, _pages(_Filling(server, mark).fill()))


def _pages(values: dict[str, str]) -> dict[str, str]:
    at = f"/products/{values['product']}"
    found = {
        name: filled(name.removeprefix("GET "), **values)
        for name in sorted({*PAGES, *PUBLIC_PAGES})
        if name.startswith("GET ") and not re.search(r"/live/|/set-up$|\.(csv|css|png|bin|patch)$", name)
    }
    for name, query in QUERIES.items():
        found[name] += f"?{query}"
    for name, path in found.items():
        if path.startswith("/account/"):
            found[name] = path.replace(values["client"], values["own_client"])
        if path.startswith(("/oauth", "/customers/")):
            client = values["app" if path.startswith("/oauth") else "shop"]
            asked = {"response_type": "code", "client_id": client, "redirect_uri": values["back"], "state": "s"}
            found[name] = f"{path}?{urlencode(asked)}"
    return found | {
        "nobody found": f"{at}/devices?text=zzz",
        "some found": f"{at}/devices?state=online&group=beta&column=groups&column=customer&column=serial",
        "search": f"/search?q=k&product={values['product']}",
        "log of errors": f"{at}/log?level=error",
        "empty product": "/products/lamp",
        "not found": "/products/none",
    }


class _Filling:
    """Makes what there is to see, by the ways in which it comes about."""

    def __init__(self, server: Server, mark: str) -> None:
        self._server = server
        self._mark = mark

    def fill(self) -> dict[str, str]:
        """Returns what stands in paths of pages."""
        server = self._server
        server.product(claiming="id", description=f"Keeps rooms warm.{self._mark}")
        self._ask("POST", "/products", {"product": {"id": 7, "name": f"Lamp{self._mark}", "slug": "lamp"}})
        for version, title in ((1, "First of all"), (2, "Quieter fan"), (3, "Frost protection")):
            for platform in (keys.PHOTON, keys.P1, keys.ELECTRON):
                text = f"What is new in {title.lower()}.{self._mark}"
                server.publish(keys.image(version, platform), title=f"{title}{self._mark}", description=text)
        server.services.jobs.patcher.work_off()
        self._figures()
        self._fleet()
        self._labels()
        self._rollouts()
        app, shop = self._customers()
        self._people()
        return {
            "product": "thermostat",
            "organization": "warm-rooms",
            "device": server.devices[0].device_id.hex(),
            "rollout": "2",
            "cohort": "pilots",
            "version": "2",
            "webhook": "1",
            "customer": "cara@example.com",
            "app": app["id"],
            "shop": shop["id"],
            "client": app["id"],
            **self._own(),
            "back": app["redirect_uri"],
        }

    def _ask(self, method: str, path: str, body: object) -> Any:
        headers = {"authorization": f"Bearer {self._server.token}"}
        response = self._server.client.request(method, f"/v1{path}", headers=headers, json=body)
        assert response.is_success, response.text
        return response.json() if response.content else None

    def _figures(self) -> None:
        """Eight days, hour by hour, before now."""
        now = self._server.clock.now_ms() // HOUR_MS

        def write(connection: Connection) -> None:
            for ago in range(8 * 24, 0, -1):
                day = abs(12 - (now - ago) % 24)
                values = {"devices": 30, "online": 24 - day // 3, "customers": 9, "active_customers": 5}
                newest = {"1": 6 + ago // 12, "2": 24 - ago // 12}
                figures.keep(connection, keys.PRODUCT, now - ago, {**values, "versions": json.dumps(newest)})
                counts = {"events": 3 * (12 - day), "errors": int(day == 5), "confirmed": day % 2, "failures": 0}
                figures.add(connection, keys.PRODUCT, now - ago, counts)

        self._server.services.database.write(write)

    def _fleet(self) -> None:
        server = self._server
        platforms = (keys.PHOTON, keys.P1, keys.ELECTRON)
        for number in range(30):
            platform = platforms[number % 3]
            device = server.device(number, running=keys.image(1, platform), platform_id=platform)
            device.functions["warm"], device.functions["reset"] = _warm, _warm
            device.check_in()
        for device in server.devices[24:]:
            self._ask("PUT", f"{PRODUCT}/devices/{device.device_id.hex()}", {"name": "Spare part"})
        server.clock.advance_s(3600)
        for device in server.devices[:24]:
            device.check_in()
        self._ask("PUT", PRODUCT, {"product": {"auto_approve": False}})
        for number in (90, 91):
            server.device(number).check_in()
        self._ask("POST", f"{PRODUCT}/devices", {"ids": ["0123456789abcdef01234567"]})
        hexes = [device.device_id.hex() for device in server.devices]
        self._ask("DELETE", f"{PRODUCT}/devices/{hexes[29]}", {"deny": True})

    def _labels(self) -> None:
        server = self._server
        self._ask("POST", f"{PRODUCT}/groups", {"name": "beta", "description": f"Who likes it new{self._mark}"})
        for number, device in enumerate(server.devices[:24]):
            name = f"{ROOMS[number % 10]}, {FLATS[number % 3]}"
            if number == 1:
                name = f"{100 * 'W'}"
            # The name of a device has 100 characters at most.
            changes = {
                "name": f"{name[: 100 - len(self._mark)]}{self._mark}",
                "notes": f"Beside the window.{self._mark}",
            }
            more = {"tags": ["pilot"], "country": "DE", "serial_number": f"SN-{number:05}"} if number < 6 else {}
            self._ask("PUT", f"{PRODUCT}/devices/{device.device_id.hex()}", {**changes, **more})
        ids = [device.device_id.hex() for device in server.devices[:6]]
        body = {"action": "groups", "devices": ids, "metadata": {"add": ["beta"]}}
        self._ask("PUT", f"{PRODUCT}/devices", body)
        pilots = {"name": "pilots", "cohort": {"group": "beta"}, "description": f"They call us.{self._mark}"}
        self._ask("POST", f"{PRODUCT}/cohorts", pilots)
        locked = {"desired_firmware_version": 1}
        self._ask("PUT", f"{PRODUCT}/devices/{ids[5]}", locked)

    def _rollouts(self) -> None:
        """One that is paused by its gate, one that runs, one that waits to be started."""
        server = self._server
        first, second = server.devices[:12], server.devices[12:18]
        number = self._begin(2, "Quieter fan for the pilots", {"cohort": {"cohort": "pilots"}, **FIVE})
        for device in first[:3]:
            device.update()
        self._talk()
        for device in first[3:5]:
            device.check_in()
            device.fetch()
            device.boot_staged()
            device.revert(5, OutcomeType.REJECTED)
            device.check_in()
        assert server.show(number)["rollout"]["status"] == "paused"
        gate = {"min_confirmed": 20, "max_failures": 4}
        number = self._begin(
            3, "Frost protection for all", {"percent": 99, "gate": gate}, {"percent": 100, "gate": gate}
        )
        for device in second[:4]:
            device.update()
        second[4].check_in()
        second[5].check_in()
        if second[5].offer is not None:
            second[5].fetch(100)
            second[5].check_in()
        self._make(3, "Later, at night", {"percent": 100, "gate": gate})

    def _begin(self, version: int, name: str, *stages: object) -> int:
        number = self._make(version, name, *stages)
        self._ask("POST", f"{PRODUCT}/rollouts/{number}/start", {})
        self._server.services.jobs.scanner.work_off()
        self._server.services.jobs.patcher.work_off()
        return number

    def _make(self, version: int, name: str, *stages: object) -> int:
        body = {"version": version, "name": f"{name}{self._mark}", "stages": stages}
        return int(self._ask("POST", f"{PRODUCT}/rollouts", body)["rollout"]["id"])

    def _talk(self) -> None:
        """Log lines, events and a crash."""
        for number, device in enumerate(self._server.devices[:6]):
            for level, text in (
                (LogLevel.INFO, "the fan turns at 1,200 rpm"),
                (LogLevel.WARNING, "the valve answers slowly"),
                (LogLevel.ERROR, f"sensor {number} does not answer"),
            ):
                device.unsent_logs.append(LogReport(device.next_report, (LogLine(level, 0, f"{text}{self._mark}"),)))
                device.next_report += 1
            name = f"{'room/temperature'[: events.NAME_MAX - len(self._mark)]}{self._mark}"
            device.publish(name, f"{20 + number}.5{self._mark}")
            for _ in range(4):
                device.check_in()
        self._server.devices[6].crash()
        self._server.devices[6].check_in()

    def _customers(self) -> tuple[dict[str, Any], dict[str, Any]]:
        server = self._server
        backend = App(server, make_client(server))
        for number, name in enumerate(("cara", "dan", "emil", "finn", "gul", f"{'long' * 12}")):
            token = backend.sign_up(email=f"{name}@example.com", no_password="true")["access_token"]
            with holding(server, token):
                for device in server.devices[3 * number : 3 * number + 3] if number < 4 else ():
                    self._ask("POST", "/devices", {"id": device.device_id.hex()})
        back = "https://app.example.com/done"
        web = {"name": f"App{self._mark}", "type": "web", "redirect_uri": back}
        return make_client(server, **web), make_client(server, **web, scope="create_customer")

    def _own(self) -> dict[str, str]:
        """What the account has that looks at the pages."""
        self._ask("PUT", "/user", {"account_info": {"first_name": f"Ana{self._mark}", "last_name": "Lind"}})
        for label, scopes in ((f"Build server{self._mark}", ["firmware:list", "firmware:update"]), (100 * "W", None)):
            self._ask("POST", "/access_tokens", {"label": label, "expires_in": 90 * 24 * 3600, "scopes": scopes})
        own = {"name": f"Own app{self._mark}", "type": "installed", "redirect_uri": "com.example.app:/done"}
        client = self._ask("POST", "/clients", own)["client"]

        def sign_in(connection: Connection) -> None:
            account = accounts_store.by_email(connection, EMAIL)
            assert account is not None
            for agent in (f"Firefox/1 (Android){self._mark}", "curl/8", 200 * "W"):
                accounts.sign_in(connection, account, self._server.clock.now_ms(), "2001:db8::1", agent)

        self._server.services.database.write(sign_in)
        [first] = [one for one in self._ask("GET", "/access_tokens", None) if one["label"].startswith("Build")]
        return {"token": str(first["id"]), "own_client": client["id"]}

    def _people(self) -> None:
        server = self._server
        now_ms = server.clock.now_ms()

        def add(connection: Connection) -> None:
            for name, role in OTHERS.items():
                account, _ = accounts.create_account(connection, f"{name}@example.com", "-", now_ms)
                organizations.add_member(connection, 1, account, role, now_ms)

        server.services.database.write(add)
        team = "/orgs/warm-rooms/team"
        self._ask("POST", team, {"username": "eve&co@example.com", "role": "Support"})
        self._ask("POST", team, {"friendly_name": f"CI robot{self._mark}", "scopes": ["devices:list"]})
        brand = {"name": f"Cosy Rooms{self._mark}", "color": "#8a1c5b", "support_email": "help@example.com"}
        self._ask("PUT", "/orgs/warm-rooms/branding", brand)
        hook = {"event": f"n{self._mark}", "url": "https://hooks.example.com/muster?a=<script>"}
        self._ask("POST", f"{PRODUCT}/webhooks", hook)
        self._ask("PUT", PRODUCT, {"product": {"name": f"Thermostat{self._mark}"}})
        self._ask("PUT", "/orgs/warm-rooms", {"name": f"Warm Rooms{self._mark}"})


def _warm(_argument: str) -> int:
    return 1
