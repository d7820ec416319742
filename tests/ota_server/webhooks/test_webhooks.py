# SPDX-License-Identifier: Apache-2.0
"""Events are delivered to webhooks: what is sent, what is tried again, and what is never reached."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.errors import Invalid
from ota_server.telemetry import events
from ota_server.webhooks import courier, queue, template
from ota_server.webhooks.hook import Hook, make_request
from ota_server.webhooks.network import GuardedBackend, NotDelivered, is_allowed
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.webhooks.receiver import Receiver, run_receiver

PRODUCT = f"/products/{keys.PRODUCT}"
HERE = (ipaddress.ip_network("127.0.0.1/32"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as made:
        yield made


@contextmanager
def hooked(folder: Path, clock: HandClock, token: str | None = None, allowed: Any = HERE) -> Iterator[Server]:
    """A server that may send to this machine."""
    settings = replace(make_settings(folder / "server"), hook_networks=allowed)
    for server in run_server(settings, clock, token):
        if token is None:
            server.product()
        yield server


@pytest.fixture
def hooks(tmp_path: Path, clock: HandClock) -> Iterator[Server]:
    with hooked(tmp_path, clock) as server:
        yield server


def hook(server: Server, receiver: Receiver, path: str = f"{PRODUCT}/webhooks", **fields: Any) -> Any:
    return server.api("POST", path, json={"event": "t", "url": f"{receiver.url}/in", **fields})


def publish(server: Server, name: str = "temperature", data: str = "21") -> None:
    server.api("POST", f"{PRODUCT}/events", json={"name": name, "data": data})
    server.services.jobs.courier.work_off()


def deliveries(server: Server, made: Any) -> list[Any]:
    found: list[Any] = server.api("GET", f"{PRODUCT}/webhooks/{made['id']}")["deliveries"]
    return found


def told(server: Server) -> list[tuple[str, str]]:
    with server.services.database.read() as connection:
        return [(event.name, event.data) for event in events.after(connection, 0, 1000)]


# What is sent


def test_event_is_sent_with_its_own_fields(hooks: Server, receiver: Receiver) -> None:
    made = hook(hooks, receiver)
    publish(hooks)
    [(method, path, headers, body)] = receiver.requests
    assert (method, path, headers["content-type"]) == ("POST", "/in", "application/json")
    assert json.loads(body) == {
        "event": "temperature",
        "data": "21",
        "coreid": "api",
        "published_at": "2027-01-15T08:00:00.000Z",
    }
    [line] = deliveries(hooks, made)
    assert (line["status"], line["http_status"], line["tries"], line["error"]) == ("done", 200, 1, "")
    assert line["duration_ms"] >= 0


def test_only_events_that_begin_so_are_heard(hooks: Server, receiver: Receiver) -> None:
    hook(hooks, receiver, event="temp")
    hook(hooks, receiver, deviceId="0123456789abcdef01234567")
    for name in ("humidity", "temperature", "attempt"):
        publish(hooks, name)
    assert [json.loads(body)["event"] for *_, body in receiver.requests] == ["temperature"]


def test_webhook_of_the_organization_hears_all_products(hooks: Server, receiver: Receiver) -> None:
    hook(hooks, receiver, "/webhooks", event="spark/status")
    hooks.device().check_in()
    hooks.services.jobs.courier.work_off()
    assert [json.loads(body)["data"] for *_, body in receiver.requests] == ["online"]


def test_event_of_a_device_names_it(hooks: Server, receiver: Receiver) -> None:
    device = hooks.device()
    hook(hooks, receiver, event="door", deviceId=device.device_id.hex())
    device.publish("door", '{"open": true}')
    device.check_in()
    hooks.services.jobs.courier.work_off()
    [(*_, body)] = receiver.requests
    assert json.loads(body)["coreid"] == device.device_id.hex()


DATA = '{"celsius": 21.5, "room": {"name": "a \\"b\\"/c"}, "list": [1, 2]}'


@pytest.mark.parametrize(
    ("fields", "kind", "content"),
    [
        (
            {"json": {"c": "{{celsius}}", "n": ["{{room.name}}"], "k": 1}},
            "application/json",
            {"c": "21.5", "n": ['a "b"/c'], "k": 1},
        ),
        (
            {"json": '{"c": {{{celsius}}}, "n": "{{room.name}}", "l": {{{list}}}}'},
            "application/json",
            {"c": 21.5, "n": 'a "b"/c', "l": [1, 2]},
        ),
        ({"form": {"name": "{{room.name}}&x=1"}}, "application/x-www-form-urlencoded", {"name": ['a "b"/c&x=1']}),
        (
            {"body": "{{PARTICLE_EVENT_NAME}}: {{{PARTICLE_EVENT_VALUE}}} {{nothing}}{{list.9}}"},
            "text/plain",
            f"t: {DATA} ",
        ),
    ],
)
def test_bodies_are_filled_in(hooks: Server, receiver: Receiver, fields: Any, kind: str, content: Any) -> None:
    hook(hooks, receiver, noDefaults=True, **fields)
    publish(hooks, "t", DATA)
    [(_, _, headers, body)] = receiver.requests
    assert headers["content-type"].startswith(kind)
    text = body.decode()
    readers: dict[str, Callable[[str], Any]] = {"application/json": json.loads, "text/plain": str}
    assert readers.get(kind, parse_qs)(text) == content


def test_addresses_headers_and_queries_are_filled_in_and_escaped(hooks: Server, receiver: Receiver) -> None:
    made = hook(
        hooks,
        receiver,
        url=f"{receiver.url}/{{{{room.name}}}}?c={{{{celsius}}}}",
        requestType="GET",
        headers={"X-Room": "{{room.name}}", "X-Bad": "{{bad}}"},
        query={"q": "{{PARTICLE_DEVICE_ID}}"},
        auth={"username": "ana", "password": "s3cret"},
    )
    publish(hooks, "t", DATA.replace('"celsius"', '"bad": "x\\r\\ny: z", "celsius"'))
    [(method, path, headers, body)] = receiver.requests
    assert (method, body) == ("GET", b"")
    assert urlsplit(path).path == "/a%20%22b%22%2Fc"
    assert parse_qs(urlsplit(path).query)["q"] == ["api"]
    assert parse_qs(urlsplit(path).query)["event"] == ["t"]
    assert headers["x-room"] == 'a "b"/c'
    assert headers["x-bad"] == "x??y: z"
    assert headers["authorization"] == "Basic YW5hOnMzY3JldA=="
    shown = json.dumps(hooks.api("GET", f"{PRODUCT}/webhooks/{made['id']}"))
    assert "s3cret" not in shown
    assert made["secret"] not in shown


def test_signature_is_as_the_page_says(hooks: Server, receiver: Receiver, clock: HandClock) -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "events.md").read_text()
    match = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert match is not None
    names: dict[str, Any] = {}
    exec(match.group(1), names)  # noqa: S102  # the page's example
    made = hook(hooks, receiver)
    publish(hooks)
    [(_, _, headers, body)] = receiver.requests
    now, header = clock.now_ms() / 1000, headers["muster-signature"]
    assert names["is_genuine"](made["secret"], header, body, now)
    assert not names["is_genuine"](made["secret"], header, body + b" ", now)
    assert not names["is_genuine"]("another", header, body, now)
    assert not names["is_genuine"](made["secret"], header, body, now + 301)


# Tries


def test_failed_request_is_tried_again_less_and_less_often(hooks: Server, receiver: Receiver, clock: HandClock) -> None:
    receiver.statuses = [503, 500, 429]
    made = hook(hooks, receiver)
    publish(hooks)
    counts = []
    for wait_s in (9, 1, 59, 1, 299, 1):
        clock.advance_s(wait_s)
        hooks.services.jobs.courier.work_off()
        counts.append(len(receiver.requests))
    assert counts == [1, 2, 2, 3, 3, 4]
    [line] = deliveries(hooks, made)
    assert (line["status"], line["tries"]) == ("done", 4)
    assert len({body for *_, body in receiver.requests}) == 1


def test_request_is_given_up_within_an_hour(hooks: Server, receiver: Receiver, clock: HandClock) -> None:
    receiver.statuses = [500] * 100
    made = hook(hooks, receiver)
    publish(hooks)
    for _ in range(70):
        clock.advance_s(60)
        hooks.services.jobs.courier.work_off()
    assert len(receiver.requests) == 6
    assert sum(courier.DELAYS_S) < 3600
    [line] = deliveries(hooks, made)
    assert (line["status"], line["error"]) == ("failed", "status 500")


def test_refusal_is_not_tried_again_and_a_redirect_not_followed(hooks: Server, receiver: Receiver) -> None:
    receiver.statuses, receiver.location = [404, 302], f"{receiver.url}/elsewhere"
    made = hook(hooks, receiver)
    publish(hooks)
    publish(hooks)
    assert [line["error"] for line in deliveries(hooks, made)] == ["status 302", "status 404"]
    assert [path for _, path, *_ in receiver.requests] == ["/in", "/in"]


def test_restart_loses_nothing(tmp_path: Path, clock: HandClock, receiver: Receiver) -> None:
    receiver.statuses = [500]
    with hooked(tmp_path, clock) as server:
        made, token = hook(server, receiver), server.token
        publish(server)
    clock.advance_s(20)
    with hooked(tmp_path, clock, token) as server:
        server.services.jobs.courier.work_off()
        assert [line["status"] for line in deliveries(server, made)] == ["done"]


def test_webhook_that_always_fails_is_switched_off(
    hooks: Server, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    made = hook(hooks, receiver)
    receiver.statuses = [400] * 50
    with caplog.at_level(logging.WARNING):
        for _ in range(courier.FAILURES_MAX + 3):
            publish(hooks)
    assert len(receiver.requests) == courier.FAILURES_MAX
    assert "switched off" in caplog.text
    [shown] = hooks.api("GET", f"{PRODUCT}/webhooks")
    assert shown["disabled"]
    assert "status 400" in shown["disabled_reason"]
    receiver.statuses = []
    assert not hooks.api("POST", f"{PRODUCT}/webhooks/{made['id']}/enable")["disabled"]
    publish(hooks)
    assert deliveries(hooks, made)[0]["status"] == "done"


def test_log_and_queue_are_bounded(hooks: Server, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "LOG_MAX", 3)
    monkeypatch.setattr(queue, "QUEUED_MAX", 0)
    made = hook(hooks, receiver)
    publish(hooks)
    assert deliveries(hooks, made) == []
    monkeypatch.setattr(queue, "QUEUED_MAX", 1000)
    for number in range(5):
        publish(hooks, data=str(number))
    assert len(deliveries(hooks, made)) == 3


def test_answer_is_published_when_it_is_wanted(hooks: Server, receiver: Receiver) -> None:
    receiver.answer = b'{"advice": "%s"}' % (b"x" * 600)
    hook(hooks, receiver, responseTopic="advice/{{PARTICLE_DEVICE_ID}}", responseTemplate="do {{advice}}")
    publish(hooks)
    found = [one for one in told(hooks) if one[0].startswith("advice/api/")]
    assert [name for name, _ in found] == ["advice/api/0", "advice/api/1"]
    assert "".join(data for _, data in found) == "do " + "x" * 600
    hooks.services.jobs.courier.work_off()
    assert len(receiver.requests) == 1


def test_answers_make_no_webhook_call_another(hooks: Server, receiver: Receiver) -> None:
    hook(hooks, receiver, responseTopic="temperature")
    publish(hooks)
    publish(hooks)
    assert len(receiver.requests) == 2


def test_error_is_published_when_it_is_wanted(hooks: Server, receiver: Receiver) -> None:
    receiver.statuses = [400]
    hook(hooks, receiver, errorResponseTopic="trouble")
    publish(hooks)
    assert ("trouble/0", "status 400") in told(hooks)


def test_removed_webhook_hears_nothing(hooks: Server, receiver: Receiver) -> None:
    made = hook(hooks, receiver)
    assert hooks.api("DELETE", f"{PRODUCT}/webhooks/{made['id']}") == {"ok": True}
    publish(hooks)
    assert receiver.requests == []
    hooks.api("DELETE", f"{PRODUCT}/webhooks/{made['id']}", 404)


# Where they may go


def test_private_addresses_are_refused(tmp_path: Path, clock: HandClock, receiver: Receiver) -> None:
    with hooked(tmp_path, clock, allowed=()) as server:
        made = hook(server, receiver)
        publish(server)
        assert receiver.requests == []
        assert "may not reach" in deliveries(server, made)[0]["error"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "0.0.0.0",  # noqa: S104  # nothing is bound
         "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1",
    ],
)  # fmt: skip
def test_address_that_not_everybody_can_reach_is_refused(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111"])
def test_address_that_everybody_can_reach_is_allowed(address: str) -> None:
    assert is_allowed(ipaddress.ip_address(address), ())


def test_network_that_the_operator_names_is_allowed() -> None:
    allowed = (ipaddress.ip_network("10.1.0.0/16"),)
    assert is_allowed(ipaddress.ip_address("10.1.2.3"), allowed)
    assert is_allowed(ipaddress.ip_address("::ffff:10.1.2.3"), allowed)
    assert not is_allowed(ipaddress.ip_address("10.2.0.1"), allowed)


def test_name_is_resolved_once_and_every_address_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, **_named: Any) -> list[Any]:
        asked.append(host)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("93.184.215.14", port)), (*kind, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NotDelivered, match="may not reach"):
        GuardedBackend(()).connect_tcp("rebinding.example.com", 80)
    assert asked == ["rebinding.example.com"]


def test_request_goes_to_the_address_that_was_checked(
    hooks: Server, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer of the name server would lead elsewhere."""
    real, asked = socket.getaddrinfo, []

    def resolve(host: str, port: Any, *arguments: Any, **named: Any) -> Any:
        if host != "rooms.example.com":
            return real(host, port, *arguments, **named)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    hook(hooks, receiver, url=f"http://rooms.example.com:{urlsplit(receiver.url).port}/in")
    publish(hooks)
    [(_, _, headers, _)] = receiver.requests
    assert headers["host"].startswith("rooms.example.com:")
    assert asked == ["rooms.example.com"]


