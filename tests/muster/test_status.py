# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

from muster.status import STATUS_TEXTS, OtaStatus

_HEADER = Path(__file__).parents[2] / "firmware/core/include/ota/status.h"


def test_python_and_c_have_the_same_numbers() -> None:
    in_c = {name: int(number) for name, number in re.findall(r"^    (OTA_\w+) = (-?\d+),", _HEADER.read_text(), re.M)}
    assert in_c["OTA_OK"] == 0
    assert in_c == {status.c_name: int(status) for status in OtaStatus}


def test_every_status_has_a_text() -> None:
    assert set(STATUS_TEXTS) == set(OtaStatus)
    assert len(set(STATUS_TEXTS.values())) == len(OtaStatus)
    assert OtaStatus.ERR_HASH.text.startswith("the image's bytes")
