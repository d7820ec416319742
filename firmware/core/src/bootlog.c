/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/bootlog.h"

#include <string.h>

#include "bootlog_sector.h"
#include "commit.h"
#include "ota/bytes.h"
#include "ota/crc32.h"

enum {
    AT_TYPE = 4,
    AT_SLOT = 5,
    AT_REASON = 6,
    AT_ATTEMPT = 8,
    AT_IDENTITY = 12,
    AT_COUNTER = 28,
    AT_CRC = 56,
    AT_COMMIT = 60,
};

/* No record. */
static const uint32_t nowhere = UINT32_MAX;

/* Places of the records that count; `nowhere` where there is none. */
struct scan {
    uint32_t confirmed; /* newest CONFIRMED */
    uint32_t last;      /* last record behind it that belongs to an attempt */
    uint32_t outcome;   /* newest CONFIRMED, REJECTED or INTERRUPTED */
    uint32_t reported;  /* newest REPORTED behind the outcome */
    struct ota_bootlog_record last_record;
};

/* False for a record that does not count: torn, damaged, or of a slot that cannot be. */
static bool decode_record(const uint8_t *raw, struct ota_bootlog_record *record) {
    if (ota_load32_le(raw + AT_COMMIT) != OTA_COMMIT) return false;
    if (ota_load32_le(raw + AT_CRC) != ota_crc32(0, raw, AT_CRC)) return false;
    record->sequence = ota_load32_le(raw);
    record->type = raw[AT_TYPE];
    record->slot = raw[AT_SLOT];
    record->reason = ota_load16_le(raw + AT_REASON);
    record->attempt = ota_load32_le(raw + AT_ATTEMPT);
    memcpy(record->identity, raw + AT_IDENTITY, sizeof record->identity);
    record->security_counter = ota_load32_le(raw + AT_COUNTER);
    return record->slot < OTA_SLOT_COUNT;
}

static void encode_record(const struct ota_bootlog_record *record, uint32_t sequence, uint8_t raw[RECORD_LEN]) {
    memset(raw, 0, RECORD_LEN);
    ota_store32_le(raw, sequence);
    raw[AT_TYPE] = record->type;
    raw[AT_SLOT] = record->slot;
    ota_store16_le(raw + AT_REASON, record->reason);
    ota_store32_le(raw + AT_ATTEMPT, record->attempt);
    memcpy(raw + AT_IDENTITY, record->identity, sizeof record->identity);
    ota_store32_le(raw + AT_COUNTER, record->security_counter);
    ota_store32_le(raw + AT_CRC, ota_crc32(0, raw, AT_CRC));
    ota_store32_le(raw + AT_COMMIT, OTA_COMMIT);
}

static enum ota_status read_place(const struct ota_bootlog *log, uint32_t place, uint8_t raw[RECORD_LEN]) {
    return log->flash->read(log->flash->ctx, bootlog_record_addr(log->sector, place), raw, RECORD_LEN);
}

/* cut: a record without its commit word, or with a torn one, is skipped; its place is lost until the next compaction */
static enum ota_status program_record(const struct ota_flash *flash, uint32_t addr, const uint8_t raw[RECORD_LEN]) {
    TRY(flash->program(flash->ctx, addr, raw, AT_COMMIT));
    return flash->program(flash->ctx, addr + AT_COMMIT, raw + AT_COMMIT, RECORD_LEN - AT_COMMIT);
}

static bool is_of_attempt(const struct ota_bootlog_record *record) {
    return record->type == OTA_BOOTLOG_STAGED || record->type == OTA_BOOTLOG_TRIAL ||
           record->type == OTA_BOOTLOG_REJECTED || record->type == OTA_BOOTLOG_INTERRUPTED ||
           record->type == OTA_BOOTLOG_ABANDONED;
}

static bool is_outcome(const struct ota_bootlog_record *record) {
    return record->type == OTA_BOOTLOG_CONFIRMED || record->type == OTA_BOOTLOG_REJECTED ||
           record->type == OTA_BOOTLOG_INTERRUPTED;
}

static enum ota_status scan_records(const struct ota_bootlog *log, struct scan *scan) {
    uint8_t raw[RECORD_LEN];
    struct ota_bootlog_record record;
    scan->confirmed = scan->last = scan->outcome = scan->reported = nowhere;
    for (uint32_t place = 0; place < log->record_count; place++) {
        TRY(read_place(log, place, raw));
        if (!decode_record(raw, &record)) continue;
        if (record.type == OTA_BOOTLOG_CONFIRMED) {
            scan->confirmed = place;
            scan->last = nowhere;
        }
        if (is_of_attempt(&record)) {
            scan->last = place;
            scan->last_record = record;
        }
        if (is_outcome(&record)) {
            scan->outcome = place;
            scan->reported = nowhere;
        }
        if (record.type == OTA_BOOTLOG_REPORTED && scan->outcome != nowhere) scan->reported = place;
    }
    return OTA_OK;
}

