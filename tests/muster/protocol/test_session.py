# SPDX-License-Identifier: Apache-2.0
"""Sessions between the library's device and a server that follows the specification."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import ValueOutOfRange
from muster.protocol import (
    Answer,
    DeviceIdentity,
    DeviceSession,
    DeviceState,
    KeyAgreementRefused,
    MessageFormatError,
    OpenRequest,
    ProtocolError,
    Report,
    SealedMessage,
    SealRefused,
    SessionStateError,
    SignatureRefused,
    accept_opening,
    derive_key,
    open_report,
    seal_answer,
    seal_report,
)
from muster.protocol.seal import COUNTER_MAX, MESSAGE_SIZE_MAX, seal_up
from muster.signing.keys import PrivateKey
from tests.muster.protocol.server_model import ServerModel
from tests.muster.protocol.sizes import sizes
from tests.muster.protocol.strategies import ANSWERS, FACTS, SECRETS, STATES
from tests.vectors.fixed import key, signer
from tests.vectors.protocol.generate import STATE
from tests.vectors.reading import cases

ONLINE_KEYS = [key("online-1").public_key]


def new_device() -> DeviceSession:
    return DeviceSession(DeviceIdentity(b"device-12345", key("device-1"), 1234, 6))


def opened() -> tuple[DeviceSession, ServerModel]:
    device, server = new_device(), ServerModel(signer("online-1"))
    answer = server.open(device.begin(1, b"s" * 32, b"n" * 16))
    assert answer is not None
    device.finish(answer, ONLINE_KEYS)
    return device, server


@given(device_secret=SECRETS, server_secret=SECRETS, report=FACTS, state=STATES, answer=ANSWERS)
def test_whatever_is_said_arrives(
    device_secret: bytes, server_secret: bytes, report: Report, state: DeviceState, answer: Answer
) -> None:
    device = new_device()
    request = device.begin(1, device_secret, bytes(16))
    opened_by, keys = accept_opening(request, signer("online-1"), server_secret, b"session1")
    device.finish(opened_by, ONLINE_KEYS)
    counter, received = open_report(keys.session_id, keys.key, device.seal(state, report))
    assert (counter, received.identity, received.health) == (1, state.identity, report.health)
    assert device.open(seal_answer(keys.session_id, keys.key, counter, answer)) == answer


@given(seed=st.integers(1, 255))
def test_altered_byte_of_any_message_is_refused_and_the_true_one_still_taken(seed: int) -> None:
    device, server = new_device(), ServerModel(signer("online-1"))
    request = device.begin(1, b"s" * 32, b"n" * 16)
    for altered in one_byte_altered(request, seed):
        with pytest.raises(ProtocolError):
            OpenRequest.from_bytes(altered)
    answer = server.open(request)
    assert answer is not None
    for altered in one_byte_altered(answer, seed):
        with pytest.raises(ProtocolError):
            device.finish(altered, ONLINE_KEYS)
    device.finish(answer, ONLINE_KEYS)
    message = device.seal(STATE)
    for altered in one_byte_altered(message, seed):
        assert server.check_in(altered) is None
    reply = server.check_in(message)
    assert reply is not None
    for altered in one_byte_altered(reply, seed):
        with pytest.raises(ProtocolError):
            device.open(altered)
    assert device.open(reply) == Answer()


def one_byte_altered(raw: bytes, seed: int) -> list[bytes]:
    return [raw[:at] + bytes((raw[at] ^ seed,)) + raw[at + 1 :] for at in range(len(raw))]


@given(raw=st.binary(max_size=80), head=st.integers(0, 40))
def test_garbage_is_refused(raw: bytes, head: int) -> None:
    device, server = opened()
    message = device.seal(STATE)
    assert server.check_in(message[:head] + raw) is None or message[:head] + raw == message
    with pytest.raises(ProtocolError):
        device.open(raw)
    with pytest.raises(ProtocolError):
        new_device().finish(raw, ONLINE_KEYS)


def test_replayed_and_reordered_messages_are_refused() -> None:
    device, server = opened()
    first, second = device.seal(STATE), device.seal(STATE)
    assert server.check_in(second) is not None
    assert server.check_in(second) is None
    assert server.check_in(first) is None


def test_late_answer_to_an_earlier_message_is_refused() -> None:
    device, server = opened()
    late = server.check_in(device.seal(STATE))
    now = server.check_in(device.seal(STATE))
    assert late is not None
    assert now is not None
    with pytest.raises(SealRefused):
        device.open(late)
    assert device.open(now) == Answer()
    with pytest.raises(SessionStateError):
        device.open(now)


def test_message_sent_back_to_its_sender_is_refused() -> None:
    device, _ = opened()
    with pytest.raises(MessageFormatError):
        device.open(device.seal(STATE))


def test_same_opening_gets_the_same_answer() -> None:
    device, server = new_device(), ServerModel(signer("online-1"))
    request = device.begin(1, b"s" * 32, b"n" * 16)
    assert server.open(request) == server.open(request)


def test_replayed_opening_does_not_disturb_the_current_session() -> None:
    device, server = new_device(), ServerModel(signer("online-1"))
    request = device.begin(1, b"s" * 32, b"n" * 16)
    answer = server.open(request)
    assert answer is not None
    device.finish(answer, ONLINE_KEYS)
    assert server.check_in(device.seal(STATE)) is not None
    assert server.open(request) != answer
    assert server.check_in(device.seal(STATE)) is not None


def test_answer_to_another_devices_opening_is_refused() -> None:
    device, other, server = new_device(), new_device(), ServerModel(signer("online-1"))
    device.begin(1, b"s" * 32, b"n" * 16)
    answer = server.open(other.begin(1, b"t" * 32, b"n" * 16))
    assert answer is not None
    with pytest.raises(SignatureRefused):
        device.finish(answer, ONLINE_KEYS)


def test_message_of_another_session_is_refused() -> None:
    keys = opened()[0].keys
    assert keys is not None
    message = seal_report(b"another1", keys.key, 1, Report())
    with pytest.raises(SealRefused):
        open_report(keys.session_id, keys.key, message)


def test_counter_travels_in_its_shortest_form() -> None:
    for counter, size in ((1, 1), (0xFF, 1), (0x100, 2), (0x1_0000, 3), (0x100_0000, 4), (COUNTER_MAX, 4)):
        message = seal_up(b"session1", bytes(32), counter, b"")
        assert message[17:19] == bytes((6, 0x40 + size))
        assert SealedMessage.from_bytes(message).counter == counter
    for counter in (0, COUNTER_MAX + 1, -1):
        with pytest.raises(ValueOutOfRange):
            seal_up(b"session1", bytes(32), counter, b"")


def test_session_ends_with_its_last_counter() -> None:
    device, _ = opened()
    device._counter = COUNTER_MAX - 1
    keys = device.keys
    assert keys is not None
    counter, _ = open_report(keys.session_id, keys.key, device.seal(STATE))
    assert counter == COUNTER_MAX
    with pytest.raises(SessionStateError):
        device.seal(STATE)


def test_nothing_is_possible_without_a_session() -> None:
    device = new_device()
    for act in (lambda: device.seal(STATE), lambda: device.open(b""), lambda: device.finish(b"", ONLINE_KEYS)):
        with pytest.raises(SessionStateError):
            act()


# Every share of small order on Curve25519 (RFC 7748 section 6.1 asks for the check; list: cr.yp.to/ecdh.html).
SMALL_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    2**255 - 20,
    2**255 - 19,
    2**255 - 18,
]


@pytest.mark.parametrize("number", SMALL_ORDER)
def test_share_of_small_order_is_refused(number: int) -> None:
    with pytest.raises(KeyAgreementRefused):
        derive_key(b"s" * 32, number.to_bytes(32, "little"), bytes(32), b"session1")
    device_key = PrivateKey(bytes(32))
    request = OpenRequest(bytes(12), device_key.public_key.raw, number.to_bytes(32, "little"), bytes(16), 1, 6, 0)
    with pytest.raises(KeyAgreementRefused):
        accept_opening(request.sign(device_key), signer("online-1"), b"t" * 32, b"session1")


def test_secrets_are_not_shown() -> None:
    device, _ = opened()
    assert device.keys is not None
    assert repr(device.keys.key) not in repr(device)
    device.begin(1, b"s" * 32, b"n" * 16)
    assert repr(b"s" * 32) not in repr(device)


def test_longest_message_has_1008_bytes() -> None:
    assert len(seal_up(b"session1", bytes(32), COUNTER_MAX, bytes(966))) == MESSAGE_SIZE_MAX
    with pytest.raises(ValueOutOfRange):
        seal_up(b"session1", bytes(32), COUNTER_MAX, bytes(967))


def test_sizes_keep_their_goals() -> None:
    """A routine check-in: at most 96 bytes up and 64 down."""
    for name, size in sizes().items():
        goal = 96 if " up:" in name else 64 if " down:" in name else 192
        assert size <= goal, name
    for found in cases("protocol/messages.json"):
        if found["name"] in ("up_1", "up_4294967295"):
            assert len(found["message"]) / 2 <= 96
        if found["name"] == "down_1":
            assert len(found["message"]) / 2 <= 64


def test_unchanged_state_is_left_out_only_when_the_server_must_know_it() -> None:
    device, server = opened()
    server.check_in(device.seal(STATE))  # the answer is lost
    assert server.reports[-1].slot == STATE.slot
    reply = server.check_in(device.seal(STATE))
    assert reply is not None
    assert server.reports[-1].slot == STATE.slot
    device.open(reply)
    server.check_in(device.seal(STATE))
    assert server.reports[-1] == Report()


def test_state_that_changes_back_behind_a_lost_answer_is_sent_again() -> None:
    device, server = opened()
    reply = server.check_in(device.seal(STATE))
    assert reply is not None
    device.open(reply)
    server.check_in(device.seal(dataclasses.replace(STATE, interval_s=5)))  # counted, and its answer is lost
    assert server.state["interval_s"] == 5
    server.check_in(device.seal(STATE))
    assert server.state["interval_s"] == STATE.interval_s
