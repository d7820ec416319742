/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/report.h"

#include <stddef.h>
#include <string.h>

#include "ota/cbor.h"

/* Keys of the map. */
enum report_key {
    KEY_IDENTITY = 1,
    KEY_PRODUCT_VERSION,
    KEY_SLOT,
    KEY_HW_REV,
    KEY_SECURITY_COUNTER,
    KEY_TRIAL,
    KEY_BOOTLOADER_VERSION,
    KEY_KEYSET_VERSION,
    KEY_INTERVAL,
    KEY_OUTCOME,
    KEY_UPDATE,
    KEY_UPTIME,
    KEY_HEALTH,
    KEY_LOGS,
    KEY_EVENTS,
    KEY_CRASH,
    KEY_RESULTS,
    KEY_HOLD,
    KEY_BOOTS,
    KEY_FUNCTIONS,
    KEY_VARIABLES,
    KEY_READINGS,
    KEY_CLAIM_CODE,
    KEY_POSTPONED,
};

enum { ALL_STATE_KEYS = 0x3FE }; /* bits 1 to 9 */

/* The value of a state key that is a number: every one but the identity. */
static uint32_t state_number(const struct ota_report_state *state, uint32_t key) {
    const uint32_t numbers[] = {
        [KEY_PRODUCT_VERSION] = state->product_version,
        [KEY_SLOT] = state->slot,
        [KEY_HW_REV] = state->hw_rev,
        [KEY_SECURITY_COUNTER] = state->security_counter,
        [KEY_TRIAL] = state->trial,
        [KEY_BOOTLOADER_VERSION] = state->bootloader_version,
        [KEY_KEYSET_VERSION] = state->keyset_version,
        [KEY_INTERVAL] = state->interval_s,
    };
    return numbers[key];
}

/* Bit n: state key n. */
static uint16_t state_differences(const struct ota_report_state *a, const struct ota_report_state *b) {
    uint32_t keys = 0;
    if (memcmp(a->identity, b->identity, sizeof a->identity) != 0) keys |= 1u << KEY_IDENTITY;
    for (uint32_t key = KEY_PRODUCT_VERSION; key <= KEY_INTERVAL; key++) {
        if (state_number(a, key) != state_number(b, key)) keys |= 1u << key;
    }
    return (uint16_t)keys;
}

void ota_report_memory_init(struct ota_report_memory *memory) { memset(memory, 0, sizeof *memory); }

void ota_report_memory_take_answer(struct ota_report_memory *memory) {
    memory->answered = memory->sent;
    memory->has_answered = true;
    memory->unsure = 0;
}

/* The state keys to be sent, which `memory` counts as sent. */
static uint16_t take_state_keys(struct ota_report_memory *memory, const struct ota_report_state *state) {
    memory->sent = *state;
    if (!memory->has_answered) return ALL_STATE_KEYS;
    memory->unsure = (uint16_t)(memory->unsure | state_differences(state, &memory->answered));
    return memory->unsure;
}

static void write_number(struct ota_cbor_writer *writer, uint32_t key, uint32_t value) {
    ota_cbor_write_uint(writer, key);
    ota_cbor_write_uint(writer, value);
}

static void write_state(struct ota_cbor_writer *writer, const struct ota_report_state *state, uint16_t keys) {
    if ((keys & 1u << KEY_IDENTITY) != 0) {
        ota_cbor_write_uint(writer, KEY_IDENTITY);
        ota_cbor_write_bytes(writer, state->identity, sizeof state->identity);
    }
    for (uint32_t key = KEY_PRODUCT_VERSION; key <= KEY_INTERVAL; key++) {
        if ((keys & 1u << key) != 0) write_number(writer, key, state_number(state, key));
    }
}

/* Length of the UTF-8 character (RFC 3629 section 4) that `text` begins with; 0: it begins with none. */
static uint32_t utf8_len(struct ota_span text) {
    uint8_t first = text.bytes[0];
    if (first < 0x80) return 1;
    uint32_t len = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (len == 0 || len > text.len) return 0;
    for (uint32_t i = 1; i < len; i++) {
        if ((text.bytes[i] & 0xC0) != 0x80) return 0;
    }
    uint8_t second = text.bytes[1];
    bool is_long_form = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    bool is_no_character = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
    return is_long_form || is_no_character ? 0 : len;
}

