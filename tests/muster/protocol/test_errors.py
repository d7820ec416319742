# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import re

from muster.protocol import errors
from muster.status import OtaStatus


def test_docstring_draws_the_whole_tree() -> None:
    drawn = re.findall(r"\+-- (\w+)", errors.__doc__ or "")
    classes = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert sorted(drawn) == sorted(classes)


def test_status_is_what_a_device_answers() -> None:
    assert errors.MessageFormatError.status is OtaStatus.ERR_MESSAGE
    assert errors.SealRefused.status is OtaStatus.ERR_SIGNATURE
    assert errors.UnknownOnlineKey.status is OtaStatus.ERR_NOT_FOUND
    assert errors.KeyAgreementRefused.status is OtaStatus.ERR_MESSAGE
    assert errors.SessionStateError.status is OtaStatus.ERR_STATE
