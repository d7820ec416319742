/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_ANSWER_H
#define OTA_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/bytes.h"
#include "ota/keyset_ref.h"
#include "ota/manifest.h"
#include "ota/sha256.h"
#include "ota/status.h"

/* What the server answers to a report: docs/spec/device_protocol.md section 3.2. */
enum {
    OTA_ANSWER_ACKNOWLEDGED_MAX = 4,
    OTA_ANSWER_CALLS_MAX = 2,
    OTA_ANSWER_READS_MAX = 2,
    OTA_ANSWER_RESULTS_MAX = 4,
    OTA_ANSWER_SETTINGS_MAX = 8,
    OTA_ANSWER_CALL_NAME_MAX = 64,
    OTA_ANSWER_CALL_ARGUMENT_MAX = 622,
    OTA_ANSWER_SETTING_TEXT_MAX = 255,
};

struct ota_answer_offer {
    uint32_t attempt;
    uint8_t identity[OTA_IDENTITY_SHORT_LEN];
    uint8_t patch_digest[OTA_SHA256_LEN];
    uint32_t patch_len;
    uint32_t image_len;
};

struct ota_answer_call {
    uint32_t id;
    struct ota_span name;     /* 1 to OTA_ANSWER_CALL_NAME_MAX bytes; none of them zero, nor in the argument */
    struct ota_span argument; /* at most OTA_ANSWER_CALL_ARGUMENT_MAX bytes */
};

/* A variable to be read. */
struct ota_answer_read {
    uint32_t id;
    struct ota_span name; /* 1 to OTA_ANSWER_CALL_NAME_MAX bytes */
};

/* Whether the device shall show people which one it is. */
struct ota_answer_signal {
    uint32_t id;
    bool is_on;
};

struct ota_answer_setting {
    uint32_t key;
    bool is_text;
    int32_t value;        /* unless it is text */
    struct ota_span text; /* at most OTA_ANSWER_SETTING_TEXT_MAX bytes; not checked to be UTF-8 */
};

/* The spans point into the bytes that were read. */
struct ota_answer {
    bool has_next;
    uint32_t next_s; /* until the next check-in; 0 at once */
    bool has_offer;
    struct ota_answer_offer offer;
    uint32_t acknowledged_count;
    uint32_t acknowledged[OTA_ANSWER_ACKNOWLEDGED_MAX]; /* report ids */
    bool has_outcome_acknowledged;
    uint32_t outcome_acknowledged; /* attempt */
    uint32_t call_count;
    struct ota_answer_call calls[OTA_ANSWER_CALLS_MAX];
    uint32_t results_acknowledged_count;
    uint32_t results_acknowledged[OTA_ANSWER_RESULTS_MAX]; /* call ids */
    uint32_t setting_count;
    struct ota_answer_setting settings[OTA_ANSWER_SETTINGS_MAX];
    uint32_t keyset_count;
    struct ota_keyset_ref keysets[OTA_KEYSET_REF_MAX];
    bool is_quarantined;
    bool has_withdrawn;
    uint32_t withdrawn; /* attempt */
    uint32_t read_count;
    struct ota_answer_read reads[OTA_ANSWER_READS_MAX];
    bool is_claim_taken;
    bool has_signal;
    struct ota_answer_signal signal;
    uint32_t consent_s; /* the offer may be put off for so long from now; 0: not at all */
};

/* Reads the plaintext of an answer. OTA_ERR_MESSAGE: anything that is not of the form; `answer` is then not to be used.
 * Keys that are not known are ignored. */
OTA_MUST_CHECK enum ota_status ota_answer_read(const uint8_t *untrusted, uint32_t len, struct ota_answer *answer);

#endif