static bool is_utf8(struct ota_span text) {
    while (text.len > 0) {
        uint32_t len = utf8_len(text);
        if (len == 0) return false;
        text.bytes += len;
        text.len -= len;
    }
    return true;
}

/* The server refuses a whole message for one text that is none: what is not UTF-8 is made so. */
static void write_text(struct ota_cbor_writer *writer, struct ota_span text) {
    ota_cbor_write_text(writer, (const char *)text.bytes, text.len);
    if (writer->is_full || is_utf8(text)) return;
    uint8_t *written = writer->bytes + (writer->len - text.len);
    for (uint32_t i = 0; i < text.len; i++) {
        if (written[i] > 0x7F) written[i] = '?';
    }
}

static void write_outcome(struct ota_cbor_writer *writer, const struct ota_report_outcome *outcome) {
    ota_cbor_write_uint(writer, KEY_OUTCOME);
    ota_cbor_write_array(writer, 4);
    ota_cbor_write_uint(writer, outcome->attempt);
    ota_cbor_write_uint(writer, outcome->type);
    ota_cbor_write_bytes(writer, outcome->identity, sizeof outcome->identity);
    ota_cbor_write_uint(writer, outcome->reason);
}

static void write_update(struct ota_cbor_writer *writer, const struct ota_report_update *update) {
    ota_cbor_write_uint(writer, KEY_UPDATE);
    ota_cbor_write_array(writer, 3);
    ota_cbor_write_uint(writer, update->attempt);
    ota_cbor_write_int(writer, update->status);
    ota_cbor_write_uint(writer, update->received);
}

static void write_health(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_HEALTH);
    ota_cbor_write_map(writer, report->health_count);
    for (uint32_t i = 0; i < report->health_count; i++) {
        ota_cbor_write_uint(writer, report->health[i].key);
        ota_cbor_write_int(writer, report->health[i].value);
    }
}

static void write_logs(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_LOGS);
    ota_cbor_write_array(writer, 2);
    ota_cbor_write_uint(writer, report->lines_report_id);
    ota_cbor_write_array(writer, report->line_count);
    for (uint32_t i = 0; i < report->line_count; i++) {
        ota_cbor_write_array(writer, 3);
        ota_cbor_write_uint(writer, report->lines[i].level);
        ota_cbor_write_uint(writer, report->lines[i].age_ms);
        write_text(writer, report->lines[i].text);
    }
}

static void write_events(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_EVENTS);
    ota_cbor_write_array(writer, 2);
    ota_cbor_write_uint(writer, report->events_report_id);
    ota_cbor_write_array(writer, report->event_count);
    for (uint32_t i = 0; i < report->event_count; i++) {
        ota_cbor_write_array(writer, 3);
        write_text(writer, report->events[i].name);
        write_text(writer, report->events[i].data);
        ota_cbor_write_uint(writer, report->events[i].age_ms);
    }
}

static void write_crash(struct ota_cbor_writer *writer, const struct ota_report_crash *crash) {
    ota_cbor_write_uint(writer, KEY_CRASH);
    ota_cbor_write_array(writer, 6);
    ota_cbor_write_uint(writer, crash->report_id);
    ota_cbor_write_bytes(writer, crash->identity, sizeof crash->identity);
    ota_cbor_write_uint(writer, crash->reason);
    ota_cbor_write_uint(writer, crash->pc);
    ota_cbor_write_uint(writer, crash->lr);
    ota_cbor_write_uint(writer, crash->uptime_s);
}

static void write_results(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_RESULTS);
    ota_cbor_write_array(writer, report->result_count);
    for (uint32_t i = 0; i < report->result_count; i++) {
        ota_cbor_write_array(writer, 2);
        ota_cbor_write_uint(writer, report->results[i].call_id);
        ota_cbor_write_int(writer, report->results[i].value);
    }
}

static void write_functions(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_FUNCTIONS);
    ota_cbor_write_array(writer, report->function_count);
    for (uint32_t i = 0; i < report->function_count; i++) write_text(writer, report->functions[i]);
}

static void write_variables(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_VARIABLES);
    ota_cbor_write_array(writer, report->variable_count);
    for (uint32_t i = 0; i < report->variable_count; i++) {
        ota_cbor_write_array(writer, 2);
        write_text(writer, report->variables[i].name);
        ota_cbor_write_uint(writer, report->variables[i].type);
    }
}