# What is refused


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"event": ""}, "event"),
        ({"event": "x" * 65}, "event"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "example.com"}, "url"),
        ({"url": "http://user:password@example.com"}, "url"),
        ({"url": "http://{{host}}/"}, "url"),
        ({"url": "http://a{{{x}}}/"}, "url"),
        ({"url": "http://example.com/\n"}, "url"),
        ({"url": "http://example.com:0/"}, "url"),
        ({"url": "http://example.com:99999/"}, "url"),
        ({"url": "http://example.com/" + "x" * 2000}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"requestType": "TRACE"}, "requestType"),
        ({"requestType": "GET", "body": "x"}, "requestType"),
        ({"headers": {"Host": "other"}}, "headers"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"Muster-Signature": "forged"}}, "headers"),
        ({"auth": {"username": "ana"}}, "auth"),
        ({"json": {}, "body": "x", "form": {"a": "b"}}, "body"),
        ({"body": "{{#section}}x{{/section}}"}, "body"),
        ({"body": "{{> partial}}"}, "body"),
        ({"body": "x" * 8001}, "body"),
        ({"query": {str(number): "" for number in range(31)}}, "query"),
        ({"deviceId": "kitchen"}, "deviceId"),
        ({"rejectUnauthorized": False}, "rejectUnauthorized"),
        ({"responseTopic": "x" * 65}, "responseTopic"),
    ],
)
def test_webhook_that_cannot_be_is_refused(hooks: Server, fields: dict[str, Any], name: str) -> None:
    body = {"event": "t", "url": "http://example.com/", **fields}
    assert hooks.api("POST", f"{PRODUCT}/webhooks", 400, json=body)["field"] == name


