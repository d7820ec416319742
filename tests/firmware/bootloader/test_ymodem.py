# SPDX-License-Identifier: Apache-2.0
"""The bootloader's YMODEM receiver against a sender written from the protocol's description."""

from __future__ import annotations

import binascii
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.status import OtaStatus
from tests.firmware.compiled import FIRMWARE, Compiled, compile_firmware

_FOLDER = FIRMWARE / "bootloader"
_CORE = FIRMWARE / "core" / "include"
SOH, STX, EOT, ACK, NAK, CAN = 0x01, 0x02, 0x04, 0x06, 0x15, 0x18
ASK = ord("C")
CANCEL = bytes([CAN] * 5)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("ymodem")
    headers = [_CORE / "ota" / "status.h", _FOLDER / "ymodem.h"]
    return compile_firmware(folder, [_FOLDER / "ymodem.c"], headers, [_FOLDER, _CORE])


class Receiver:
    """The receiver with a port that keeps everything."""

    def __init__(self, compiled: Compiled) -> None:
        ffi = compiled.ffi
        self.lib = compiled.lib
        self.files: list[bytes] = []
        self.lengths: list[int] = []
        self.ended = 0
        self.sent = b""
        self.refuse_begin = self.refuse_data = self.refuse_end = OtaStatus.OK
        self.now_ms = 1000
        self.event = self.lib.YMODEM_BUSY

        def begin(_: Any, length: int) -> int:
            self.lengths.append(length)
            self.files.append(b"")
            return int(self.refuse_begin)

        def data(_: Any, raw: Any, length: int) -> int:
            self.files[-1] += bytes(ffi.buffer(raw, length))
            return int(self.refuse_data)

        def end(_: Any) -> int:
            self.ended += 1
            return int(self.refuse_end)

        def send(_: Any, raw: Any, length: int) -> None:
            self.sent += bytes(ffi.buffer(raw, length))

        self._kept = [
            ffi.callback("enum ota_status(void *, uint32_t)", begin),
            ffi.callback("enum ota_status(void *, const uint8_t *, uint32_t)", data),
            ffi.callback("enum ota_status(void *)", end),
            ffi.callback("void(void *, const uint8_t *, uint32_t)", send),
        ]
        self._port = ffi.new("struct ymodem_port *", [ffi.NULL, *self._kept])
        self.ymodem = ffi.new("struct ymodem *")
        self.lib.ymodem_init(self.ymodem, self.now_ms)

    def push(self, raw: bytes) -> bytes:
        """Bytes from the sender until the receiver has had enough; what it answers."""
        self.sent = b""
        for byte in raw:
            if self.event != self.lib.YMODEM_BUSY:
                break
            self.event = self.lib.ymodem_push(self.ymodem, self._port, byte, self.now_ms)
        return self.sent

    def wait(self, milliseconds: int) -> bytes:
        """Silence on the line."""
        self.sent = b""
        self.now_ms += milliseconds
        if self.event == self.lib.YMODEM_BUSY:
            self.event = self.lib.ymodem_tick(self.ymodem, self._port, self.now_ms)
        return self.sent

    @property
    def is_canceled(self) -> bool:
        return bool(self.event == self.lib.YMODEM_CANCELED)


@pytest.fixture
def receiver(compiled: Compiled) -> Receiver:
    return Receiver(compiled)


def block(number: int, content: bytes, size: int = 128, pad: bytes = b"\x1a") -> bytes:
    padded = content.ljust(size, pad)
    start = SOH if size == 128 else STX
    head = bytes((start, number & 0xFF, 0xFF - (number & 0xFF)))
    return head + padded + binascii.crc_hqx(padded, 0).to_bytes(2, "big")


def header(length: int | str, name: bytes = b"image.bin") -> bytes:
    return block(0, name + b"\x00" + f"{length} 14567 100644".encode(), pad=b"\x00")


def send_file(receiver: Receiver, content: bytes, size: int) -> None:
    assert receiver.push(header(len(content))) == bytes((ACK, ASK))
    for number, at in enumerate(range(0, len(content), size), start=1):
        assert receiver.push(block(number, content[at : at + size], size)) == bytes((ACK,))
    assert receiver.push(bytes((EOT,))) == bytes((ACK, ASK))


def end_batch(receiver: Receiver) -> None:
    assert receiver.push(block(0, b"", pad=b"\x00")) == bytes((ACK,))
    assert receiver.event == receiver.lib.YMODEM_DONE


@given(content=st.binary(min_size=1, max_size=3000), size=st.sampled_from([128, 1024]))
def test_file_arrives_without_its_padding(compiled: Compiled, content: bytes, size: int) -> None:
    receiver = Receiver(compiled)
    send_file(receiver, content, size)
    end_batch(receiver)
    assert receiver.files == [content]
    assert receiver.lengths == [len(content)]
    assert receiver.ended == 1


def test_block_numbers_wrap(receiver: Receiver) -> None:
    content = bytes(range(251)) * 150
    send_file(receiver, content, 128)
    end_batch(receiver)
    assert receiver.files == [content]


