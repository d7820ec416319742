/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_BOOTLOG_H
#define OTA_BOOTLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/flash.h"
#include "ota/keyset.h"
#include "ota/manifest.h"
#include "ota/status.h"

/* Boot log and key sets in sectors 2 and 3: docs/spec/boot.md section 4. */

enum ota_bootlog_type {
    OTA_BOOTLOG_STAGED = 1,
    OTA_BOOTLOG_TRIAL = 2,
    OTA_BOOTLOG_CONFIRMED = 3,
    OTA_BOOTLOG_REJECTED = 4,
    OTA_BOOTLOG_INTERRUPTED = 5,
    OTA_BOOTLOG_ABANDONED = 6,
    OTA_BOOTLOG_REPORTED = 7,
};

enum ota_bootlog_reason {
    OTA_REASON_NONE = 0,
    OTA_REASON_WATCHDOG = 1,
    OTA_REASON_FAULT = 2,
    OTA_REASON_SOFTWARE = 3,
    OTA_REASON_NO_CONTACT = 4,
    OTA_REASON_POWER = 5,
    OTA_REASON_FALLBACK = 6,
    OTA_REASON_RECOVERED = 7,
    OTA_REASON_CHECK = 256, /* + n: the slot's check answered status -n */
};

struct ota_bootlog_record {
    uint32_t sequence; /* given by ota_bootlog_append */
    uint8_t type;      /* enum ota_bootlog_type; other values are kept and mean nothing */
    uint8_t slot;      /* OTA_SLOT_A, OTA_SLOT_B */
    uint16_t reason;   /* enum ota_bootlog_reason */
    uint32_t attempt;
    uint8_t identity[OTA_IDENTITY_SHORT_LEN];
    uint32_t security_counter;
};

enum ota_attempt_state {
    OTA_ATTEMPT_IDLE,   /* no attempt is open */
    OTA_ATTEMPT_STAGED, /* an image waits for its trial */
    OTA_ATTEMPT_TRIAL,  /* its trial has begun at least once */
};

/* What the records say. */
struct ota_bootlog_facts {
    bool has_confirmed;
    bool has_outcome; /* one that no REPORTED record stands behind */
    enum ota_attempt_state attempt_state;
    uint32_t trial_count;                /* TRIAL records of the open attempt */
    struct ota_bootlog_record confirmed; /* newest CONFIRMED; only with has_confirmed */
    struct ota_bootlog_record attempt;   /* last record of the open attempt; only when not IDLE */
    struct ota_bootlog_record outcome;   /* last CONFIRMED, REJECTED or INTERRUPTED; only with has_outcome */
};

/* Owned by the caller, filled by mount; nothing in it needs saving. */
struct ota_bootlog {
    const struct ota_flash *flash;
    uint32_t sector; /* the ruling one; 0: there is none yet */
    uint32_t generation;
    uint32_t record_count; /* places that are read: those before the first blank one */
    uint32_t next_place;   /* behind the last one that is not blank; compaction comes first unless it is record_count */
    uint32_t next_sequence;
};

/* Finds the ruling sector and the free places. An empty or broken log is no error: it has no facts. */
OTA_MUST_CHECK enum ota_status ota_bootlog_mount(struct ota_bootlog *log, const struct ota_flash *flash);

OTA_MUST_CHECK enum ota_status ota_bootlog_read_facts(const struct ota_bootlog *log, struct ota_bootlog_facts *facts);

/* Appends the record with the next sequence number; compacts first when no place is left.
 * A power cut leaves the log as it was or with the record, never anything else. */
OTA_MUST_CHECK enum ota_status ota_bootlog_append(struct ota_bootlog *log, const struct ota_bootlog_record *record);

/* The current key set (highest version); OTA_ERR_NOT_FOUND when there is none. */
OTA_MUST_CHECK enum ota_status ota_bootlog_read_keyset(const struct ota_bootlog *log, struct ota_keyset *keyset);

/* The one before the current one, while it is still stored; OTA_ERR_NOT_FOUND when it is not. */
OTA_MUST_CHECK enum ota_status ota_bootlog_read_previous_keyset(const struct ota_bootlog *log,
                                                                struct ota_keyset *keyset);

/* Checks a key set (ota_keyset_accept) against the current one, or against `first_roots` and version 0 where there is
 * none, stores it and hands it back; `keyset` is not valid on failure. A power cut leaves the old or the new one
 * current. */
OTA_MUST_CHECK enum ota_status ota_bootlog_accept_keyset(struct ota_bootlog *log, const struct ota_roots *first_roots,
                                                         const uint8_t *untrusted, uint32_t len,
                                                         struct ota_keyset *keyset);

#endif
