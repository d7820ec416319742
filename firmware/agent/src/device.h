/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DEVICE_H
#define AGENT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "chip/fault.h"
#include "chip/reset.h"
#include "ota/bootlog.h"
#include "ota/identity_page.h"
#include "ota/image.h"
#include "ota/sector.h"
#include "ota/store.h"

/* What this device knows about itself. What could not be read is marked so, and everything that needs it refuses. */
struct device {
    struct ota_image_requirements requirements; /* with the key set and the confirmed security counter */
    uint8_t device_id[OTA_DEVICE_ID_LEN];
    bool has_identity;                       /* the identity page is valid */
    uint8_t device_key[OTA_ED25519_KEY_LEN]; /* public; zero without an identity page */
    bool has_log;
    struct ota_bootlog log;
    struct ota_bootlog_facts facts;
    struct ota_keyset keyset;
    bool has_store;
    struct ota_store store;
    uint8_t slot;     /* this code runs in it */
    bool has_running; /* `running` is open: it is the image in that slot */
    struct ota_image running;
    struct chip_reset reset;
    struct chip_fault fault; /* meaningful when the reset was one */
};

extern struct device device;

void device_start(void);

/* Appends a record about the running image or the other slot's, and reads the facts anew. */
OTA_MUST_CHECK enum ota_status device_append(enum ota_bootlog_type type, uint8_t slot, uint16_t reason,
                                             uint32_t attempt, const uint8_t identity[OTA_IDENTITY_SHORT_LEN],
                                             uint32_t security_counter);

/* The running image is the confirmed one. Only then may the other slot be changed. */
bool device_is_confirmed(void);

/* Without an identity page it is not. */
bool device_is_for_development(void);

/* The running image is on trial. */
bool device_is_on_trial(void);

static inline uint8_t device_other_slot(void) { return device.slot == OTA_SLOT_A ? OTA_SLOT_B : OTA_SLOT_A; }

#endif
