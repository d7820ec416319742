# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of docs/spec/serial_link.md. Bytes are written out here, not made by the library."""

from __future__ import annotations

import struct
import zlib

from muster.status import OtaStatus
from tests.vectors.reading import Case

_IDENTITY = bytes(range(0xC0, 0xE0))
_DIGEST = bytes(range(0x40, 0x60))
_DEVICE_ID = bytes(range(0x30, 0x3C))
_DEVICE_KEY = bytes(range(0x60, 0x80))
_MESSAGE = int(OtaStatus.ERR_MESSAGE)
_CLAIM_CODE = b"!~" + b"c" * 61


def serial_files() -> dict[str, tuple[str, list[Case]]]:
    return {
        "serial/frames.json": ("Frames and the bytes they are on the line.", _frames()),
        "serial/streams.json": ("Bytes on the line, and what a receiver takes out of them.", _streams()),
        "serial/messages.json": ("Bodies of messages; `status` -61: not a body of this type.", _messages()),
        "serial/dialogue.json": (
            "What a thermostat that is confirmed in slot A, with lifecycle development, answers; in this order.",
            _dialogue(),
        ),
    }


def _cobs(raw: bytes) -> bytes:
    """Byte for byte, as the specification says it."""
    blocks = [bytearray()]
    for number, byte in enumerate(raw):
        if byte == 0:
            blocks.append(bytearray())
        else:
            blocks[-1].append(byte)
        if len(blocks[-1]) == 254 and number + 1 < len(raw):
            blocks[-1].insert(0, 0xFF)
            blocks.append(bytearray())
    return b"".join(bytes(b) if b[:1] == b"\xff" and len(b) == 255 else bytes((len(b) + 1,)) + b for b in blocks)


def frame(kind: int, body: bytes = b"") -> bytes:
    """One frame on the line."""
    raw = bytes((kind,)) + body
    return b"\x00" + _cobs(raw + struct.pack("<I", zlib.crc32(raw))) + b"\x00"


def _frames() -> list[Case]:
    bodies = {
        "empty": (0x01, b""),
        "one zero": (0x42, b"\x00"),
        "zeros": (0x00, bytes(20)),
        "no zero, a block short": (0x42, b"\x11" * 248),
        "no zero, one block": (0x42, b"\x11" * 249),
        "no zero, a block and a byte": (0x42, b"\x11" * 250),
        "longest": (0xFF, bytes(range(256)) * 4),
        "longest without zero": (0xFF, b"\xff" * 1024),
    }
    return [
        {"name": name, "type": kind, "body": body.hex(), "frame": frame(kind, body).hex()}
        for name, (kind, body) in bodies.items()
    ]


def _streams() -> list[Case]:
    first, second = frame(0x01), frame(0x86, b"\x01\x00\x00\x00\x2a\x00\x00\x00")
    one: Case = {"type": 0x01, "body": ""}
    two: Case = {"type": 0x86, "body": "010000002a000000"}
    damaged = bytearray(first)
    damaged[3] ^= 1
    streams: dict[str, tuple[bytes, list[Case], int]] = {
        "text and frames": (
            b"hello\r\n" + first + b"42 info x\r\n" + second,
            [_t("hello\r\n"), one, _t("42 info x\r\n"), two],
            0,
        ),
        "two delimiters in a row are one": (b"\x00" + first + second, [one, two], 0),
        "no delimiter is shared": (first[:-1] + second, [one, _t(second[1:-1].decode("latin-1"))], 0),
        "damaged frame": (bytes(damaged) + second, [two], 1),
        "lost end": (first[:-2] + second, [two], 1),
        "lost beginning": (first[1:] + second, [_t(first[1:-1].decode("latin-1")), two], 0),
        "stray delimiter eats text up to the next one": (b"\x00log\r\n" + first, [one], 1),
        "body of 1,025 bytes": (frame(0x01, b"\x01" * 1025) + second, [two], 1),
        "nothing but delimiters": (bytes(5), [], 0),
    }
    return [
        {"name": name, "bytes": raw.hex(), "items": items, "bad_frames": bad}
        for name, (raw, items, bad) in streams.items()
    ]


def _t(text: str) -> Case:
    return {"text": text.encode("latin-1").hex()}


