# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told: exactly what the page about it says, and nothing that a client chose."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.testclient import TestClient

from muster.errors import EnvironmentFault, FileFault, ValueOutOfRange
from ota_server.clock import SystemClock
from ota_server.errors import Unavailable
from ota_server.jobs import open_jobs
from ota_server.settings import make_data_folder, read_token
from ota_server.work import serve_measures
from tests.ota_server import keys
from tests.ota_server.conftest import Server, make_app, make_settings

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "watch.md"
ROW = re.compile(r"\| `((?:muster|process)_[a-z_]+)` \| (\w+) \|([^|]*)\|")
LOCAL = ("127.0.0.1", 50_000)
TOKEN = "0123456789abcdef-token"


@pytest.fixture
def local(server: Server) -> TestClient:
    """A client on the server's own machine."""
    return TestClient(server.client.app, base_url="http://127.0.0.1", client=LOCAL)


def scrape(client: TestClient) -> dict[str, Metric]:
    response = client.get("/metrics")
    assert response.status_code == 200, response.text
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float | None:
    """Of one sample, None when there is none."""
    for family in families.values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels by name, as the page says."""
    rows = ROW.findall(PAGE.read_text())
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_page_has_exactly_what_is_exposed_and_rollouts_are_told(stocked: Server, local: TestClient) -> None:
    one = {"product": str(keys.PRODUCT), "rollout": str(stocked.rollout(2))}
    stocked.device().update()
    found, exposed = scrape(local), {}
    for family in found.values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert family.samples, name
        exposed[name] = (family.type, frozenset(labels))
    assert exposed == documented()
    assert value(found, "muster_rollout_stage", **one) == 1
    assert value(found, "muster_rollout_devices", **one, outcome="confirmed") == 1
    assert value(found, "muster_rollout_devices", **one, outcome="failed") == 0
    assert value(found, "muster_rollouts", status="running") == 1
    assert value(found, "muster_patches", status="ready")


def test_check_ins_openings_and_refusals_are_counted(server: Server, local: TestClient) -> None:
    server.product()
    device = server.device()
    device.check_in()
    device.check_in()
    server.post("/device/v1/check-in", b"\xff")
    server.post("/device/v1/check-in", bytes(2000))
    found = scrape(local)
    assert value(found, "muster_check_in_seconds_count") == 2
    assert value(found, "muster_openings_total") == 1
    assert value(found, "muster_device_refusals_total", reason="malformed") == 1
    assert value(found, "muster_device_refusals_total", reason="too_large") == 1
    counted = {"method": "POST", "route": "/device/v1/check-in", "status": "200"}
    assert value(found, "muster_http_requests_total", **counted) == 2
    assert value(found, "muster_devices_online") == 1


def test_routes_are_counted_by_their_templates_only(server: Server, local: TestClient) -> None:
    server.product()
    server.api("GET", f"/products/{keys.PRODUCT}")
    server.client.request("GET", "/v1/access_tokens/current", headers={"authorization": "Bearer 0"})
    server.client.request("BREW", "/static/app.css")
    for path in ("/", "/sign-in", "/static/nothing", "/no/such", "/v1/no/such", "/device/v1/no", "/v1", "/a%0Ab"):
        server.client.get(path, follow_redirects=False)
    routes = {sample.labels["route"] for sample in scrape(local)["muster_http_requests"].samples}
    assert routes == {
        *("/v1/products", "/v1/products/{product}", "/v1/access_tokens/current"),
        *("/", "/sign-in", "/static", "none"),
    }
    methods = {sample.labels["method"] for sample in scrape(local)["muster_http_requests"].samples}
    assert methods == {"GET", "POST", "other"}


def test_a_database_that_is_away_is_told(server: Server, local: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.services.database._readers, "connect", _no_connection)
    found = scrape(local)
    assert value(found, "muster_database_up") == 0
    assert (value(found, "muster_database_errors_total", work="read") or 0) >= 1, "workers read, too"
    assert "muster_devices_online" not in found


def _no_connection() -> None:
    raise PoolTimeout("no connection")


def test_a_worker_tells_its_own(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "server")
    make_data_folder(settings)
    jobs = open_jobs(settings)
    with serve_measures(jobs, 0) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        with pytest.raises(EnvironmentFault, match="cannot listen"), serve_measures(jobs, port):
            pass
        told = {family.name for family in text_string_to_metric_families(client.get("/metrics").text)}
    jobs.database.close()
    assert {"muster_worker_jobs", "muster_patches", "muster_commit_seconds", "muster_mails"} <= told
    assert "muster_http_requests" not in told


def test_blobs_that_cannot_be_read_or_written_are_counted(server: Server, local: TestClient) -> None:
    shutil.rmtree(server.services.settings.served_dir)
    with pytest.raises((OSError, Unavailable)):
        server.services.jobs.served.check()
    assert value(scrape(local), "muster_blob_errors_total", work="written") == 1


def test_only_this_machine_reads_them_and_not_through_a_proxy(server: Server, local: TestClient) -> None:
    elsewhere = TestClient(server.client.app, base_url="http://127.0.0.1", client=("192.0.2.7", 50_000))
    assert elsewhere.get("/metrics").status_code == 403
    assert server.client.get("/metrics").status_code == 403, "a client without an address"
    assert local.get("/metrics", headers={"x-forwarded-for": "192.0.2.7"}).status_code == 403
    assert local.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_token_opens_them_and_nothing_else_does(tmp_path: Path) -> None:
    settings = replace(make_settings(tmp_path / "server"), metrics_token=TOKEN)
    assert TOKEN not in repr(settings)
    with TestClient(make_app(settings, SystemClock()), base_url="http://127.0.0.1", client=LOCAL) as client:
        assert client.get("/metrics").status_code == 403
        assert client.get("/metrics", headers={"authorization": "Bearer 0"}).status_code == 403
        assert client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_tokens_are_read_from_the_first_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\nmore\n")
    assert read_token(path) == TOKEN
    for text in ("", "short\n", "x" * 201, "0123456789\t0123456789"):
        path.write_text(text)
        with pytest.raises(ValueOutOfRange, match="16 to 200"):
            read_token(path)
    with pytest.raises(FileFault):
        read_token(tmp_path / "none")
