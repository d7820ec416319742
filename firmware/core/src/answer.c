/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/answer.h"

#include <string.h>

#include "message_map.h"
#include "ota/cbor.h"

/* Keys of the map. */
enum answer_key {
    KEY_NEXT = 1,
    KEY_OFFER = 2,
    KEY_ACKNOWLEDGED = 3,
    KEY_OUTCOME_ACKNOWLEDGED = 4,
    KEY_CALLS = 5,
    KEY_RESULTS_ACKNOWLEDGED = 6,
    KEY_SETTINGS = 7,
    KEY_KEYSETS = 8,
    KEY_QUARANTINED = 9,
    KEY_WITHDRAWN = 10,
    KEY_READS = 12,
    KEY_CLAIM_TAKEN = 13,
    KEY_SIGNAL = 14,
    KEY_CONSENT = 15,
};

/* An array of 1 to `highest` items. */
static bool read_count(struct ota_cbor_reader *reader, uint32_t highest, uint32_t *count) {
    return ota_cbor_read_array(reader, count) && *count >= 1 && *count <= highest;
}

static bool read_array_of(struct ota_cbor_reader *reader, uint32_t count) {
    uint32_t actual;
    return ota_cbor_read_array(reader, &actual) && actual == count;
}

static bool copy_bytes(struct ota_cbor_reader *reader, uint8_t *out, uint32_t len) {
    struct ota_span bytes;
    if (!ota_cbor_read_bytes(reader, &bytes) || bytes.len != len) return false;
    memcpy(out, bytes.bytes, len);
    return true;
}

static bool read_optional(struct ota_cbor_reader *reader, bool *has, uint32_t *value) {
    *has = true;
    return ota_cbor_read_uint(reader, value);
}

static bool read_offer(struct ota_cbor_reader *reader, struct ota_answer_offer *offer) {
    return read_array_of(reader, 5) && ota_cbor_read_uint(reader, &offer->attempt) &&
           copy_bytes(reader, offer->identity, sizeof offer->identity) &&
           copy_bytes(reader, offer->patch_digest, sizeof offer->patch_digest) &&
           ota_cbor_read_uint(reader, &offer->patch_len) && ota_cbor_read_uint(reader, &offer->image_len);
}

static bool read_ids(struct ota_cbor_reader *reader, uint32_t highest, uint32_t *ids, uint32_t *count) {
    if (!read_count(reader, highest, count)) return false;
    for (uint32_t i = 0; i < *count; i++) {
        if (!ota_cbor_read_uint(reader, &ids[i])) return false;
    }
    return true;
}

/* A text of `lowest` to `highest` bytes. */
static bool read_text(struct ota_cbor_reader *reader, uint32_t lowest, uint32_t highest, struct ota_span *text) {
    return ota_cbor_read_text(reader, text) && text->len >= lowest && text->len <= highest;
}

static bool has_zero(struct ota_span text) {
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.bytes[i] == 0) return true;
    }
    return false;
}

static bool read_call(struct ota_cbor_reader *reader, struct ota_answer_call *call) {
    return read_array_of(reader, 3) && ota_cbor_read_uint(reader, &call->id) &&
           read_text(reader, 1, OTA_ANSWER_CALL_NAME_MAX, &call->name) &&
           read_text(reader, 0, OTA_ANSWER_CALL_ARGUMENT_MAX, &call->argument) && !has_zero(call->name) &&
           !has_zero(call->argument);
}

static bool read_calls(struct ota_cbor_reader *reader, struct ota_answer *answer) {
    if (!read_count(reader, OTA_ANSWER_CALLS_MAX, &answer->call_count)) return false;
    for (uint32_t i = 0; i < answer->call_count; i++) {
        if (!read_call(reader, &answer->calls[i])) return false;
    }
    return true;
}