def _messages() -> list[Case]:
    offer = struct.pack("<I", 7) + _IDENTITY + _DIGEST + struct.pack("<II", 1449, 36096)
    good: list[tuple[str, int, bytes, Case]] = [
        ("info request", 0x01, b"", {}),
        ("info, all there", 0x81, _info_full(), _INFO_FULL_FIELDS),
        ("info, nothing known", 0x81, _info_empty(), _INFO_EMPTY_FIELDS),
        ("offer", 0x02, offer, _offer_fields(7, 1449, 36096)),
        ("offer answer", 0x82, bytes.fromhex("07000000 0000 00800000"), _answer_fields(7, 0, 0x8000)),
        ("offer refused", 0x82, bytes.fromhex("ffffffff c0ff 00000000"), _answer_fields(0xFFFFFFFF, -64, 0)),
        ("confirm", 0x03, _IDENTITY[:16], {"identity": _IDENTITY[:16].hex()}),
        ("confirm answer", 0x83, bytes.fromhex("0000"), {"status": 0}),
        ("confirm refused", 0x83, bytes.fromhex("e9ff"), {"status": -23}),
        ("fetch", 0x04, _DIGEST + bytes.fromhex("00040000 fc03"), _fetch_fields(1024, 1020)),
        ("data", 0x84, bytes.fromhex("00040000 0102"), {"offset": 1024, "content": "0102"}),
        ("no data", 0x84, bytes.fromhex("00000000"), {"offset": 0, "content": ""}),
        ("restart", 0x05, b"", {}),
        ("restart answer", 0x85, bytes.fromhex("0000"), {"status": 0}),
        ("call", 0x06, bytes.fromhex("0201 09") + b"set_point21.5", _call_fields(0x102, b"set_point", b"21.5")),
        ("call without argument", 0x06, bytes.fromhex("ffff 01") + b"f", _call_fields(0xFFFF, b"f", b"")),
        ("call answer", 0x86, bytes.fromhex("0201 0000 66080000"), _call_answer_fields(0x102, 0, 2150)),
        ("call refused", 0x86, bytes.fromhex("0201 d6ff ffffffff"), _call_answer_fields(0x102, -42, -1)),
        ("erasing", 0x07, bytes.fromhex("07000000 01 0000 40000000"), _status_fields(1, 0, 64)),
        ("ended, staged", 0x07, bytes.fromhex("07000000 03 0000 a9050000"), _status_fields(3, 0, 1449)),
        ("ended, wrong base", 0x07, bytes.fromhex("07000000 03 ccff a9050000"), _status_fields(3, -52, 1449)),
        ("open", 0x08, bytes.fromhex("0100 d28443"), {"exchange": 1, "message": "d28443"}),
        ("check in, longest", 0x09, b"\xfe\xff" + b"\x5a" * 1008, {"exchange": 0xFFFE, "message": "5a" * 1008}),
        ("open answer", 0x88, bytes.fromhex("0100 c800 8258"), _exchange_fields(1, 200, "8258")),
        ("open answer, refused", 0x88, bytes.fromhex("0100 9101"), _exchange_fields(1, 401, "")),
        ("check in answer", 0x89, bytes.fromhex("feff c800 83"), _exchange_fields(0xFFFE, 200, "83")),
        (
            "check in answer, longest",
            0x89,
            bytes.fromhex("0200 c800") + b"\x83" * 1008,
            _exchange_fields(2, 200, "83" * 1008),
        ),
        ("check in answer, server not reached", 0x89, bytes.fromhex("0200 0000"), _exchange_fields(2, 0, "")),
        ("claim", 0x0A, _CLAIM_CODE, {"code": _CLAIM_CODE.decode()}),
        ("claim answer", 0x8A, bytes.fromhex("0000"), {"status": 0}),
    ]
    bad: list[tuple[str, int, bytes]] = [
        ("info request with a body", 0x01, b"\x00"),
        ("info, no map", 0x81, b"\x80"),
        ("info, a key is missing", 0x81, b"\xb3" + _info_empty()[1:-2]),
        ("info, a device key of one byte", 0x81, _info_empty()[:-1] + b"\x41\x01"),
        ("info, boot state 3", 0x81, _info_empty().replace(b"\x0a\x83\x00", b"\x0a\x83\x03")),
        ("offer, a byte short", 0x02, offer[:-1]),
        ("offer, a byte long", 0x02, offer + b"\x00"),
        ("offer answer, unknown status", 0x82, bytes.fromhex("07000000 0100 00000000")),
        ("confirm, whole identity", 0x03, _IDENTITY),
        ("confirm answer, empty", 0x83, b""),
        ("fetch, a byte short", 0x04, _DIGEST + bytes(5)),
        ("data without offset", 0x84, b"\x00\x00\x00"),
        ("restart with a body", 0x05, b"\x00"),
        ("call without name", 0x06, b"\x01\x00"),
        ("call, name longer than the body", 0x06, b"\x01\x00\x05abcd"),
        ("call, name of 13", 0x06, b"\x01\x00\x0d" + b"n" * 13),
        ("call answer, a byte short", 0x86, bytes(7)),
        ("update status, phase 0", 0x07, bytes.fromhex("07000000 00 0000 00000000")),
        ("update status, phase 4", 0x07, bytes.fromhex("07000000 04 0000 00000000")),
        ("open without exchange", 0x08, b"\x01"),
        ("check in, a byte too long", 0x09, b"\x01\x00" + b"\x5a" * 1009),
        ("open answer without status", 0x88, b"\x01\x00\xc8"),
        ("check in answer, a byte too long", 0x89, b"\x01\x00\xc8\x00" + b"\x83" * 1009),
        ("claim, a character short", 0x0A, _CLAIM_CODE[1:]),
        ("claim, a character long", 0x0A, _CLAIM_CODE + b"a"),
        ("claim with a space", 0x0A, _CLAIM_CODE[1:] + b" "),
        ("claim answer, empty", 0x8A, b""),
    ]
    cases: list[Case] = [
        {"name": name, "type": kind, "body": body.hex(), "status": 0, "fields": fields}
        for name, kind, body, fields in good
    ]
    return cases + [{"name": name, "type": kind, "body": body.hex(), "status": _MESSAGE} for name, kind, body in bad]


