# SPDX-License-Identifier: Apache-2.0
"""From a frame to the message in it."""

from __future__ import annotations

from muster.serial.frame import Frame
from muster.serial.info import Info
from muster.serial.messages import (
    Call,
    CallAnswer,
    CheckIn,
    CheckInAnswer,
    Claim,
    ClaimAnswer,
    Confirm,
    ConfirmAnswer,
    Data,
    Fetch,
    InfoRequest,
    Message,
    Offer,
    OfferAnswer,
    Open,
    OpenAnswer,
    Restart,
    RestartAnswer,
    UpdateStatus,
)

_CLASSES: dict[int, type[Message]] = {
    int(kind.type): kind
    for kind in (
        InfoRequest,
        Info,
        Offer,
        OfferAnswer,
        Confirm,
        ConfirmAnswer,
        Fetch,
        Data,
        Restart,
        RestartAnswer,
        Call,
        CallAnswer,
        UpdateStatus,
        Open,
        OpenAnswer,
        CheckIn,
        CheckInAnswer,
        Claim,
        ClaimAnswer,
    )
}


def message_of(frame: Frame) -> Message | None:
    """The message in a frame; None for a type that this version does not know.

    Raises:
        FormatError: the body is not what the type asks for.
    """
    kind = _CLASSES.get(frame.type)
    return None if kind is None else kind.from_body(frame.body)
