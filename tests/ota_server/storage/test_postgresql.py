# SPDX-License-Identifier: Apache-2.0
"""What only PostgreSQL has: several writing processes, a server that goes away, an address with a password."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from muster.errors import EnvironmentFault, ValueOutOfRange
from ota_server.cli import serve
from ota_server.dashboard.security import COOKIE
from ota_server.errors import Unavailable
from ota_server.storage.database import Database
from ota_server.storage.engine import parse_url
from ota_server.storage.migrate import migrate
from ota_server.storage.sql import array_text
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, HandClock, make_settings, run_server
from tests.ota_server.postgresql import PostgreSql

CELLS = (
    (st.none() | st.integers(-(2**63), 2**63 - 1), "bigint"),
    (st.none() | st.binary(max_size=20), "bytea"),
    (st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), "text"),
)
SECRET = "wren-under-the-eaves"


@pytest.fixture
def url(postgresql: PostgreSql) -> Iterator[URL]:
    with postgresql.database() as url:
        yield url


@pytest.fixture
def two(url: URL) -> Iterator[tuple[Database, Database]]:
    """Two processes' databases, with a counter."""
    with closing(Database(url)) as one, closing(Database(url)) as other:
        one.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER UNIQUE)"))
        one.write(lambda connection: connection.exec_driver_sql("INSERT INTO t VALUES (0)"))
        yield one, other


def count_up(connection: Connection) -> int:
    """Reads, then writes what follows from it."""
    before = int(connection.exec_driver_sql("SELECT n FROM t").scalar_one())
    connection.execute(text("UPDATE t SET n = :after"), {"after": before + 1})
    return before + 1


@pytest.mark.parametrize(("cells", "kind"), CELLS)
def test_array_holds_what_was_put_into_it(postgresql: PostgreSql, cells: st.SearchStrategy[object], kind: str) -> None:
    with psycopg.connect(host=str(postgresql.folder), user="muster", dbname="postgres") as connection:

        @given(st.lists(cells, max_size=8))
        def check(values: list[object]) -> None:
            [found] = connection.execute(f"SELECT %s::{kind}[]", (array_text(values),)).fetchone() or ()
            assert found == values

        check()


def test_writers_of_two_processes_lose_nothing(two: tuple[Database, Database]) -> None:
    futures = [database.submit(count_up) for _ in range(200) for database in two]
    assert sorted(future.result(60) for future in futures) == list(range(1, 401))


def test_what_met_with_another_process_is_done_again_with_what_that_one_wrote(two: tuple[Database, Database]) -> None:
    one, other = two
    has_read, may_write = threading.Event(), threading.Event()
    runs = []

    def slow(connection: Connection) -> int:
        runs.append(int(connection.exec_driver_sql("SELECT n FROM t").scalar_one()))
        has_read.set()
        assert may_write.wait(60)
        return count_up(connection)

    future = one.submit(slow)
    assert has_read.wait(60)
    assert other.write(count_up) == 1
    may_write.set()
    assert future.result(60) == 2
    assert runs == [0, 1]


def test_rule_that_no_row_alone_can_hold_holds_between_processes(two: tuple[Database, Database]) -> None:
    """At most one row beside the first: each process looks for the other's and finds none (write skew)."""
    both_have_looked = threading.Barrier(2)

    def add_unless_there(database: Database, number: int) -> Future[bool]:
        waits = [both_have_looked.wait]

        def work(connection: Connection) -> bool:
            is_there = connection.exec_driver_sql("SELECT n FROM t WHERE n > 0").first() is not None
            if waits:
                waits.pop()(60)
            if not is_there:
                connection.execute(text("INSERT INTO t VALUES (:number)"), {"number": number})
            return not is_there

        return database.submit(work)

    futures = [add_unless_there(database, number) for number, database in enumerate(two, 1)]
    assert sorted(future.result(60) for future in futures) == [False, True]


@contextmanager
def away(postgresql: PostgreSql) -> Iterator[None]:
    postgresql.stop()
    try:
        yield
    finally:
        postgresql.start()


def test_database_that_was_away_is_used_again(postgresql: PostgreSql, two: tuple[Database, Database]) -> None:
    database, _ = two
    assert database.write(count_up) == 1
    with away(postgresql):
        with pytest.raises(Unavailable):
            database.write(count_up)
        with pytest.raises(Unavailable), database.read():
            pass
    assert database.write(count_up) == 2, "what was told is kept, and what was not told is not"
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT n FROM t").scalar() == 2


