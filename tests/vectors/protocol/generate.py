# SPDX-License-Identifier: Apache-2.0
"""Writes the golden vectors of the device protocol. A test compares what it makes with the committed files."""

from __future__ import annotations

import dataclasses
import json
import sys
from enum import IntEnum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from muster.protocol import (
    Answer,
    Call,
    CallResult,
    Crash,
    DeviceIdentity,
    DeviceSession,
    DeviceState,
    Event,
    EventReport,
    HealthKey,
    KeySetReference,
    LogLevel,
    LogLine,
    LogReport,
    Offer,
    Outcome,
    OutcomeType,
    Postponed,
    Read,
    Reading,
    Report,
    SessionKeys,
    Signal,
    UpdateProgress,
    Variable,
    VariableType,
    accept_opening,
    opening_digest,
)
from muster.protocol.opening import sign_answer
from muster.protocol.seal import seal_down, seal_up
from muster.status import OtaStatus
from tests.vectors.fixed import key, signer
from tests.vectors.reading import Case

FOLDER = Path(__file__).parent
MESSAGE = int(OtaStatus.ERR_MESSAGE)
SIGNATURE = int(OtaStatus.ERR_SIGNATURE)
NOT_FOUND = int(OtaStatus.ERR_NOT_FOUND)

DEVICE_ID = bytes(range(0x30, 0x3C))
NONCE = bytes(range(0x60, 0x70))
DEVICE_SECRET = bytes(range(0x80, 0xA0))
SERVER_SECRET = bytes(range(0xA0, 0xC0))
SESSION_ID = bytes(range(0xD0, 0xD8))
IDENTITY = bytes(range(0xE0, 0xF0))
PATCH = bytes(range(0x20))
SMALL_ORDER_SHARE = bytes(32)

STATE = DeviceState(
    identity=IDENTITY[:8],
    product_version=7,
    slot=1,
    hardware_revision=2,
    security_counter=2,
    boot_state=1,
    bootloader_version=1,
    keyset_version=1,
    interval_s=300,
)

REFERENCES = (KeySetReference(2, bytes(range(32)), 514), KeySetReference(3, bytes(range(32, 64)), 853))


def device() -> DeviceSession:
    return DeviceSession(DeviceIdentity(DEVICE_ID, key("device-1"), 1234, 6))


def session() -> SessionKeys:
    request = device().begin(1, DEVICE_SECRET, NONCE)
    return accept_opening(request, signer("online-1"), SERVER_SECRET, SESSION_ID)[1]


def files() -> dict[str, str]:
    """Every generated file: its name in this folder, and its text."""
    made: dict[str, tuple[str, list[Case]]] = {
        "openings.json": ("Openings with their answers and the session keys they make.", _openings()),
        "bad_requests.json": ("Opening requests that a server refuses.", _bad_requests()),
        "bad_answers.json": ("Answers to the first opening that a device refuses.", _bad_answers()),
        "reports.json": ("Plaintexts of reports, good and bad.", _reports()),
        "answers.json": ("Plaintexts of answers, good and bad.", _answers()),
        "messages.json": ("Sealed messages of the first opening's session, good and bad.", _messages()),
    }
    return {name: _text(about, cases) for name, (about, cases) in made.items()}


