# SPDX-License-Identifier: Apache-2.0
"""The result codes that device and library share.

The numbers are those of `enum ota_status` in firmware/core/include/ota/status.h; a test compares the two. They are
written to the boot log and reported to a server, so a number is never reused.
"""

from __future__ import annotations

from enum import IntEnum


class OtaStatus(IntEnum):
    """Why an operation stopped; 0 is success, every failure is negative."""

    OK = 0

    ERR_FLASH_PROGRAM = -1
    ERR_FLASH_ERASE = -2
    ERR_FLASH_RANGE = -3

    ERR_IMAGE_LENGTH = -10
    ERR_IMAGE_FORMAT = -11
    ERR_MANIFEST = -12
    ERR_IMAGE_MISMATCH = -13
    ERR_RELOC = -14
    ERR_HASH = -15
    ERR_PRODUCT = -16
    ERR_PLATFORM = -17
    ERR_HARDWARE = -18
    ERR_BOOTLOADER_TOO_OLD = -19
    ERR_SECURITY_COUNTER = -20
    ERR_SIGNATURE = -21
    ERR_SIGNERS = -22
    ERR_IDENTITY = -23
    ERR_SLOT = -24

    ERR_KEYSET = -30
    ERR_KEYSET_OLD = -31
    ERR_IDENTITY_PAGE = -32

    ERR_LOG_FULL = -40
    ERR_STORE_FULL = -41
    ERR_NOT_FOUND = -42
    ERR_BUFFER = -43

    ERR_PATCH_HEADER = -50
    ERR_PATCH_PROFILE = -51
    ERR_PATCH_BASE = -52
    ERR_PATCH_RANGE = -53
    ERR_PATCH_TRUNCATED = -54
    ERR_PATCH_TRAILING = -55
    ERR_PATCH_SIZE = -56
    ERR_PATCH_DIGEST = -57

    ERR_FRAME = -60
    ERR_MESSAGE = -61
    ERR_BUSY = -62
    ERR_STATE = -63
    ERR_NOT_ALLOWED = -64
    ERR_TIMEOUT = -65

    @property
    def c_name(self) -> str:
        """The enumerator's name in C, such as `OTA_ERR_HASH`."""
        return f"OTA_{self.name}"

    @property
    def text(self) -> str:
        """One plain sentence for people."""
        return STATUS_TEXTS[self]


STATUS_TEXTS: dict[OtaStatus, str] = {
    OtaStatus.OK: "success",
    OtaStatus.ERR_FLASH_PROGRAM: "the flash refused a write, or what reads back differs",
    OtaStatus.ERR_FLASH_ERASE: "the flash refused to erase a sector",
    OtaStatus.ERR_FLASH_RANGE: "an address outside the flash",
    OtaStatus.ERR_IMAGE_LENGTH: "the image's length or addresses do not fit the slot",
    OtaStatus.ERR_IMAGE_FORMAT: "the image's suffix or extension area has another form",
    OtaStatus.ERR_MANIFEST: "the manifest is not valid",
    OtaStatus.ERR_IMAGE_MISMATCH: "prefix, suffix or product data contradict the manifest",
    OtaStatus.ERR_RELOC: "the relocation table is not valid",
    OtaStatus.ERR_HASH: "the image's bytes do not have the hash or checksum it claims",
    OtaStatus.ERR_PRODUCT: "the image is for another product",
    OtaStatus.ERR_PLATFORM: "the image is for another platform",
    OtaStatus.ERR_HARDWARE: "the image is for other hardware revisions",
    OtaStatus.ERR_BOOTLOADER_TOO_OLD: "the image needs a newer bootloader",
    OtaStatus.ERR_SECURITY_COUNTER: "the image's security counter is lower than the device's",
    OtaStatus.ERR_SIGNATURE: "a signature by a known key does not hold",
    OtaStatus.ERR_SIGNERS: "too few valid signatures by known keys",
    OtaStatus.ERR_IDENTITY: "another image than the one that was pinned or announced",
    OtaStatus.ERR_SLOT: "a record names a slot that cannot be meant",
    OtaStatus.ERR_KEYSET: "the key set is not valid",
    OtaStatus.ERR_KEYSET_OLD: "the key set is not newer than the current one",
    OtaStatus.ERR_IDENTITY_PAGE: "the identity page is not valid",
    OtaStatus.ERR_LOG_FULL: "the boot log has no room",
    OtaStatus.ERR_STORE_FULL: "the owner's quota in the record store is used up",
    OtaStatus.ERR_NOT_FOUND: "no such record",
    OtaStatus.ERR_BUFFER: "the caller's buffer is too small",
    OtaStatus.ERR_PATCH_HEADER: "the patch header is not valid",
    OtaStatus.ERR_PATCH_PROFILE: "the patch needs a profile that the device does not have",
    OtaStatus.ERR_PATCH_BASE: "the patch was made for another base image",
    OtaStatus.ERR_PATCH_RANGE: "an operation of the patch leaves its image or makes no progress",
    OtaStatus.ERR_PATCH_TRUNCATED: "the patch ends too early",
    OtaStatus.ERR_PATCH_TRAILING: "bytes follow the end of the patch",
    OtaStatus.ERR_PATCH_SIZE: "the patch makes a larger image than announced or than the slot holds",
    OtaStatus.ERR_PATCH_DIGEST: "the bytes received are not the patch that was announced",
    OtaStatus.ERR_FRAME: "a frame on the serial link is not valid",
    OtaStatus.ERR_MESSAGE: "a message is not valid",
    OtaStatus.ERR_BUSY: "the device is busy",
    OtaStatus.ERR_STATE: "not possible now: nothing to confirm, or an update is still unconfirmed",
    OtaStatus.ERR_NOT_ALLOWED: "not allowed",
    OtaStatus.ERR_TIMEOUT: "no answer in time",
}
