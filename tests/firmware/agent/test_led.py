# SPDX-License-Identifier: Apache-2.0
"""The LED is the product's until the device shows itself; a product may show it in another way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.firmware.compiled import FIRMWARE, Compiled, compile_firmware

_SOURCES = FIRMWARE / "agent" / "src"
_INCLUDES = [
    _SOURCES,
    FIRMWARE / "agent" / "include",
    FIRMWARE / "core" / "include",
    FIRMWARE / "chip" / "stm32f205" / "include",
    FIRMWARE / "platforms" / "include",
]
_WRAPPERS = """
#include "agent/agent.h"
#include "chip/time.h"
#include "platform_config.h"
extern int is_lit;
extern uint32_t now_ms;
extern int shown;
extern void start(void);
extern void set_led(int is_on);
extern void signal_is(int is_on);
extern void poll(void);
extern void show_by_product(int is_own);

const struct platform_config platform_config = {.led_active_low = true};
int is_lit;
uint32_t now_ms;
int shown;

void chip_gpio_set(struct chip_pin pin, bool level) { (void)pin; is_lit = !level; }
void chip_gpio_output(struct chip_pin pin, bool level) { chip_gpio_set(pin, level); }
uint32_t chip_time_ms(void) { return now_ms; }
static void show(bool is_on) { shown = is_on; }

void start(void) { led_start(); }
void set_led(int is_on) { agent_led(is_on != 0); }
void signal_is(int is_on) { led_signal(is_on != 0); }
void poll(void) { led_poll(); }
void show_by_product(int is_own) { agent_on_signal(is_own ? show : NULL); }
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("led")
    return compile_firmware(folder, [_SOURCES / "led.c"], [_SOURCES / "led.h"], _INCLUDES, _WRAPPERS)


@pytest.fixture
def led(compiled: Compiled) -> Any:
    compiled.lib.start()
    compiled.lib.show_by_product(0)
    compiled.lib.signal_is(0)
    compiled.lib.set_led(0)
    return compiled.lib


def seen(led: Any, duration_ms: int) -> list[int]:
    """What the LED shows every 50 ms."""
    found = []
    for _ in range(duration_ms // 50):
        led.now_ms += 50
        led.poll()
        found.append(led.is_lit)
    return found


@pytest.mark.parametrize("is_on", [0, 1])
def test_led_is_the_products(led: Any, is_on: int) -> None:
    led.set_led(is_on)
    assert set(seen(led, 1000)) == {is_on}


def test_led_flashes_while_the_device_shows_itself(led: Any) -> None:
    led.set_led(1)
    led.signal_is(1)
    assert set(seen(led, 200)) == {0, 1}
    led.set_led(0)
    flashing = seen(led, 1000)
    assert flashing.count(1) == flashing.count(0) == 10
    led.signal_is(0)
    assert set(seen(led, 1000)) == {0}, "what the product wanted meanwhile"


def test_product_shows_it_in_its_own_way(led: Any) -> None:
    led.show_by_product(1)
    led.signal_is(1)
    assert led.shown == 1
    assert set(seen(led, 1000)) == {0}
    led.signal_is(0)
    assert led.shown == 0
