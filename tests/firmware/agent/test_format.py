# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.compiled import FIRMWARE, Compiled, compile_firmware

_SOURCES = FIRMWARE / "agent" / "src"
_WRAPPERS = """
#include <stdint.h>
extern uint32_t format_numbers(char *out, uint32_t room, const char *format, int first, unsigned second, long third);
extern uint32_t format_texts(char *out, uint32_t room, const char *format, const char *first, const char *second);

static uint32_t formatted(char *out, uint32_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    uint32_t len = (uint32_t)agent_format(out, room, format, arguments);
    va_end(arguments);
    return len;
}

uint32_t format_numbers(char *out, uint32_t room, const char *format, int first, unsigned second, long third)
{
    return formatted(out, room, format, first, second, third);
}

uint32_t format_texts(char *out, uint32_t room, const char *format, const char *first, const char *second)
{
    return formatted(out, room, format, first, second);
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("format")
    return compile_firmware(folder, [_SOURCES / "format.c"], [_SOURCES / "format.h"], [_SOURCES], _WRAPPERS)


class Formatter:
    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def numbers(self, text: str, first: int = 0, second: int = 0, third: int = 0, room: int = 200) -> str:
        out = self._compiled.ffi.new("char[]", room + 8)
        length = self._compiled.lib.format_numbers(out, room, text.encode(), first, second, third)
        assert bytes(self._compiled.ffi.buffer(out))[room:] == bytes(8)
        return self._text(out, length)

    def texts(self, text: str, first: str, second: str = "") -> str:
        out = self._compiled.ffi.new("char[]", 200)
        # The C side keeps no pointer, but these must live until it returns.
        values = [self._compiled.ffi.new("char[]", value.encode()) for value in (first, second)]
        return self._text(out, self._compiled.lib.format_texts(out, 200, text.encode(), *values))

    def _text(self, out: Any, length: int) -> str:
        raw = bytes(self._compiled.ffi.buffer(out, length + 1))
        assert raw.index(0) == length
        return raw[:length].decode()


@pytest.fixture(scope="module")
def formatter(compiled: Compiled) -> Formatter:
    return Formatter(compiled)


@given(first=st.integers(-(2**31), 2**31 - 1), second=st.integers(0, 2**32 - 1), third=st.integers(-(2**31), 2**31 - 1))
@pytest.mark.parametrize("text", ["%d %u %ld", "%i|%x|%li", "[%6d][%08x][%3ld]", "%03d%02u%05ld%%"])
def test_numbers_look_as_in_python(formatter: Formatter, text: str, first: int, second: int, third: int) -> None:
    expected = text.replace("l", "").replace("u", "d") % (first, second, third)
    assert formatter.numbers(text, first, second, third) == expected


def test_texts_and_characters(formatter: Formatter) -> None:
    assert formatter.texts("<%s> <%6s>", "one", "two") == "<one> <   two>"
    assert formatter.numbers("%c%c", ord("A"), ord("b")) == "Ab"


@pytest.mark.parametrize("text", ["%", "%5", "%l", "%q", "100%%", "plain", ""])
def test_what_is_no_conversion_is_copied(formatter: Formatter, text: str) -> None:
    assert formatter.numbers(text) == text.replace("%%", "%")


@given(room=st.integers(1, 30), value=st.integers(0, 2**31 - 1))
def test_line_that_does_not_fit_is_cut(formatter: Formatter, room: int, value: int) -> None:
    whole = f"value {value}, and some text"
    assert formatter.numbers("value %d, and some text", value, room=room) == whole[: room - 1]
