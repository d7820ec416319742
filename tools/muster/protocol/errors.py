# SPDX-License-Identifier: Apache-2.0
"""Errors of the device protocol.

    MusterError
    +-- ProtocolError
        +-- MessageFormatError    bytes that are not of the page's form: HTTP 400 (also a FormatError)
        +-- SessionRefused        HTTP 401, whatever the cause (also a RefusedError)
        |   +-- SignatureRefused        an opening's signature, or its answer's, does not hold
        |   +-- UnknownOnlineKey        an opening's answer is signed by a key that the device does not know
        |   +-- KeyAgreementRefused     the X25519 result is all zero
        |   +-- SealRefused             a message cannot be opened
        +-- SessionStateError     our own side asked for something that is not possible now

A server tells a device nothing more than the HTTP status: what was wrong with a message is not for who sent it.
"""

from __future__ import annotations

from muster.errors import FormatError, MusterError, RefusedError
from muster.status import OtaStatus


class ProtocolError(MusterError):
    """Device and server do not understand each other."""


class MessageFormatError(ProtocolError, FormatError):
    """Bytes that are not of the form of docs/spec/device_protocol.md."""

    status = OtaStatus.ERR_MESSAGE


class SessionRefused(ProtocolError, RefusedError):
    """An opening or a message that is well-formed and not believed."""

    status = OtaStatus.ERR_SIGNATURE


class SignatureRefused(SessionRefused):
    """The Ed25519 signature of an opening, or of its answer, does not hold."""


class UnknownOnlineKey(SessionRefused):
    """The answer to an opening is signed by a key that is not in the device's key sets."""

    status = OtaStatus.ERR_NOT_FOUND


class KeyAgreementRefused(SessionRefused):
    """The other side's X25519 share makes an all-zero secret (RFC 7748 section 6.1)."""

    status = OtaStatus.ERR_MESSAGE


class SealRefused(SessionRefused):
    """A message cannot be opened: another session, key, direction or counter, or altered bytes."""


class SessionStateError(ProtocolError):
    """Our own side asked for something that this session cannot do now."""

    status = OtaStatus.ERR_STATE
