/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include "board.h"
#include "chip/clock.h"
#include "chip/gpio.h"
#include "chip/time.h"
#include "chip/uart.h"
#include "chip/watchdog.h"
#include "device.h"
#include "download.h"
#include "link.h"
#include "platform_config.h"
#include "product_config.h"
#include "trial.h"

static void tell_start(void) {
    agent_log(AGENT_INFO, "%s version %u, slot %c, %s", product_config.name, product_config.version,
              device.slot == OTA_SLOT_A ? 'A' : 'B', device_is_on_trial() ? "on trial" : "confirmed");
    if (device.reset.cause == CHIP_RESET_FAULT) {
        agent_log(AGENT_ERROR, "the last start ended in exception %u at 0x%08lx, called from 0x%08lx", device.reset.exception,
                  (unsigned long)device.fault.pc, (unsigned long)device.fault.lr);
    }
    if (!device.has_identity) agent_log(AGENT_WARN, "no identity page: updates are refused");
}

void agent_init(void) {
    chip_clock_start(platform_config.hse_hz);
    chip_watchdog_start(product_config.watchdog_s);
    board_start();
    chip_time_start();
    chip_uart_start(&platform_config.console);
    chip_gpio_output(platform_config.led, platform_config.led_active_low);
    device_start();
    link_start();
    tell_start();
}

void agent_poll(void) {
    trial_feed_watchdog();
    link_poll();
    download_poll();
    trial_poll();
}

uint32_t agent_time_ms(void) { return chip_time_ms(); }

void agent_led(bool on) { chip_gpio_set(platform_config.led, on != platform_config.led_active_low); }