def plain(value: object) -> object:
    """A dataclass as JSON has it: bytes in hexadecimal, fields without a value left out."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, IntEnum):
        return int(value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(int(name)): plain(item) for name, item in value.items()}
    if dataclasses.is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {
            name: plain(item) for name, item in named.items() if item is not None and item is not False and item != ()
        }
    return value


def _openings() -> list[Case]:
    cases: list[Case] = []
    for name, keyset_version, references in (("first", 1, ()), ("newer_key_sets", 0xFFFF_FFFF, REFERENCES)):
        client = device()
        request = client.begin(keyset_version, DEVICE_SECRET, NONCE)
        answer, keys = accept_opening(request, signer("online-1"), SERVER_SECRET, SESSION_ID, references)
        client.finish(answer, [key("online-1").public_key])
        assert client.keys == keys
        cases.append(
            {
                "name": name,
                "device_key": "device-1",
                "online_key": "online-1",
                "device_id": DEVICE_ID.hex(),
                "product_id": 1234,
                "platform_id": 6,
                "keyset_version": keyset_version,
                "device_secret": DEVICE_SECRET.hex(),
                "nonce": NONCE.hex(),
                "request": request.hex(),
                "digest": keys.request_digest.hex(),
                "server_secret": SERVER_SECRET.hex(),
                "session_id": SESSION_ID.hex(),
                "references": plain(references),
                "answer": answer.hex(),
                "session_key": keys.key.hex(),
            }
        )
    return cases


def _flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]


def _bad_requests() -> list[Case]:
    good = device().begin(1, DEVICE_SECRET, NONCE)
    bad = {
        "empty": (b"", MESSAGE),
        "cut_short": (good[:-1], MESSAGE),
        "byte_behind_it": (good + b"\0", MESSAGE),
        "tagged": (b"\xd2" + good, MESSAGE),
        "other_algorithm": (_flipped(good, 4), MESSAGE),
        "unprotected_header": (good.replace(bytes.fromhex("A10127A0"), bytes.fromhex("A10127A10000"), 1), MESSAGE),
        "device_id_flipped": (_flipped(good, 14), SIGNATURE),
        "signature_flipped": (_flipped(good, len(good) - 1), SIGNATURE),
    }
    return [{"name": name, "request": raw.hex(), "status": status} for name, (raw, status) in bad.items()]


def _bad_answers() -> list[Case]:
    request = device().begin(1, DEVICE_SECRET, NONCE)
    other_request = device().begin(2, DEVICE_SECRET, NONCE)
    good = accept_opening(request, signer("online-1"), SERVER_SECRET, SESSION_ID)[0]
    digest = opening_digest(request)
    bad = {
        "empty": (b"", MESSAGE),
        "cut_short": (good[:-1], MESSAGE),
        "byte_behind_it": (good + b"\0", MESSAGE),
        "session_id_flipped": (_flipped(good, 30), SIGNATURE),
        "signature_flipped": (_flipped(good, len(good) - 2), SIGNATURE),
        "of_another_request": (
            accept_opening(other_request, signer("online-1"), SERVER_SECRET, SESSION_ID)[0],
            SIGNATURE,
        ),
        "by_an_unknown_key": (accept_opening(request, signer("stranger-1"), SERVER_SECRET, SESSION_ID)[0], NOT_FOUND),
        "by_the_device_itself": (accept_opening(request, signer("device-1"), SERVER_SECRET, SESSION_ID)[0], NOT_FOUND),
        "share_of_small_order": (sign_answer(signer("online-1"), digest, SESSION_ID, SMALL_ORDER_SHARE), MESSAGE),
        "four_references": (good[:-1] + b"\x84" + b"".join(_reference(n) for n in (2, 3, 4, 5)), MESSAGE),
        "references_fall": (good[:-1] + b"\x82" + _reference(3) + _reference(2), MESSAGE),
        "references_equal": (good[:-1] + b"\x82" + _reference(3) + _reference(3), MESSAGE),
    }
    return [{"name": name, "answer": raw.hex(), "status": status} for name, (raw, status) in bad.items()]


def _reference(version: int) -> bytes:
    return b"\x83" + bytes((version,)) + b"\x58\x20" + bytes(32) + b"\x05"


def _reports() -> list[Case]:
    full = Report(
        **{field.name: getattr(STATE, field.name) for field in dataclasses.fields(STATE)},
        outcome=Outcome(9, OutcomeType.REJECTED, IDENTITY[:8], 4),
        update=UpdateProgress(10, -57, 20_000),
        uptime_s=86_400,
        health={HealthKey.FREE_STACK: 2048, HealthKey.LINK_ERRORS: 0, HealthKey.RESET_CAUSE: 1, 4711: -1},
        logs=LogReport(65, (LogLine(LogLevel.INFO, 1500, "set point 21 \u00b0C"), LogLine(LogLevel.ERROR, 0, ""))),
        events=EventReport(66, (Event("door", "open", 12),)),
        crash=Crash(67, IDENTITY[8:], 3, 0x0802_01A4, 0x0802_0333, 77),
        results=(CallResult(5, -1), CallResult(6, 0x7FFF_FFFF)),
        hold_s=25,
        boots=12,
    )
    state = {field.name: getattr(STATE, field.name) for field in dataclasses.fields(STATE)}
    good = {
        "nothing": Report(),
        "routine": Report(uptime_s=86_400),
        "first": Report(**state, uptime_s=5, boots=12),
        "confirmed": Report(boot_state=0, outcome=Outcome(9, OutcomeType.CONFIRMED, IDENTITY[:8], 0), uptime_s=31),
        "everything": full,
        "highest_numbers": Report(security_counter=0xFFFF_FFFF, product_version=0xFFFF, uptime_s=0xFFFF_FFFF),
        "functions_and_variables": Report(
            uptime_s=1,
            functions=("set_point", "n" * 64),
            variables=tuple(Variable(kind.name.lower(), kind) for kind in VariableType),
        ),
        "readings": Report(
            uptime_s=86_400,
            readings=(Reading(7, -2150), Reading(8, 21.5), Reading(9, "K\u00f6ln"), Reading(0xFFFF_FFFF, 1)),
        ),
        "claim_code": Report(uptime_s=1, claim_code="!~" + "a" * 61),
        "postponed": Report(uptime_s=1, postponed=Postponed(11, 3600)),
    }
    cases: list[Case] = [
        {"name": name, "plaintext": report.to_bytes().hex(), "status": 0, "fields": plain(report)}
        for name, report in good.items()
    ]
    routine = {"uptime_s": 86_400}
    cases.append(
        {
            "name": "unknown_keys",
            "plaintext": "a30c1a00015180182081a200f6182af518216161",
            "status": 0,
            "fields": routine,
        }
    )
    bad = {
        "empty": "",
        "no_map": "80",
        "byte_behind_it": "a000",
        "cut_short": "a10c",
        "keys_fall": "a20d a10100 0c01",
        "key_twice": "a2 0c01 0c01",
        "long_form": "a1 0c 1801",
        "indefinite_length": "bf ff",
        "number_of_64_bits": "a1 0c 1b0000000100000000",
        "float": "a1 0c f90000",
        "tag": "a1 0c c100",
        "identity_of_7_bytes": "a1 01 47 00000000000000",
        "slot_2": "a1 03 02",
        "boot_state_4": "a1 06 04",
        "product_version_above_u16": "a1 02 1a00010000",
        "negative_uptime": "a1 0c 20",
        "uptime_is_text": "a1 0c 6131",
        "uptime_is_nil": "a1 0c f6",
        "outcome_of_type_staged": "a1 0a 84 01 01 48 0000000000000000 00",
        "update_status_2": "a1 0b 83 01 02 00",
        "log_level_4": "a1 0e 82 01 81 83 04 00 60",
        "log_text_not_utf8": "a1 0e 82 01 81 83 01 00 61ff",
        "no_log_lines": "a1 0e 82 01 80",
        "empty_health": "a1 0d a0",
        "hold_26": "a1 12 181a",
        "no_functions": "a1 14 80",
        "function_without_name": "a1 14 81 60",
        "function_name_of_65_bytes": "a1 14 81 7841" + "61" * 65,
        "33_functions": "a1 14 9821" + "6161" * 33,
        "variable_of_type_5": "a1 15 81 82 6161 05",
        "reading_of_7_bytes": "a1 16 81 82 01 47 00000000000000",
        "reading_of_623_bytes": "a1 16 81 82 01 79026f" + "61" * 623,
        "postponed_of_three": "a1 18 18 83 0b 01 02",
        "postponed_for_less_than_nothing": "a1 18 18 82 0b 20",
        "claim_code_of_62": "a1 17 783e" + "61" * 62,
        "claim_code_of_64": "a1 17 7840" + "61" * 64,
        "claim_code_with_space": "a1 17 783f" + "61" * 62 + "20",
        "nested_seven_deep": "a1 1820 818181818181 00",
        "text_key": "a1 6161 00",
    }
    cases += [{"name": name, "plaintext": raw.replace(" ", ""), "status": MESSAGE} for name, raw in bad.items()]
    return cases


def _answers() -> list[Case]:
    offer = Offer(11, IDENTITY, PATCH, 20_000, 300_000)
    good = {
        "nothing": Answer(),
        "next": Answer(next_s=300),
        "offer": Answer(next_s=0, offer=offer),
        "quarantined": Answer(next_s=3600, is_quarantined=True),
        "withdrawn": Answer(withdrawn=11),
        "everything": Answer(
            next_s=0xFFFF_FFFF,
            offer=offer,
            acknowledged=(65, 66, 67, 0xFFFF_FFFF),
            outcome_acknowledged=9,
            calls=(Call(5, "setpoint", "21.5"), Call(6, "n" * 64, "")),
            results_acknowledged=(1, 2, 3, 4),
            settings={1: -0x8000_0000, 2: "K\u00f6ln", 0xFFFF_FFFF: 0x7FFF_FFFF},
            keysets=REFERENCES,
            is_quarantined=True,
            withdrawn=0,
        ),
        "reads": Answer(reads=(Read(7, "air"), Read(0xFFFF_FFFF, "n" * 64))),
        "claim_taken": Answer(is_claim_taken=True),
        "signal": Answer(signal=Signal(7, True)),
        "signal_off": Answer(signal=Signal(0xFFFF_FFFF, False)),
        "offer_with_consent": Answer(offer=offer, consent_s=86_400),
        "longest_texts": Answer(calls=(Call(5, "f", "a" * 622),), settings={1: "s" * 255}),
    }
    cases: list[Case] = [
        {"name": name, "plaintext": answer.to_bytes().hex(), "status": 0, "fields": plain(answer)}
        for name, answer in good.items()
    ]
    unknown = "a4 01 19012c 0b f6 18ff 83 a1 00 40 20 f4 1affffffff 6161"
    cases.append(
        {"name": "unknown_keys", "plaintext": unknown.replace(" ", ""), "status": 0, "fields": {"next_s": 300}}
    )
    cases.append({"name": "unknown_six_deep", "plaintext": "a10b818181818100", "status": 0, "fields": {}})
    bad = {
        "empty": "",
        "no_map": "00",
        "byte_behind_it": "a000",
        "cut_short": "a2 01 00",
        "keys_fall": "a2 0a00 0100",
        "key_twice": "a2 0100 0100",
        "key_behind_the_highest": "a2 1affffffff 00 1affffffff 00",
        "long_form": "a1 01 1817",
        "indefinite_length": "bf 0100 ff",
        "number_of_64_bits": "a1 01 1b0000000100000000",
        "negative_next": "a1 01 20",
        "offer_of_four": "a1 02 84 01 50 00000000000000000000000000000000 5820" + "00" * 32 + "01",
        "offer_with_short_identity": "a1 02 85 01 4f 000000000000000000000000000000 5820" + "00" * 32 + "01 02",
        "five_acknowledged": "a1 03 85 00 01 02 03 04",
        "none_acknowledged": "a1 03 80",
        "three_calls": "a1 05 83" + "83 01 6161 60" * 3,
        "call_without_name": "a1 05 81 83 01 60 60",
        "call_name_of_65_bytes": "a1 05 81 83 01 7841" + "61" * 65 + "60",
        "call_argument_of_623_bytes": "a1 05 81 83 01 6161 79026f" + "61" * 623,
        "zero_byte_in_a_call": "a1 05 81 83 01 6161 6100",
        "five_results": "a1 06 85 00 01 02 03 04",
        "nine_settings": "a1 07 a9 0000 0100 0200 0300 0400 0500 0600 0700 0800",
        "no_settings": "a1 07 a0",
        "setting_above_int": "a1 07 a1 01 1a80000000",
        "setting_below_int": "a1 07 a1 01 3a80000000",
        "setting_of_bytes": "a1 07 a1 01 40",
        "setting_text_of_256_bytes": "a1 07 a1 01 790100" + "61" * 256,
        "settings_twice": "a1 07 a2 0100 0100",
        "no_key_sets": "a1 08 80",
        "key_set_version_0": "a1 08 81 83 00 5820" + "00" * 32 + "01",
        "quarantined_false": "a1 09 f4",
        "quarantined_1": "a1 09 01",
        "three_reads": "a1 0c 83" + "82 01 6161" * 3,
        "read_without_name": "a1 0c 81 82 01 60",
        "claim_taken_false": "a1 0d f4",
        "signal_2": "a1 0e 82 01 02",
        "signal_true": "a1 0e 82 01 f5",
        "signal_without_id": "a1 0e 81 01",
        "consent_of_nothing": "a1 0f 00",
        "unknown_seven_deep": "a1 0b 818181818181 00",
        "unknown_tag": "a1 0b c100",
        "unknown_float": "a1 0b f90000",
        "unknown_undefined": "a1 0b f7",
        "unknown_cut_short": "a1 0b 82 00",
        "unknown_map_with_text_key": "a1 0b a1 6161 00",
        "unknown_huge_array": "a1 0b 9affffffff 00",
    }
    cases += [{"name": name, "plaintext": raw.replace(" ", ""), "status": MESSAGE} for name, raw in bad.items()]
    return cases


def _good(name: str, plaintext: str, fields: dict[str, object]) -> Case:
    return {"name": name, "plaintext": plaintext.replace(" ", ""), "status": 0, "fields": fields}


def _messages() -> list[Case]:
    keys = session()
    routine = Report(uptime_s=86_400).to_bytes()
    nothing = Answer().to_bytes()
    cases: list[Case] = []

    def case(name: str, way: str, counter: int, message: bytes, status: int, plaintext: bytes | None = None) -> None:
        made: Case = {"name": name, "way": way, "counter": counter, "message": message.hex(), "status": status}
        if plaintext is not None:
            made["plaintext"] = plaintext.hex()
        cases.append(made)

    def up(counter: int, plaintext: bytes) -> bytes:
        return seal_up(keys.session_id, keys.key, counter, plaintext)

    def down(counter: int, plaintext: bytes) -> bytes:
        return seal_down(keys.session_id, keys.key, counter, plaintext)

    for counter in (1, 0xFF, 0x100, 0xFFFFFF, 0xFFFF_FFFF):
        case(f"up_{counter}", "up", counter, up(counter, routine), 0, routine)
        case(f"down_{counter}", "down", counter, down(counter, nothing), 0, nothing)
    for size in (0, 7, 8, 239, 240, 966):
        content = bytes(number & 0xFF for number in range(size))
        case(f"up_with_{size}_bytes", "up", 0xFFFF_FFFF, up(0xFFFF_FFFF, content), 0, content)
        case(f"down_with_{size}_bytes", "down", 2, down(2, content), 0, content)

    message, answer = up(1, routine), down(1, nothing)
    other = dataclasses.replace(keys, session_id=bytes(8))
    case("up_empty", "up", 1, b"", MESSAGE)
    case("up_cut_short", "up", 1, message[:-1], MESSAGE)
    case("up_byte_behind_it", "up", 1, message + b"\0", MESSAGE)
    case("up_counter_0", "up", 0, message.replace(b"\x06\x41\x01", b"\x06\x41\x00", 1), MESSAGE)
    case("up_counter_without_bytes", "up", 0, message.replace(b"\x06\x41\x01", b"\x06\x40", 1), MESSAGE)
    case("up_counter_in_long_form", "up", 1, message.replace(b"\x06\x41\x01", b"\x06\x42\x00\x01", 1), MESSAGE)
    case("up_counter_of_five_bytes", "up", 1, message.replace(b"\x06\x41\x01", b"\x06\x45\x01" + bytes(4), 1), MESSAGE)
    case("up_counter_altered", "up", 2, message.replace(b"\x06\x41\x01", b"\x06\x41\x02", 1), SIGNATURE)
    case("up_session_altered", "up", 1, _flipped(message, 9), SIGNATURE)
    case("up_ciphertext_flipped", "up", 1, _flipped(message, len(message) - 17), SIGNATURE)
    case("up_tag_flipped", "up", 1, _flipped(message, len(message) - 1), SIGNATURE)
    foreign = seal_up(other.session_id, other.key, 1, routine).replace(other.session_id, keys.session_id, 1)
    case("up_of_another_session", "up", 1, foreign, SIGNATURE)
    case("down_empty", "down", 1, b"", MESSAGE)
    case("down_cut_short", "down", 1, answer[:-1], MESSAGE)
    case("down_byte_behind_it", "down", 1, answer + b"\0", MESSAGE)
    case("down_ciphertext_in_long_form", "down", 1, answer[:7] + b"\x58\x11" + answer[8:], MESSAGE)
    case("down_ciphertext_shorter_than_a_tag", "down", 1, answer[:7] + b"\x4f" + answer[8:23], MESSAGE)
    case("down_unprotected_header", "down", 1, answer[:6] + b"\xa1\x00\x00" + answer[7:], MESSAGE)
    case("down_other_algorithm", "down", 1, _flipped(answer, 5), MESSAGE)
    case("down_too_long", "down", 1, answer[:7] + b"\x59\x03\xe7" + bytes(999), MESSAGE)
    case("down_ciphertext_flipped", "down", 1, _flipped(answer, 8), SIGNATURE)
    case("down_tag_flipped", "down", 1, _flipped(answer, len(answer) - 1), SIGNATURE)
    case("down_for_the_counter_before", "down", 2, answer, SIGNATURE)
    case("down_that_is_the_message_sent_back", "down", 1, answer[:7] + message[20:], SIGNATURE)
    case("down_of_another_session", "down", 1, seal_down(other.session_id, other.key, 1, nothing), SIGNATURE)
    return cases


def _text(about: str, cases: list[Case]) -> str:
    lines = ",\n".join(json.dumps(case) for case in cases)
    return f'{{"about": {json.dumps(about)}, "cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
