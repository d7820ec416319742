# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import FormatError, ValueOutOfRange
from muster.serial.frame import BODY_MAX, Frame, FrameReader
from muster.serial.info import Info
from muster.serial.messages import Call, Confirm, Data, MessageType, Offer, frame_of
from muster.serial.parse import message_of
from tests.vectors.reading import Case, cases

CASES = cases("serial/messages.json")
GOOD = [case for case in CASES if case["status"] == 0]
BAD = [case for case in CASES if case["status"] != 0]
DIALOGUE = cases("serial/dialogue.json")


def plain(value: object) -> Any:
    """As it stands in a vector."""
    if isinstance(value, bytes):
        return value.hex()
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["name"])
def test_golden_messages_are_read_and_written(case: Case) -> None:
    message = message_of(Frame(case["type"], bytes.fromhex(case["body"])))
    assert message is not None
    assert plain(message) == case["fields"]
    assert message.to_body().hex() == case["body"]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_other_bodies_are_refused(case: Case) -> None:
    with pytest.raises(FormatError) as caught:
        message_of(Frame(case["type"], bytes.fromhex(case["body"])))
    assert caught.value.status == case["status"]


def test_every_type_has_a_vector() -> None:
    assert {case["type"] for case in GOOD} == set(MessageType)
    # A body that says nothing has no wrong form; one of any bytes neither.
    formless = {MessageType.CONFIRM_ANSWER, MessageType.RESTART_ANSWER}
    assert {case["type"] for case in BAD} | formless == set(MessageType)


def test_every_frame_of_the_dialogue_is_a_message_that_the_host_writes_so() -> None:
    for case in DIALOGUE:
        for raw in case["answers"]:
            (frame,) = FrameReader().feed(bytes.fromhex(raw))
            assert isinstance(frame, Frame)
            message = message_of(frame)
            assert message is not None
            assert frame_of(message).hex() == raw


def test_unknown_type_is_no_message() -> None:
    assert message_of(Frame(0x70, b"of a later version")) is None


@given(kind=st.sampled_from(MessageType), body=st.binary(max_size=120))
def test_any_body_is_a_message_or_refused(kind: MessageType, body: bytes) -> None:
    try:
        message = message_of(Frame(kind, body))
    except FormatError:
        return
    assert message is not None
    assert message.to_body() == body


def test_offer_of_a_patch_names_its_digest_and_length() -> None:
    offer = Offer.of_patch(3, bytes(32), 1000, b"abc")
    assert offer.digest.hex().startswith("ba7816bf")
    assert (offer.patch_len, offer.image_len) == (3, 1000)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Offer(0, bytes(31), bytes(32), 1, 1),
        lambda: Offer(2**32, bytes(32), bytes(32), 1, 1),
        lambda: Confirm(bytes(32)),
        lambda: Data(0, bytes(BODY_MAX - 3)),
        lambda: Call(2**16, b"f", b""),
        lambda: Call(0, b"f" * 13, b""),
        lambda: Call(0, b"f", bytes(623)),
    ],
)
def test_message_that_no_device_takes_is_not_made(make: Any) -> None:
    with pytest.raises(ValueOutOfRange):
        make()


def test_reason_of_the_outcome_has_a_name() -> None:
    body = next(case["body"] for case in GOOD if case["name"] == "info, all there")
    info = Info.from_body(bytes.fromhex(body))
    assert info.outcome is not None
    assert info.outcome.reason_text == "OTA_ERR_HASH"
