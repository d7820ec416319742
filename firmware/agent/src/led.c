/* SPDX-License-Identifier: Apache-2.0 */
#include "led.h"

#include <stddef.h>

#include "agent/agent.h"
#include "chip/gpio.h"
#include "chip/time.h"
#include "platform_config.h"

enum { FLASH_MS = 100 };

static struct {
    agent_signal_pointer show; /* NULL: the LED flashes */
    bool is_flashing;
    bool is_led_on; /* as the product wants it */
} led;

static void light(bool is_on) { chip_gpio_set(platform_config.led, is_on != platform_config.led_active_low); }

void led_start(void) { chip_gpio_output(platform_config.led, platform_config.led_active_low); }

void agent_led(bool on) {
    led.is_led_on = on;
    if (!led.is_flashing) light(on);
}

void agent_on_signal(agent_signal_pointer show) { led.show = show; }

void led_signal(bool is_on) {
    if (led.show != NULL) {
        led.show(is_on);
        return;
    }
    led.is_flashing = is_on;
    light(led.is_led_on);
}

void led_poll(void) {
    if (led.is_flashing) light(chip_time_ms() / FLASH_MS % 2u == 0);
}
