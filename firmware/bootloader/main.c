/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board.h"
#include "chip/clock.h"
#include "chip/cpu.h"
#include "chip/flash.h"
#include "chip/identity.h"
#include "chip/reset.h"
#include "chip/startup.h"
#include "chip/time.h"
#include "chip/uart.h"
#include "chip/watchdog.h"
#include "console.h"
#include "ota/boot_run.h"
#include "ota/identity_page.h"
#include "platform_config.h"
#include "recovery.h"

enum { WATCHDOG_S = 20 }; /* docs/spec/boot.md section 5 */

struct bootloader {
    struct ota_image_requirements device;
    struct ota_roots roots;
    bool has_identity;
};

static void start(void *ctx, uint32_t slot_addr, bool is_trial) {
    const struct bootloader *bootloader = ctx;
    console_text("muster boot ");
    console_number(bootloader->device.bootloader_version);
    console_text(slot_addr == OTA_SLOT_A_ADDR ? ": slot A " : ": slot B ");
    console_text(is_trial ? "on trial\r\n" : "confirmed\r\n");
    chip_uart_stop();
    chip_watchdog_start(WATCHDOG_S);
    chip_start_image(slot_addr);
}

static void recovery(void *ctx) {
    const struct bootloader *bootloader = ctx;
    recovery_run(&bootloader->device, bootloader->has_identity ? &bootloader->roots : NULL);
}

/* Without an identity page the requirements stay zero: no image fits, only a confirmed one boots. */
static void read_identity(struct bootloader *bootloader) {
    uint8_t chip_id[OTA_DEVICE_ID_LEN];
    chip_unique_id(chip_id);
    struct ota_identity_page page;
    bootloader->has_identity = ota_identity_page_read(&chip_flash, chip_id, &page) == OTA_OK;
    if (bootloader->has_identity) {
        bootloader->roots = page.roots;
        bootloader->device.product_id = page.product_id;
        bootloader->device.hw_rev = page.hw_rev;
        bootloader->device.lifecycle = page.lifecycle;
    }
    /* The device's secret leaves the stack before any other code runs. */
    volatile uint8_t *wipe = (volatile uint8_t *)&page;
    for (size_t i = 0; i < sizeof page; i++) wipe[i] = 0;
}

static enum ota_reset to_core(enum chip_reset_cause cause) {
    switch (cause) {
    case CHIP_RESET_WATCHDOG:
        return OTA_RESET_WATCHDOG;
    case CHIP_RESET_FAULT:
        return OTA_RESET_FAULT;
    case CHIP_RESET_SOFTWARE:
        return OTA_RESET_SOFTWARE;
    case CHIP_RESET_POWER:
        break;
    }
    return OTA_RESET_POWER;
}

_Noreturn void chip_main(void) {
    static struct bootloader bootloader;
    chip_clock_start(platform_config.hse_hz); /* first: hashing an image costs 28 M instructions */
    struct chip_reset reset = chip_reset_take();
    board_start();
    chip_time_start();
    chip_uart_start(&platform_config.console);
    bootloader.device.platform_id = platform_config.platform_id;
    bootloader.device.bootloader_version = platform_config.bootloader_version;
    read_identity(&bootloader);

    const struct ota_boot_port port = {&chip_flash, &bootloader, start, recovery};
    ota_boot_run(&port, &bootloader.device, to_core(reset.cause));
    chip_restart(); /* both functions of the port never return */
}
