# SPDX-License-Identifier: Apache-2.0
"""The golden vectors of the device protocol, and the library against them."""

from __future__ import annotations

import pytest

from muster.errors import MusterError
from muster.protocol import (
    Answer,
    DeviceIdentity,
    DeviceSession,
    KeySetReference,
    OpenRequest,
    Report,
    SealedMessage,
    accept_opening,
    opening_digest,
)
from muster.protocol.seal import open_down, seal_down, seal_up
from muster.signing.keys import PrivateKey
from muster.signing.signer import KeySigner
from tests.vectors.protocol.generate import FOLDER, files, plain
from tests.vectors.reading import Case, case, cases, key_seed

_FILES = files()


def protocol_cases(name: str) -> list[object]:
    return [pytest.param(found, id=found["name"]) for found in cases(f"protocol/{name}")]


def key(name: str) -> PrivateKey:
    return PrivateKey(key_seed(name))


def device(opening: Case) -> DeviceSession:
    return DeviceSession(
        DeviceIdentity(
            bytes.fromhex(opening["device_id"]),
            key(opening["device_key"]),
            opening["product_id"],
            opening["platform_id"],
        )
    )


def begin(opening: Case) -> tuple[DeviceSession, bytes]:
    client = device(opening)
    secret, nonce = bytes.fromhex(opening["device_secret"]), bytes.fromhex(opening["nonce"])
    return client, client.begin(opening["keyset_version"], secret, nonce)


@pytest.mark.parametrize("name", sorted(_FILES))
def test_committed_vectors_are_what_the_library_makes(name: str) -> None:
    assert (FOLDER / name).read_text() == _FILES[name]


@pytest.mark.parametrize("name", sorted(_FILES))
def test_names_are_unique_and_files_described(name: str) -> None:
    names = [found["name"] for found in cases(f"protocol/{name}")]
    assert len(set(names)) == len(names)
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("opening", protocol_cases("openings.json"))
def test_opening(opening: Case) -> None:
    client, request = begin(opening)
    assert request.hex() == opening["request"]
    assert opening_digest(request).hex() == opening["digest"]
    parsed = OpenRequest.from_bytes(request)
    assert (parsed.device_id.hex(), parsed.nonce.hex()) == (opening["device_id"], opening["nonce"])
    assert parsed.device_key == key(opening["device_key"]).public_key.raw
    assert (parsed.product_id, parsed.platform_id, parsed.keyset_version) == (1234, 6, opening["keyset_version"])

    references = [
        KeySetReference(item["version"], bytes.fromhex(item["digest"]), item["length"])
        for item in opening["references"]
    ]
    online = key(opening["online_key"])
    answer, keys = accept_opening(
        request,
        KeySigner(online),
        bytes.fromhex(opening["server_secret"]),
        bytes.fromhex(opening["session_id"]),
        references,
    )
    assert answer.hex() == opening["answer"]
    client.finish(bytes.fromhex(opening["answer"]), [online.public_key])
    assert client.keys == keys
    assert keys.key.hex() == opening["session_key"]


@pytest.mark.parametrize("bad", protocol_cases("bad_requests.json"))
def test_bad_request_is_refused(bad: Case) -> None:
    with pytest.raises(MusterError) as caught:
        OpenRequest.from_bytes(bytes.fromhex(bad["request"]))
    assert caught.value.status == bad["status"]


@pytest.mark.parametrize("bad", protocol_cases("bad_answers.json"))
def test_bad_answer_is_refused_and_the_true_one_still_taken(bad: Case) -> None:
    opening = case("protocol/openings.json", "first")
    client, _ = begin(opening)
    online_keys = [key("online-1").public_key]
    with pytest.raises(MusterError) as caught:
        client.finish(bytes.fromhex(bad["answer"]), online_keys)
    assert caught.value.status == bad["status"]
    client.finish(bytes.fromhex(opening["answer"]), online_keys)


@pytest.mark.parametrize("found", protocol_cases("reports.json"))
def test_report(found: Case) -> None:
    plaintext = bytes.fromhex(found["plaintext"])
    if found["status"]:
        with pytest.raises(MusterError) as caught:
            Report.from_bytes(plaintext)
        assert caught.value.status == found["status"]
    else:
        report = Report.from_bytes(plaintext)
        assert plain(report) == found["fields"]
        assert report.to_bytes() == plaintext or found["name"].startswith("unknown")


@pytest.mark.parametrize("found", protocol_cases("answers.json"))
def test_answer(found: Case) -> None:
    plaintext = bytes.fromhex(found["plaintext"])
    if found["status"]:
        with pytest.raises(MusterError) as caught:
            Answer.from_bytes(plaintext)
        assert caught.value.status == found["status"]
    else:
        answer = Answer.from_bytes(plaintext)
        assert plain(answer) == found["fields"]
        assert answer.to_bytes() == plaintext or found["name"].startswith("unknown")


@pytest.mark.parametrize("found", protocol_cases("messages.json"))
def test_message(found: Case) -> None:
    opening = case("protocol/openings.json", "first")
    session_id, session_key = bytes.fromhex(opening["session_id"]), bytes.fromhex(opening["session_key"])
    message, counter = bytes.fromhex(found["message"]), found["counter"]

    def open_it() -> bytes:
        if found["way"] == "down":
            return open_down(session_id, session_key, counter, message)
        sealed = SealedMessage.from_bytes(message)
        assert sealed.counter == counter
        return sealed.open(session_key)

    if found["status"]:
        with pytest.raises(MusterError) as caught:
            open_it()
        assert caught.value.status == found["status"]
    else:
        plaintext = open_it()
        assert plaintext.hex() == found["plaintext"]
        seal = seal_up if found["way"] == "up" else seal_down
        assert seal(session_id, session_key, counter, plaintext) == message