def _offer_fields(attempt: int, patch_len: int, image_len: int) -> Case:
    return {
        "attempt": attempt,
        "identity": _IDENTITY.hex(),
        "digest": _DIGEST.hex(),
        "patch_len": patch_len,
        "image_len": image_len,
    }


def _answer_fields(attempt: int, status: int, patch_off: int) -> Case:
    return {"attempt": attempt, "status": status, "patch_off": patch_off}


def _fetch_fields(offset: int, length: int) -> Case:
    return {"digest": _DIGEST.hex(), "offset": offset, "length": length}


def _call_fields(call_id: int, name: bytes, argument: bytes) -> Case:
    return {"call_id": call_id, "name": name.hex(), "argument": argument.hex()}


def _call_answer_fields(call_id: int, status: int, result: int) -> Case:
    return {"call_id": call_id, "status": status, "result": result}


def _exchange_fields(exchange: int, http_status: int, answer: str) -> Case:
    return {"exchange": exchange, "http_status": http_status, "answer": answer}


def _status_fields(phase: int, status: int, patch_off: int) -> Case:
    return {"attempt": 7, "phase": phase, "status": status, "patch_off": patch_off}


_INFO_FULL_FIELDS: Case = {
    "device_id": _DEVICE_ID.hex(),
    "product_id": 1234,
    "version": 2,
    "platform_id": 6,
    "identity": _IDENTITY.hex(),
    "slot": 1,
    "hardware_revision": 3,
    "lifecycle": 1,
    "security_counter": 4,
    "boot_state": 2,
    "attempt": 7,
    "trial_count": 1,
    "outcome": {"type": 4, "attempt": 6, "identity": _IDENTITY[16:].hex(), "reason": 271},
    "reset": 2,
    "fault": {"exception": 3, "pc": 0x08080200, "lr": 0x08080301, "cfsr": 0x8200, "addr": 0xE000_0000},
    "bootloader_version": 1,
    "keyset_version": 9,
    "link_errors": 24,
    "flash_errors": 256,
    "uptime_ms": 65_536,
    "download": [_DIGEST.hex(), 1449],
    "device_key": _DEVICE_KEY.hex(),
}

_INFO_EMPTY_FIELDS: Case = {
    **dict.fromkeys(_INFO_FULL_FIELDS, 0),
    "device_id": _DEVICE_ID.hex(),
    "identity": "",
    "outcome": None,
    "fault": None,
    "download": None,
    "device_key": "",
}


def _info_full() -> bytes:
    return bytes.fromhex(
        f"b4 01 4c{_DEVICE_ID.hex()} 02 1904d2 03 02 04 06 05 5820{_IDENTITY.hex()} 06 01 07 03 08 01 09 04"
        f"0a 83 02 07 01 0b 84 04 06 50{_IDENTITY[16:].hex()} 19010f 0c 02"
        "0d 85 03 1a08080200 1a08080301 198200 1ae0000000 0e 01 0f 09 10 1818 11 190100 12 1a00010000"
        f"13 82 5820{_DIGEST.hex()} 1905a9 14 5820{_DEVICE_KEY.hex()}"
    )


def _info_empty() -> bytes:
    return bytes.fromhex(
        f"b4 01 4c{_DEVICE_ID.hex()} 02 00 03 00 04 00 05 40 06 00 07 00 08 00 09 00 0a 83 00 00 00 0b f6 0c 00 0d f6"
        "0e 00 0f 00 10 00 11 00 12 00 13 f6 14 40"
    )


