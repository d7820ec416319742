# SPDX-License-Identifier: Apache-2.0
"""How long the server takes for every page of a product with many devices and 100 releases, and how many bytes it is.

python tests/benchmarks/pages.py [DEVICES [SQLite|PostgreSQL]]
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, insert

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from muster.fleet.seeded import seeded  # noqa: E402
from ota_server.customers.models import customers  # noqa: E402
from tests.benchmarks.million_rollout import (  # noqa: E402
    ANSWER_MS,
    PATH,
    STAGES,
    Fleet,
    answer_ms,
    bring_to,
    stocked_server,
)
from tests.ota_server import keys  # noqa: E402
from tests.ota_server.organizations.route_table import PAGES, filled  # noqa: E402
from tests.ota_server.postgresql import SIZED, run_postgresql  # noqa: E402

RELEASES = 100
CUSTOMERS = 10_000
BYTES_MAX = 150_000
"""Of a page and all it loads, when nothing is kept by the browser yet."""
AT = "/products/lamp"
MORE = {
    "search for a name": "/search?q=kitchen&product=lamp",
    "search for an id": "/search?q=0a&product=lamp",
    "devices, online": f"{AT}/devices?state=online",
    "devices, by a text": f"{AT}/devices?text=0a1b",
    "devices, page 200": f"{AT}/devices?page=200",
    "devices, locked": f"{AT}/devices?state=locked",
    "devices, for development": f"{AT}/devices?state=development",
    "devices, offline": f"{AT}/devices?state=offline",
    "devices, by a tag": f"{AT}/devices?tag=rare",
    "devices, by a country": f"{AT}/devices?country=DE",
    "devices, by a name nobody has": f"{AT}/devices?text=nowhere",
    "log of errors": f"{AT}/log?level=error",
}
QUERIES = {
    "GET /products/{product}/devices/change": "of=found&text=0a1b2&verb=deny{until}",
    "GET /organizations/{organization}/team/remove": "who={member}",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What one page takes: milliseconds, `used_ms` of them on a processor, the client's part too; and bytes on the wire
    at the first load and at later ones."""

    name: str
    status: int
    median_ms: float
    late_ms: float
    used_ms: float
    first_bytes: int
    later_bytes: int

    @property
    def is_good(self) -> bool:
        return self.late_ms < ANSWER_MS and self.first_bytes < BYTES_MAX


def fill(fleet: Fleet) -> dict[str, str]:
    """What pages are about; a rollout has come to half of the devices. Returns what stands in paths."""

    def add_customers(connection: Connection) -> None:
        rows = [
            {"product_id": keys.PRODUCT, "email": f"c{number:06}@example.com", "created_ms": 1, "active_ms": number}
            for number in range(CUSTOMERS)
        ]
        connection.execute(insert(customers), rows)

    database, jobs = fleet.services.database, fleet.services.jobs
    database.write(add_customers)
    made = fleet.client.post(f"{PATH}/rollouts", json={"version": 2, "stages": STAGES}).json()["rollout"]
    fleet.client.post(f"{PATH}/rollouts/{made['id']}/start").raise_for_status()
    jobs.scanner.work_off()
    jobs.patcher.work_off()
    database.write(lambda connection: bring_to(connection, made["id"], 0, fleet.count // 2))

    def post(path: str, **body: object) -> Any:
        return fleet.client.post(path, json=body).raise_for_status().json()

    webhook = post(f"{PATH}/webhooks", event="never", url="https://hooks.example.com/")["id"]
    client = {"name": "App", "type": "installed"}
    program = post("/v1/orgs/bench/team", friendly_name="CI", scopes=["devices:list"])["created"]["username"]
    post("/v1/access_tokens", label="ci")
    token = re.search("/account/tokens/([^/]+)/revoke", fleet.client.get("/account/tokens").text)
    assert token is not None
    # A change is of the devices that the list has looked at.
    looked = re.search('name="until" value="([0-9]+)"', fleet.client.get(f"{AT}/devices?text=0a1b2").text)
    return {
        "product": "lamp",
        "organization": "bench",
        "device": seeded("million", 1).device_id.hex(),
        "rollout": str(made["id"]),
        "version": "2",
        "webhook": str(webhook),
        "token": token[1],
        "client": post(f"{PATH}/clients", **client)["client"]["id"],
        "own_client": post("/v1/clients", **client)["client"]["id"],
        "cohort": post(f"{PATH}/cohorts", name="old", cohort={"field": "version", "at_most": 1})["cohort"]["name"],
        "customer": "c000001@example.com",
        "member": program,
        "until": "" if looked is None else f"&after=0&until={looked[1]}",
    }


def measure(fleet: Fleet) -> Iterator[Row]:
    """Every page with a GET that the table of routes names; files to keep are no pages."""
    values = fill(fleet)
    paths = {
        name: filled(_template(name), **values) + (f"?{QUERIES[name].format(**values)}" if name in QUERIES else "")
        for name in PAGES
        if name.startswith("GET ") and not re.search(r"/live/|\.\w+$|/oauth/", name)
    }
    files: dict[str, int] = {}
    for name, path in {**paths, **MORE}.items():
        answer = fleet.client.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            size = len(answer.content)
            linked = re.findall(r'(?:src|href)="(/static/[^"]*)"', answer.text)
            files |= {one: _size(fleet.client, one) for one in linked if one not in files}
            took = answer_ms(fleet.client, path) if answer.status_code == 200 else (0.0, 0.0, 0.0)
            yield Row(name, answer.status_code, *took, size + sum(files[one] for one in set(linked)), size)


def _template(name: str) -> str:
    """The path of a route; an account's client is another one than a product's."""
    path = name.removeprefix("GET ")
    return path.replace("{client}", "{own_client}") if path.startswith("/account/") else path


def _size(client: httpx.Client, path: str) -> int:
    """Bytes of a file as they are sent."""
    with client.stream("GET", path) as answer:
        return sum(len(part) for part in answer.iter_raw())


def main(count: int, only: str = "") -> bool:
    """Prints a table, of one database or both; whether everything is fast and small enough."""
    is_good = True
    with tempfile.TemporaryDirectory() as folder, run_postgresql(SIZED) as postgresql, postgresql.database() as url:
        for database_name, database in (("SQLite", None), ("PostgreSQL", url)):
            if only and only != database_name:
                continue
            with stocked_server(Path(folder) / database_name, database, count, RELEASES) as fleet:
                print(f"{database_name}, {count:,} devices, {RELEASES} releases")
                print(
                    f"{'':58}{'median ms':>10}{'95 % ms':>10}{'CPU ms':>10}{'first load':>12}{'later':>10} bytes",
                    flush=True,
                )
                for row in measure(fleet):
                    says = f"{row.median_ms:10.1f}{row.late_ms:10.1f}{row.used_ms:10.1f}"
                    says += f"{row.first_bytes:12,}{row.later_bytes:10,}"
                    found = "" if row.status == 200 else f"  status {row.status}: not measured"
                    print(f"{row.name:58}{says}{found}{'' if row.is_good else '  NOT good enough'}", flush=True)
                    is_good = is_good and row.is_good
    return is_good


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, *sys.argv[2:3]))
