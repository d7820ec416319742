/* SPDX-License-Identifier: Apache-2.0 */
#include "crash.h"

#include <string.h>

#include "agent/agent.h"
#include "chip/backup.h"
#include "counters.h"
#include "device.h"
#include "ota/bytes.h"
#include "trial.h"

/* A record of the owner "crash": docs/spec/boot.md section 6. */
enum {
    AT_REPORT_ID = 0,
    AT_IDENTITY = 4,
    AT_REASON = 12,
    AT_PC = 16,
    AT_LR = 20,
    AT_UPTIME = 24,
    RECORD_LEN = 28,
    RECORDS_MAX = 8, /* keys 0 to 7 */
};

static bool read_record(uint8_t key, struct ota_report_crash *crash) {
    uint8_t raw[RECORD_LEN];
    uint32_t len;
    if (ota_store_read(&device.store, OTA_STORE_CRASH, key, raw, sizeof raw, &len) != OTA_OK || len != sizeof raw)
        return false;
    crash->report_id = ota_load32_le(raw + AT_REPORT_ID);
    memcpy(crash->identity, raw + AT_IDENTITY, sizeof crash->identity);
    crash->reason = ota_load32_le(raw + AT_REASON);
    crash->pc = ota_load32_le(raw + AT_PC);
    crash->lr = ota_load32_le(raw + AT_LR);
    crash->uptime_s = ota_load32_le(raw + AT_UPTIME);
    return true;
}

/* A free key, or that of the oldest record. */
static uint8_t key_for_new(void) {
    struct ota_report_crash crash;
    uint32_t oldest_id = UINT32_MAX;
    uint8_t oldest = 0;
    for (uint8_t key = 0; key < RECORDS_MAX; key++) {
        if (!read_record(key, &crash)) return key;
        if (crash.report_id >= oldest_id) continue;
        oldest_id = crash.report_id;
        oldest = key;
    }
    return oldest;
}

static enum ota_status write_record(const struct ota_report_crash *crash) {
    uint8_t raw[RECORD_LEN];
    ota_store32_le(raw + AT_REPORT_ID, crash->report_id);
    memcpy(raw + AT_IDENTITY, crash->identity, sizeof crash->identity);
    ota_store32_le(raw + AT_REASON, crash->reason);
    ota_store32_le(raw + AT_PC, crash->pc);
    ota_store32_le(raw + AT_LR, crash->lr);
    ota_store32_le(raw + AT_UPTIME, crash->uptime_s);
    /* cut: this crash is never told */
    return ota_store_write(&device.store, OTA_STORE_CRASH, key_for_new(), raw, sizeof raw);
}

/* What the image before this start left in the backup registers. */
static void read_registers(struct ota_report_crash *crash) {
    uint32_t first = chip_backup_read(CHIP_BACKUP_IDENTITY_0);
    uint32_t second = chip_backup_read(CHIP_BACKUP_IDENTITY_1);
    ota_store32_le(crash->identity, first);
    ota_store32_le(crash->identity + 4, second);
    /* An image that does not write them; it is the running one, as far as can be told. */
    if (first == 0 && second == 0) memcpy(crash->identity, device.running.identity, sizeof crash->identity);
    crash->reason = (uint32_t)device.reset.cause << 8 | device.reset.exception;
    crash->uptime_s = chip_backup_read(CHIP_BACKUP_UPTIME);
    crash->pc = crash->lr = 0;
    if (device.reset.cause == CHIP_RESET_FAULT) {
        crash->pc = device.fault.pc;
        crash->lr = device.fault.lr;
    }
}

/* A watchdog that was left to starve at the end of a trial is no crash: its outcome says what happened. */
static bool is_trial_given_up(const struct ota_report_crash *crash) {
    const struct ota_bootlog_record *outcome = &device.facts.outcome;
    return device.facts.has_outcome && device.reset.cause == CHIP_RESET_WATCHDOG &&
           outcome->type == OTA_BOOTLOG_REJECTED && outcome->reason == OTA_REASON_NO_CONTACT &&
           ota_bytes_equal(outcome->identity, crash->identity, sizeof crash->identity);
}

static void take_crash(void) {
    struct ota_report_crash crash;
    if (device.reset.cause != CHIP_RESET_WATCHDOG && device.reset.cause != CHIP_RESET_FAULT) return;
    read_registers(&crash);
    if (!device.has_store || is_trial_given_up(&crash)) return;
    trial_feed_watchdog(); /* the store may have to be compacted */
    enum ota_status status = counters_new_report_id(&crash.report_id);
    if (status == OTA_OK) status = write_record(&crash);
    if (status != OTA_OK) agent_log(AGENT_WARN, "the crash cannot be stored, status %d", status);
}

void crash_start(void) {
    take_crash();
    const uint8_t *identity = device.running.identity; /* zeros when it cannot be read */
    chip_backup_write(CHIP_BACKUP_IDENTITY_0, ota_load32_le(identity));
    chip_backup_write(CHIP_BACKUP_IDENTITY_1, ota_load32_le(identity + 4));
    chip_backup_write(CHIP_BACKUP_UPTIME, 0);
}

bool crash_oldest(struct ota_report_crash *crash) {
    struct ota_report_crash candidate;
    bool found = false;
    for (uint8_t key = 0; device.has_store && key < RECORDS_MAX; key++) {
        if (!read_record(key, &candidate) || (found && candidate.report_id >= crash->report_id)) continue;
        *crash = candidate;
        found = true;
    }
    return found;
}

void crash_take_acknowledgement(uint32_t report_id) {
    struct ota_report_crash crash;
    for (uint8_t key = 0; device.has_store && key < RECORDS_MAX; key++) {
        if (!read_record(key, &crash) || crash.report_id != report_id) continue;
        /* cut: it is told again, under the same report id */
        enum ota_status status = ota_store_remove(&device.store, OTA_STORE_CRASH, key);
        if (status != OTA_OK) agent_log(AGENT_INFO, "the crash record cannot be removed, status %d", status);
    }
}
