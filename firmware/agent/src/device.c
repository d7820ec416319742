/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <string.h>

#include "agent/agent.h"
#include "chip/backup.h"
#include "chip/flash.h"
#include "chip/identity.h"
#include "chip/rng.h"
#include "chip/startup.h"
#include "ota/bytes.h"
#include "platform_config.h"
#include "wipe.h"

/* docs/spec/boot.md section 1 */
enum { BOOT_HEADER_ADDR = OTA_FLASH_ADDR + 0x184, BOOT_HEADER_LEN = 8 };
#define BOOT_HEADER_MAGIC 0x424F4F54u

struct device device;

/* The bootloader on this device may be older than the one in the source tree; 0 when there is none that says. */
static uint16_t bootloader_version(void) {
    uint8_t header[BOOT_HEADER_LEN];
    if (chip_flash.read(chip_flash.ctx, BOOT_HEADER_ADDR, header, sizeof header) != OTA_OK) return 0;
    return ota_load32_le(header) == BOOT_HEADER_MAGIC ? ota_load16_le(header + 4) : 0;
}

/* A board that comes from the factory makes its key at its first start. */
static enum ota_status complete_identity(void) {
    uint8_t seed[OTA_ED25519_KEY_LEN];
    enum ota_status status = chip_rng_fill(seed, sizeof seed);
    if (status == OTA_OK) status = ota_identity_page_complete(&chip_flash, device.device_id, seed);
    wipe(seed, sizeof seed);
    return status;
}

static void read_identity(void) {
    chip_unique_id(device.device_id);
    struct ota_identity_page page;
    enum ota_status status = ota_identity_page_read(&chip_flash, device.device_id, &page);
    if (status == OTA_ERR_IDENTITY_PAGE && complete_identity() == OTA_OK) {
        status = ota_identity_page_read(&chip_flash, device.device_id, &page);
        if (status == OTA_OK) agent_log(AGENT_INFO, "the device has made its key");
    }
    device.has_identity = status == OTA_OK;
    if (device.has_identity) {
        memcpy(device.device_key, page.device_public_key, sizeof device.device_key);
        device.requirements.product_id = page.product_id;
        device.requirements.hw_rev = page.hw_rev;
        device.requirements.lifecycle = page.lifecycle;
    }
    wipe(&page, sizeof page); /* it holds the device's secret */
}

static enum ota_status read_facts(void) {
    TRY(ota_bootlog_read_facts(&device.log, &device.facts));
    device.requirements.security_counter = device.facts.has_confirmed ? device.facts.confirmed.security_counter : 0;
    return OTA_OK;
}

static void read_log(void) {
    device.has_log = ota_bootlog_mount(&device.log, &chip_flash) == OTA_OK && read_facts() == OTA_OK;
    device.requirements.keyset = NULL;
    if (device.has_log && ota_bootlog_read_keyset(&device.log, &device.keyset) == OTA_OK) {
        device.requirements.keyset = &device.keyset;
    }
}

void device_start(void) {
    chip_backup_start();
    device.reset = chip_reset_told();
    chip_fault_told(&device.fault);
    device.requirements.platform_id = platform_config.platform_id;
    device.requirements.bootloader_version = bootloader_version();
    read_identity();
    read_log();
    device.has_store = ota_store_mount(&device.store, &chip_flash) == OTA_OK;
    device.slot = chip_image_addr() == OTA_SLOT_A_ADDR ? OTA_SLOT_A : OTA_SLOT_B;
    device.has_running = ota_image_open(&chip_flash, ota_slot_addr(device.slot), &device.running) == OTA_OK;
}

enum ota_status device_append(enum ota_bootlog_type type, uint8_t slot, uint16_t reason, uint32_t attempt,
                              const uint8_t identity[OTA_IDENTITY_SHORT_LEN], uint32_t security_counter) {
    if (!device.has_log) return OTA_ERR_STATE;
    struct ota_bootlog_record record = {
        .type = (uint8_t)type,
        .slot = slot,
        .reason = reason,
        .attempt = attempt,
        .security_counter = security_counter,
    };
    memcpy(record.identity, identity, sizeof record.identity);
    TRY(ota_bootlog_append(&device.log, &record));
    return read_facts();
}

static bool names_running(const struct ota_bootlog_record *record) {
    return record->slot == device.slot &&
           ota_bytes_equal(record->identity, device.running.identity, OTA_IDENTITY_SHORT_LEN);
}

bool device_is_confirmed(void) {
    return device.has_log && device.has_running && device.facts.has_confirmed && names_running(&device.facts.confirmed);
}

bool device_is_for_development(void) {
    return device.has_identity && device.requirements.lifecycle == OTA_LIFECYCLE_DEVELOPMENT;
}

bool device_is_on_trial(void) {
    return device.has_log && device.has_running && device.facts.attempt_state == OTA_ATTEMPT_TRIAL &&
           names_running(&device.facts.attempt);
}
