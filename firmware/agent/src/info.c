/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"

#include "agent/agent.h"
#include "chip/flash.h"
#include "device.h"
#include "download.h"
#include "link.h"
#include "ota/cbor.h"
#include "platform_config.h"
#include "product_config.h"

/* Keys of the map. */
enum info_key {
    INFO_DEVICE_ID = 1,
    INFO_PRODUCT_ID = 2,
    INFO_VERSION = 3,
    INFO_PLATFORM_ID = 4,
    INFO_IDENTITY = 5,
    INFO_SLOT = 6,
    INFO_HW_REV = 7,
    INFO_LIFECYCLE = 8,
    INFO_SECURITY_COUNTER = 9,
    INFO_BOOT_STATE = 10,
    INFO_OUTCOME = 11,
    INFO_RESET = 12,
    INFO_FAULT = 13,
    INFO_BOOTLOADER_VERSION = 14,
    INFO_KEYSET_VERSION = 15,
    INFO_LINK_ERRORS = 16,
    INFO_FLASH_ERRORS = 17,
    INFO_UPTIME_MS = 18,
    INFO_DOWNLOAD = 19,
    INFO_DEVICE_KEY = 20,
    INFO_COUNT = 20,
};

enum boot_state { BOOT_UNKNOWN = 0, BOOT_CONFIRMED = 1, BOOT_TRIAL = 2 };

static void write_boot_state(struct ota_cbor_writer *writer) {
    ota_cbor_write_array(writer, 3);
    if (device_is_on_trial()) {
        ota_cbor_write_uint(writer, BOOT_TRIAL);
        ota_cbor_write_uint(writer, device.facts.attempt.attempt);
        ota_cbor_write_uint(writer, device.facts.trial_count);
    } else {
        ota_cbor_write_uint(writer, device_is_confirmed() ? BOOT_CONFIRMED : BOOT_UNKNOWN);
        ota_cbor_write_uint(writer, device.facts.has_confirmed ? device.facts.confirmed.attempt : 0);
        ota_cbor_write_uint(writer, 0);
    }
}

static void write_outcome(struct ota_cbor_writer *writer) {
    if (!device.facts.has_outcome) {
        ota_cbor_write_nil(writer);
        return;
    }
    const struct ota_bootlog_record *outcome = &device.facts.outcome;
    ota_cbor_write_array(writer, 4);
    ota_cbor_write_uint(writer, outcome->type);
    ota_cbor_write_uint(writer, outcome->attempt);
    ota_cbor_write_bytes(writer, outcome->identity, sizeof outcome->identity);
    ota_cbor_write_uint(writer, outcome->reason);
}

static void write_fault(struct ota_cbor_writer *writer) {
    if (device.reset.cause != CHIP_RESET_FAULT) {
        ota_cbor_write_nil(writer);
        return;
    }
    ota_cbor_write_array(writer, 5);
    ota_cbor_write_uint(writer, device.reset.exception);
    ota_cbor_write_uint(writer, device.fault.pc);
    ota_cbor_write_uint(writer, device.fault.lr);
    ota_cbor_write_uint(writer, device.fault.cfsr);
    ota_cbor_write_uint(writer, device.fault.addr);
}

static void write_download(struct ota_cbor_writer *writer) {
    uint8_t digest[OTA_SHA256_LEN];
    uint32_t patch_off;
    if (!download_progress(digest, &patch_off)) {
        ota_cbor_write_nil(writer);
        return;
    }
    ota_cbor_write_array(writer, 2);
    ota_cbor_write_bytes(writer, digest, sizeof digest);
    ota_cbor_write_uint(writer, patch_off);
}

static void write_field(struct ota_cbor_writer *writer, enum info_key key, uint32_t value) {
    ota_cbor_write_uint(writer, key);
    ota_cbor_write_uint(writer, value);
}

uint32_t info_write(uint8_t *out, uint32_t size) {
    struct ota_cbor_writer writer;
    ota_cbor_writer_init(&writer, out, size);
    ota_cbor_write_map(&writer, INFO_COUNT);
    ota_cbor_write_uint(&writer, INFO_DEVICE_ID);
    ota_cbor_write_bytes(&writer, device.device_id, sizeof device.device_id);
    write_field(&writer, INFO_PRODUCT_ID, product_config.product_id);
    write_field(&writer, INFO_VERSION, product_config.version);
    write_field(&writer, INFO_PLATFORM_ID, platform_config.platform_id);
    ota_cbor_write_uint(&writer, INFO_IDENTITY);
    ota_cbor_write_bytes(&writer, device.running.identity, device.has_running ? OTA_IDENTITY_LEN : 0);
    write_field(&writer, INFO_SLOT, device.slot);
    write_field(&writer, INFO_HW_REV, device.requirements.hw_rev);
    write_field(&writer, INFO_LIFECYCLE, device.requirements.lifecycle);
    write_field(&writer, INFO_SECURITY_COUNTER, device.requirements.security_counter);
    ota_cbor_write_uint(&writer, INFO_BOOT_STATE);
    write_boot_state(&writer);
    ota_cbor_write_uint(&writer, INFO_OUTCOME);
    write_outcome(&writer);
    write_field(&writer, INFO_RESET, device.reset.cause);
    ota_cbor_write_uint(&writer, INFO_FAULT);
    write_fault(&writer);
    write_field(&writer, INFO_BOOTLOADER_VERSION, device.requirements.bootloader_version);
    write_field(&writer, INFO_KEYSET_VERSION, device.requirements.keyset != NULL ? device.keyset.version : 0);
    write_field(&writer, INFO_LINK_ERRORS, link_errors());
    write_field(&writer, INFO_FLASH_ERRORS, chip_flash_errors());
    write_field(&writer, INFO_UPTIME_MS, agent_time_ms());
    ota_cbor_write_uint(&writer, INFO_DOWNLOAD);
    write_download(&writer);
    ota_cbor_write_uint(&writer, INFO_DEVICE_KEY);
    ota_cbor_write_bytes(&writer, device.device_key, device.has_identity ? sizeof device.device_key : 0);
    uint32_t len;
    return ota_cbor_writer_finish(&writer, &len) == OTA_OK ? len : 0;
}