def _dialogue() -> list[Case]:
    """The device's side, held against the real firmware."""
    offer = struct.pack("<I", 9) + _IDENTITY + _DIGEST
    fetch = _DIGEST + struct.pack("<IH", 0, 100)
    refused = "ffffffff"
    steps: list[tuple[str, bytes, list[bytes]]] = [
        ("confirm another image", frame(0x03, _IDENTITY[:16]), [frame(0x83, bytes.fromhex("e9ff"))]),
        ("confirm without identity", frame(0x03), [frame(0x83, bytes.fromhex("c3ff"))]),
        ("restart with a body", frame(0x05, b"now"), [frame(0x85, bytes.fromhex("c3ff"))]),
        (
            "call",
            frame(0x06, b"\x01\x00\x09set_point21.5"),
            [frame(0x86, bytes.fromhex("0100 0000 66080000"))],
        ),
        (
            "the same call again is not done again",
            frame(0x06, b"\x01\x00\x09set_point19"),
            [frame(0x86, bytes.fromhex("0100 0000 66080000"))],
        ),
        ("what is set", frame(0x06, b"\x02\x00\x07get_set"), [frame(0x86, bytes.fromhex("0200 0000 66080000"))]),
        (
            "product refuses",
            frame(0x06, b"\x03\x00\x09set_pointx"),
            [frame(0x86, bytes.fromhex("0300 0000" + refused))],
        ),
        ("unknown function", frame(0x06, b"\x04\x00\x04none"), [frame(0x86, bytes.fromhex("0400 d6ff 00000000"))]),
        ("name beyond the body", frame(0x06, b"\x05\x00\xffset"), [frame(0x86, bytes.fromhex("0500 c3ff 00000000"))]),
        (
            "argument too long",
            frame(0x06, b"\x06\x00\x09set_point" + b"1" * 623),
            [frame(0x86, bytes.fromhex("0600 d5ff 00000000"))],
        ),
        ("claim", frame(0x0A, _CLAIM_CODE), [frame(0x8A, bytes.fromhex("0000"))]),
        ("claim with a space", frame(0x0A, _CLAIM_CODE[1:] + b" "), [frame(0x8A, bytes.fromhex("c3ff"))]),
        ("call without id is not answered", frame(0x06, b"\x07"), []),
        ("unknown type is not answered", frame(0x70, b"?"), []),
        ("data that nobody asked for", frame(0x84, bytes(8)), []),
        ("opening answer to another exchange", frame(0x88, bytes.fromhex("ffff c800") + bytes(134)), []),
        ("opening answer without status", frame(0x88, b"\x01\x00\xc8"), []),
        ("check-in answer that nobody waits for", frame(0x89, bytes.fromhex("0100 9101")), []),
        ("check-in answer longer than any", frame(0x89, bytes.fromhex("0100 c800") + bytes(1020)), []),
        ("offer too short", frame(0x02, offer), [frame(0x82, bytes.fromhex("00000000 c3ff 00000000"))]),
        (
            "offer of a larger image than a slot",
            frame(0x02, offer + struct.pack("<II", 100, 393_220)),
            [frame(0x82, bytes.fromhex("09000000 c8ff 00000000"))],
        ),
        (
            "offer of an empty patch",
            frame(0x02, offer + struct.pack("<II", 0, 36096)),
            [frame(0x82, bytes.fromhex("09000000 caff 00000000"))],
        ),
        (
            "offer",
            frame(0x02, offer + struct.pack("<II", 100, 36096)),
            [frame(0x82, bytes.fromhex("09000000 0000 00000000")), frame(0x04, fetch)],
        ),
        (
            "the same offer again opens no second fetch",
            frame(0x02, offer + struct.pack("<II", 100, 36096)),
            [frame(0x82, bytes.fromhex("09000000 0000 00000000"))],
        ),
        ("data of another offset", frame(0x84, struct.pack("<I", 50) + bytes(50)), []),
        ("more data than was asked for", frame(0x84, bytes(4) + bytes(101)), []),
        ("host has no such patch", frame(0x84, bytes(4)), [frame(0x07, bytes.fromhex("09000000 03 d6ff 00000000"))]),
        (
            "offer, once more",
            frame(0x02, offer + struct.pack("<II", 100, 36096)),
            [frame(0x82, bytes.fromhex("09000000 0000 00000000")), frame(0x04, fetch)],
        ),
        (
            "bytes that are no patch",
            frame(0x84, bytes(4) + bytes(100)),
            [frame(0x07, bytes.fromhex("09000000 03 ceff 64000000"))],
        ),
    ]
    return [
        {"name": name, "send": sent.hex(), "answers": [answer.hex() for answer in answers]}
        for name, sent, answers in steps
    ]
