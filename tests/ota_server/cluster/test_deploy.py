# SPDX-License-Identifier: Apache-2.0
"""The files in deploy/ work as far as they go without the machine they are for: nginx before two servers, and units."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from ota_server.cli import serve
from ota_server.work import worker
from tests.ota_server.certificates import self_signed
from tests.ota_server.conftest import HandClock, listen_app, make_settings

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = "muster.example.com"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def nginx(tmp_path: Path, clock: HandClock) -> Iterator[tuple[str, str]]:
    """Addresses for HTTP and HTTPS of nginx before a server, and one that is not there."""
    program = shutil.which("nginx")
    assert program is not None, "install the Debian package nginx-light"
    for name, pem in zip(("privkey.pem", "fullchain.pem"), self_signed(x509.DNSName(NAME)), strict=True):
        (tmp_path / name).write_bytes(pem)
    plain, tls, gone = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        services, url = stack.enter_context(listen_app(make_settings(tmp_path / "server"), clock))
        del services
        conf = (DEPLOY / "nginx" / "muster.conf").read_text()
        conf = conf.replace("127.0.0.1:8001", url.removeprefix("http://")).replace(
            "127.0.0.1:8002", f"127.0.0.1:{gone}"
        )
        conf = re.sub(r".*listen \[::\].*\n", "", conf)
        conf = conf.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace("listen 443", f"listen 127.0.0.1:{tls}")
        conf = conf.replace("/etc/letsencrypt/live/muster.example.com", str(tmp_path))
        conf = conf.replace("/etc/nginx/muster-proxy.conf", str(DEPLOY / "nginx" / "muster-proxy.conf"))
        scratch = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr notice; events {{}}\n"
            f"http {{ access_log off; {scratch}\n{conf}\n}}\n"
        )
        command = ["setpriv", "--pdeathsig", "KILL", program, "-e", "stderr", "-c", f"{tmp_path}/nginx.conf"]
        running = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        stack.callback(running.kill)
        # Its first line comes when it listens; an error comes before.
        assert running.stderr is not None
        line = running.stderr.readline()
        assert "[notice]" in line, line
        yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"


def test_people_come_by_tls_and_devices_as_they_like(nginx: tuple[str, str], tmp_path: Path) -> None:
    plain, tls = nginx
    trusted = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
    host = {"host": NAME}
    with httpx.Client(verify=trusted, headers=host) as client:
        sni = {"sni_hostname": NAME}
        # One of the servers is not there: nobody notices.
        for _ in range(4):
            page = client.get(f"{tls}/health/live", extensions=sni)
            assert (page.status_code, page.json()["live"]) == (200, True)
        assert "max-age" in page.headers["strict-transport-security"]
        assert client.get(f"{tls}/metrics", extensions=sni).status_code == 404
        moved = client.get(f"{plain}/login")
        assert (moved.status_code, moved.headers["location"]) == (301, f"https://{NAME}/login")
        for url in (plain, tls):
            refused = client.post(f"{url}/device/v1/check-in", content=b"x", extensions=sni)
            assert refused.status_code in (400, 415), "it came to the server, which knows what to say"
        statuses = {client.post(f"{tls}/oauth/token", extensions=sni).status_code for _ in range(30)}
        assert 429 in statuses, "passwords are tried slowly"


def test_units_are_well_formed(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("install the Debian package systemd")
    units = []
    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        unit = tmp_path / path.name.replace("@", "@1")
        # The program lies elsewhere here.
        unit.write_text(path.read_text().replace("/opt/muster/.venv/bin/muster", "/bin/true"))
        units.append(str(unit))
    assert len(units) == 2
    done = subprocess.run([program, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert str(tmp_path) not in done.stderr, done.stderr


def test_units_and_their_settings_name_options_that_there_are() -> None:
    settings = (DEPLOY / "systemd" / "muster.env").read_text()
    for name, command in (("serve", serve), ("worker", worker)):
        known = {option for parameter in command.params for option in parameter.opts}
        unit = (DEPLOY / "systemd" / f"muster-{name}@.service").read_text()
        (line,) = [line for line in settings.splitlines() if line.startswith(f"MUSTER_{name.upper()}_OPTIONS=")]
        used = set(
            re.findall(r" (--[a-z-]+)", re.sub(r"(?m)^(?!ExecStart).*", "", unit) + " " + line.partition("=")[2])
        )
        assert used
        assert used <= known
