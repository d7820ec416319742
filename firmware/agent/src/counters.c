/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <stdbool.h>

#include "chip/backup.h"
#include "chip/time.h"
#include "device.h"
#include "download.h"
#include "ota/bytes.h"
#include "store_keys.h"

enum {
    SAVE_AFTER_S = 60,
    REPORT_ID_BLOCK = 64, /* reserved by one write */
    COUNTERS_LEN = 8,     /* u32 boots, u32 resets */
    REPORT_ID_LEN = 4,
    COUNT_MAX = 255, /* that the backup register holds */
};

static struct {
    uint32_t uptime_s;
    uint32_t second_ms; /* when that second began */
    bool is_saved;
    uint32_t stored_boots;
    uint32_t stored_resets;
    uint32_t new_boots; /* not yet in the store */
    uint32_t new_resets;
    uint32_t next_report_id;
    uint32_t reserved_until; /* first report id that is not reserved */
} counters;

static void read_stored(void) {
    uint8_t bytes[COUNTERS_LEN];
    uint32_t len;
    if (!device.has_store) return;
    if (ota_store_read(&device.store, OTA_STORE_SETTINGS, STORE_KEY_COUNTERS, bytes, sizeof bytes, &len) != OTA_OK)
        return;
    if (len != sizeof bytes) return;
    counters.stored_boots = ota_load32_le(bytes);
    counters.stored_resets = ota_load32_le(bytes + 4);
}

static void remember(void) {
    chip_backup_write(CHIP_BACKUP_STARTS, CHIP_STARTS_MAGIC | counters.new_resets << 8 | counters.new_boots);
}

void counters_start(void) {
    uint32_t starts = chip_backup_read(CHIP_BACKUP_STARTS);
    if ((starts & 0xFFFF0000u) == CHIP_STARTS_MAGIC) {
        counters.new_boots = starts & 0xFFu;
        counters.new_resets = starts >> 8 & 0xFFu;
    }
    bool is_crash = device.reset.cause == CHIP_RESET_WATCHDOG || device.reset.cause == CHIP_RESET_FAULT;
    if (counters.new_boots < COUNT_MAX) counters.new_boots++;
    if (is_crash && counters.new_resets < COUNT_MAX) counters.new_resets++;
    remember();
    read_stored();
    counters.second_ms = chip_time_ms();
}

void counters_save(void) {
    if (counters.is_saved || !device.has_store) return;
    counters.is_saved = true; /* a store that cannot be written now is not tried again before the next start */
    uint8_t bytes[COUNTERS_LEN];
    ota_store32_le(bytes, counters_boots());
    ota_store32_le(bytes + 4, counters_resets());
    /* cut: these starts are not counted; or they are, and power has cleared the register */
    if (ota_store_write(&device.store, OTA_STORE_SETTINGS, STORE_KEY_COUNTERS, bytes, sizeof bytes) != OTA_OK) return;
    counters.stored_boots = counters_boots();
    counters.stored_resets = counters_resets();
    counters.new_boots = counters.new_resets = 0;
    remember();
}

void counters_poll(void) {
    while (chip_time_ms() - counters.second_ms >= 1000) {
        counters.second_ms += 1000;
        counters.uptime_s++;
        chip_backup_write(CHIP_BACKUP_UPTIME, counters.uptime_s);
    }
    if (counters.uptime_s >= SAVE_AFTER_S && !download_is_active()) counters_save();
}

uint32_t counters_boots(void) { return counters.stored_boots + counters.new_boots; }

uint32_t counters_resets(void) { return counters.stored_resets + counters.new_resets; }

uint32_t counters_uptime_s(void) { return counters.uptime_s; }

static enum ota_status reserve(void) {
    uint8_t bytes[REPORT_ID_LEN];
    uint32_t len;
    uint32_t next = 1;
    enum ota_status status =
        ota_store_read(&device.store, OTA_STORE_SETTINGS, STORE_KEY_REPORT_ID, bytes, sizeof bytes, &len);
    if (status == OTA_OK && len == sizeof bytes)
        next = ota_load32_le(bytes);
    else if (status != OTA_ERR_NOT_FOUND)
        return status == OTA_OK ? OTA_ERR_STATE : status;
    ota_store32_le(bytes, next + REPORT_ID_BLOCK);
    /* cut: the old block or the new one is reserved; no id of either has been used */
    TRY(ota_store_write(&device.store, OTA_STORE_SETTINGS, STORE_KEY_REPORT_ID, bytes, sizeof bytes));
    counters.next_report_id = next;
    counters.reserved_until = next + REPORT_ID_BLOCK;
    return OTA_OK;
}

enum ota_status counters_new_report_id(uint32_t *report_id) {
    if (!device.has_store) return OTA_ERR_STATE;
    if (counters.next_report_id == counters.reserved_until) TRY(reserve());
    *report_id = counters.next_report_id++;
    return OTA_OK;
}
