# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine


def test_check_value_of_the_catalogue(machine: Machine) -> None:
    assert machine.lib.ota_crc32(0, b"123456789", 9) == 0xCBF43926


@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_pieces_give_what_zlib_gives(machine: Machine, first: bytes, second: bytes) -> None:
    crc = machine.lib.ota_crc32(machine.lib.ota_crc32(0, first, len(first)), second, len(second))
    assert crc == zlib.crc32(first + second)
