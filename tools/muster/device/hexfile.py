# SPDX-License-Identifier: Apache-2.0
"""Everything that a blank board needs in one Intel HEX file: docs/spec/boot.md section 7."""

from __future__ import annotations

import io
from dataclasses import dataclass

from intelhex import HexRecordError, IntelHex, IntelHexError

from muster.device import bootlog
from muster.device.bootlog import BootRecord, RecordType
from muster.device.identity_page import IdentityPage
from muster.device.identity_stub import IdentityStub
from muster.errors import HexFormatError, ImageTooLong, ValueOutOfRange
from muster.image.image import Image
from muster.layout import (
    BOOTLOADER_ADDR,
    BOOTLOADER_SIZE_MAX,
    IDENTITY_ADDR,
    IDENTITY_PAGE_SIZE,
    LOG_SECTORS,
    SECTOR_ADDRS,
    SLOT_A_ADDR,
    Lifecycle,
    Slot,
)
from muster.signing.keyset import KeySet, check_successor
from muster.signing.verify import DeviceFacts, check_full

FACTORY_ATTEMPT = 0
"""Attempt of the CONFIRMED record that a board is made with."""


@dataclass(frozen=True, slots=True)
class HexSegment:
    """Bytes without a hole between them.

    Attributes:
        addr: of the first byte.
    """

    addr: int
    data: bytes


def factory_record(image: Image) -> BootRecord:
    """The CONFIRMED record for an image in slot A that was written with the bootloader."""
    return BootRecord(
        sequence=1,
        type=RecordType.CONFIRMED,
        slot=Slot.A,
        reason=0,
        attempt=FACTORY_ATTEMPT,
        identity=image.manifest.identity_prefix,
        security_counter=image.manifest.security_counter,
    )


def board_hex(
    bootloader: bytes,
    image: Image,
    identity: IdentityPage | IdentityStub,
    keyset: KeySet,
    record: BootRecord | None = None,
) -> str:
    """The text of the Intel HEX file; equal inputs give equal bytes.

    `record` is the CONFIRMED record, `factory_record(image)` by default. Sector 3's header is written with zeros, so
    that a log from an earlier life of the board does not rule over the new one.

    Raises:
        ImageTooLong: the bootloader reaches into the identity page.
        ValueOutOfRange: the record does not confirm slot A.
    """
    if len(bootloader) > BOOTLOADER_SIZE_MAX:
        raise ImageTooLong(f"the bootloader has {len(bootloader)} bytes, more than {BOOTLOADER_SIZE_MAX}")
    confirmed = factory_record(image) if record is None else record
    if confirmed.type is not RecordType.CONFIRMED or confirmed.slot is not Slot.A:
        raise ValueOutOfRange("the HEX of a board holds a CONFIRMED record for slot A")
    log = bootlog.new_sector(1, [keyset], [confirmed])
    log_addr = SECTOR_ADDRS[LOG_SECTORS[0]]
    first_keyset, second_keyset = bootlog.PLACES_AT
    records_end = bootlog.RECORDS_AT + bootlog.RECORD_SIZE
    return hex_text(
        [
            HexSegment(BOOTLOADER_ADDR, bootloader),
            *_identity_segments(identity),
            # What is erased is left out: the second key-set place and the free record places.
            HexSegment(log_addr, log[:first_keyset]),
            HexSegment(log_addr + first_keyset, log[first_keyset:second_keyset]),
            HexSegment(log_addr + bootlog.RECORDS_AT, log[bootlog.RECORDS_AT : records_end]),
            HexSegment(SECTOR_ADDRS[LOG_SECTORS[1]], bytes(bootlog.HEADER_SIZE)),
            HexSegment(SLOT_A_ADDR, image.installed_in(Slot.A)),
        ]
    )


def factory_hex(development: str, image: Image, keyset: KeySet) -> str:
    """The text of the HEX that production boards are made with: each makes its own key at its first start.

    Bootloader and hardware revision are those of a development HEX; the roots are the key set's.

    Raises:
        HexFormatError: bootloader or identity page are missing in `development`.
        IdentityPageError: its identity page is not valid.
        KeySetRefused: the key set's own roots have not signed it.
        ImageRefused: a device with this identity and key set would not take the image.
    """
    segments = segments_of(development)
    bootloader = _bytes_at(segments, BOOTLOADER_ADDR, BOOTLOADER_SIZE_MAX)
    revision = IdentityPage.from_bytes(_bytes_at(segments, IDENTITY_ADDR, IDENTITY_PAGE_SIZE)).hardware_revision
    check_successor(keyset, 0, keyset.content.roots)
    check_full(image, DeviceFacts(hardware_revision=revision), keyset.content, Lifecycle.PRODUCTION)
    stub = IdentityStub(image.manifest.product_id, revision, Lifecycle.PRODUCTION, keyset.content.roots)
    return board_hex(bootloader, image, stub, keyset)


def _bytes_at(segments: list[HexSegment], addr: int, size_max: int) -> bytes:
    for segment in segments:
        at = addr - segment.addr
        if 0 <= at < len(segment.data):
            return segment.data[at : at + size_max]
    raise HexFormatError(f"not a HEX of a board: nothing is at 0x{addr:08X}")


def _identity_segments(identity: IdentityPage | IdentityStub) -> list[HexSegment]:
    pieces = [(0, identity.to_bytes())] if isinstance(identity, IdentityPage) else identity.pieces()
    return [HexSegment(IDENTITY_ADDR + offset, piece) for offset, piece in pieces]


def hex_text(segments: list[HexSegment]) -> str:
    """Intel HEX of some segments, lines ended by a newline.

    Raises:
        ValueOutOfRange: two of them overlap.
    """
    file = IntelHex()
    for segment in segments:
        part = IntelHex()
        part.frombytes(segment.data, offset=segment.addr)
        try:
            file.merge(part, overlap="error")
        except IntelHexError as error:
            raise ValueOutOfRange(f"segments of the HEX file overlap: {error}") from error
    out = io.StringIO()
    file.write_hex_file(out, eolstyle="native")
    return out.getvalue()


def segments_of(text: str) -> list[HexSegment]:
    """The segments of an Intel HEX file, rising.

    Raises:
        HexFormatError: it does not parse.
    """
    try:
        file = IntelHex(io.StringIO(text))
    except (IntelHexError, HexRecordError, ValueError, UnicodeError) as error:
        raise HexFormatError(f"not an Intel HEX file: {error}") from error
    return [HexSegment(start, file.tobinstr(start=start, end=stop - 1)) for start, stop in file.segments()]
