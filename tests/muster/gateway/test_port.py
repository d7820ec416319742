# SPDX-License-Identifier: Apache-2.0
"""The gateway's rules for one link, without port, clock or network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from muster.gateway import Exchange, ExchangeKind, GatewayPort, PatchRequest, Reply
from muster.serial.frame import Frame
from muster.serial.messages import (
    EXCHANGE_SIZE_MAX,
    CheckIn,
    CheckInAnswer,
    Data,
    Fetch,
    InfoRequest,
    Open,
    OpenAnswer,
    UpdatePhase,
    UpdateStatus,
    frame_of,
)
from muster.status import OtaStatus

DIGEST = bytes(range(32))
OPENING = Exchange(ExchangeKind.OPEN, 7, b"opening")
REPORT = Exchange(ExchangeKind.CHECK_IN, 8, b"report")
PIECE = PatchRequest(DIGEST, 1020, 500)


def test_messages_become_requests_and_replies_become_answers() -> None:
    port = GatewayPort()
    assert port.receive(frame_of(Open(7, b"opening"))) == [OPENING]
    assert port.reply(OPENING, Reply(200, b"opened")) == frame_of(OpenAnswer(7, 200, b"opened"))
    assert port.receive(frame_of(CheckIn(8, b"report"))) == [REPORT]
    assert port.reply(REPORT, Reply(200, b"answer")) == frame_of(CheckInAnswer(8, 200, b"answer"))
    assert port.receive(frame_of(Fetch(DIGEST, 1020, 500))) == [PIECE]
    assert port.piece(PIECE, b"bytes") == frame_of(Data(1020, b"bytes"))
    assert port.open_requests == []


def test_frames_may_come_byte_by_byte_and_between_text() -> None:
    lines: list[str] = []
    port = GatewayPort(lines.append)
    stream = b"first line\r\n" + frame_of(Open(7, b"opening")) + b"second line\r\nno end"
    assert [request for byte in stream for request in port.receive(bytes([byte]))] == [OPENING]
    assert lines == ["first line", "second line"]


def test_a_refusal_reaches_the_device_without_a_body() -> None:
    port = GatewayPort()
    port.receive(frame_of(CheckIn(8, b"report")))
    assert port.reply(REPORT, Reply(401, b"a page of a proxy")) == frame_of(CheckInAnswer(8, 401, b""))
    assert port.counts.failures == 1


def test_a_server_that_is_not_reached_has_status_0() -> None:
    port = GatewayPort()
    port.receive(frame_of(Open(7, b"opening")))
    assert port.reply(OPENING, Reply(0)) == frame_of(OpenAnswer(7, 0, b""))


def test_an_answer_that_no_frame_holds_counts_as_none() -> None:
    port = GatewayPort()
    port.receive(frame_of(Open(7, b"opening")))
    assert port.reply(OPENING, Reply(200, bytes(EXCHANGE_SIZE_MAX + 1))) == frame_of(OpenAnswer(7, 0, b""))
    port.receive(frame_of(Open(7, b"opening")))
    longest = bytes(EXCHANGE_SIZE_MAX)
    assert port.reply(OPENING, Reply(200, longest)) == frame_of(OpenAnswer(7, 200, longest))


def test_a_repetition_of_an_open_request_is_not_forwarded_again() -> None:
    port = GatewayPort()
    stream = frame_of(CheckIn(8, b"report")) + frame_of(Fetch(DIGEST, 1020, 500))
    assert port.receive(stream) == [REPORT, PIECE]
    assert port.receive(stream) == []
    port.reply(REPORT, Reply(200, b"answer"))
    port.piece(PIECE, b"bytes")
    assert port.receive(stream) == [REPORT, PIECE]


def test_a_newer_message_takes_the_place_of_an_open_one() -> None:
    port = GatewayPort()
    port.receive(frame_of(CheckIn(8, b"report")))
    newer = Exchange(ExchangeKind.CHECK_IN, 9, b"again")
    assert port.receive(frame_of(CheckIn(9, b"again"))) == [newer]
    assert port.reply(REPORT, Reply(200, b"late")) == b""
    assert port.reply(newer, Reply(200, b"answer")) == frame_of(CheckInAnswer(9, 200, b"answer"))


def test_of_two_messages_in_one_read_only_the_newer_is_forwarded() -> None:
    port = GatewayPort()
    assert port.receive(frame_of(Open(6, b"first")) + frame_of(Open(7, b"opening"))) == [OPENING]


def test_a_newer_fetch_takes_the_place_of_an_open_one() -> None:
    port = GatewayPort()
    port.receive(frame_of(Fetch(DIGEST, 0, 1020)))
    port.receive(frame_of(Fetch(DIGEST, 1020, 500)))
    assert port.piece(PatchRequest(DIGEST, 0, 1020), b"late") == b""
    assert port.piece(PIECE, b"bytes") == frame_of(Data(1020, b"bytes"))


def test_no_reply_is_sent_twice() -> None:
    port = GatewayPort()
    port.receive(frame_of(Open(7, b"opening")) + frame_of(Fetch(DIGEST, 1020, 500)))
    assert port.reply(OPENING, Reply(200, b"opened"))
    assert port.reply(OPENING, Reply(200, b"opened")) == b""
    assert port.piece(PIECE, b"bytes")
    assert port.piece(PIECE, b"bytes") == b""


def test_a_patch_that_cannot_be_had_now_is_asked_for_again() -> None:
    port = GatewayPort()
    fetch = frame_of(Fetch(DIGEST, 1020, 500))
    port.receive(fetch)
    assert port.piece(PIECE, None) == b""
    assert port.receive(fetch) == [PIECE]


def test_a_patch_that_does_not_exist_makes_data_without_bytes() -> None:
    port = GatewayPort()
    port.receive(frame_of(Fetch(DIGEST, 1020, 500)))
    assert port.piece(PIECE, b"") == frame_of(Data(1020, b""))


def test_the_device_never_gets_more_than_it_asked_for() -> None:
    port = GatewayPort()
    port.receive(frame_of(Fetch(DIGEST, 1020, 500)))
    assert port.piece(PIECE, bytes(501)) == frame_of(Data(1020, bytes(500)))


def test_a_fetch_of_no_or_too_many_bytes_is_left_alone() -> None:
    port = GatewayPort()
    assert port.receive(frame_of(Fetch(DIGEST, 0, 0)) + frame_of(Fetch(DIGEST, 0, 1021))) == []
    assert port.open_requests == []


def test_what_is_not_for_a_gateway_is_left_alone() -> None:
    port = GatewayPort()
    stream = frame_of(InfoRequest()) + Frame(0x08, b"\x01").to_bytes() + Frame(0x55, b"unknown").to_bytes()
    assert port.receive(stream) == []


def test_the_last_update_status_is_kept() -> None:
    port = GatewayPort()
    status = UpdateStatus(3, UpdatePhase.ERASING, OtaStatus.OK, 400)
    port.receive(frame_of(status))
    assert port.update == status
    port.reset()
    assert port.update is None


def test_after_a_reset_nothing_of_before_counts() -> None:
    port = GatewayPort()
    half = frame_of(CheckIn(8, b"report"))
    port.receive(frame_of(Open(7, b"opening")) + half[:5])
    port.reset()
    assert port.receive(half[5:]) == []
    assert port.reply(OPENING, Reply(200, b"opened")) == b""


def test_bytes_are_counted() -> None:
    port = GatewayPort()
    stream = b"text" + frame_of(Open(7, b"opening")) + b"\x00broken\x00" + frame_of(Fetch(DIGEST, 1020, 500))
    port.receive(stream)
    down = port.reply(OPENING, Reply(200, b"opened")) + port.piece(PIECE, b"bytes")
    counts = port.counts
    assert (counts.up, counts.down, counts.patches) == (len(stream), len(down), 5)
    assert (counts.exchanges, counts.failures, counts.bad_frames) == (1, 0, 1)


_FRAMES = st.builds(Frame, st.integers(0, 255), st.binary(max_size=64)).map(Frame.to_bytes)


@given(st.lists(st.binary(max_size=64) | _FRAMES, max_size=8))
def test_a_message_is_understood_after_any_bytes(parts: list[bytes]) -> None:
    port = GatewayPort()
    port.receive(b"".join(parts))
    # The first delimiter may end garbage, so that the frame is lost; never the second one.
    opening = frame_of(Open(7, b"opening"))
    requests = port.receive(opening) + port.receive(opening)
    assert OPENING in (*requests, *port.open_requests)
