/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_REPORT_H
#define OTA_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/bytes.h"
#include "ota/status.h"

/* What a device reports at a check-in: docs/spec/device_protocol.md section 3.1. */
enum {
    OTA_REPORT_IDENTITY_LEN = 8,
    OTA_REPORT_HOLD_MAX_S = 25,
    OTA_REPORT_VALUE_TEXT_MAX = 622,
    OTA_REPORT_DOUBLE_LEN = 8,
    OTA_REPORT_CLAIM_CODE_LEN = 63,
};

/* How the device is: the state keys 1 to 9. */
struct ota_report_state {
    uint8_t identity[OTA_REPORT_IDENTITY_LEN]; /* of the running image */
    uint16_t product_version;
    uint8_t slot; /* OTA_SLOT_A, OTA_SLOT_B */
    uint16_t hw_rev;
    uint32_t security_counter; /* the CONFIRMED record's */
    uint8_t trial;             /* 0 confirmed, 1 to 3 the number of this trial */
    uint16_t bootloader_version;
    uint32_t keyset_version;
    uint32_t interval_s; /* between check-ins, as the device keeps them now */
};

/* What the server is known to know; begins anew with every session. A state key is left out only when the last answered
 * message left the server with its present value and no message since then carried it: one that got no answer may have
 * been counted all the same. */
struct ota_report_memory {
    bool has_answered;
    uint16_t unsure; /* bit n: state key n was sent since the last answer */
    struct ota_report_state answered;
    struct ota_report_state sent;
};

void ota_report_memory_init(struct ota_report_memory *memory);

/* The message that was written last has been answered in its session. */
void ota_report_memory_take_answer(struct ota_report_memory *memory);

struct ota_report_outcome {
    uint32_t attempt;
    uint8_t type; /* OTA_BOOTLOG_CONFIRMED, OTA_BOOTLOG_REJECTED or OTA_BOOTLOG_INTERRUPTED */
    uint8_t identity[OTA_REPORT_IDENTITY_LEN];
    uint16_t reason; /* enum ota_bootlog_reason */
};

struct ota_report_update {
    uint32_t attempt;
    int32_t status;    /* 0 going on, 1 staged, an enum ota_status below 0: stopped */
    uint32_t received; /* patch bytes */
};

/* Keys of the health map. */
enum ota_report_health_key {
    OTA_HEALTH_FREE_STACK = 1, /* bytes */
    OTA_HEALTH_LINK_ERRORS = 2,
    OTA_HEALTH_FLASH_ERRORS = 3,
    OTA_HEALTH_RESETS = 4,
    OTA_HEALTH_RESET_CAUSE = 5, /* enum ota_reset */
};

struct ota_report_health {
    uint32_t key; /* rising from one to the next */
    int32_t value;
};

struct ota_report_line {
    uint8_t level; /* 0 debug, 1 info, 2 warning, 3 error */
    uint32_t age_ms;
    struct ota_span text; /* what is not UTF-8 is sent with '?' for each byte above 0x7F */
};

struct ota_report_event {
    struct ota_span name; /* as a line's text */
    struct ota_span data;
    uint32_t age_ms;
};

struct ota_report_crash {
    uint32_t report_id;
    uint8_t identity[OTA_REPORT_IDENTITY_LEN];
    uint32_t reason;
    uint32_t pc;
    uint32_t lr;
    uint32_t uptime_s;
};

struct ota_report_result {
    uint32_t call_id;
    int32_t value;
};

/* What a variable holds. */
enum ota_report_type {
    OTA_REPORT_INT = 1,
    OTA_REPORT_DOUBLE = 2,
    OTA_REPORT_TEXT = 3,
    OTA_REPORT_BOOL = 4,
};

struct ota_report_variable {
    struct ota_span name;
    enum ota_report_type type;
};

struct ota_report_reading {
    uint32_t call_id;
    enum ota_report_type type;
    int32_t number;        /* of an int or a bool */
    struct ota_span bytes; /* at most OTA_REPORT_VALUE_TEXT_MAX of a text; of a double its eight, little-endian */
};

/* The product puts an offer off for so many seconds more. */
struct ota_report_postponed {
    uint32_t attempt;
    uint32_t left_s;
};

/* One report. A pointer that is NULL, a count of 0 and a flag that is not set leave their key out. */
struct ota_report {
    struct ota_report_state state;
    const struct ota_report_outcome *outcome;
    const struct ota_report_update *update;
    bool has_uptime;
    uint32_t uptime_s;
    const struct ota_report_health *health;
    uint32_t health_count;
    uint32_t lines_report_id;
    const struct ota_report_line *lines;
    uint32_t line_count;
    uint32_t events_report_id;
    const struct ota_report_event *events;
    uint32_t event_count;
    const struct ota_report_crash *crash;
    const struct ota_report_result *results;
    uint32_t result_count;
    bool has_hold;
    uint32_t hold_s; /* at most OTA_REPORT_HOLD_MAX_S */
    bool has_boots;
    uint32_t boots;
    const struct ota_span *functions; /* names */
    uint32_t function_count;
    const struct ota_report_variable *variables;
    uint32_t variable_count;
    const struct ota_report_reading *readings;
    uint32_t reading_count;
    const struct ota_span *claim_code; /* OTA_REPORT_CLAIM_CODE_LEN bytes of printable ASCII */
    const struct ota_report_postponed *postponed;
};

/* Writes the plaintext of the next message; to be sealed and sent at once, since `memory` counts it as sent.
 * Log lines, then events, then readings are dropped from the end until it fits: their counts in `report` say what is
 * left, and what is repeated later under the same report id must be just that. OTA_ERR_BUFFER: it does not fit without
 * them either. */
OTA_MUST_CHECK enum ota_status ota_report_write(struct ota_report *report, struct ota_report_memory *memory,
                                                uint8_t *out, uint32_t size, uint32_t *len);

#endif