static enum ota_attempt_state attempt_state(const struct scan *scan) {
    if (scan->last == nowhere) return OTA_ATTEMPT_IDLE;
    if (scan->last_record.type == OTA_BOOTLOG_STAGED) return OTA_ATTEMPT_STAGED;
    return scan->last_record.type == OTA_BOOTLOG_TRIAL ? OTA_ATTEMPT_TRIAL : OTA_ATTEMPT_IDLE;
}

/* A record of the open attempt. */
static bool is_open(const struct scan *scan, uint32_t place, const struct ota_bootlog_record *record) {
    bool is_behind = scan->confirmed == nowhere || place > scan->confirmed;
    return attempt_state(scan) != OTA_ATTEMPT_IDLE && is_behind && is_of_attempt(record) &&
           record->attempt == scan->last_record.attempt;
}

enum ota_status ota_bootlog_mount(struct ota_bootlog *log, const struct ota_flash *flash) {
    uint8_t raw[RECORD_LEN];
    struct ota_bootlog_record record;
    log->flash = flash;
    log->record_count = 0;
    log->next_place = 0;
    log->next_sequence = 1;
    TRY(sector_pair_find(&bootlog_sectors, flash, &log->sector, &log->generation));
    if (log->sector == 0) return OTA_OK;
    for (uint32_t place = 0; place < RECORD_COUNT; place++) {
        TRY(read_place(log, place, raw));
        if (ota_bytes_are(raw, sizeof raw, 0xFF)) continue;
        if (place == log->record_count) {
            log->record_count++;
            if (decode_record(raw, &record)) log->next_sequence = record.sequence + 1;
        }
        log->next_place = place + 1;
    }
    return OTA_OK;
}

enum ota_status ota_bootlog_read_facts(const struct ota_bootlog *log, struct ota_bootlog_facts *facts) {
    uint8_t raw[RECORD_LEN];
    struct ota_bootlog_record record;
    struct scan scan;
    memset(facts, 0, sizeof *facts);
    TRY(scan_records(log, &scan));
    facts->attempt_state = attempt_state(&scan);
    if (facts->attempt_state != OTA_ATTEMPT_IDLE) facts->attempt = scan.last_record;
    for (uint32_t place = 0; place < log->record_count; place++) {
        TRY(read_place(log, place, raw));
        if (!decode_record(raw, &record)) continue;
        if (place == scan.confirmed) {
            facts->has_confirmed = true;
            facts->confirmed = record;
        }
        if (place == scan.outcome && scan.reported == nowhere) {
            facts->has_outcome = true;
            facts->outcome = record;
        }
        if (record.type == OTA_BOOTLOG_TRIAL && is_open(&scan, place, &record)) facts->trial_count++;
    }
    return OTA_OK;
}

enum ota_status bootlog_compact(struct ota_bootlog *log, enum bootlog_keysets keysets) {
    const struct ota_flash *flash = log->flash;
    uint32_t target = sector_pair_other(&bootlog_sectors, log->sector);
    uint32_t kept = 0;
    uint8_t raw[RECORD_LEN];
    struct ota_bootlog_record record;
    struct scan scan;

    /* cut: the old sector rules, here and down to the commit */
    TRY(ota_sector_make_blank(flash, target));
    TRY(bootlog_copy_keysets(log, target, keysets));
    TRY(scan_records(log, &scan));
    for (uint32_t place = 0; place < log->record_count; place++) {
        TRY(read_place(log, place, raw));
        if (!decode_record(raw, &record)) continue;
        if (place == scan.confirmed || place == scan.outcome || place == scan.reported ||
            is_open(&scan, place, &record)) {
            TRY(program_record(flash, bootlog_record_addr(target, kept), raw));
            kept++;
        }
    }
    TRY(sector_pair_commit(&bootlog_sectors, flash, target, log->generation + 1));
    log->sector = target;
    log->generation++;
    log->record_count = kept;
    log->next_place = kept;
    return OTA_OK;
}

enum ota_status ota_bootlog_append(struct ota_bootlog *log, const struct ota_bootlog_record *record) {
    uint8_t raw[RECORD_LEN];
    bool is_open = log->sector != 0 && log->next_place < RECORD_COUNT && log->next_place == log->record_count;
    if (!is_open) TRY(bootlog_compact(log, KEYSETS_ALL));
    if (log->next_place == RECORD_COUNT) return OTA_ERR_LOG_FULL;
    encode_record(record, log->next_sequence, raw);
    uint32_t addr = bootlog_record_addr(log->sector, log->next_place);
    log->next_place = RECORD_COUNT; /* unless everything goes well, nobody knows what stands there */
    TRY(program_record(log->flash, addr, raw));
    log->record_count++;
    log->next_place = log->record_count;
    log->next_sequence++;
    return OTA_OK;
}
