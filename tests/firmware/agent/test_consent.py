# SPDX-License-Identifier: Apache-2.0
"""A product may put an update off, as long as the server lets it and no longer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.compiled import FIRMWARE, Compiled, compile_firmware

_SOURCES = FIRMWARE / "agent" / "src"
_INCLUDES = [
    _SOURCES,
    FIRMWARE / "agent" / "include",
    FIRMWARE / "core" / "include",
    FIRMWARE / "chip" / "stm32f205" / "include",
]
_WRAPPERS = """
#include <stddef.h>
#include "agent/agent.h"
#include "check_in.h"
#include "chip/time.h"
#include "download.h"
extern uint32_t now_ms;
extern uint32_t asked;
extern uint32_t asked_most_s;
extern uint32_t wanted_s;
extern uint32_t begun;
extern uint32_t news;
extern uint32_t left_s;
extern void offer(uint32_t attempt, uint32_t most_s);
extern void withdraw(uint32_t attempt);
extern void poll(void);
extern void ask_product(int is_asked);
extern uint32_t postponed(void);

uint32_t now_ms, asked, asked_most_s, wanted_s, begun, news, left_s;

uint32_t chip_time_ms(void) { return now_ms; }
void check_in_with_news(void) { news++; }
void agent_log(enum agent_level level, const char *format, ...) { (void)level; (void)format; }
bool download_knows(uint32_t attempt) { return begun == attempt; }
void download_take_server_offer(const struct ota_answer_offer *offer) { begun = offer->attempt; }

static uint32_t product(uint32_t most_s) {
    asked++;
    asked_most_s = most_s;
    return wanted_s;
}

void offer(uint32_t attempt, uint32_t most_s) {
    const struct ota_answer_offer taken = {.attempt = attempt};
    consent_take_offer(&taken, most_s);
}
void withdraw(uint32_t attempt) { consent_withdraw(attempt); }
void poll(void) { consent_poll(); }
void ask_product(int is_asked) { agent_on_update(is_asked ? product : NULL); }
uint32_t postponed(void) {
    struct ota_report_postponed told;
    bool is_told = consent_postponed(&told);
    left_s = told.left_s;
    return is_told ? told.attempt : 0;
}
"""
MONTH_S = 30 * 24 * 3600


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("consent")
    return compile_firmware(folder, [_SOURCES / "consent.c"], [_SOURCES / "consent.h"], _INCLUDES, _WRAPPERS)


@pytest.fixture
def device(compiled: Compiled) -> Any:
    """With a product that puts every update off for 100 s when it is asked."""
    return start(compiled.lib)


def start(lib: Any) -> Any:
    lib.withdraw(lib.postponed())
    lib.now_ms = 0xFFFF_0000  # milliseconds begin anew on the way
    lib.asked = lib.asked_most_s = lib.begun = lib.news = 0
    lib.wanted_s = 100
    lib.ask_product(1)
    return lib


def advance(device: Any, seconds: int) -> None:
    for _ in range(seconds):
        device.now_ms = (device.now_ms + 1000) % 2**32
        device.poll()


def test_update_begins_at_once_without_a_product_that_wants_to_be_asked(device: Any) -> None:
    device.ask_product(0)
    device.offer(7, 1000)
    assert device.begun == 7


def test_update_that_asks_nobody_begins_at_once(device: Any) -> None:
    device.offer(7, 0)
    assert (device.begun, device.asked) == (7, 0)


def test_product_is_asked_again_when_its_time_is_over(device: Any) -> None:
    device.offer(7, 1000)
    assert (device.begun, device.asked_most_s, device.postponed(), device.left_s) == (0, 1000, 7, 100)
    assert device.news == 1, "the server is told"
    advance(device, 99)
    assert (device.begun, device.asked, device.postponed(), device.left_s) == (0, 1, 7, 1)
    device.wanted_s = 0
    advance(device, 1)
    assert (device.begun, device.asked, device.asked_most_s, device.postponed()) == (7, 2, 900, 0)


def test_product_cannot_put_it_off_for_longer_than_it_may(device: Any) -> None:
    device.offer(7, 250)
    advance(device, 249)
    assert (device.begun, device.asked) == (0, 3)
    advance(device, 1)
    assert (device.begun, device.asked) == (7, 3), "it is not asked for nothing"


def test_repeated_offer_asks_again_only_when_less_time_is_left(device: Any) -> None:
    device.offer(7, 1000)
    advance(device, 50)
    device.offer(7, 950)
    assert (device.asked, device.postponed(), device.left_s) == (1, 7, 50)
    device.offer(7, 20)
    assert (device.asked, device.asked_most_s, device.postponed(), device.left_s) == (2, 20, 7, 20)
    device.offer(7, 0)
    assert device.begun == 7
    device.offer(7, 1000)
    assert (device.asked, device.postponed()) == (2, 0), "it is at work"


def test_other_offer_takes_the_place_and_a_withdrawn_one_is_forgotten(device: Any) -> None:
    device.offer(7, 1000)
    device.offer(8, 1000)
    assert (device.asked, device.postponed()) == (2, 8)
    device.withdraw(7)
    assert device.postponed() == 8
    device.withdraw(8)
    advance(device, 2000)
    assert (device.begun, device.postponed()) == (0, 0)


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1), st.lists(st.integers(1, 10 * 24 * 3600), max_size=8))
def test_nothing_that_a_product_or_a_server_says_puts_it_off_for_more_than_a_month(
    compiled: Compiled, most_s: int, wanted_s: int, steps: list[int]
) -> None:
    device = start(compiled.lib)
    device.wanted_s = wanted_s
    device.offer(7, most_s)
    passed_s = 0
    for step in steps:
        assert (device.begun == 7) == (device.postponed() == 0)
        assert passed_s + device.left_s <= min(most_s, MONTH_S) or device.begun == 7
        step = min(step, device.left_s or 1) if device.begun == 0 else step
        device.now_ms = (device.now_ms + 1000 * step) % 2**32
        passed_s += step
        device.poll()
    assert device.begun == 7 or passed_s < min(most_s, MONTH_S)
