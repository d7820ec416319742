/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include "board.h"
#include "check_in.h"
#include "chip/clock.h"
#include "chip/stack.h"
#include "chip/time.h"
#include "chip/uart.h"
#include "chip/watchdog.h"
#include "consent.h"
#include "counters.h"
#include "crash.h"
#include "device.h"
#include "download.h"
#include "led.h"
#include "link.h"
#include "platform_config.h"
#include "product_config.h"
#include "serial_transport.h"
#include "trial.h"

static void tell_start(void) {
    agent_log(AGENT_INFO, "%s version %u, slot %c, %s", product_config.name, product_config.version,
              device.slot == OTA_SLOT_A ? 'A' : 'B', device_is_on_trial() ? "on trial" : "confirmed");
    if (device.reset.cause == CHIP_RESET_FAULT) {
        agent_log(AGENT_ERROR, "the last start ended in exception %u at 0x%08lx, called from 0x%08lx",
                  device.reset.exception, (unsigned long)device.fault.pc, (unsigned long)device.fault.lr);
    }
    if (!device.has_identity) agent_log(AGENT_WARN, "no identity page: updates are refused");
}

void agent_init(void) {
    chip_stack_paint();
    chip_clock_start(platform_config.hse_hz);
    chip_watchdog_start(product_config.watchdog_s);
    board_start();
    chip_time_start();
    chip_uart_start(&platform_config.console);
    led_start();
    device_start();
    link_start();
    tell_start();
    counters_start();
    crash_start();
    download_start(&serial_transport);
    check_in_start(&serial_transport);
}

void agent_poll(void) {
    trial_feed_watchdog();
    counters_poll();
    link_poll();
    check_in_poll(); /* before the download: between two pieces of a patch a check-in that is due comes first */
    consent_poll();
    download_poll();
    trial_poll();
    led_poll();
}

uint32_t agent_time_ms(void) { return chip_time_ms(); }
