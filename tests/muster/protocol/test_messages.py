# SPDX-License-Identifier: Apache-2.0
"""Reports, answers and openings as objects: what may be made, and what is made is read back."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import ValueOutOfRange
from muster.protocol import (
    Answer,
    Call,
    DeviceState,
    KeySetReference,
    LogReport,
    MessageFormatError,
    Offer,
    OpenRequest,
    Report,
    SignatureRefused,
    UpdateProgress,
)
from muster.signing.keys import PrivateKey
from tests.muster.protocol.strategies import ANSWERS, FACTS, SECRETS, STATES, U16, U32


@given(facts=FACTS, state=STATES)
def test_report_is_read_back(facts: Report, state: DeviceState) -> None:
    report = dataclasses.replace(facts, **{item.name: getattr(state, item.name) for item in dataclasses.fields(state)})
    assert Report.from_bytes(report.to_bytes()) == report
    assert Report.from_bytes(facts.to_bytes()) == facts


@given(answer=ANSWERS)
def test_answer_is_read_back(answer: Answer) -> None:
    assert Answer.from_bytes(answer.to_bytes()) == answer


@given(raw=st.binary(max_size=60))
def test_garbage_is_a_message_format_error(raw: bytes) -> None:
    for parse in (Report.from_bytes, Answer.from_bytes, OpenRequest.from_bytes):
        try:
            parse(raw)
        except MessageFormatError:
            continue
        # What is no garbage is a map: of keys that are known, or not known.
        assert raw[0] >> 5 == 5


@given(seed=SECRETS, share=SECRETS, product_id=U16, platform_id=U16, keyset_version=U32)
def test_request_is_read_back_and_has_at_most_191_bytes(
    seed: bytes, share: bytes, product_id: int, platform_id: int, keyset_version: int
) -> None:
    key = PrivateKey(seed)
    request = OpenRequest(bytes(12), key.public_key.raw, share, bytes(16), product_id, platform_id, keyset_version)
    raw = request.sign(key)
    assert OpenRequest.from_bytes(raw) == request
    assert 181 <= len(raw) <= 191


def test_request_signed_by_another_key_is_refused() -> None:
    request = OpenRequest(bytes(12), PrivateKey(bytes(32)).public_key.raw, bytes(32), bytes(16), 1, 6, 0)
    with pytest.raises(SignatureRefused):
        OpenRequest.from_bytes(request.sign(PrivateKey(b"\x01" * 32)))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Report, {"slot": 2}),
        (Report, {"slot": True}),
        (Report, {"identity": bytes(9)}),
        (Report, {"product_version": 0x1_0000}),
        (Report, {"uptime_s": -1}),
        (Report, {"hold_s": 26}),
        (Report, {"health": {}}),
        (Report, {"health": {1: 0x8000_0000}}),
        (LogReport, {"report_id": 1, "lines": ()}),
        (UpdateProgress, {"attempt": 1, "status": 2, "received": 0}),
        (Answer, {"next_s": 1 << 32}),
        (Answer, {"acknowledged": (1, 2, 3, 4, 5)}),
        (Answer, {"results_acknowledged": (1, 2, 3, 4, 5)}),
        (Answer, {"calls": (Call(1, "f", ""),) * 3}),
        (Answer, {"settings": {}}),
        (Answer, {"settings": dict.fromkeys(range(9), 0)}),
        (Answer, {"settings": {1: "s" * 256}}),
        (Answer, {"settings": {1: "\ud800"}}),
        (Answer, {"keysets": (KeySetReference(2, bytes(32), 1), KeySetReference(2, bytes(32), 1))}),
        (Call, {"call_id": 1, "name": "", "argument": ""}),
        (Call, {"call_id": 1, "name": "f", "argument": "a\0"}),
        (Call, {"call_id": 1, "name": "f", "argument": "\u00fc" * 312}),
        (Offer, {"attempt": 1, "identity": bytes(8), "patch_digest": bytes(32), "patch_len": 1, "image_len": 1}),
        (KeySetReference, {"version": 0, "digest": bytes(32), "length": 1}),
        (KeySetReference, {"version": 1, "digest": bytes(31), "length": 1}),
    ],
)
def test_field_without_a_legal_value_is_refused(kind: type, fields: dict[str, object]) -> None:
    with pytest.raises(ValueOutOfRange):
        kind(**fields)
