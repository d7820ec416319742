# SPDX-License-Identifier: Apache-2.0
"""Every error the library raises, grouped by whose fault it is.

    MusterError
    +-- InputError              what was handed in is not what it claims to be
    |   +-- ValueOutOfRange     a field of an object to be made has no legal value
    |   +-- FormatError         bytes that do not parse
    |   |   +-- ImageFormatError       image, its hashes and its extension area
    |   |   +-- ManifestError
    |   |   +-- RelocationError
    |   |   +-- SignatureFormatError
    |   |   +-- KeyFormatError
    |   |   +-- KeySetFormatError
    |   |   +-- IdentityPageError
    |   |   +-- BootLogError
    |   |   +-- RecordStoreError
    |   |   +-- PatchFormatError
    |   |   +-- ElfFormatError
    |   |   +-- HexFormatError
    |   |   +-- ConfigError            platform.toml or product.toml
    |   +-- LinkError           what the compiler made cannot become an image
    |   |   +-- ImageTooLong
    |   |   +-- UnalignedAddress       an address word that is not aligned to 4
    |   |   +-- NotRelocatable         the links at slot A and B differ in another way
    |   +-- UnknownSigner       a signer URI of an unknown scheme
    +-- RefusedError            well-formed, but a rule says no
    |   +-- ImageRefused        product, platform, hardware, counter, signatures, identity
    |   +-- KeySetRefused       too old, or not signed by enough roots
    |   +-- PatchRefused        made for another base, or too large
    |   +-- StoreFull           boot log or record store has no room
    +-- DeviceError             a device answered with a failure, or not at all
    +-- EnvironmentFault        this computer: files, programs, ports
        +-- FileFault
        +-- ToolMissing

Where a device would answer with a status, the error carries the same one in `status`.
"""

from __future__ import annotations

from muster.status import OtaStatus


class MusterError(Exception):
    """Root of every error of this library.

    `status` is what a device answers in the same case, or None where no device could meet it.
    """

    status: OtaStatus | None = None

    def __init__(self, message: str, status: OtaStatus | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class InputError(MusterError):
    """What was handed in is not what it claims to be."""


class ValueOutOfRange(InputError):
    """A field of an object to be made has no legal value."""


class FormatError(InputError):
    """Bytes that do not parse."""


class ImageFormatError(FormatError):
    """An image fails a check of docs/spec/image.md section 6, 1 to 6 (but for manifest and relocation table)."""

    status = OtaStatus.ERR_IMAGE_FORMAT


class ManifestError(FormatError):
    """A manifest is not in the one accepted encoding, or contradicts its image's layout."""

    status = OtaStatus.ERR_MANIFEST


class RelocationError(FormatError):
    """A relocation table is not in the one accepted encoding."""

    status = OtaStatus.ERR_RELOC


class SignatureFormatError(FormatError):
    """A COSE_Sign1 is not in the one accepted form."""


class KeyFormatError(FormatError):
    """A key file or key bytes are not an Ed25519 key."""


class KeySetFormatError(FormatError):
    """A key set is not in the one accepted encoding."""

    status = OtaStatus.ERR_KEYSET


class IdentityPageError(FormatError):
    """An identity page holds no valid copy."""

    status = OtaStatus.ERR_IDENTITY_PAGE


class BootLogError(FormatError):
    """A boot log sector, place or record is not valid."""


class RecordStoreError(FormatError):
    """A record store sector is not valid."""


class PatchFormatError(FormatError):
    """A patch is not valid."""

    status = OtaStatus.ERR_PATCH_HEADER


class ElfFormatError(FormatError):
    """An ELF file is missing a part that is needed."""


class HexFormatError(FormatError):
    """An Intel HEX file does not parse."""


class ConfigError(FormatError):
    """A platform.toml or product.toml is not valid."""


class LinkError(InputError):
    """What the compiler and linker made cannot become an image."""


class ImageTooLong(LinkError):
    """The image does not fit its slot."""

    status = OtaStatus.ERR_IMAGE_LENGTH


class UnalignedAddress(LinkError):
    """An address word lies at an offset that is not a multiple of 4, so it cannot be relocated."""


class NotRelocatable(LinkError):
    """The links at slot A and slot B differ in something else than an address word."""


class UnknownSigner(InputError):
    """A signer URI names no scheme that is known."""


class RefusedError(MusterError):
    """Well-formed, but a rule says no."""


class ImageRefused(RefusedError):
    """An image that this device, or this policy, must not run."""


class KeySetRefused(RefusedError):
    """A key set that does not follow the current one."""


class PatchRefused(RefusedError):
    """A patch that must not be applied here."""


class StoreFull(RefusedError):
    """Boot log or record store has no room left."""

    status = OtaStatus.ERR_STORE_FULL


class DeviceError(MusterError):
    """A device answered with a failure, or not at all."""


class EnvironmentFault(MusterError):
    """This computer is at fault: a file, a program or a port."""


class FileFault(EnvironmentFault):
    """A file cannot be read or written."""


class ToolMissing(EnvironmentFault):
    """A program that is needed is not installed."""
