/* SPDX-License-Identifier: Apache-2.0 */
#include "variables.h"

#include <stddef.h>
#include <string.h>

#include "agent/agent.h"
#include "messages.h"

struct variable {
    const char *name;
    enum ota_report_type type;
    const void *value;
};

static struct variable variables[VARIABLES_MAX];
static uint32_t count;

/* What the server has asked for and has not been told, oldest first. */
static struct {
    uint32_t call_id;
    const struct variable *variable;
} asked[VARIABLES_READINGS_MAX];
static uint32_t asked_count;

static enum ota_status add(const char *name, enum ota_report_type type, const void *value) {
    if (count == VARIABLES_MAX || strlen(name) > CALL_NAME_MAX) return OTA_ERR_BUFFER;
    variables[count++] = (struct variable){name, type, value};
    return OTA_OK;
}

enum ota_status agent_variable_int(const char *name, const int32_t *value) { return add(name, OTA_REPORT_INT, value); }

enum ota_status agent_variable_double(const char *name, const double *value) {
    return add(name, OTA_REPORT_DOUBLE, value);
}

enum ota_status agent_variable_text(const char *name, const char *value) { return add(name, OTA_REPORT_TEXT, value); }

enum ota_status agent_variable_bool(const char *name, const bool *value) { return add(name, OTA_REPORT_BOOL, value); }

uint32_t variables_list(struct ota_report_variable list[VARIABLES_MAX]) {
    for (uint32_t i = 0; i < count; i++) {
        list[i].name = (struct ota_span){(const uint8_t *)variables[i].name, (uint32_t)strlen(variables[i].name)};
        list[i].type = variables[i].type;
    }
    return count;
}

static const struct variable *find(struct ota_span name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(variables[i].name) == name.len && memcmp(variables[i].name, name.bytes, name.len) == 0)
            return &variables[i];
    }
    return NULL;
}

bool variables_take_reads(const struct ota_answer_read *reads, uint32_t read_count) {
    asked_count = 0; /* the server names again what it still wants */
    for (uint32_t i = 0; i < read_count && asked_count < VARIABLES_READINGS_MAX; i++) {
        const struct variable *variable = find(reads[i].name);
        if (variable == NULL) continue;
        asked[asked_count].call_id = reads[i].id;
        asked[asked_count].variable = variable;
        asked_count++;
    }
    return asked_count > 0;
}

static uint32_t text_len(const char *text) {
    uint32_t len = 0;
    while (len < OTA_REPORT_VALUE_TEXT_MAX && text[len] != '\0') len++;
    return len;
}

static struct ota_report_reading read(uint32_t call_id, const struct variable *variable) {
    struct ota_report_reading reading = {.call_id = call_id, .type = variable->type};
    switch (variable->type) {
    case OTA_REPORT_INT:
        reading.number = *(const int32_t *)variable->value;
        break;
    case OTA_REPORT_BOOL:
        reading.number = *(const bool *)variable->value;
        break;
    case OTA_REPORT_DOUBLE: /* in the order of its bytes in memory: this chip is little-endian */
        reading.bytes = (struct ota_span){variable->value, OTA_REPORT_DOUBLE_LEN};
        break;
    case OTA_REPORT_TEXT:
        reading.bytes = (struct ota_span){variable->value, text_len(variable->value)};
        break;
    }
    return reading;
}

uint32_t variables_readings(struct ota_report_reading readings[VARIABLES_READINGS_MAX]) {
    for (uint32_t i = 0; i < asked_count; i++) readings[i] = read(asked[i].call_id, asked[i].variable);
    return asked_count;
}

void variables_take_told(uint32_t told) {
    memmove(&asked[0], &asked[told], (asked_count - told) * sizeof asked[0]);
    asked_count -= told;
}