static void write_reading(struct ota_cbor_writer *writer, const struct ota_report_reading *reading) {
    ota_cbor_write_array(writer, 2);
    ota_cbor_write_uint(writer, reading->call_id);
    switch (reading->type) {
    case OTA_REPORT_INT:
    case OTA_REPORT_BOOL:
        ota_cbor_write_int(writer, reading->number);
        break;
    case OTA_REPORT_DOUBLE:
        ota_cbor_write_bytes(writer, reading->bytes.bytes, reading->bytes.len);
        break;
    case OTA_REPORT_TEXT:
        write_text(writer, reading->bytes);
        break;
    }
}

static void write_readings(struct ota_cbor_writer *writer, const struct ota_report *report) {
    ota_cbor_write_uint(writer, KEY_READINGS);
    ota_cbor_write_array(writer, report->reading_count);
    for (uint32_t i = 0; i < report->reading_count; i++) write_reading(writer, &report->readings[i]);
}

static void write_claim_code(struct ota_cbor_writer *writer, struct ota_span code) {
    ota_cbor_write_uint(writer, KEY_CLAIM_CODE);
    ota_cbor_write_text(writer, (const char *)code.bytes, code.len);
}

static void write_postponed(struct ota_cbor_writer *writer, const struct ota_report_postponed *postponed) {
    ota_cbor_write_uint(writer, KEY_POSTPONED);
    ota_cbor_write_array(writer, 2);
    ota_cbor_write_uint(writer, postponed->attempt);
    ota_cbor_write_uint(writer, postponed->left_s);
}

static uint32_t count_keys(const struct ota_report *report, uint16_t state_keys) {
    uint32_t count = 0;
    for (; state_keys != 0; state_keys = (uint16_t)(state_keys & (state_keys - 1))) count++;
    count += report->outcome != NULL;
    count += report->update != NULL;
    count += report->has_uptime;
    count += report->health_count > 0;
    count += report->line_count > 0;
    count += report->event_count > 0;
    count += report->crash != NULL;
    count += report->result_count > 0;
    count += report->has_hold;
    count += report->has_boots;
    count += report->function_count > 0;
    count += report->variable_count > 0;
    count += report->reading_count > 0;
    count += report->claim_code != NULL;
    count += report->postponed != NULL;
    return count;
}

static enum ota_status write_map(const struct ota_report *report, uint16_t state_keys, uint8_t *out, uint32_t size,
                                 uint32_t *len) {
    struct ota_cbor_writer writer;
    ota_cbor_writer_init(&writer, out, size);
    ota_cbor_write_map(&writer, count_keys(report, state_keys));
    write_state(&writer, &report->state, state_keys);
    if (report->outcome != NULL) write_outcome(&writer, report->outcome);
    if (report->update != NULL) write_update(&writer, report->update);
    if (report->has_uptime) write_number(&writer, KEY_UPTIME, report->uptime_s);
    if (report->health_count > 0) write_health(&writer, report);
    if (report->line_count > 0) write_logs(&writer, report);
    if (report->event_count > 0) write_events(&writer, report);
    if (report->crash != NULL) write_crash(&writer, report->crash);
    if (report->result_count > 0) write_results(&writer, report);
    if (report->has_hold) write_number(&writer, KEY_HOLD, report->hold_s);
    if (report->has_boots) write_number(&writer, KEY_BOOTS, report->boots);
    if (report->function_count > 0) write_functions(&writer, report);
    if (report->variable_count > 0) write_variables(&writer, report);
    if (report->reading_count > 0) write_readings(&writer, report);
    if (report->claim_code != NULL) write_claim_code(&writer, *report->claim_code);
    if (report->postponed != NULL) write_postponed(&writer, report->postponed);
    return ota_cbor_writer_finish(&writer, len);
}

/* Leaves out the last thing that can wait for another message; false when there is none. */
static bool drop_last(struct ota_report *report) {
    uint32_t *const counts[] = {&report->line_count, &report->event_count, &report->reading_count};
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (*counts[i] == 0) continue;
        --*counts[i];
        return true;
    }
    return false;
}

enum ota_status ota_report_write(struct ota_report *report, struct ota_report_memory *memory, uint8_t *out,
                                 uint32_t size, uint32_t *len) {
    uint16_t state_keys = take_state_keys(memory, &report->state);
    enum ota_status status = write_map(report, state_keys, out, size, len);
    while (status == OTA_ERR_BUFFER && drop_last(report)) status = write_map(report, state_keys, out, size, len);
    return status;
}
