# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a patch: one class per cause, each with the status a device answers.

PatchFormatError (muster.errors)
+-- PatchHeaderError      the header breaks a rule
+-- PatchRangeError       an operation leaves its image
+-- PatchTruncated        the patch ends too early
+-- PatchTrailing         bytes follow the end
+-- TargetMismatch        the patch makes another target than its header names
+-- PatchDigestMismatch   not the bytes that were announced
PatchRefused (muster.errors)
+-- PatchProfileUnknown   made for a decoder with more memory
+-- BaseImageMismatch     made for another base
+-- PatchTooLarge         makes more than the target may have
"""

from __future__ import annotations

from muster.errors import MusterError, PatchFormatError, PatchRefused
from muster.status import OtaStatus


class PatchHeaderError(PatchFormatError):
    """The header breaks a rule of docs/spec/patch.md section 2."""

    status = OtaStatus.ERR_PATCH_HEADER


class PatchRangeError(PatchFormatError):
    """An operation leaves the base, the target written so far, or its part of the target."""

    status = OtaStatus.ERR_PATCH_RANGE


class PatchTruncated(PatchFormatError):
    """The patch ends before its target is complete."""

    status = OtaStatus.ERR_PATCH_TRUNCATED


class PatchTrailing(PatchFormatError):
    """Bytes follow the end of the patch."""

    status = OtaStatus.ERR_PATCH_TRAILING


class TargetMismatch(PatchFormatError):
    """The patch makes another target than the one its header names."""

    status = OtaStatus.ERR_IDENTITY


class PatchDigestMismatch(PatchFormatError):
    """The bytes are not the patch that was announced."""

    status = OtaStatus.ERR_PATCH_DIGEST


class PatchProfileUnknown(PatchRefused):
    """The patch needs a profile that this decoder does not have."""

    status = OtaStatus.ERR_PATCH_PROFILE


class BaseImageMismatch(PatchRefused):
    """The patch was made for another base image (the device, or the wrong file, is at fault)."""

    status = OtaStatus.ERR_PATCH_BASE


class PatchTooLarge(PatchRefused):
    """The patch makes a larger target than announced or than there is room for."""

    status = OtaStatus.ERR_PATCH_SIZE


_BY_STATUS: dict[OtaStatus, type[MusterError]] = {
    OtaStatus.ERR_PATCH_HEADER: PatchHeaderError,
    OtaStatus.ERR_PATCH_RANGE: PatchRangeError,
    OtaStatus.ERR_PATCH_TRUNCATED: PatchTruncated,
    OtaStatus.ERR_PATCH_TRAILING: PatchTrailing,
    OtaStatus.ERR_IDENTITY: TargetMismatch,
    OtaStatus.ERR_PATCH_DIGEST: PatchDigestMismatch,
    OtaStatus.ERR_PATCH_PROFILE: PatchProfileUnknown,
    OtaStatus.ERR_PATCH_BASE: BaseImageMismatch,
    OtaStatus.ERR_PATCH_SIZE: PatchTooLarge,
}


def error_for(status: OtaStatus) -> MusterError:
    """The error that says what `status` says; a plain MusterError for one that no patch causes."""
    return _BY_STATUS.get(status, MusterError)(status.text, status)
