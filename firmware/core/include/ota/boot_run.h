/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_BOOT_RUN_H
#define OTA_BOOT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/boot.h"
#include "ota/flash.h"
#include "ota/image.h"

/* Carries out what ota_boot_decide() says. Neither `start` nor `recovery` returns on a device; a test's may, and
 * ota_boot_run returns behind it. */
struct ota_boot_port {
    const struct ota_flash *flash;
    void *ctx;

    /* Starts the watchdog and the image in the slot. */
    void (*start)(void *ctx, uint32_t slot_addr, bool is_trial);

    /* Nothing can be started. */
    void (*recovery)(void *ctx);
};

/* `device` says what the device asks of an image; its security_counter and keyset are ignored: the boot log has them.
 */
void ota_boot_run(const struct ota_boot_port *port, const struct ota_image_requirements *device, enum ota_reset reset);

#endif
