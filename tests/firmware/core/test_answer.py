# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.protocol import Answer, Call, KeySetReference, MessageFormatError, Offer, Read, Signal, codec
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine
from tests.muster.protocol.strategies import ANSWERS
from tests.vectors.reading import Case, cases


def read(machine: Machine, plaintext: bytes) -> tuple[int, Answer | None]:
    """Status, and what the struct says."""
    content, answer = machine.buffer(plaintext), machine.new("struct ota_answer *")
    status = machine.lib.ota_answer_read(content, len(plaintext), answer)
    return status, said(machine, answer) if status == 0 else None


def said(machine: Machine, c: Any) -> Answer:
    def text(span: Any) -> str:
        return bytes(machine.ffi.buffer(span.bytes, span.len)).decode() if span.len else ""

    offer = c.offer
    return Answer(
        next_s=c.next_s if c.has_next else None,
        offer=Offer(offer.attempt, bytes(offer.identity), bytes(offer.patch_digest), offer.patch_len, offer.image_len)
        if c.has_offer
        else None,
        acknowledged=tuple(c.acknowledged[0 : c.acknowledged_count]),
        outcome_acknowledged=c.outcome_acknowledged if c.has_outcome_acknowledged else None,
        calls=tuple(Call(call.id, text(call.name), text(call.argument)) for call in c.calls[0 : c.call_count]),
        results_acknowledged=tuple(c.results_acknowledged[0 : c.results_acknowledged_count]),
        settings={item.key: text(item.text) if item.is_text else item.value for item in c.settings[0 : c.setting_count]}
        or None,
        keysets=tuple(
            KeySetReference(ref.version, bytes(ref.digest), ref.len) for ref in c.keysets[0 : c.keyset_count]
        ),
        is_quarantined=c.is_quarantined,
        withdrawn=c.withdrawn if c.has_withdrawn else None,
        reads=tuple(Read(read.id, text(read.name)) for read in c.reads[0 : c.read_count]),
        is_claim_taken=c.is_claim_taken,
        signal=Signal(c.signal.id, c.signal.is_on) if c.has_signal else None,
        consent_s=c.consent_s or None,
    )


@pytest.mark.parametrize("found", cases("protocol/answers.json"), ids=lambda found: found["name"])
def test_golden_vectors(machine: Machine, found: Case) -> None:
    plaintext = bytes.fromhex(found["plaintext"])
    status, answer = read(machine, plaintext)
    assert status == found["status"]
    if status == 0:
        assert answer == Answer.from_bytes(plaintext)


@settings(max_examples=150)
@given(answer=ANSWERS)
def test_answer_reads_as_what_was_meant(machine: Machine, answer: Answer) -> None:
    assert read(machine, answer.to_bytes()) == (0, answer)


def agree(machine: Machine, plaintext: bytes) -> None:
    """Device and library take the same answers, and read the same in them."""
    try:
        expected: tuple[int, Answer | None] = (0, Answer.from_bytes(plaintext))
    except MessageFormatError as error:
        # The device does not check that texts are UTF-8.
        if "UTF-8" in str(error):
            return
        expected = (OtaStatus.ERR_MESSAGE, None)
    assert read(machine, plaintext) == expected


@settings(max_examples=200)
@given(raw=st.binary(max_size=50))
def test_garbage_is_refused_like_the_library_does(machine: Machine, raw: bytes) -> None:
    agree(machine, raw)
    agree(machine, b"\xa1" + raw)


@settings(max_examples=150)
@given(answer=ANSWERS, data=st.data())
def test_altered_answers_are_read_like_the_library_does(machine: Machine, answer: Answer, data: st.DataObject) -> None:
    raw = bytearray(answer.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    agree(machine, bytes(raw))
    agree(machine, bytes(raw[: data.draw(st.integers(0, len(raw)))]))


VALUES = st.recursive(
    st.integers(-0x8000_0000, 0xFFFF_FFFF)
    | st.binary(max_size=30)
    | st.text("az", max_size=30)
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 0xFFFF_FFFF), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(answer=ANSWERS, unknown=st.dictionaries(st.integers(11, 0xFFFF_FFFF) | st.just(0), VALUES, max_size=3))
def test_unknown_keys_are_ignored(machine: Machine, answer: Answer, unknown: dict[int, object]) -> None:
    known = codec.load_map(answer.to_bytes(), "answer")
    agree(machine, codec.dumps({**known, **unknown}))