def test_batch_of_files(receiver: Receiver) -> None:
    send_file(receiver, b"first" * 50, 128)
    send_file(receiver, b"second" * 500, 1024)
    end_batch(receiver)
    assert receiver.files == [b"first" * 50, b"second" * 500]
    assert receiver.ended == 2


def test_sender_is_asked_until_it_begins(receiver: Receiver) -> None:
    assert [receiver.wait(0), receiver.wait(2999), receiver.wait(1)] == [b"C", b"", b"C"]
    for _ in range(50):
        assert receiver.wait(3000) == b"C"


@pytest.mark.parametrize("spoil", [1, 2, 3, 70, 130, 131, 132])
def test_damaged_block_is_asked_for_again(receiver: Receiver, spoil: int) -> None:
    receiver.push(header(128))
    damaged = bytearray(block(1, b"x" * 128))
    damaged[spoil] ^= 0x10
    assert receiver.push(bytes(damaged)) == bytes((NAK,))
    assert receiver.files == [b""]
    assert receiver.push(block(1, b"x" * 128)) == bytes((ACK,))
    assert receiver.files == [b"x" * 128]


def test_repeated_block_counts_once(receiver: Receiver) -> None:
    receiver.push(header(200))
    assert receiver.push(header(200)) == bytes((ACK, ASK))
    for _ in range(2):
        assert receiver.push(block(1, b"a" * 128)) == bytes((ACK,))
    receiver.push(block(2, b"b" * 72))
    receiver.push(bytes((EOT,)))
    assert receiver.files == [b"a" * 128 + b"b" * 72]
    assert receiver.lengths == [200]


def test_repeated_end_of_file_counts_once(receiver: Receiver) -> None:
    send_file(receiver, b"x" * 10, 128)
    assert receiver.push(bytes((EOT,))) == bytes((ACK, ASK))
    end_batch(receiver)
    assert receiver.ended == 1


def test_block_out_of_order_cancels(receiver: Receiver) -> None:
    receiver.push(header(1000))
    assert receiver.push(block(2, b"x")) == CANCEL
    assert receiver.is_canceled
    assert receiver.ymodem.status == OtaStatus.ERR_FRAME


def test_file_that_ends_too_early_cancels(receiver: Receiver) -> None:
    receiver.push(header(300))
    receiver.push(block(1, b"x" * 128))
    assert receiver.push(bytes((EOT,))) == CANCEL
    assert receiver.ended == 0


def test_bytes_beyond_the_length_are_padding(receiver: Receiver) -> None:
    receiver.push(header(128))
    receiver.push(block(1, b"a" * 128))
    assert receiver.push(block(2, b"b" * 128)) == bytes((ACK,))
    receiver.push(bytes((EOT,)))
    assert receiver.files == [b"a" * 128]


@pytest.mark.parametrize("length", ["", "0", "x", "1048577", "99999999999999999999"])
def test_file_without_a_length_that_can_be_is_refused(receiver: Receiver, length: str) -> None:
    assert receiver.push(header(length)) == CANCEL
    assert receiver.lengths == []


def test_header_that_is_all_name_is_refused(receiver: Receiver) -> None:
    assert receiver.push(block(0, b"n" * 128)) == CANCEL
    assert receiver.lengths == []


@pytest.mark.parametrize("where", ["refuse_begin", "refuse_data", "refuse_end"])
def test_what_the_port_refuses_cancels_with_its_status(receiver: Receiver, where: str) -> None:
    setattr(receiver, where, OtaStatus.ERR_SIGNERS)
    receiver.push(header(5) + block(1, b"12345") + bytes((EOT,)))
    assert receiver.sent.endswith(CANCEL)
    assert receiver.is_canceled
    assert receiver.ymodem.status == OtaStatus.ERR_SIGNERS


def test_sender_may_cancel(receiver: Receiver) -> None:
    receiver.push(header(1000))
    receiver.push(bytes((CAN, CAN)))
    assert receiver.is_canceled


def test_one_cancel_byte_alone_is_noise(receiver: Receiver) -> None:
    receiver.push(bytes((CAN, ord("x"), CAN)))
    assert not receiver.is_canceled


def test_silence_in_a_file_is_answered_with_nak_and_given_up_after_ten(receiver: Receiver) -> None:
    receiver.push(header(1000) + block(1, b"x" * 128)[:50])
    for _ in range(9):
        assert receiver.wait(5000) == bytes((NAK,))
    assert receiver.wait(5000) == CANCEL
    assert receiver.is_canceled


def test_half_a_block_is_forgotten_after_silence(receiver: Receiver) -> None:
    receiver.push(header(128) + block(1, b"x" * 128)[:50])
    receiver.wait(5000)
    assert receiver.push(block(1, b"y" * 128)) == bytes((ACK,))
    assert receiver.files == [b"y" * 128]


@given(garbage=st.binary(max_size=3000))
def test_no_garbage_makes_a_file(compiled: Compiled, garbage: bytes) -> None:
    receiver = Receiver(compiled)
    receiver.push(garbage)
    assert receiver.files == []
