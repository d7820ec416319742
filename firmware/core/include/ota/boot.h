/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_BOOT_H
#define OTA_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/bootlog.h"
#include "ota/sector.h"
#include "ota/status.h"

/* The boot decision: docs/spec/boot.md section 5. Pure: facts in, one action out. */

enum ota_reset {
    OTA_RESET_POWER, /* power-on, brown-out, reset pin */
    OTA_RESET_WATCHDOG,
    OTA_RESET_FAULT,
    OTA_RESET_SOFTWARE,
};

enum { OTA_BOOT_TRIALS_MAX = 3 };

struct ota_boot_slot {
    bool is_checked;
    enum ota_status check;     /* only when checked */
    bool has_attempt_identity; /* the slot's identity is the open attempt's; only when checked and good */
    uint16_t product_version;  /* only when checked and good */
    uint32_t security_counter; /* only when checked and good */
};

struct ota_boot_facts {
    bool has_confirmed;
    uint8_t confirmed_slot;
    enum ota_attempt_state attempt_state;
    uint8_t attempt_slot;
    uint32_t trial_count;
    enum ota_reset reset;
    struct ota_boot_slot slots[OTA_SLOT_COUNT];
};

enum ota_boot_action {
    OTA_BOOT_CHECK_FULL,   /* check the slot in full and ask again */
    OTA_BOOT_CHECK_PINNED, /* check the slot against its CONFIRMED record and ask again */
    OTA_BOOT_CONFIRM,      /* append CONFIRMED for the slot and ask again */
    OTA_BOOT_REJECT,       /* append REJECTED for the open attempt and ask again */
    OTA_BOOT_INTERRUPT,    /* append INTERRUPTED for the open attempt and ask again */
    OTA_BOOT_TRIAL,        /* append TRIAL and start the slot */
    OTA_BOOT_START,        /* start the slot (BOOT in the table) */
    OTA_BOOT_RECOVERY,     /* wait for an image on the serial port */
};

struct ota_boot_decision {
    enum ota_boot_action action;
    uint8_t slot;    /* of every action but RECOVERY */
    uint16_t reason; /* enum ota_bootlog_reason; of CONFIRM, REJECT and INTERRUPT */
};

struct ota_boot_decision ota_boot_decide(const struct ota_boot_facts *facts);

#endif
