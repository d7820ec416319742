# SPDX-License-Identifier: Apache-2.0
"""What a webhook asks for, and the request that it makes of an event."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from ota_server.errors import Invalid
from ota_server.telemetry.events import NAME_MAX
from ota_server.webhooks import template

METHODS = ("GET", "POST", "PUT", "DELETE")
URL_MAX = 2000
FIELDS_MAX = 30
TEXT_MAX = 8000
SIGNATURE = "muster-signature"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", SIGNATURE})

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook's content; texts may hold tags. `query`, `form`, `headers`: name -> text.

    Attributes:
        json: an object, or the template of one.
        auth: user name and password (RFC 7617), or nothing.
        response_template, response_topic, error_topic: what is published of answers, if anything.
        has_defaults: whether the event's own fields are sent, too.
    """

    url: str
    method: str = "POST"
    auth: Fields = field(default_factory=dict)
    headers: Fields = field(default_factory=dict)
    query: Fields = field(default_factory=dict)
    form: Fields = field(default_factory=dict)
    json: str | Mapping[str, object] | None = None
    body: str | None = None
    response_template: str | None = None
    response_topic: str | None = None
    error_topic: str | None = None
    has_defaults: bool = True

    def __post_init__(self) -> None:
        """Raises Invalid."""
        check_url(self.url)
        if self.method not in METHODS:
            raise Invalid(f"requestType is {', '.join(METHODS)}", "requestType")
        if sum(value is not None and value != {} for value in (self.form, self.json, self.body)) > 1:
            raise Invalid("send one of form, json and body", "body")
        if self.method == "GET" and (self.form or self.json is not None or self.body is not None):
            raise Invalid("a GET has no body: use query", "requestType")
        if self.auth and self.auth.keys() != {"username", "password"}:
            raise Invalid("auth has username and password", "auth")
        for name, fields in (
            ("auth", self.auth),
            ("headers", self.headers),
            ("query", self.query),
            ("form", self.form),
        ):
            _check_fields(name, fields)
        for header in self.headers:
            if not _TOKEN.fullmatch(header) or header.lower() in _OURS:
                raise Invalid(f"a request cannot have the header {header[:40]}", "headers")
        if isinstance(self.json, Mapping):
            _check_json(self.json)
        texts = {"json": self.json, "body": self.body, "responseTemplate": self.response_template}
        topics = {"responseTopic": self.response_topic, "errorResponseTopic": self.error_topic}
        for name, text in (texts | topics).items():
            if isinstance(text, str):
                _check_text(name, text, NAME_MAX if name in topics else TEXT_MAX)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Hook:
        """What `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class HookRequest:
    """An HTTP request, ready to be sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def check_url(url: str) -> None:
    """Raises Invalid for what is no address of a server, or names its server by a tag."""
    message = "a URL begins with https:// or http:// and the name of a server, and has up to 2,000 characters"
    if len(url) > URL_MAX or not url.isprintable() or " " in url:
        raise Invalid(message, "url")
    template.check(url, "url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(message, "url") from error
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or "{" in parts.netloc or "@" in parts.netloc or port == 0:
        raise Invalid(message, "url")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|[0-9a-fA-F:.]{2,45}", host):
        raise Invalid(message, "url")


def make_request(
    hook: Hook, event: Mapping[str, str], values: Mapping[str, object], secret: str, now_s: int
) -> HookRequest:
    """The request for an event; `event`: its own fields, by Particle's names.

    Raises:
        Invalid: what the template makes is no JSON, or too long.
    """
    defaults = event if hook.has_defaults else {}
    url = template.render(hook.url, values, lambda text: quote(text, safe=""))
    url = quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    if urlsplit(url)[:2] != urlsplit(hook.url)[:2] or len(url) > 2 * URL_MAX:
        raise Invalid("the tags make the URL another server's, or too long")
    query = {name: template.render(text, values, str) for name, text in hook.query.items()}
    if hook.method in ("GET", "DELETE"):
        query = {**defaults, **query}
    if query:
        url += ("&" if urlsplit(url).query else "?") + urlencode(query)
    kind, body = _body(hook, defaults, values)
    headers = {"user-agent": "Muster"}
    if kind:
        headers["content-type"] = kind
    if hook.auth:
        pair = ":".join(template.render(hook.auth[name], values, str) for name in ("username", "password"))
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    for name, text in hook.headers.items():
        headers[name.lower()] = _one_line(template.render(text, values, str))
    headers[SIGNATURE] = sign(secret, now_s, body)
    return HookRequest(hook.method, url, tuple(headers.items()), body)


def sign(secret: str, at_s: int, body: bytes) -> str:
    """The signature header: HMAC-SHA-256 over the time, a full stop and the body."""
    digest = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _body(hook: Hook, defaults: Mapping[str, str], values: Mapping[str, object]) -> tuple[str, bytes]:
    """Content type and bytes."""
    if hook.method in ("GET", "DELETE") and hook.body is None and hook.json is None and not hook.form:
        return "", b""
    if hook.body is not None:
        return "text/plain; charset=utf-8", template.render(hook.body, values, str).encode(errors="replace")
    if hook.form:
        form = {name: template.render(text, values, str) for name, text in hook.form.items()}
        return "application/x-www-form-urlencoded", urlencode({**defaults, **form}).encode()
    if isinstance(hook.json, str):
        text = template.render(hook.json, values, lambda value: json.dumps(value)[1:-1])
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid("the filled-in template is no JSON") from error
        if isinstance(content, dict):
            content = {**defaults, **content}
    else:
        content = {**defaults, **(_filled(hook.json, values) if hook.json else {})}  # type: ignore[dict-item]
    body = json.dumps(content).encode()
    if len(body) > 2 * template.RENDERED_MAX:
        raise Invalid("the body is too long")
    return "application/json", body


def _filled(value: object, values: Mapping[str, object]) -> object:
    """Fills in every text of a JSON value."""
    if isinstance(value, str):
        return template.render(value, values, str)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, Mapping):
        return {name: _filled(item, values) for name, item in value.items()}
    return value


def _check_fields(name: str, fields: Fields) -> None:
    if len(fields) > FIELDS_MAX:
        raise Invalid(f"{name} has up to {FIELDS_MAX} fields", name)
    for key, text in fields.items():
        if not 1 <= len(key) <= 100:
            raise Invalid(f"names in {name} have 1 to 100 characters", name)
        _check_text(name, text, TEXT_MAX)


def _check_json(value: Mapping[str, object]) -> None:
    try:
        text = json.dumps(value)
    except RecursionError as error:
        raise Invalid("json is nested too deep", "json") from error
    if len(text) > TEXT_MAX or text.count("{") + text.count("[") > 200:
        raise Invalid(f"json has up to {TEXT_MAX} characters", "json")
    template.check(text, "json")


def _check_text(name: str, text: str, size_max: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"{name} is not text", name) from error
    if len(text) > size_max:
        raise Invalid(f"{name} has up to {size_max} characters", name)
    template.check(text, name)


def _one_line(text: str) -> str:
    """A header's value: nothing in it may begin another header."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
