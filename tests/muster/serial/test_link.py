# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.errors import DeviceError, ValueOutOfRange
from muster.serial import Link
from muster.serial.frame import Frame
from muster.serial.messages import Call, CallAnswer, Message, frame_of
from muster.status import OtaStatus
from tests.muster.serial.simulated import NEW, OLD, SimulatedDevice, SimulatedTransport


@pytest.fixture
def device() -> SimulatedDevice:
    return SimulatedDevice()


@pytest.fixture
def transport(device: SimulatedDevice) -> SimulatedTransport:
    return SimulatedTransport(device)


def test_info_is_what_the_device_says(device: SimulatedDevice, transport: SimulatedTransport) -> None:
    assert Link(transport).info() == device.info


def test_question_is_repeated_until_it_is_answered(device: SimulatedDevice, transport: SimulatedTransport) -> None:
    seen: list[Message] = []

    def drop(message: Message) -> bool:
        seen.append(message)
        return len(seen) < 4

    device.drop = drop
    assert Link(transport).info() == device.info
    assert len(seen) == 4


def test_device_that_does_not_answer_is_an_error(transport: SimulatedTransport) -> None:
    transport.device = None
    with pytest.raises(DeviceError) as caught:
        Link(transport, timeout_s=1.0, tries=3).info()
    assert caught.value.status is OtaStatus.ERR_TIMEOUT
    assert transport.time_s() == pytest.approx(103.0)


def test_call_returns_the_result(transport: SimulatedTransport) -> None:
    link = Link(transport)
    assert [link.call("double", "21"), link.call("double", "-4")] == [42, -8]


def test_claim_code_is_given_to_the_device(device: SimulatedDevice, transport: SimulatedTransport) -> None:
    code = "c" * 63
    Link(transport).claim(code)
    assert device.claim_code == code
    device.refuse = OtaStatus.ERR_STATE
    with pytest.raises(DeviceError) as refused:
        Link(transport).claim(code)
    assert refused.value.status is OtaStatus.ERR_STATE
    with pytest.raises(ValueOutOfRange):
        Link(transport).claim("c" * 62)


def test_repeated_call_keeps_its_id_and_the_next_has_another(
    device: SimulatedDevice, transport: SimulatedTransport
) -> None:
    ids: list[int] = []

    def drop(message: Message) -> bool:
        assert isinstance(message, Call)
        ids.append(message.call_id)
        return len(ids) == 1

    device.drop = drop
    link = Link(transport)
    link.call("double", "1")
    link.call("double", "2")
    assert ids[0] == ids[1] != ids[2]


def test_late_answer_to_another_call_is_not_taken(transport: SimulatedTransport) -> None:
    transport.say(frame_of(CallAnswer(0, OtaStatus.OK, 99)))
    assert Link(transport).call("double", "3") == 6


def test_refusal_is_an_error_with_the_devices_status(transport: SimulatedTransport) -> None:
    link = Link(transport)
    with pytest.raises(DeviceError) as call:
        link.call("unknown")
    assert call.value.status is OtaStatus.ERR_NOT_FOUND
    with pytest.raises(DeviceError) as confirm:
        link.confirm(NEW)
    assert confirm.value.status is OtaStatus.ERR_IDENTITY


def test_confirm_and_restart_that_succeed_say_nothing(transport: SimulatedTransport) -> None:
    link = Link(transport)
    link.confirm(OLD)
    link.restart()


def test_log_and_frames_of_another_version_do_not_disturb(
    device: SimulatedDevice, transport: SimulatedTransport
) -> None:
    lines: list[str] = []
    transport.say(b"5 info hello\r\n" + Frame(0x70).to_bytes() + Frame(0x81, b"no map").to_bytes())
    assert Link(transport, on_log=lines.append).info() == device.info
    assert lines == ["5 info hello"]
