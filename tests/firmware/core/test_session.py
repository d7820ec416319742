# SPDX-License-Identifier: Apache-2.0
"""The C device against the golden vectors, and against a server that follows the specification."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.protocol import Answer, DeviceIdentity, KeySetReference, Report, open_report
from muster.protocol.opening import sign_answer
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine
from tests.firmware.core.session_device import MESSAGE_MAX, Refused, SessionDevice
from tests.muster.protocol.server_model import ServerModel
from tests.muster.protocol.strategies import ANSWERS, SECRETS
from tests.vectors.fixed import key, signer
from tests.vectors.protocol.generate import STATE
from tests.vectors.reading import Case, case, cases

ONLINE_KEYS = [key("online-1").public_key]
SLOW = settings(max_examples=20)


def device_of(machine: Machine, opening: Case) -> SessionDevice:
    device_id = bytes.fromhex(opening["device_id"])
    who = DeviceIdentity(device_id, key(opening["device_key"]), opening["product_id"], opening["platform_id"])
    return SessionDevice(machine, who)


def begin(machine: Machine, opening: Case) -> tuple[SessionDevice, bytes]:
    device = device_of(machine, opening)
    secret, nonce = bytes.fromhex(opening["device_secret"]), bytes.fromhex(opening["nonce"])
    return device, device.begin(opening["keyset_version"], secret, nonce)


def first_opening() -> Case:
    return case("protocol/openings.json", "first")


def opened(machine: Machine) -> tuple[SessionDevice, ServerModel]:
    device, request = begin(machine, first_opening())
    server = ServerModel(signer("online-1"))
    answer = server.open(request)
    assert answer is not None
    device.finish(answer, ONLINE_KEYS)
    return device, server


def in_vector_session(machine: Machine, counter: int) -> SessionDevice:
    """A device in the session of the first opening, which has sent messages up to `counter`."""
    device, _ = begin(machine, first_opening())
    device.finish(bytes.fromhex(first_opening()["answer"]), ONLINE_KEYS)
    device.session.counter = counter
    return device


@pytest.mark.parametrize("opening", cases("protocol/openings.json"), ids=lambda found: found["name"])
def test_opening(machine: Machine, opening: Case) -> None:
    device, request = begin(machine, opening)
    assert request.hex() == opening["request"]
    assert bytes(device.session.request_digest).hex() == opening["digest"]
    answer = bytes.fromhex(opening["answer"])
    parsed = device.read_answer(answer)
    references = [
        {"version": found.version, "digest": bytes(found.digest).hex(), "length": found.len}
        for found in parsed.keysets[0 : parsed.keyset_count]
    ]
    assert references == opening["references"]
    assert device.finish(answer, ONLINE_KEYS)
    assert bytes(device.session.id).hex() == opening["session_id"]
    assert bytes(device.session.key).hex() == opening["session_key"]


@pytest.mark.parametrize("bad", cases("protocol/bad_answers.json"), ids=lambda found: found["name"])
def test_bad_answer_is_refused_and_the_true_one_still_taken(machine: Machine, bad: Case) -> None:
    device, _ = begin(machine, first_opening())
    with pytest.raises(Refused) as caught:
        device.finish(bytes.fromhex(bad["answer"]), ONLINE_KEYS)
    assert caught.value.status == bad["status"]
    device.finish(bytes.fromhex(first_opening()["answer"]), ONLINE_KEYS)


@pytest.mark.parametrize("found", cases("protocol/messages.json"), ids=lambda found: found["name"])
def test_message(machine: Machine, found: Case) -> None:
    message = bytes.fromhex(found["message"])
    if found["way"] == "up":
        if found["status"] == 0:
            device = in_vector_session(machine, found["counter"] - 1)
            assert device.seal_raw(bytes.fromhex(found["plaintext"])) == message
            assert device.session.counter == found["counter"]
        return
    device = in_vector_session(machine, found["counter"] - 1)
    device.seal_raw(b"")
    if found["status"] == 0:
        assert device.open_raw(message).hex() == found["plaintext"]
        assert device.session.phase == machine.lib.OTA_SESSION_READY
    else:
        with pytest.raises(Refused) as caught:
            device.open_raw(message)
        assert caught.value.status == found["status"]
        assert device.session.phase == machine.lib.OTA_SESSION_WAITING


@SLOW
@given(secret=SECRETS, nonce=st.binary(min_size=16, max_size=16), answer=ANSWERS, plaintext=st.binary(max_size=966))
def test_device_and_the_librarys_server_agree(
    machine: Machine, secret: bytes, nonce: bytes, answer: Answer, plaintext: bytes
) -> None:
    device = device_of(machine, first_opening())
    server = ServerModel(signer("online-1"), (KeySetReference(7, secret, 300),))
    opening_answer = server.open(device.begin(1, secret, nonce))
    assert opening_answer is not None
    device.finish(opening_answer, ONLINE_KEYS)
    assert server.pending is not None
    assert bytes(device.session.key) == server.pending.key
    reply = server.check_in(device.seal(STATE, Report(uptime_s=5)), answer)
    assert reply is not None
    assert server.reports[-1].identity == STATE.identity
    assert device.open(reply) == answer


def test_altered_byte_is_refused_and_the_true_message_still_taken(machine: Machine) -> None:
    device, request = begin(machine, first_opening())
    server = ServerModel(signer("online-1"))
    answer = server.open(request)
    assert answer is not None
    for altered in one_byte_altered(answer):
        with pytest.raises(Refused):
            device.finish(altered, ONLINE_KEYS)
    device.finish(answer, ONLINE_KEYS)
    message = device.seal(STATE)
    for altered in one_byte_altered(message):
        assert server.check_in(altered) is None
    reply = server.check_in(message)
    assert reply is not None
    for altered in one_byte_altered(reply):
        with pytest.raises(Refused):
            device.open_raw(altered)
    assert device.open(reply) == Answer()


def one_byte_altered(raw: bytes) -> list[bytes]:
    return [raw[:at] + bytes((raw[at] ^ (1 << at % 8),)) + raw[at + 1 :] for at in range(len(raw))]


@settings(max_examples=150)
@given(raw=st.binary(max_size=120), head=st.integers(0, 140))
def test_garbage_is_refused(machine: Machine, raw: bytes, head: int) -> None:
    device, _ = begin(machine, first_opening())
    good = bytes.fromhex(first_opening()["answer"])
    if good[:head] + raw != good:
        with pytest.raises(Refused):
            device.finish(good[:head] + raw, ONLINE_KEYS)
    device.finish(good, ONLINE_KEYS)
    device.seal_raw(b"")
    with pytest.raises(Refused):
        device.open_raw(raw)


def test_every_length_of_a_true_answer_but_its_own_is_refused(machine: Machine) -> None:
    device, _ = begin(machine, first_opening())
    answer = bytes.fromhex(case("protocol/openings.json", "newer_key_sets")["answer"])
    for size in range(len(answer)):
        with pytest.raises(Refused) as caught:
            device.read_answer(answer[:size])
        assert caught.value.status == OtaStatus.ERR_MESSAGE


def test_previous_key_sets_online_key_is_believed_and_said_to_be_needed(machine: Machine) -> None:
    stranger = [key("stranger-1").public_key]
    answer = bytes.fromhex(first_opening()["answer"])
    device, _ = begin(machine, first_opening())
    assert device.finish(answer, ONLINE_KEYS, stranger)
    device, _ = begin(machine, first_opening())
    assert not device.finish(answer, stranger, ONLINE_KEYS)
    device, _ = begin(machine, first_opening())
    assert device.finish(answer, [*stranger, *ONLINE_KEYS])
    device, _ = begin(machine, first_opening())
    with pytest.raises(Refused) as caught:
        device.finish(answer, (), ())
    assert caught.value.status == OtaStatus.ERR_NOT_FOUND


@pytest.mark.parametrize("number", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18])
def test_share_of_small_order_is_refused(machine: Machine, number: int) -> None:
    device, _ = begin(machine, first_opening())
    digest = bytes(device.session.request_digest)
    share = number.to_bytes(32, "little")
    with pytest.raises(Refused) as caught:
        device.finish(sign_answer(signer("online-1"), digest, b"session1", share), ONLINE_KEYS)
    assert caught.value.status == OtaStatus.ERR_MESSAGE
    assert bytes(device.session.key) == bytes(32)


# RFC 7748 section 5.2: secret, the other side's share, result.
RFC_7748 = [
    (
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    (
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
]


@pytest.mark.parametrize(("secret", "share", "result"), RFC_7748, ids=["1", "2"])
def test_session_key_is_made_of_the_x25519_of_rfc_7748(machine: Machine, secret: str, share: str, result: str) -> None:
    device = device_of(machine, first_opening())
    device.begin(1, bytes.fromhex(secret), bytes(16))
    digest = bytes(device.session.request_digest)
    device.finish(sign_answer(signer("online-1"), digest, b"session1", bytes.fromhex(share)), ONLINE_KEYS)
    expected = HKDF(SHA256(), 32, digest, b"muster.sessionsession1").derive(bytes.fromhex(result))
    assert bytes(device.session.key) == expected


def test_late_answer_to_an_earlier_message_is_refused(machine: Machine) -> None:
    device, server = opened(machine)
    late = server.check_in(device.seal(STATE))
    now = server.check_in(device.seal(STATE))
    assert late is not None
    assert now is not None
    with pytest.raises(Refused) as caught:
        device.open(late)
    assert caught.value.status == OtaStatus.ERR_SIGNATURE
    assert device.open(now) == Answer()


def test_what_is_not_possible_now_is_refused(machine: Machine) -> None:
    answer = bytes.fromhex(first_opening()["answer"])
    device = device_of(machine, first_opening())
    for act in (lambda: device.finish(answer, ONLINE_KEYS), lambda: device.seal_raw(b""), lambda: device.open_raw(b"")):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.status == OtaStatus.ERR_STATE
    device, server = opened(machine)
    for late in (lambda: device.finish(answer, ONLINE_KEYS), lambda: device.open_raw(b"")):
        with pytest.raises(Refused) as caught:
            late()
        assert caught.value.status == OtaStatus.ERR_STATE
    reply = server.check_in(device.seal(STATE))
    assert reply is not None
    device.open(reply)
    with pytest.raises(Refused) as caught:
        device.open(reply)
    assert caught.value.status == OtaStatus.ERR_STATE


def test_session_ends_with_its_last_counter(machine: Machine) -> None:
    device = in_vector_session(machine, 0xFFFF_FFFE)
    opening = first_opening()
    message = device.seal_raw(b"\xa0")
    assert open_report(bytes.fromhex(opening["session_id"]), bytes.fromhex(opening["session_key"]), message) == (
        0xFFFF_FFFF,
        Report(),
    )
    with pytest.raises(Refused) as caught:
        device.seal_raw(b"\xa0")
    assert caught.value.status == OtaStatus.ERR_STATE


def test_too_long_report_and_too_small_buffer_take_no_counter(machine: Machine) -> None:
    device = in_vector_session(machine, 5)
    for plaintext, size in ((bytes(967), 2000), (bytes(966), MESSAGE_MAX - 1), (b"", 41)):
        with pytest.raises(Refused) as caught:
            device.seal_raw(plaintext, size)
        assert caught.value.status == OtaStatus.ERR_BUFFER
    assert device.session.counter == 5
    assert len(device.seal_raw(bytes(966))) <= MESSAGE_MAX


@pytest.mark.parametrize("at", [0, 1, 20, 22, 42])
@pytest.mark.parametrize("size", [0, 7, 300, 966])
def test_plaintext_may_lie_anywhere_in_the_output(machine: Machine, at: int, size: int) -> None:
    plaintext = bytes(number * 7 & 0xFF for number in range(size))
    expected = in_vector_session(machine, 9).seal_raw(plaintext)
    device = in_vector_session(machine, 9)
    out, length = machine.buffer(bytes(MESSAGE_MAX)), machine.new("uint32_t *")
    machine.ffi.memmove(out + at, plaintext, size)
    span = machine.new("struct ota_span *", {"bytes": out + at, "len": size})
    assert machine.lib.ota_session_seal(device.session, span[0], out, MESSAGE_MAX, length) == 0
    assert bytes(machine.ffi.buffer(out, length[0])) == expected


def test_request_needs_no_more_room_than_announced(machine: Machine) -> None:
    longest = DeviceIdentity(bytes(12), key("device-1"), 0xFFFF, 0xFFFF)
    device = SessionDevice(machine, longest)
    assert len(device.begin(0xFFFF_FFFF, bytes(32), bytes(16), machine.lib.OTA_SESSION_REQUEST_MAX)) == 191
    with pytest.raises(Refused) as caught:
        device.begin(0xFFFF_FFFF, bytes(32), bytes(16), 190)
    assert caught.value.status == OtaStatus.ERR_BUFFER
    assert device.session.phase == machine.lib.OTA_SESSION_NONE


def test_secrets_are_wiped(machine: Machine) -> None:
    def memory(device: SessionDevice) -> bytes:
        return bytes(machine.ffi.buffer(device.session))

    secret = bytes.fromhex(first_opening()["device_secret"])
    device, _ = begin(machine, first_opening())
    assert secret in memory(device)
    device.finish(bytes.fromhex(first_opening()["answer"]), ONLINE_KEYS)
    session_key = bytes.fromhex(first_opening()["session_key"])
    assert secret not in memory(device)
    assert session_key in memory(device)
    device.drop()
    assert not any(memory(device))
    device = in_vector_session(machine, 1)
    device.begin(1, bytes(range(32)), bytes(16))
    assert session_key not in memory(device)


def test_requests_differ_with_each_fresh_secret_and_nonce(machine: Machine) -> None:
    device = device_of(machine, first_opening())
    secrets = [bytes(31) + bytes((number,)) for number in (1, 8, 16)]
    made = {device.begin(1, secret, nonce * 16) for secret, nonce in itertools.product(secrets, (b"a", b"b"))}
    assert len(made) == 6