def test_connection_that_is_lost_in_the_middle_fails_its_batch_and_no_other(
    postgresql: PostgreSql, two: tuple[Database, Database]
) -> None:
    database, _ = two

    def lose(connection: Connection) -> int:
        count_up(connection)
        postgresql.do(f"SELECT pg_terminate_backend({connection.exec_driver_sql('SELECT pg_backend_pid()').scalar()})")
        return count_up(connection)

    with pytest.raises(Unavailable):
        database.write(lose)
    assert database.write(count_up) == 1


def test_server_says_503_while_its_database_is_away(
    postgresql: PostgreSql, url: URL, tmp_path: Path, clock: HandClock
) -> None:
    for server in run_server(make_settings(tmp_path / "server", database=url), clock):
        server.product()
        server.publish(keys.image(1))
        device = server.device()
        device.check_in()
        with away(postgresql):
            message = device.session.seal(device.state)
            response = server.client.post("/device/v1/check-in", content=message, headers=CBOR)
            assert (response.status_code, response.content) == (503, b"\x05"), "and for how many seconds, in CBOR"
            assert response.headers["retry-after"]
            refusal = server.api("GET", "/products", 503)
            assert refusal["code"] == "unavailable"
            assert server.client.get("/", headers={"cookie": f"{COOKIE}=x"}).status_code == 503
        device.check_in()
        server.api("GET", "/products")


def test_text_that_postgresql_cannot_hold_is_kept_without_it(url: URL, tmp_path: Path, clock: HandClock) -> None:
    for server in run_server(make_settings(tmp_path / "server", database=url), clock):
        server.product(description="a\0b")
        assert server.api("GET", f"/products/{keys.PRODUCT}")["product"]["description"] == "a\ufffdb"
        assert server.api("GET", f"/products/{keys.PRODUCT}/devices?deviceName=%00")["devices"] == []


def test_command_serves_from_the_address_in_the_environment(url: URL, tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    command = ["serve", "--data", str(settings.data_dir), "--online-key", str(settings.online_key)]
    command += ["--keyset", str(settings.keysets[0]), "--init", "--email", "ana@example.com", "--password-stdin"]
    environment = {**os.environ, "MUSTER_DATABASE": url.render_as_string().replace("+psycopg", "")}
    done = subprocess.run(
        [sys.executable, "-c", "from muster.cli.main import main; main()", *command, "--json"],
        input="correct horse\n",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    token = json.loads(done.stdout)["token"]
    assert not settings.database_path.exists()
    with closing(Database(url)) as database, database.read() as connection:
        assert connection.exec_driver_sql("SELECT email FROM accounts").scalar() == "ana@example.com"
        assert token not in str(connection.exec_driver_sql("SELECT * FROM tokens").all())


def test_password_is_no_argument_and_is_not_repeated(tmp_path: Path) -> None:
    address = f"postgresql://muster:{SECRET}@localhost/muster"
    done = CliRunner().invoke(serve, ["--data", str(tmp_path), "--database", address])
    assert done.exit_code == 2
    assert "MUSTER_DATABASE" in done.output
    assert SECRET not in done.output
    assert SECRET not in repr(make_settings(tmp_path, database=parse_url(address)))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "muster",
        f"mysql://u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h",
        f"postgresql://u:{SECRET}@h:port/d",
        f"postgresql://u@h/d?password={SECRET}",
    ],
)
def test_address_of_another_kind_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValueOutOfRange, match="postgresql://user@host/name") as caught:
        parse_url(address)
    assert SECRET not in str(caught.value)


def test_start_without_a_database_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot use the database") as caught:
        migrate(parse_url(f"postgresql://u:{SECRET}@/none?host={tmp_path}"))
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_database_that_would_garble_text_or_forget_is_refused(postgresql: PostgreSql) -> None:
    postgresql.do("CREATE DATABASE narrow TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        with pytest.raises(EnvironmentFault, match="encoding is SQL_ASCII"):
            migrate(postgresql.url("narrow"))
    finally:
        postgresql.do("DROP DATABASE narrow WITH (FORCE)")