static bool read_reads(struct ota_cbor_reader *reader, struct ota_answer *answer) {
    if (!read_count(reader, OTA_ANSWER_READS_MAX, &answer->read_count)) return false;
    for (uint32_t i = 0; i < answer->read_count; i++) {
        struct ota_answer_read *read = &answer->reads[i];
        if (!read_array_of(reader, 2) || !ota_cbor_read_uint(reader, &read->id) ||
            !read_text(reader, 1, OTA_ANSWER_CALL_NAME_MAX, &read->name))
            return false;
    }
    return true;
}

static bool read_signal(struct ota_cbor_reader *reader, struct ota_answer_signal *signal) {
    uint32_t value;
    if (!read_array_of(reader, 2) || !ota_cbor_read_uint(reader, &signal->id) ||
        !ota_cbor_read_range(reader, 0, 1, &value))
        return false;
    signal->is_on = value == 1;
    return true;
}

static bool read_settings(struct ota_cbor_reader *reader, struct ota_answer *answer) {
    struct message_map map;
    if (!message_map_begin(&map, reader) || map.left < 1 || map.left > OTA_ANSWER_SETTINGS_MAX) return false;
    answer->setting_count = map.left;
    for (uint32_t i = 0; i < answer->setting_count; i++) {
        struct ota_answer_setting *setting = &answer->settings[i];
        if (!message_map_next(&map, &setting->key)) return false;
        setting->is_text = !ota_cbor_read_int(reader, &setting->value);
        if (setting->is_text && !read_text(reader, 0, OTA_ANSWER_SETTING_TEXT_MAX, &setting->text)) return false;
    }
    return true;
}

static bool read_value(struct ota_cbor_reader *reader, uint32_t key, struct ota_answer *answer) {
    switch (key) {
    case KEY_NEXT:
        return read_optional(reader, &answer->has_next, &answer->next_s);
    case KEY_OFFER:
        answer->has_offer = true;
        return read_offer(reader, &answer->offer);
    case KEY_ACKNOWLEDGED:
        return read_ids(reader, OTA_ANSWER_ACKNOWLEDGED_MAX, answer->acknowledged, &answer->acknowledged_count);
    case KEY_OUTCOME_ACKNOWLEDGED:
        return read_optional(reader, &answer->has_outcome_acknowledged, &answer->outcome_acknowledged);
    case KEY_CALLS:
        return read_calls(reader, answer);
    case KEY_RESULTS_ACKNOWLEDGED:
        return read_ids(reader, OTA_ANSWER_RESULTS_MAX, answer->results_acknowledged,
                        &answer->results_acknowledged_count);
    case KEY_SETTINGS:
        return read_settings(reader, answer);
    case KEY_KEYSETS:
        return ota_keyset_refs_read(reader, answer->keysets, &answer->keyset_count) == OTA_OK &&
               answer->keyset_count > 0;
    case KEY_QUARANTINED:
        answer->is_quarantined = true;
        return message_read_true(reader);
    case KEY_WITHDRAWN:
        return read_optional(reader, &answer->has_withdrawn, &answer->withdrawn);
    case KEY_READS:
        return read_reads(reader, answer);
    case KEY_CLAIM_TAKEN:
        answer->is_claim_taken = true;
        return message_read_true(reader);
    case KEY_SIGNAL:
        answer->has_signal = true;
        return read_signal(reader, &answer->signal);
    case KEY_CONSENT:
        return ota_cbor_read_uint(reader, &answer->consent_s) && answer->consent_s > 0;
    default: /* keys are open-ended, unlike an enum: a newer server's mean nothing here */
        return message_skip(reader);
    }
}

enum ota_status ota_answer_read(const uint8_t *untrusted, uint32_t len, struct ota_answer *answer) {
    struct ota_cbor_reader reader;
    struct message_map map;
    memset(answer, 0, sizeof *answer);
    ota_cbor_reader_init(&reader, untrusted, len);
    if (!message_map_begin(&map, &reader)) return OTA_ERR_MESSAGE;
    while (map.left > 0) {
        uint32_t key;
        if (!message_map_next(&map, &key) || !read_value(&reader, key, answer)) return OTA_ERR_MESSAGE;
    }
    return ota_cbor_reader_at_end(&reader) ? OTA_OK : OTA_ERR_MESSAGE;
}
