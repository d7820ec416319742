# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.build.mapfile import without_folders


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ("LOAD /usr/lib/gcc/arm-none-eabi/12.2.1/thumb/v7-m/libgcc.a", "LOAD libgcc.a"),
        (
            "/usr/lib/gcc/../../arm-none-eabi/lib/libc_nano.a(lib_a-memcpy.o)",
            "libc_nano.a(lib_a-memcpy.o)",
        ),
        ("LOAD build/common/chip/flash.o", "LOAD build/common/chip/flash.o"),
        (" .text          0x08020000      0x1c build/a/b.o", " .text          0x08020000      0x1c build/a/b.o"),
    ],
)
def test_absolute_folders_go_and_all_else_stays(line: str, clean: str) -> None:
    assert without_folders(line) == clean