def test_tag_cannot_lead_to_another_server() -> None:
    values = template.values_of("e", '{"x": "@evil.example.com/"}', "api", "")
    for url in ("http://example.com/{{{x}}}", "http://example.com?{{{x}}}", "http://example.com#{{{x}}}"):
        request = make_request(Hook(url), {}, values, "secret", 0)
        assert urlsplit(request.url).netloc == "example.com"
    with pytest.raises(Invalid):
        Hook("http://example.com{{{x}}}")


def test_template_cannot_grow_without_end() -> None:
    with pytest.raises(Invalid, match="longer"):
        template.render("{{x}}" * 1000, {"x": "y" * 1000}, str)


@given(
    data=st.text(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ).map(json.dumps)
)
def test_no_data_breaks_a_request(data: str) -> None:
    hook = Hook(
        "http://example.com/{{a}}/{{{b}}}?{{PARTICLE_EVENT_VALUE}}",
        headers={"x": "{{{PARTICLE_EVENT_VALUE}}}"},
        json={"v": "{{{PARTICLE_EVENT_VALUE}}}", "a": "{{a.b.0}}"},
    )
    values = template.values_of("e", data, "api", "")
    try:
        request = make_request(hook, {"event": "e", "data": data}, values, "secret", 0)
    except Invalid:
        return
    assert urlsplit(request.url).netloc == "example.com"
    assert request.url.isascii()
    assert not re.search(r"[\x00-\x20]", request.url)
    assert all(re.fullmatch(r"[ -~]*", value) for _, value in request.headers)
    assert json.loads(request.body)["event"] == "e"
